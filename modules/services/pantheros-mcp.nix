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
  # Where systemd puts the credentials of this unit (systemd.exec(5), "Credentials"); the server
  # reads its token there without looking at the file's mode.
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

  # Git, and libgit2 in Nix, refuse the work tree of another user, and this user owns none. In a file, since
  # libgit2 reads no GIT_CONFIG_* variables.
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

  # What the server calls, which it finds by its search path.
  programs = [
    config.nix.package
    config.programs.ssh.package
    pkgs.gitMinimal
    # For health checks over HTTP.
    pkgs.curl
    # It compares the units of two systems by a script.
    pkgs.runtimeShellPackage
    pkgs.coreutils
    pkgs.gnugrep
  ];

  # The plans are the service's, and so is who reads and approves them: root becomes it for one command.
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
        able to read it: the service has a user of its own. Below a home folder it is
        the only part of that folder that the service sees, so there it has to be the
        repository's root.
      '';
    };

    listenAddress = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "10.0.0.2";
      description = ''
        IP address to listen on. Clients need a token everywhere; off loopback it has to be in a
        {option}`services.pantheros-mcp.tokenFile`. The server speaks plain HTTP: let a reverse proxy with TLS or a tunnel stand
        between it and any network that is not yours alone.
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
        File with the bearer token clients must send: 16 to 1024 printable characters, such as
        `openssl rand -hex 32` makes. Only root has to be able to read it, since systemd hands it over
        as a credential. It must not be in the Nix store, which every user can read. Restart the service
        after changing it. Without one, the service makes one at its first start;
        `sudo pantheros-mcp-service token` says where it is, and with `rotate` makes another.
      '';
    };

    sshKeyFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/pantherosMcpSshKey";
      description = ''
        File with the private key, without a passphrase, that the server logs in to hosts with. Only root has to be able
        to read it, and it must not be in the Nix store. Host keys are those of
        {option}`programs.ssh.knownHosts`. Who holds this key is root on every host that lets it in: list it with
        `from=` there, and let hosts take only what is signed ({option}`pantheros.deploy.approvers`).
      '';
    };

    readOnly = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether to offer only tools that change neither a host nor the store. Nothing in
        {option}`services.pantheros-mcp.settings` can take this back.
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
        Contents of {file}`pantheros.toml`; `docs/settings.md` lists every key. The server refuses unknown
        ones when it starts.
      '';
    };

    memoryMax = mkOption {
      type = types.str;
      default = "75%";
      example = "8G";
      description = ''
        Most memory the server and the evaluations it starts take together, as
        `MemoryMax=` of {manpage}`systemd.resource-control(5)`. An evaluation that needs more
        is ended, not the server.
      '';
    };

    tasksMax = mkOption {
      type = types.ints.positive;
      default = 1024;
      description = "Most processes and threads at once, as `TasksMax=` of {manpage}`systemd.resource-control(5)`.";
    };
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = isAddress;
        message = "services.pantheros-mcp.listenAddress is \"${cfg.listenAddress}\"; it has to be an IP address, such as 127.0.0.1 or ::1.";
      }
      {
        assertion = isLoopback || cfg.tokenFile != null;
        message = ''
          services.pantheros-mcp listens on ${cfg.listenAddress}, which other machines can reach, without a token of yours for them.
          Put one in a file (`openssl rand -hex 32`) and set services.pantheros-mcp.tokenFile, or listen on 127.0.0.1.
        '';
      }
      {
        assertion = cfg.openFirewall -> !isLoopback;
        message = "services.pantheros-mcp.openFirewall opens a port on which nothing answers: set listenAddress to an address other machines can reach.";
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
        message = "services.pantheros-mcp.flake is ${cfg.flake}; the service has temporary folders of its own and cannot see it. Put the flake elsewhere.";
      }
      {
        assertion = isAllowed;
        message = "The Nix daemon would refuse the MCP server: add \"${name}\" to nix.settings.allowed-users.";
      }
      {
        assertion = !isTrusted;
        message = "The MCP server must not be trusted by the Nix daemon, which would be as good as root: take \"*\" and \"${name}\" out of nix.settings.trusted-users.";
      }
    ];

    services.pantheros-mcp.settings = {
      # The same Nix as the daemon's, whatever is on PATH.
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

        # A token that is not there yet, or an address that comes up late, mends itself.
        Restart = "on-failure";
        RestartSec = 2;
        RestartSteps = 8;
        RestartMaxDelaySec = "5min";

        MemoryMax = cfg.memoryMax;
        TasksMax = cfg.tasksMax;
        # A killed evaluation is one failed call, no reason to end the others.
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
        # Internet: clients, hosts over ssh, the flake's inputs. Unix: the Nix daemon and name look-ups. Nix asks
        # netlink whether there is a network, and takes a refusal for yes.
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
        # Nix raises its stack limit, so @resources stays.
        SystemCallFilter = [
          "@system-service"
          "~@privileged"
        ];
      };

      unitConfig.StartLimitIntervalSec = 0;
    };
  };
}
