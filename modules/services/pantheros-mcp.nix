# The MCP server as a systemd service: HTTP with a bearer token, as a user that exists only while it runs.
{
  config,
  lib,
  pkgs,
  utils,
  ...
}:

let
  inherit (lib)
    elem
    hasInfix
    hasPrefix
    mkIf
    mkOption
    types
    ;

  cfg = config.services.pantheros-mcp;
  format = pkgs.formats.toml { };

  name = "pantheros-mcp";
  # systemd's folder for the credentials of this unit (systemd.exec(5), "Credentials"). The server
  # does not check the mode of a token file in it.
  credentials = "/run/credentials/${name}.service";

  isIPv6 = hasInfix ":" cfg.listenAddress;
  isAddress = isIPv6 || builtins.match "[0-9]+(\\.[0-9]+){3}" cfg.listenAddress != null;
  isLoopback =
    cfg.listenAddress == "::1" || builtins.match "127(\\.[0-9]+){3}" cfg.listenAddress != null;
  socketAddress = "${
    if isIPv6 then "[${cfg.listenAddress}]" else cfg.listenAddress
  }:${toString cfg.port}";

  inHome = lib.any (folder: hasPrefix folder cfg.flake) [
    "/home/"
    "/root/"
    "/run/user/"
  ];
  inTemporary = lib.any (folder: hasPrefix folder cfg.flake) [
    "/tmp/"
    "/var/tmp/"
  ];

  allowedUsers = config.nix.settings.allowed-users;
  isAllowed = lib.any (user: elem user allowedUsers) [
    "*"
    name
    "@${name}"
  ];
  isTrusted = lib.any (user: elem user config.nix.settings.trusted-users) [
    "*"
    name
    "@${name}"
  ];

  # Git, and libgit2 in Nix, refuse the work tree of another user, and this user owns none. The setting is in a file
  # because libgit2 reads no GIT_CONFIG_* variables.
  gitConfig = pkgs.writeTextDir "git/config" (lib.generators.toGitINI { safe.directory = "*"; });

  settingsFile = format.generate "pantheros.toml" cfg.settings;

  folders = {
    DynamicUser = true;
    User = name;
    Group = name;
    StateDirectory = name;
    StateDirectoryMode = "0700";
    CacheDirectory = name;
    CacheDirectoryMode = "0700";
    WorkingDirectory = "/var/lib/${name}";
    UMask = "0077";
  };
  variables = {
    HOME = "/var/lib/${name}";
    XDG_CACHE_HOME = "/var/cache/${name}";
    NIX_REMOTE = "daemon";
    XDG_CONFIG_HOME = "${gitConfig}";
  };

  # The programs that the server finds on its search path.
  programs = [
    config.nix.package
    config.programs.ssh.package
    pkgs.gitMinimal
    # For health checks over HTTP.
    pkgs.curl
    # For the script that compares the units of two systems.
    pkgs.runtimeShellPackage
    pkgs.coreutils
    pkgs.gnugrep
  ];

  # Only the service's user can read and approve its plans: root runs one command as that user.
  asService = pkgs.writeShellApplication {
    name = "${name}-service";
    runtimeInputs = [ config.systemd.package ];
    text = ''
      io=--pipe
      if [ -t 0 ] && [ -t 1 ]; then io=--pty; fi
      exec systemd-run --quiet --collect --wait "$io" ${
        lib.escapeShellArgs (
          lib.mapAttrsToList (
            key: value: "--property=${key}=${if value == true then "yes" else value}"
          ) folders
          ++ lib.optional inHome "--property=BindReadOnlyPaths=${cfg.flake}"
          ++ lib.mapAttrsToList (key: value: "--setenv=${key}=${value}") (
            variables
            // {
              PATH = lib.makeBinPath programs;
            }
          )
        )
      } -- ${
        lib.escapeShellArgs [
          (lib.getExe cfg.package)
          "--flake"
          cfg.flake
          "--config"
          "${settingsFile}"
        ]
      } "$@"
    '';
  };
