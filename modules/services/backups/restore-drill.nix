# The restore drill, which tests backups: restores a known file and some others on a timer.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  backups = config.pantheros.backups;
  inherit (backups) restic;
  cfg = backups.restoreDrill;
  job = config.systemd.services.restic-backups-pantheros;

  drill = pkgs.writeShellApplication {
    name = "restore-drill";
    runtimeInputs = [
      restic.package
      # For `cmp`.
      pkgs.diffutils
      pkgs.jq
    ];
    text = builtins.readFile ./restore-drill.sh;
  };
in
{
  options.pantheros.backups.restoreDrill = {
    enable = mkOption {
      type = types.bool;
      default = restic.enable;
      defaultText = lib.literalExpression "config.pantheros.backups.restic.enable";
      description = ''
        Whether to restore from the newest backup on a timer: the canary, a file with random content that every
        backup renews, and randomly chosen files. Files that have not changed since are compared with
        the running system. Restored files are written to a private temporary folder. Any problem makes the
        unit `pantheros-restore-drill.service` fail and is in the metrics.
      '';
    };

    onCalendar = mkOption {
      type = types.str;
      default = "Sat 06:00";
      description = "When to run it, as in {manpage}`systemd.time(7)`.";
    };

    samples = mkOption {
      type = types.ints.positive;
      default = 20;
      description = "How many files to restore besides the canary.";
    };

    sampleBytes = mkOption {
      type = types.ints.positive;
      default = 16 * 1024 * 1024;
      description = "Size in bytes of the largest file that may be chosen; it limits how much a drill downloads.";
    };
  };

  config = lib.mkIf (backups.enable && cfg.enable) {
    assertions = [
      {
        assertion = restic.enable;
        message = "pantheros.backups.restoreDrill has nothing to restore from: pantheros.backups.restic is off.";
      }
    ];

    systemd.services.pantheros-restore-drill = {
      description = "Restore drill: restore from the newest backup and compare";
      restartIfChanged = false;
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      # For a repository over SFTP.
      path = [ config.programs.ssh.package ];
      startAt = cfg.onCalendar;
      environment = {
        inherit (job.environment)
          RESTIC_PASSWORD_FILE
          RESTIC_REPOSITORY
          RESTIC_REPOSITORY_FILE
          ;
        RESTIC_CACHE_DIR = "/var/cache/pantheros-restore-drill";
        RESTORE_DRILL_HOST = config.networking.hostName;
      };
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe drill} /var/lib/pantheros-backups ${restic.storedCanary} ${toString cfg.samples} ${toString cfg.sampleBytes} ${restic.storedPairs}";
        ExecStopPost = backups.reportTask "restore-drill";
        EnvironmentFile = lib.mkIf (restic.environmentFile != null) (toString restic.environmentFile);
        CacheDirectory = "pantheros-restore-drill";
        CacheDirectoryMode = "0700";
        TimeoutStartSec = "2h";
        UMask = "0077";
        CPUSchedulingPolicy = "batch";
        IOSchedulingClass = "idle";
        # The drill reads all files and, if the repository is a folder of this machine, writes its locks.
        CapabilityBoundingSet = [
          "CAP_CHOWN"
          "CAP_DAC_OVERRIDE"
          "CAP_DAC_READ_SEARCH"
          "CAP_FOWNER"
        ];
        NoNewPrivileges = true;
        LockPersonality = true;
        PrivateDevices = true;
        PrivateTmp = true;
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = "read-only";
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectSystem = "full";
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
      };
    };

    systemd.timers.pantheros-restore-drill.timerConfig = {
      Persistent = true;
      RandomizedDelaySec = restic.randomizedDelay;
    };
  };
}
