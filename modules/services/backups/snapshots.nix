# Snapshots with btrbk instead of snapper: btrbk needs neither a daemon nor a `.snapshots` subvolume in
# every source, keeps all snapshots in one folder, and its configuration is checked at build time.
# `services.btrbk` is not used: it gives a user of its own `sudo btrfs` without a password, which is
# equivalent to root, and it fails if only wheel may use sudo.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  backups = config.pantheros.backups;
  cfg = backups.snapshots;

  inherit
    (import ./mount-points.nix {
      inherit lib;
      inherit (config) fileSystems;
    })
    mountPointOf
    ;
  isBtrfs = mountPoint: (config.fileSystems.${mountPoint}.fsType or null) == "btrfs";
  # Whether a file system has files that cannot be built or downloaded again.
  isPrecious =
    mountPoint:
    !lib.elem mountPoint [
      "/boot"
      "/nix"
      "/nix/store"
      "/swap"
      "/var/cache"
      "/var/log"
      cfg.directory
    ]
    && (mountPoint == "/" -> storeIsApart);
  # A snapshot that contains the store keeps garbage-collected paths on the disk.
  storeIsApart = lib.elem (mountPointOf "/nix/store") [
    "/nix"
    "/nix/store"
  ];
  nameOf =
    mountPoint:
    if mountPoint == "/" then
      "root"
    else
      lib.replaceStrings [ "/" ] [ "-" ] (lib.removePrefix "/" mountPoint);

  sections = lib.concatStrings (
    lib.mapAttrsToList (name: mountPoint: ''
      subvolume ${mountPoint}
        snapshot_name ${name}
    '') cfg.subvolumes
  );
  configFile = pkgs.writeTextFile {
    name = "btrbk.conf";
    text = ''
      timestamp_format long-iso
      snapshot_dir ${cfg.directory}
      snapshot_preserve_min ${cfg.keep.minimum}
      snapshot_preserve ${cfg.keep.schedule}
      ${sections}'';
    checkPhase = "${lib.getExe pkgs.btrbk} --config $out config print >/dev/null";
  };
in
{
  options.pantheros.backups.snapshots = {
    enable = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether to take read-only Btrfs snapshots on a timer. They are on the same disk as their
        sources: they undo mistakes, but are lost with the disk.
      '';
    };

    subvolumes = mkOption {
      type = types.attrsOf types.path;
      default = lib.mapAttrs' (mountPoint: _: lib.nameValuePair (nameOf mountPoint) mountPoint) (
        lib.filterAttrs (mountPoint: _: isBtrfs mountPoint && isPrecious mountPoint) config.fileSystems
      );
      defaultText = lib.literalMD "every mounted Btrfs subvolume except those with the Nix store, caches, logs and swap";
      example = {
        home = "/home";
        var = "/var";
      };
      description = ''
        Mount points to take snapshots of, by the name of their snapshots. Subvolumes below them are not
        included: each needs its own entry.
      '';
    };

    directory = mkOption {
      type = types.path;
      default = "/.snapshots";
      description = "Folder for the snapshots, on the same Btrfs file system as every subvolume. Only root can enter it.";
    };

    onCalendar = mkOption {
      type = types.str;
      default = "hourly";
      description = "When to take them, as in {manpage}`systemd.time(7)`.";
    };

    keep = {
      minimum = mkOption {
        type = types.str;
        default = "6h";
        description = "For how long every snapshot is kept, as `snapshot_preserve_min` of {manpage}`btrbk.conf(5)`.";
      };
      schedule = mkOption {
        type = types.str;
        default = "24h 7d 4w";
        description = ''
          How many hourly, daily and weekly snapshots are kept after that, as `snapshot_preserve` of
          {manpage}`btrbk.conf(5)`.
        '';
      };
    };
  };

  config = lib.mkIf (backups.enable && cfg.enable) {
    assertions = [
      {
        assertion = cfg.subvolumes != { };
        message = ''
          pantheros.backups.snapshots has nothing to take snapshots of: no file system of this host is Btrfs.
          Set pantheros.backups.snapshots.enable = false, or name mount points in pantheros.backups.snapshots.subvolumes.
        '';
      }
      {
        assertion = isBtrfs (mountPointOf cfg.directory);
        message = "pantheros.backups.snapshots.directory is ${cfg.directory}, which is not on Btrfs: snapshots must be on the same file system as their sources.";
      }
      {
        assertion = lib.elem "/" (lib.attrValues cfg.subvolumes) -> storeIsApart;
        message = "pantheros.backups.snapshots.subvolumes contains /, which holds the Nix store: every snapshot would keep paths that are garbage-collected later. Give /nix its own subvolume.";
      }
    ]
    ++ lib.mapAttrsToList (name: mountPoint: {
      assertion = isBtrfs mountPoint && builtins.match "[^[:space:]#\"]+" "${name}${mountPoint}" != null;
      message = "pantheros.backups.snapshots.subvolumes.${name} is ${mountPoint}, which must be the mount point of a Btrfs file system in `fileSystems`, without spaces or quotes.";
    }) cfg.subvolumes;

    systemd = {
      tmpfiles.settings."10-pantheros-backups".${cfg.directory}.d = {
        mode = "0700";
        user = "root";
        group = "root";
      };

      services.pantheros-snapshots = {
        description = "Btrfs snapshots, and the removal of old ones";
        restartIfChanged = false;
        documentation = [ "man:btrbk(1)" ];
        unitConfig.RequiresMountsFor = [ cfg.directory ] ++ lib.attrValues cfg.subvolumes;
        startAt = cfg.onCalendar;
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${lib.getExe pkgs.btrbk} --quiet --config ${configFile} snapshot";
          ExecStopPost = backups.reportTask "snapshots";
          TimeoutStartSec = "1h";
          CPUSchedulingPolicy = "batch";
          IOSchedulingClass = "idle";
          CapabilityBoundingSet = [
            "CAP_DAC_OVERRIDE"
            "CAP_DAC_READ_SEARCH"
            "CAP_FOWNER"
            "CAP_SYS_ADMIN"
          ];
          NoNewPrivileges = true;
          PrivateNetwork = true;
          ProtectClock = true;
          ProtectHostname = true;
          ProtectKernelLogs = true;
          ProtectKernelModules = true;
          RestrictAddressFamilies = [ "AF_UNIX" ];
        };
      };

      timers.pantheros-snapshots.timerConfig = {
        AccuracySec = "5min";
        Persistent = true;
      };
    };

    environment = {
      etc."btrbk/btrbk.conf".source = configFile;
      systemPackages = [ pkgs.btrbk ];
    };
  };
}