in
{
  options.services.pantheros-mcp = {
    enable = lib.mkEnableOption "the pantherOS MCP server over HTTP, for assistants on this or other machines";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../../package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The server's package.";
    };

    flake = mkOption {
      type = types.addCheck types.str (hasPrefix "/") // {
        description = "absolute path";
      };
      example = "/var/lib/fleet";
      description = ''
        Folder with the fleet's `flake.nix`, a Git work tree or a store path. Every user must be
        able to read it, because the service runs as its own user. If it is below a home folder,
        it must be the repository's root, because the service sees no other part of the home
        folder.
      '';
    };

    listenAddress = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "10.0.0.2";
      description = ''
        IP address to listen on. Clients always need a token; for an address other than loopback, it must be in a
        {option}`services.pantheros-mcp.tokenFile`. The server speaks plain HTTP: put a reverse proxy with TLS or a tunnel
        between it and any network that others use.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 8750;
      description = "TCP port to listen on.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port in the firewall.";
    };

    tokenFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/pantherosMcpToken";
      description = ''
        File with the bearer token that clients must send: 16 to 1024 printable characters, such as the
        output of `openssl rand -hex 32`. Only root needs to be able to read it, because systemd passes it
        as a credential. It must not be in the Nix store, which every user can read. Restart the service
        after changing it. If it is null, the service generates a token at its first start:
        `sudo pantheros-mcp-service token` prints its path, and `token rotate` replaces it.
      '';
    };

    sshKeyFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/pantherosMcpSshKey";
      description = ''
        File with the private key, without a passphrase, with which the server logs in to hosts. Only root needs to be
        able to read it, and it must not be in the Nix store. Host keys are those of
        {option}`programs.ssh.knownHosts`. This key gives root on every host that accepts it: restrict it with
        `from=` there, and let hosts accept only signed deployments ({option}`pantheros.deploy.approvers`).
      '';
    };

    readOnly = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether to offer only tools that change neither a host nor the store.
        {option}`services.pantheros-mcp.settings` cannot override this.
      '';
    };

    settings = mkOption {
      type = types.submodule { freeformType = format.type; };
      default = { };
      example = {
        limits.evaluation_workers = 2;
        http.allowed_hosts = [ "mcp.example.org" ];
      };
      description = ''
        Contents of {file}`pantheros.toml`; `docs/settings.md` lists every key. The server does not start with
        an unknown key.
      '';
    };

    memoryMax = mkOption {
      type = types.str;
      default = "75%";
      example = "8G";
      description = ''
        Maximum memory of the server and its evaluations together, as `MemoryMax=` of
        {manpage}`systemd.resource-control(5)`. An evaluation that needs more is killed; the
        server keeps running.
      '';
    };

    tasksMax = mkOption {
      type = types.ints.positive;
      default = 1024;
      description = "Maximum number of processes and threads, as `TasksMax=` of {manpage}`systemd.resource-control(5)`.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = isAddress;
        message = "services.pantheros-mcp.listenAddress is \"${cfg.listenAddress}\"; it must be an IP address, such as 127.0.0.1 or ::1.";
      }
      {
        assertion = isLoopback || cfg.tokenFile != null;
        message = ''
          services.pantheros-mcp listens on ${cfg.listenAddress}, which other machines can reach, but tokenFile is not set.
          Write a token to a file (`openssl rand -hex 32`) and set services.pantheros-mcp.tokenFile, or listen on 127.0.0.1.
        '';
      }
      {
        assertion = cfg.openFirewall -> !isLoopback;
        message = "services.pantheros-mcp.openFirewall opens a port on which nothing answers: set listenAddress to an address that other machines can reach.";
      }
      {
        assertion = cfg.tokenFile != null -> !hasPrefix builtins.storeDir (toString cfg.tokenFile);
        message = "services.pantheros-mcp.tokenFile is in the Nix store, where every user can read it. Name a file outside, as a string.";
      }
      {
        assertion = cfg.sshKeyFile != null -> !hasPrefix builtins.storeDir (toString cfg.sshKeyFile);
        message = "services.pantheros-mcp.sshKeyFile is in the Nix store, where every user can read it. Name a file outside, as a string.";
      }
      {
        assertion = !inTemporary;
        message = "services.pantheros-mcp.flake is ${cfg.flake}; the service has private temporary folders and cannot see it. Move the flake elsewhere.";
      }
      {
        assertion = isAllowed;
        message = "The Nix daemon would refuse the MCP server: add \"${name}\" to nix.settings.allowed-users.";
      }
      {
        assertion = !isTrusted;
        message = "The MCP server must not be trusted by the Nix daemon, which is equivalent to root: remove \"*\" and \"${name}\" from nix.settings.trusted-users.";
      }
    ];

    services.pantheros-mcp.settings = {
      # The daemon's Nix, even if PATH has another.
      nix.program = lib.mkDefault "${config.nix.package}/bin/nix";
      deploy.command = lib.mkDefault "sudo ${name}-service";
      ssh.identity = mkIf (cfg.sshKeyFile != null) "${credentials}/ssh_key";
      http.token_file = mkIf (cfg.tokenFile != null) "${credentials}/token";
    };

    networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall [ cfg.port ];

    environment.systemPackages = [ asService ];

    systemd.services.${name} = {
      description = "pantherOS MCP server";
      documentation = [ "https://modelcontextprotocol.io" ];
      wantedBy = [ "multi-user.target" ];
      wants = [
        "network-online.target"
        "nix-daemon.socket"
      ];
      after = [
        "network-online.target"
        "nix-daemon.socket"
      ];

      path = programs;

      environment = variables;

      serviceConfig = folders // {
        ExecStart = utils.escapeSystemdExecArgs (
          [
            (lib.getExe cfg.package)
            "serve"
            "--http"
            socketAddress
            "--flake"
            cfg.flake
            "--config"
            "${settingsFile}"
          ]
          ++ lib.optional cfg.readOnly "--read-only"
        );
        LoadCredential =
          lib.optional (cfg.tokenFile != null) "token:${toString cfg.tokenFile}"
          ++ lib.optional (cfg.sshKeyFile != null) "ssh_key:${toString cfg.sshKeyFile}";

        # Retries until the token file exists and the address is up.
        Restart = "on-failure";
        RestartSec = 2;
        RestartSteps = 8;
        RestartMaxDelaySec = "5min";

        MemoryMax = cfg.memoryMax;
        TasksMax = cfg.tasksMax;
        # A killed evaluation is one failed call, which must not end the others.
        OOMPolicy = "continue";

        NoNewPrivileges = true;
        CapabilityBoundingSet = [ "" ];
        AmbientCapabilities = [ "" ];
        DevicePolicy = "closed";
        KeyringMode = "private";
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        PrivateDevices = true;
        PrivateIPC = true;
        PrivateTmp = true;
        PrivateUsers = true;
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = if inHome then "tmpfs" else true;
        BindReadOnlyPaths = mkIf inHome [ cfg.flake ];
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        ProtectSystem = "strict";
        RemoveIPC = true;
        # Internet: clients, hosts over SSH, and the flake's inputs. Unix: the Nix daemon and name look-ups. Netlink is
        # not needed: Nix uses it to check for a network, and assumes one if it is refused.
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
        SystemCallErrorNumber = "EPERM";
        # Nix raises its stack limit, so @resources stays allowed.
        SystemCallFilter = [
          "@system-service"
          "~@privileged"
        ];
      };

      unitConfig.StartLimitIntervalSec = 0;
    };
  };
}
