# Metrics of every host, and on the one that asks for it Prometheus, Alertmanager and Grafana.
{
  imports = [
    ./exporter.nix
    ./server.nix
    ./alerting.nix
    ./grafana.nix
  ];
}
