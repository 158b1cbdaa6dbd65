# Off-machine backups: restic reads frozen Btrfs snapshots if there are any, so that a backup has each
# subvolume as it was at one moment, as after a power cut.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib)
    concatMap
    hasPrefix
    mkOption
    removePrefix
    types
    ;
  backups = config.pantheros.backups;
  cfg = backups.restic;
  host = config.networking.hostName;

  inherit
    (import ./mount-points.nix {
      inherit lib;
      inherit (config) fileSystems;
    })
    isBelow
    mountPointOf
    ;

  # The path of each subvolume's frozen copy, by mount point; `used` has only subvolumes with files to back up.
  frozen = lib.mapAttrs' (
    name: mountPoint: lib.nameValuePair mountPoint "${backups.snapshots.directory}/restic/${name}"
  ) backups.snapshots.subvolumes;
  used = lib.optionalAttrs cfg.fromSnapshots (
    lib.filterAttrs (mountPoint: _: lib.any (path: mountPointOf path == mountPoint) paths) frozen
  );
  # The path in the repository of a path of the running system.
  stored =
    path:
    let
      mountPoint = mountPointOf path;
    in
    if used ? ${mountPoint} then
      used.${mountPoint}
      + lib.optionalString (path != mountPoint) "/${removePrefix "/" (removePrefix mountPoint path)}"
    else
      path;

  stateDirectory = "/var/lib/pantheros-backups";
  paths = cfg.paths ++ [ canary ];
  canary = "${stateDirectory}/canary";
  # Mount points that are missing in the frozen copy of their parent: restic would see an empty folder there.
  hidden = lib.filter (
    mountPoint:
    !lib.elem mountPoint paths
    && lib.any (
      path: path != mountPoint && isBelow path mountPoint && used ? ${mountPointOf path}
    ) paths
    && !lib.any (pattern: isBelow pattern mountPoint) cfg.exclude
  ) (lib.attrNames config.fileSystems);

  script =
    name: file: packages:
    pkgs.writeShellApplication {
      inherit name;
      runtimeInputs = packages;
      text = builtins.readFile file;
    };
  prepare = script "prepare-backup" ./prepare-backup.sh [ pkgs.btrfs-progs ];
  finish = script "finish-backup" ./finish-backup.sh [ pkgs.btrfs-progs ];
  # MOUNT-POINT FROZEN-COPY ...
  pairs = lib.escapeShellArgs (
    concatMap (mountPoint: [
      mountPoint
      used.${mountPoint}
    ]) (lib.attrNames used)
  );

  secretFiles = {
    inherit (cfg) repositoryFile passwordFile environmentFile;
  };
  waitForLock = "--retry-lock=2h";
  repository = {
    inherit (cfg) package repository;
    repositoryFile = if cfg.repositoryFile == null then null else toString cfg.repositoryFile;
    passwordFile = if cfg.passwordFile == null then null else toString cfg.passwordFile;
    environmentFile = if cfg.environmentFile == null then null else toString cfg.environmentFile;
  };
  # nixpkgs' module sets none of these. Further limits could break restic's back ends, which may be other
  # programs, and `btrfs`.
  limits = {
    TimeoutStartSec = "12h";
    CPUSchedulingPolicy = "batch";
    IOSchedulingClass = "idle";
    LockPersonality = true;
    NoNewPrivileges = true;
    ProtectClock = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
  };
  timer = onCalendar: {
    OnCalendar = onCalendar;
    Persistent = true;
    RandomizedDelaySec = cfg.randomizedDelay;
  };
