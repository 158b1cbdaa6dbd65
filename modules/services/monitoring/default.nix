# Metrics of every host; Prometheus, Alertmanager and Grafana on the host that enables them.
{
  imports = [
    ./exporter.nix
    ./server.nix
    ./alerting.nix
    ./grafana.nix
  ];
}
