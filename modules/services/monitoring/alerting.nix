# The alert rules, and Alertmanager, which sends alerts and gets its secrets as credentials.
{
  config,
  lib,
  ...
}:

let
  inherit (lib)
    filterAttrs
    mkOption
    optional
    optionalAttrs
    types
    ;
  server = config.pantheros.monitoring.server;
  cfg = server.alerts;

  groups = import ./rules.nix {
    inherit (cfg) diskFreePercent backupMaxAgeHours rebootGrace;
  };

  secretFile =
    description:
    mkOption {
      type = types.nullOr types.path;
      default = null;
      description = "${description} Outside the Nix store; only root needs to be able to read it.";
    };

  credential = name: "/run/credentials/alertmanager.service/${name}";
  credentials =
    cfg.credentials
    // filterAttrs (_: file: file != null) {
      webhook-url = cfg.webhookUrlFile;
      heartbeat-url = cfg.heartbeatUrlFile;
      email-password = cfg.email.passwordFile or null;
    };

  person =
    cfg.receiver
    // optionalAttrs (cfg.webhookUrlFile != null) {
      webhook_configs = (cfg.receiver.webhook_configs or [ ]) ++ [
        {
          url_file = credential "webhook-url";
          send_resolved = true;
        }
      ];
    }
    // optionalAttrs (cfg.email != null) {
      email_configs = (cfg.receiver.email_configs or [ ]) ++ [
        (
          {
            inherit (cfg.email) to from smarthost;
            send_resolved = true;
          }
          // optionalAttrs (cfg.email.passwordFile != null) {
            auth_username = cfg.email.username;
            auth_password_file = credential "email-password";
          }
        )
      ];
    };
in
{
  options.pantheros.monitoring.server.alerts = {
    webhookUrlFile = secretFile "File with a URL that receives every alert as Alertmanager's JSON.";

    heartbeatUrlFile = secretFile ''
      File with a URL that is called every five minutes while the monitoring host works. An outside service that
      expects these calls can report a failure of the monitoring host itself.
    '';

    email = mkOption {
      default = null;
      description = "Mail for every alert.";
      type = types.nullOr (
        types.submodule {
          options = {
            to = mkOption {
              type = types.str;
              description = "Recipient of the mail.";
            };
            from = mkOption {
              type = types.str;
              description = "Sender of the mail.";
            };
            smarthost = mkOption {
              type = types.strMatching ".+:[0-9]+";
              example = "smtp.example.org:587";
              description = "Mail server and port; TLS is required.";
            };
            username = mkOption {
              type = types.str;
              default = "";
              description = "User name at the mail server, used with `passwordFile`.";
            };
            passwordFile = secretFile "File with the password at the mail server.";
          };
        }
      );
    };

    receiver = mkOption {
      type = types.attrsOf types.anything;
      default = { };
      example = lib.literalExpression ''
        {
          slack_configs = [
            {
              api_url_file = "/run/credentials/alertmanager.service/slack";
              channel = "#alerts";
            }
          ];
        }
      '';
      description = ''
        Further ways to send alerts, as in a receiver of Alertmanager. These settings are readable in the Nix store: add
        secrets to {option}`pantheros.monitoring.server.alerts.credentials` and use the `_file` settings.
      '';
    };

    credentials = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = {
        slack = "/var/lib/opnix/secrets/slackWebhook";
      };
      description = "Files outside the Nix store that Alertmanager can read as {file}`/run/credentials/alertmanager.service/NAME`.";
    };

    unattended = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to allow that nobody is notified about alerts.";
    };

    diskFreePercent = mkOption {
      type = types.ints.between 1 50;
      default = 10;
      description = "Percentage of a file system that must be free; less raises an alert.";
    };

    backupMaxAgeHours = mkOption {
      type = types.ints.positive;
      default = 36;
      description = "Age in hours above which the newest backup is too old.";
    };

    rebootGrace = mkOption {
      type = types.str;
      default = "3d";
      description = "How long a host may wait for a reboot, as a duration of Prometheus.";
    };
  };

  config = lib.mkIf server.enable {
    assertions = [
      {
        assertion = cfg.unattended || person != { };
        message = ''
          Nobody would be notified about alerts: set pantheros.monitoring.server.alerts.webhookUrlFile, `email` or
          `receiver`, or `unattended = true` if this is intended.
        '';
      }
    ]
    ++ lib.mapAttrsToList (name: file: {
      assertion = !lib.hasPrefix builtins.storeDir (toString file);
      message = "The credential ${name} of pantheros.monitoring.server.alerts is in the Nix store, where every user can read it. Name a file outside, as a string.";
    }) credentials;

    services.prometheus = {
      rules = [ (builtins.toJSON { inherit groups; }) ];
      alertmanagers = [
        {
          static_configs = [
            { targets = [ "127.0.0.1:${toString config.services.prometheus.alertmanager.port}" ]; }
          ];
        }
      ];

      alertmanager = {
        enable = true;
        listenAddress = "127.0.0.1";
        # A single instance needs no cluster port.
        extraFlags = [ "--cluster.listen-address=" ];
        configuration = {
          route = {
            receiver = "person";
            group_by = [
              "alertname"
              "instance"
            ];
            group_wait = "30s";
            group_interval = "5m";
            repeat_interval = "12h";
            routes = [
              (
                {
                  matchers = [ ''alertname="Watchdog"'' ];
                  receiver = if cfg.heartbeatUrlFile == null then "nobody" else "heartbeat";
                }
                // optionalAttrs (cfg.heartbeatUrlFile != null) {
                  group_wait = "0s";
                  group_interval = "1m";
                  repeat_interval = "5m";
                }
              )
            ];
          };
          inhibit_rules = [
            # If a host is down, its other alerts add nothing.
            {
              source_matchers = [ ''alertname="HostDown"'' ];
              target_matchers = [ ''alertname!~"HostDown|Watchdog"'' ];
              equal = [ "instance" ];
            }
          ];
          receivers = [
            { name = "nobody"; }
            (person // { name = "person"; })
          ]
          ++ optional (cfg.heartbeatUrlFile != null) {
            name = "heartbeat";
            webhook_configs = [
              {
                url_file = credential "heartbeat-url";
                send_resolved = false;
              }
            ];
          };
        };
      };
    };

    systemd.services.alertmanager = {
      # Retries until its secrets have been fetched.
      unitConfig.StartLimitIntervalSec = 0;
      serviceConfig = {
        RestartSec = 10;
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${toString file}") credentials;
      };
    };
  };
}