in
{
  options.pantheros.backups.restic = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = "Whether to store backups in a restic repository, away from this machine.";
    };

    package = lib.mkPackageOption pkgs "restic" { };

    repository = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "sftp:backup@backup.example.org:/srv/restic/fleet";
      description = ''
        Address of the repository; several hosts may share one. If the address is secret, set
        {option}`pantheros.backups.restic.repositoryFile` instead.
      '';
    };

    repositoryFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/resticRepository";
      description = "File with the repository's address, outside the Nix store.";
    };

    passwordFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/resticPassword";
      description = ''
        File with the repository's password, outside the Nix store. Nothing can be restored without
        the password, so also keep it in a place that survives the loss of the host.
      '';
    };

    environmentFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/opnix/secrets/resticEnvironment";
      description = ''
        File with the storage provider's credentials as environment variables
        (`AWS_ACCESS_KEY_ID` and the like), as `EnvironmentFile=` of {manpage}`systemd.exec(5)`,
        outside the Nix store.
      '';
    };

    initialize = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether to create the repository if it does not exist. Off by default, because an empty repository would then
        silently replace one that was lost; `restic-pantheros init` creates it once.
      '';
    };

    paths = mkOption {
      type = types.listOf types.path;
      default = [
        "/etc/ssh"
        "/home"
        "/root"
        "/var/lib"
      ];
      description = "Paths of the running system to back up.";
    };

    exclude = mkOption {
      type = types.listOf types.str;
      default = [
        ".cache"
        "/var/lib/containers"
        "/var/lib/docker"
        "/var/lib/prometheus2"
        "/var/lib/systemd/coredump"
      ];
      description = ''
        Paths of the running system to leave out, or patterns of restic without a leading slash, which
        match anywhere.
      '';
    };

    fromSnapshots = mkOption {
      type = types.bool;
      default = backups.snapshots.enable;
      defaultText = lib.literalExpression "config.pantheros.backups.snapshots.enable";
      description = ''
        Whether to freeze each subvolume of {option}`pantheros.backups.snapshots.subvolumes` and back up the frozen copy.
        In the repository its files are then below {file}`/.snapshots/restic/NAME`, and
        `restic-pantheros restore latest:/.snapshots/restic/home --target /home` restores them.
      '';
    };

    onCalendar = mkOption {
      type = types.str;
      default = "03:00";
      description = "When to back up, as in {manpage}`systemd.time(7)`.";
    };

    randomizedDelay = mkOption {
      type = types.str;
      default = "1h";
      description = "Maximum random delay of a start, so that hosts do not all start at once.";
    };

    prune = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether this host removes backups that {option}`pantheros.backups.restic.keep` does not keep. Turn it off if
        hosts can only add to the repository, and another machine prunes it.
      '';
    };

    keep = {
      daily = mkOption {
        type = types.ints.positive;
        default = 7;
        description = "Daily backups to keep.";
      };
      weekly = mkOption {
        type = types.ints.unsigned;
        default = 5;
        description = "Weekly backups to keep.";
      };
      monthly = mkOption {
        type = types.ints.unsigned;
        default = 12;
        description = "Monthly backups to keep.";
      };
    };

    check = {
      onCalendar = mkOption {
        type = types.str;
        default = "Sun 05:00";
        description = "When to check the repository's structure and part of its data.";
      };
      readDataSubset = mkOption {
        type = types.str;
        default = "5%";
        example = "2G";
        description = "How much of the data each check downloads and verifies, as `--read-data-subset` of restic.";
      };
    };

    storedCanary = mkOption {
      type = types.path;
      internal = true;
      readOnly = true;
      description = "Path of the canary in the repository.";
    };

    storedPairs = mkOption {
      type = types.str;
      internal = true;
      readOnly = true;
      description = "Mount points and their frozen copies, as arguments of a shell command.";
    };
  };

  config = lib.mkMerge [
    {
      pantheros.backups.restic = {
        storedCanary = stored canary;
        storedPairs = pairs;
      };
    }

    (lib.mkIf (backups.enable && cfg.enable) {
      assertions = [
        {
          assertion = (cfg.repository == null) != (cfg.repositoryFile == null);
          message = ''
            pantheros.backups.restic needs a repository: set either `repositoryFile` or, if the address is not
            secret, `repository`. Set pantheros.backups.restic.enable = false for local snapshots only.
          '';
        }
        {
          assertion = cfg.passwordFile != null;
          message = "pantheros.backups.restic.passwordFile is not set; every repository has a password.";
        }
        {
          assertion = cfg.repository == null || builtins.match ".*://[^/]*:[^/]*@.*" cfg.repository == null;
          message = "pantheros.backups.restic.repository holds a password, which every user could read in the Nix store. Put the address into `repositoryFile`.";
        }
        {
          assertion = host != "";
          message = "pantheros.backups.restic tells hosts apart by networking.hostName, which is empty.";
        }
        {
          assertion = cfg.fromSnapshots -> backups.snapshots.enable;
          message = "pantheros.backups.restic.fromSnapshots needs pantheros.backups.snapshots.enable.";
        }
        {
          assertion = hidden == [ ];
          message = ''
            pantheros.backups.restic would silently miss ${lib.concatStringsSep ", " hidden}: a frozen copy of a subvolume
            does not contain file systems that are mounted below it. Add each to `paths`, or to `exclude`.
          '';
        }
      ]
      ++ lib.mapAttrsToList (option: file: {
        assertion = file == null || !hasPrefix builtins.storeDir (toString file);
        message = "pantheros.backups.restic.${option} is in the Nix store, where every user can read it. Name a file outside, as a string.";
      }) secretFiles;

      systemd.tmpfiles.settings."10-pantheros-backups" = {
        ${stateDirectory}.d = {
          mode = "0700";
          user = "root";
          group = "root";
        };
      }
      // lib.optionalAttrs (used != { }) {
        "${backups.snapshots.directory}/restic".d = {
          mode = "0700";
          user = "root";
          group = "root";
        };
      };

      services.restic.backups = {
        pantheros = repository // {
          inherit (cfg) initialize;
          paths = map stored paths;
          exclude = map (pattern: if hasPrefix "/" pattern then stored pattern else pattern) cfg.exclude;
          extraBackupArgs = [
            "--host=${host}"
            "--tag=pantheros"
            waitForLock
          ];
          pruneOpts = lib.optionals cfg.prune [
            "--host=${host}"
            "--tag=pantheros"
            # Not grouped by path: after a change of the paths, the old backups would be kept for ever.
            "--group-by=host,tags"
            "--keep-daily=${toString cfg.keep.daily}"
            "--keep-weekly=${toString cfg.keep.weekly}"
            "--keep-monthly=${toString cfg.keep.monthly}"
            waitForLock
          ];
          timerConfig = timer cfg.onCalendar;
          backupPrepareCommand = ''
            #!${pkgs.runtimeShell}
            exec ${lib.getExe prepare} ${stateDirectory} ${pairs}
          '';
          backupCleanupCommand = ''
            #!${pkgs.runtimeShell}
            status=0
            ${backups.reportTask "backup"} || status=1
            ${lib.getExe finish} ${pairs} || status=1
            exit "$status"
          '';
        };

        pantheros-check = repository // {
          paths = [ ];
          createWrapper = false;
          checkOpts = [
            "--read-data-subset=${cfg.check.readDataSubset}"
            waitForLock
          ];
          timerConfig = timer cfg.check.onCalendar;
          backupCleanupCommand = ''
            #!${pkgs.runtimeShell}
            exec ${backups.reportTask "check"}
          '';
        };
      };

      systemd.services = {
        restic-backups-pantheros = {
          unitConfig.RequiresMountsFor = lib.attrNames used;
          serviceConfig = limits;
        };
        restic-backups-pantheros-check.serviceConfig = limits;
      };
    })
  ];
}
