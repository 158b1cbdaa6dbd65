# A host with every module enabled, so that modules that no host uses yet still evaluate.
{ pkgs, self }:

let
  inherit (pkgs) lib;
  fleet = import ../../fleet;
  secret = name: "/var/lib/opnix/secrets/${name}";

  host = self.nixosConfigurations.${fleet.defaultHost}.extendModules {
    modules = [
      {
        nixpkgs.hostPlatform = lib.mkForce pkgs.stdenv.hostPlatform.system;
        pantheros = {
          users.keys = lib.mkForce {
            admin = [
              "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzxSIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa admin"
            ];
            deploy = [ ];
          };
          nix.builders = [
            {
              hostName = "builder.example.org";
              systems = [ "aarch64-linux" ];
              sshKey = secret "builderKey";
              publicHostKey = "c3NoLWVkMjU1MTk=";
            }
          ];
          nix.substituters."https://cache.example.org" = "cache.example.org-1:AAAA";
          deploy = {
            targetHost = "everything.example.org";
            healthChecks = [
              { tcp = 22; }
              { http = "http://everything.example.org/healthz"; }
              { command = [ "true" ]; }
            ];
          };
          secrets = {
            enable = true;
            items = {
              grafanaAdminPassword.reference = "op://Fleet/Grafana/password";
              grafanaSecretKey.reference = "op://Fleet/Grafana/key";
              resticPassword.reference = "op://Fleet/restic/password";
              resticRepository.reference = "op://Fleet/restic/repository";
              mcpToken.reference = "op://Fleet/pantheros-mcp/token";
            };
          };
          backups.restic = {
            enable = lib.mkForce true;
            repositoryFile = secret "resticRepository";
            passwordFile = secret "resticPassword";
          };
          monitoring = {
            exporter.interface = "wg0";
            server = {
              enable = true;
              alerts.unattended = true;
              grafana = {
                adminPasswordFile = secret "grafanaAdminPassword";
                secretKeyFile = secret "grafanaSecretKey";
              };
            };
          };
        };
        services.pantheros-mcp = {
          enable = true;
          flake = "/var/lib/fleet";
          tokenFile = secret "mcpToken";
        };
      }
    ];
  };
in
# tools/render-units needs the host itself.
host.config.system.build.toplevel // { inherit host; }
