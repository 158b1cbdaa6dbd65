# Prometheus on the host that monitors the others. Neither Prometheus nor Alertmanager authenticates users, so both
# listen on loopback only; connect with `ssh -L 9090:127.0.0.1:9090`.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;
  monitoring = config.pantheros.monitoring;
  cfg = monitoring.server;

  authority =
    target:
    "${
      if lib.hasInfix ":" target.address then "[${target.address}]" else target.address
    }:${toString target.port}";

  itself = job: port: {
    job_name = job;
    static_configs = [
      {
        targets = [ "127.0.0.1:${toString port}" ];
        labels.instance = config.networking.hostName;
      }
    ];
  };
in
{
  options.pantheros.monitoring.server = {
    enable = lib.mkEnableOption "Prometheus, Alertmanager and Grafana, which monitor every host in `targets`";

    targets = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            address = mkOption {
              type = types.strMatching "[A-Za-z0-9.:_-]+";
              example = "10.0.0.7";
              description = "Address or name at which the monitoring host reaches the exporter.";
            };
            port = mkOption {
              type = types.port;
              default = 9100;
              description = "Port of the exporter.";
            };
            labels = mkOption {
              type = types.attrsOf types.str;
              default = { };
              example = {
                provider = "hetzner";
              };
              description = "Further labels of all metrics of this target.";
            };
          };
        }
      );
      default = { };
      example = {
        ovh-cloud.address = "10.0.0.7";
      };
      description = ''
        Hosts to monitor, by the name that alerts and dashboards show. The monitoring host itself is added if its
        exporter is enabled.
      '';
    };

    scrapeInterval = mkOption {
      type = types.str;
      default = "30s";
      description = "Interval at which metrics are fetched.";
    };

    retention = mkOption {
      type = types.str;
      default = "60d";
      description = "How long metrics are kept.";
    };

    retentionSize = mkOption {
      type = types.str;
      default = "8GB";
      description = "Maximum size of the stored metrics; the oldest are deleted first.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.targets != { };
        message = "pantheros.monitoring.server has no targets: add hosts to `targets`, or enable pantheros.monitoring.exporter here.";
      }
      {
        assertion = config.networking.hostName != "";
        message = "pantheros.monitoring.server needs networking.hostName as the name of its own metrics.";
      }
    ];

    pantheros.monitoring.server.targets = lib.mkIf monitoring.exporter.enable {
      ${config.networking.hostName} = {
        address = lib.mkDefault (
          if monitoring.exporter.listenAddress == "" then "127.0.0.1" else monitoring.exporter.listenAddress
        );
        port = lib.mkDefault monitoring.exporter.port;
      };
    };

    services.prometheus = {
      enable = true;
      listenAddress = "127.0.0.1";
      # Reloads after a change of the rules, because a restart would lose metrics.
      enableReload = true;
      retentionTime = cfg.retention;
      extraFlags = [ "--storage.tsdb.retention.size=${cfg.retentionSize}" ];
      globalConfig = {
        scrape_interval = cfg.scrapeInterval;
        evaluation_interval = "30s";
      };
      scrapeConfigs = [
        {
          job_name = "node";
          static_configs = lib.mapAttrsToList (name: target: {
            targets = [ (authority target) ];
            labels = target.labels // {
              instance = name;
            };
          }) cfg.targets;
        }
        (itself "prometheus" config.services.prometheus.port)
        (itself "alertmanager" config.services.prometheus.alertmanager.port)
        (itself "grafana" config.services.grafana.settings.server.http_port)
      ];
    };
  };
}
