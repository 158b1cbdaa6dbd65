# What the MCP server, and `deploy.sh` for an installation, read of a host to deploy it. What it adds to the host
# is how it was meant to be reached, who may sign for it, and a unit that finishes what a reboot cut short.
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
      description = "Program and arguments, run on the host as the deploying user; exit code 0 is health.";
    };
    tcp = mkOption {
      type = types.port;
      example = 443;
      description = "TCP port of the host that has to take connections from where the deployment is run.";
    };
    http = mkOption {
      type = types.strMatching "https?://[^[:space:]]+";
      example = "https://www.example.org/healthz";
      description = "URL that has to answer, from where the deployment is run, with a status below 400.";
    };
  };
in
{
  options.pantheros.deploy = {
    targetHost = mkOption {
      type = types.nullOr (types.strMatching "[A-Za-z0-9:][A-Za-z0-9._:%-]*");
      default = null;
      example = "web.example.org";
      description = "Name or address the host is reached at over SSH; null where it is not deployed to.";
    };

    user = mkOption {
      type = types.strMatching "[a-z_][a-z0-9_-]*";
      default = "deploy";
      description = "User to log in as; has to be able to become root with `sudo` without a password.";
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
      description = "Groups this host belongs to, to plan a deployment to all of them at once.";
    };

    buildOn = mkOption {
      type = types.enum [
        "local"
        "target"
      ];
      default = "local";
      description = "Where the system is built: where the deployment is run, or on the host itself.";
    };

    healthChecks = mkOption {
      type = types.listOf healthCheck;
      default = [ ];
      example = [
        { tcp = 443; }
        { http = "https://www.example.org/healthz"; }
      ];
      description = "What has to hold once a new system runs; where it does not, the host goes back to the previous one.";
    };

    rollbackTimeout = mkOption {
      type = types.ints.between 10 3600;
      default = 60;
      description = "Seconds in which a new system has to be confirmed over a fresh connection, before the host goes back by itself.";
    };

    activationTimeout = mkOption {
      type = types.ints.between 10 7200;
      default = 600;
      description = "Seconds that activating a system may take, before it counts as failed and the host goes back.";
    };

    substituteOnTarget = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the host fetches from its own substituters what they have, instead of having it copied to it.";
    };

    rebootOnFailure = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether the host starts anew where its previous system could not be activated again, or nobody
        reached it within {option}`pantheros.deploy.rollbackTimeout` after that. It starts what it started before.
      '';
    };

    approvers = mkOption {
      type = types.attrsOf (types.listOf types.singleLineStr);
      default = { };
      example.alice = [ "sk-ssh-ed25519@openssh.com AAAA…" ];
      description = ''
        Who may sign deployments to this host, by name, with the public keys they sign with. Where there is
        anyone, the host itself takes no system that none of them signed; see DEPLOYMENT.md, "Signed approvals".
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
        Why this configuration must not be deployed, although it evaluates. An installation is refused while
        there is one; an update shows it as a blocking risk, which a person has to accept by its code.
      '';
    };
  };

  # What brings a host back needs nothing of its configuration, but does not outlive a reboot.
  config.systemd.services.pantheros-deployments = {
    description = "Finish deployments that were cut short";
    wantedBy = [ "multi-user.target" ];
    # A system that was started to be tried has only so long to be confirmed from now on.
    after = [ "sshd.service" ];
    restartIfChanged = false;
    # What the supervisor (src/deploy/supervisor/script) calls from here on, besides what every unit has: coreutils, grep, sed
    # and systemd. It must not depend on what the system that is tried has among its packages.
    path = [
      # `sh`, which no unit has by itself.
      pkgs.runtimeShellPackage
      # `setsid` and `flock`.
      pkgs.util-linux
    ]
    ++ lib.optional config.nix.enable config.nix.package;
    serviceConfig = {
      Type = "exec";
      # Once for each start.
      RemainAfterExit = true;
    };
    script = builtins.readFile ./finish-deployments.sh;
  };

  config.environment.etc = {
    # So that a later deployment, or one back to this system, knows what it lets in without its flake.
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
