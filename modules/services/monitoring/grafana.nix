# Grafana, configured from files only: manual changes to provisioned parts are lost.
{
  config,
  lib,
  ...
}:

let
  inherit (lib) mkOption types;
  server = config.pantheros.monitoring.server;
  cfg = server.grafana;
  prometheus = config.services.prometheus;

  credential = name: "$__file{/run/credentials/grafana.service/${name}}";
  secrets = {
    inherit (cfg) adminPasswordFile secretKeyFile;
  };
in
{
  options.pantheros.monitoring.server.grafana = {
    listenAddress = mkOption {
      type = types.str;
      default = "127.0.0.1";
      description = ''
        IP address to listen on. Grafana authenticates users but speaks plain HTTP: for an address other than
        loopback, put a reverse proxy with TLS in front of it and open the firewall yourself.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 3000;
      description = "TCP port to listen on.";
    };

    rootUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://grafana.example.org/";
      description = "URL at which a browser reaches Grafana, if it differs from Grafana's own address.";
    };

    adminPasswordFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/grafanaAdminPassword";
      description = ''
        File with the initial password of `admin`, outside the Nix store; only root needs to be able to read it.
        Grafana uses it only to create its database: change it later with `grafana cli admin reset-admin-password`.
      '';
    };

    secretKeyFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/grafanaSecretKey";
      description = ''
        File with the key with which Grafana encrypts secrets in its database, outside the Nix store; only root
        needs to be able to read it. `openssl rand -hex 32` generates one.
      '';
    };
  };

  config = lib.mkIf server.enable {
    assertions = lib.concatLists (
      lib.mapAttrsToList (option: file: [
        {
          assertion = file != null;
          message = "pantheros.monitoring.server.grafana.${option} is not set; Grafana would use a default that is publicly known.";
        }
        {
          assertion = file == null || !lib.hasPrefix builtins.storeDir (toString file);
          message = "pantheros.monitoring.server.grafana.${option} is in the Nix store, where every user can read it. Name a file outside, as a string.";
        }
      ]) secrets
    );

    services.grafana = {
      enable = true;
      settings = {
        server = {
          http_addr = cfg.listenAddress;
          http_port = cfg.port;
        }
        // lib.optionalAttrs (cfg.rootUrl != null) {
          root_url = cfg.rootUrl;
        };
        security = {
          admin_password = credential "admin-password";
          secret_key = credential "secret-key";
          cookie_secure = cfg.rootUrl != null && lib.hasPrefix "https://" cfg.rootUrl;
          cookie_samesite = "strict";
          disable_gravatar = true;
        };
        users = {
          allow_sign_up = false;
          allow_org_create = false;
        };
        "auth.anonymous".enabled = false;
        analytics = {
          reporting_enabled = false;
          check_for_updates = false;
          check_for_plugin_updates = false;
          feedback_links_enabled = false;
        };
      };

      provision = {
        enable = true;
        datasources.settings = {
          prune = true;
          datasources = [
            {
              name = "Prometheus";
              uid = "prometheus";
              type = "prometheus";
              url = "http://127.0.0.1:${toString prometheus.port}";
              isDefault = true;
              jsonData.timeInterval = server.scrapeInterval;
            }
            {
              name = "Alertmanager";
              uid = "alertmanager";
              type = "alertmanager";
              url = "http://127.0.0.1:${toString prometheus.alertmanager.port}";
              jsonData.implementation = "prometheus";
            }
          ];
        };
        dashboards.settings.providers = [
          {
            name = "pantherOS";
            options.path = ./dashboards;
          }
        ];
      };
    };

    systemd.services.grafana = {
      # Retries until its secrets have been fetched.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        RestartSec = 10;
        LoadCredential =
          lib.optional (cfg.adminPasswordFile != null) "admin-password:${toString cfg.adminPasswordFile}"
          ++ lib.optional (cfg.secretKeyFile != null) "secret-key:${toString cfg.secretKeyFile}";
      };
    };
  };
}
