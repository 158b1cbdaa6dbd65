# Secrets from 1Password by OpNix: fetched while the host runs, kept on its disk, never in the store. Nothing of
# the boot and nothing of SSH waits for 1Password: a host that cannot reach it runs with the secrets of last time.
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

  # What a host needs to boot and be reached; OpNix would order each of its consumers after itself.
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

  # The same for the unit that runs at boot and for the one that looks for changes.
  guarded = {
    preStart = "${lib.getExe checkToken} ${
      lib.escapeShellArgs [
        cfg.tokenFile
        group
      ]
    }";
    serviceConfig = {
      # OpNix sets no limit, and a connection that hangs would hold up who waits for a secret.
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
        File with the token of the 1Password service account, put there by hand with `sudo opnix token set`.
        It has to belong to root and be closed to others; secrets are not fetched with one that
        others could have read.
      '';
    };

    refreshInterval = mkOption {
      type = types.nullOr types.str;
      default = "6h";
      description = "How often changes in 1Password are looked for, as a time span of {manpage}`systemd.time(7)`; null for only at boot.";
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
                description = "Where it is in 1Password: `op://VAULT/ITEM/FIELD`.";
              };
              kind = mkOption {
                type = types.enum [
                  "field"
                  "file"
                ];
                default = "field";
                description = "Whether it is a field, or a document or attachment.";
              };
              path = mkOption {
                type = types.str;
                default = "${directory}/${name}";
                description = "File it is written to.";
              };
              owner = mkOption {
                type = types.str;
                default = "root";
                description = "Who owns the file. What is read as a systemd credential can stay root's.";
              };
              group = mkOption {
                type = types.str;
                default = "root";
                description = "Group of the file.";
              };
              mode = mkOption {
                type = types.strMatching "0?[0-7]{3}";
                default = "0600";
                description = "Mode of the file in octal; others never get access.";
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
            message = "pantheros.secrets is enabled and names no secret: add one to pantheros.secrets.items, or leave it off.";
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
              message = "pantheros.secrets.items.${name}.path is ${item.path}; it has to be an absolute path outside the Nix store.";
            }
            {
              assertion = !hasPrefix "/etc/ssh/" item.path;
              message = "pantheros.secrets.items.${name} would write to /etc/ssh: then a mistake in 1Password locks everybody out.";
            }
            {
              assertion = lib.hasSuffix "0" item.mode;
              message = "pantheros.secrets.items.${name}.mode is ${item.mode}, which lets every user in. Name an owner or a group, and end the mode in 0.";
            }
            {
              assertion = !lib.any isVital item.restart;
              message = "pantheros.secrets.items.${name}.restart names ${lib.concatStringsSep ", " (lib.filter isVital item.restart)}, which the host needs to boot and to be reached: that must not wait for 1Password.";
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
            # OpNix makes the file readable to all; a hash of a short secret tells the secret.
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
                # It never gives up: 30 seconds at first, then ever longer.
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

          # It fetches everything once more whenever OpNix itself has written, and hides errors.
          paths.opnix-secrets-watcher.wantedBy = mkForce [ ];
        };
      })
    ]
  );
}
