# The options that the MCP server, and `deploy.sh` for an installation, read to deploy a host. The module adds to the
# host: facts on how it is reached, the keys of its approvers, and a unit that finishes interrupted deployments after
# a reboot.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.deploy;

  healthCheck = types.attrTag {
    command = mkOption {
      type = types.nonEmptyListOf types.str;
      example = [
        "systemctl"
        "is-active"
        "nginx"
      ];
      description = "Program and arguments, run on the host as the deploying user; exit code 0 means healthy.";
    };
    tcp = mkOption {
      type = types.port;
      example = 443;
      description = "TCP port of the host that must accept connections from the machine that runs the deployment.";
    };
    http = mkOption {
      type = types.strMatching "https?://[^[:space:]]+";
      example = "https://www.example.org/healthz";
      description = "URL that must answer the machine that runs the deployment with a status below 400.";
    };
  };
in
{
  options.pantheros.deploy = {
    targetHost = mkOption {
      type = types.nullOr (types.strMatching "[A-Za-z0-9:][A-Za-z0-9._:%-]*");
      default = null;
      example = "web.example.org";
      description = "Name or address of the host for SSH; null if it is not deployed to.";
    };

    user = mkOption {
      type = types.strMatching "[a-z_][a-z0-9_-]*";
      default = "deploy";
      description = "User to log in as; must be able to become root with `sudo` without a password.";
    };

    port = mkOption {
      type = types.port;
      default = lib.head config.services.openssh.ports;
      defaultText = lib.literalExpression "lib.head config.services.openssh.ports";
      description = "TCP port that SSH listens on.";
    };

    tags = mkOption {
      type = types.listOf (types.strMatching "[a-z0-9][a-z0-9-]*");
      default = [ ];
      example = [ "production" ];
      description = "Groups that this host belongs to; a deployment can be planned for all hosts of a group at once.";
    };

    buildOn = mkOption {
      type = types.enum [
        "local"
        "target"
      ];
      default = "local";
      description = "Where the system is built: on the machine that runs the deployment (`local`), or on the host itself (`target`).";
    };

    healthChecks = mkOption {
      type = types.listOf healthCheck;
      default = [ ];
      example = [
        { tcp = 443; }
        { http = "https://www.example.org/healthz"; }
      ];
      description = "Checks that must pass once a new system runs; if one fails, the host goes back to the previous system.";
    };

    rollbackTimeout = mkOption {
      type = types.ints.between 10 3600;
      default = 60;
      description = "Seconds within which a new system must be confirmed over a new connection; otherwise the host goes back by itself.";
    };

    activationTimeout = mkOption {
      type = types.ints.between 10 7200;
      default = 600;
      description = "Seconds that the activation of a system may take; after that it counts as failed, and the host goes back.";
    };

    substituteOnTarget = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the host fetches store paths from its own substituters, if they have them, instead of receiving copies.";
    };

    rebootOnFailure = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the host reboots if its previous system cannot be activated again, or if no connection reaches the
        host within {option}`pantheros.deploy.rollbackTimeout` after that. It boots the boot default from before the deployment.
        Without this, it reboots only if its previous system cannot be activated and nothing listens on the port of its sshd.
      '';
    };

    approvers = mkOption {
      type = types.attrsOf (types.listOf types.singleLineStr);
      default = { };
      example.alice = [ "sk-ssh-ed25519@openssh.com AAAA…" ];
      description = ''
        People who may sign deployments to this host, by name, with their public keys. If there is one, the host
        itself accepts only systems that one of them signed; see DEPLOYMENT.md, "Signed approvals".
      '';
    };

    refusals = mkOption {
      type = types.listOf (
        types.submodule {
          options = {
            code = mkOption {
              type = types.strMatching "[a-z][a-z0-9_]*";
              example = "no_authorized_keys";
              description = "Stable name of the reason, for programs.";
            };
            message = mkOption {
              type = types.str;
              description = "The reason and what to do about it, for people.";
            };
          };
        }
      );
      default = [ ];
      description = ''
        Reasons why this configuration must not be deployed, although it evaluates. If there is one, an installation
        is refused, and an update has it as a blocking risk, which a person must accept by its code.
      '';
    };
  };

  # A rollback needs nothing from the host's configuration, but its processes do not survive a reboot.
  config.systemd.services.pantheros-deployments = {
    description = "Finish interrupted deployments";
    wantedBy = [ "multi-user.target" ];
    # The time to confirm a system that was booted on trial starts with this unit.
    after = [ "sshd.service" ];
    restartIfChanged = false;
    # The programs that the supervisor (src/deploy/supervisor/script) calls, besides those on every unit's path:
    # coreutils, grep, sed and systemd. It must not depend on the packages of the system on trial.
    path = [
      # `sh`, which is not on every unit's path.
      pkgs.runtimeShellPackage
      # `setsid` and `flock`.
      pkgs.util-linux
    ]
    ++ lib.optional config.nix.enable config.nix.package;
    serviceConfig = {
      Type = "exec";
      # Runs once per boot.
      RemainAfterExit = true;
    };
    script = builtins.readFile ./finish-deployments.sh;
  };

  config.environment.etc = {
    # A later deployment, or one back to this system, reads who can log in from this file, without the flake.
    "pantheros/facts.json".text = builtins.toJSON (
      import ../../src/flake/facts.nix { inherit config options pkgs; }
    );
    "pantheros/allowed_signers" = lib.mkIf (cfg.approvers != { }) {
      text = lib.concatStrings (
        lib.mapAttrsToList (
          name: lib.concatMapStrings (key: "${name} namespaces=\"pantheros-deploy\" ${key}\n")
        ) cfg.approvers
      );
    };
  };
}
