# Secrets that OpNix fetches from 1Password while the host runs, and keeps on its disk, never in the store. Neither
# the boot nor SSH waits for 1Password: a host that cannot reach it uses the secrets that it fetched before.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:

let
  inherit (lib)
    hasPrefix
    mapAttrsToList
    mkForce
    mkOption
    types
    ;
  cfg = config.pantheros.secrets;
  hasOpnix = options.services ? onepassword-secrets;

  directory = "/var/lib/opnix/secrets";
  group = "onepassword-secrets";

  checkToken = pkgs.writeShellApplication {
    name = "check-1password-token";
    text = builtins.readFile ./check-token.sh;
  };

  # Services that a host needs to boot and be reached. OpNix orders each consumer of a secret after itself.
  isVital =
    service:
    lib.elem service [
      "dbus"
      "dbus-broker"
      "dhcpcd"
      "firewall"
      "nftables"
      "nix-daemon"
      "sshd"
      "sshd-keygen"
    ]
    || lib.any (prefix: hasPrefix prefix service) [
      "getty"
      "network"
      "serial-getty"
      "sshd@"
      "systemd-"
    ];

  # Settings of the unit that runs at boot and of the unit that polls for changes.
  guarded = {
    preStart = "${lib.getExe checkToken} ${
      lib.escapeShellArgs [
        cfg.tokenFile
        group
      ]
    }";
    serviceConfig = {
      # OpNix sets no limit, and a connection that hangs would delay the services that wait for a secret.
      TimeoutStartSec = "3min";
      StateDirectory = "pantheros-secrets";
      StateDirectoryMode = "0700";
      NoNewPrivileges = true;
      PrivateTmp = true;
      ProtectClock = true;
      ProtectHostname = true;
      ProtectKernelLogs = true;
      ProtectKernelModules = true;
      ProtectKernelTunables = true;
    };
  };
in
{
  options.pantheros.secrets = {
    enable = lib.mkEnableOption "secrets from 1Password, fetched by OpNix";

    tokenFile = mkOption {
      type = types.addCheck types.str (hasPrefix "/") // {
        description = "absolute path";
      };
      default = "/etc/opnix-token";
      description = ''
        File with the token of the 1Password service account; write it with `sudo opnix token set`.
        It must belong to root, and other users must not be able to read it; secrets are not fetched
        with a token that others could have read.
      '';
    };

    refreshInterval = mkOption {
      type = types.nullOr types.str;
      default = "6h";
      description = "Interval at which 1Password is polled for changes, as a time span of {manpage}`systemd.time(7)`; null to fetch only at boot.";
    };

    items = mkOption {
      default = { };
      example = {
        resticPassword.reference = "op://Fleet/restic/password";
        grafanaAdminPassword = {
          reference = "op://Fleet/Grafana/password";
          restart = [ "grafana" ];
        };
      };
      description = "Secrets by name, in camel case.";
      type = types.attrsOf (
        types.submodule (
          { name, ... }:
          {
            options = {
              reference = mkOption {
                type = types.strMatching "op://[^/]+/.+";
                example = "op://Fleet/restic/password";
                description = "Reference of the secret in 1Password: `op://VAULT/ITEM/FIELD`.";
              };
              kind = mkOption {
                type = types.enum [
                  "field"
                  "file"
                ];
                default = "field";
                description = "Whether the secret is a field, or a document or attachment (`file`).";
              };
              path = mkOption {
                type = types.str;
                default = "${directory}/${name}";
                description = "File that the secret is written to.";
              };
              owner = mkOption {
                type = types.str;
                default = "root";
                description = "Owner of the file. Root can own a secret that is read as a systemd credential.";
              };
              group = mkOption {
                type = types.str;
                default = "root";
                description = "Group of the file.";
              };
              mode = mkOption {
                type = types.strMatching "0?[0-7]{3}";
                default = "0600";
                description = "Mode of the file in octal; it must end in 0, so that other users have no access.";
              };
              restart = mkOption {
                type = types.listOf types.str;
                default = [ ];
                example = [ "grafana" ];
                description = "Services to restart when the secret changes. They start after the first attempt to fetch it, whether it succeeded or not.";
              };
            };
          }
        )
      );
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = hasOpnix;
            message = "pantheros.secrets needs the NixOS module of OpNix: import opnix.nixosModules.default.";
          }
          {
            assertion = cfg.items != { };
            message = "pantheros.secrets is enabled, but has no secret: add one to pantheros.secrets.items, or disable it.";
          }
          {
            assertion = !hasPrefix builtins.storeDir cfg.tokenFile;
            message = "pantheros.secrets.tokenFile is in the Nix store, where every user can read it: revoke that token and put a new one on the host with `sudo opnix token set`.";
          }
        ]
        ++ lib.concatLists (
          mapAttrsToList (name: item: [
            {
              assertion = !hasPrefix builtins.storeDir item.path && hasPrefix "/" item.path;
              message = "pantheros.secrets.items.${name}.path is ${item.path}; it must be an absolute path outside the Nix store.";
            }
            {
              assertion = !hasPrefix "/etc/ssh/" item.path;
              message = "pantheros.secrets.items.${name} would write to /etc/ssh, where a mistake in 1Password could lock everybody out.";
            }
            {
              assertion = lib.hasSuffix "0" item.mode;
              message = "pantheros.secrets.items.${name}.mode is ${item.mode}, which gives every user access. Set an owner or a group, and a mode that ends in 0.";
            }
            {
              assertion = !lib.any isVital item.restart;
              message = "pantheros.secrets.items.${name}.restart names ${lib.concatStringsSep ", " (lib.filter isVital item.restart)}, which the host needs to boot and to be reached: such a service must not wait for 1Password.";
            }
          ]) cfg.items
        );
      }

      (lib.optionalAttrs hasOpnix {
        services.onepassword-secrets = {
          enable = true;
          inherit (cfg) tokenFile;
          outputDir = directory;
          secrets = lib.mapAttrs (_: item: {
            inherit (item)
              reference
              kind
              path
              owner
              group
              mode
              ;
            services = item.restart;
          }) cfg.items;
          systemdIntegration = {
            # In a private folder, because OpNix makes it readable for all users, and a hash reveals a short secret.
            changeDetection.hashFile = "/var/lib/pantheros-secrets/hashes/secret-hashes.json";
            polling = lib.mkIf (cfg.refreshInterval != null) {
              enable = true;
              interval = cfg.refreshInterval;
            };
          };
        };

        systemd = {
          services = {
            opnix-secrets = lib.mkMerge [
              guarded
              {
                # A timer starts it once the host is up, so that no boot waits for it.
                wantedBy = mkForce [ ];
                # Retries without end: after 30 seconds at first, then at growing intervals.
                unitConfig.StartLimitIntervalSec = mkForce 0;
                serviceConfig = {
                  RestartSec = mkForce "30s";
                  RestartSteps = 8;
                  RestartMaxDelaySec = "30min";
                };
              }
            ];
            opnix-secrets-poll = lib.mkIf (cfg.refreshInterval != null) guarded;
          };

          timers.opnix-secrets = {
            description = "Fetch secrets from 1Password once the host is up";
            wantedBy = [ "timers.target" ];
            timerConfig.OnBootSec = "10s";
          };

          # Disabled, because it fetches everything again after each write by OpNix itself, and hides errors.
          paths.opnix-secrets-watcher.wantedBy = mkForce [ ];
        };
      })
    ]
  );
}
