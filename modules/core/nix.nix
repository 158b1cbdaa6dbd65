# Nix on the host: trusted users, binary caches, builders, and garbage collection.
{ config, lib, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.nix;
in
{
  options.pantheros.nix = {
    substituters = mkOption {
      type = types.attrsOf types.str;
      default = { };
      example = {
        "https://cache.example.org" = "cache.example.org-1:m0J…=";
      };
      description = "Binary caches besides cache.nixos.org, each with the public key it signs with.";
    };

    trustedUsers = mkOption {
      type = types.listOf types.str;
      default = [ config.pantheros.deploy.user ];
      defaultText = lib.literalExpression "[ config.pantheros.deploy.user ]";
      description = ''
        Users who may add unsigned paths to the store, which is equivalent to being root. For other users,
        `nix copy` needs paths that are signed with a key that the host trusts.
      '';
    };

    builders = mkOption {
      type = types.listOf (
        types.submodule {
          options = {
            hostName = mkOption {
              type = types.str;
              example = "builder.example.org";
              description = "Name or address of the builder.";
            };
            systems = mkOption {
              type = types.nonEmptyListOf types.str;
              example = [ "aarch64-linux" ];
              description = "Systems that the builder builds for.";
            };
            sshUser = mkOption {
              type = types.str;
              default = "nix-builder";
              description = "User to log in as.";
            };
            sshKey = mkOption {
              type = types.addCheck types.str (lib.hasPrefix "/") // {
                description = "absolute path";
              };
              example = "/var/lib/opnix/secrets/builderKey";
              description = "File with root's private key for the builder, outside the Nix store.";
            };
            publicHostKey = mkOption {
              type = types.str;
              description = "The builder's host key, as printed by `base64 -w0 /etc/ssh/ssh_host_ed25519_key.pub`; a machine with another key is rejected.";
            };
            maxJobs = mkOption {
              type = types.ints.positive;
              default = 1;
              description = "Maximum number of builds at once.";
            };
            speedFactor = mkOption {
              type = types.ints.positive;
              default = 1;
              description = "Speed relative to the other builders.";
            };
            supportedFeatures = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "kvm" ];
              description = "Features that derivations may require, such as `kvm` or `big-parallel`.";
            };
          };
        }
      );
      default = [ ];
      description = "Machines that build for this host.";
    };
  };

  config = {
    nix = {
      channel.enable = false;
      settings = {
        experimental-features = [
          "nix-command"
          "flakes"
        ];
        # nixpkgs adds root.
        trusted-users = cfg.trustedUsers;
        # nixpkgs adds cache.nixos.org and its key.
        substituters = lib.attrNames cfg.substituters;
        trusted-public-keys = lib.attrValues cfg.substituters;
        # If less than `min-free` bytes are free during a build, Nix collects garbage until `max-free` bytes are free.
        min-free = 1024 * 1024 * 1024;
        max-free = 4 * 1024 * 1024 * 1024;
        auto-optimise-store = true;
        connect-timeout = 10;
        fallback = true;
      };
      gc = {
        automatic = true;
        dates = "weekly";
        randomizedDelaySec = "45min";
        # Keeps the previous generations for a rollback.
        options = "--delete-older-than 30d";
      };
      distributedBuilds = cfg.builders != [ ];
      buildMachines = map (builder: builder // { protocol = "ssh-ng"; }) cfg.builders;
      settings.builders-use-substitutes = cfg.builders != [ ];
    };

    assertions = map (builder: {
      assertion = !lib.hasPrefix builtins.storeDir builder.sshKey;
      message = "pantheros.nix.builders: the key for ${builder.hostName} is in the Nix store, where every user can read it.";
    }) cfg.builders;
  };
}
