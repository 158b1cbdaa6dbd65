# What is mounted where.
{ config, lib, ... }:
{
  options = {
    fileSystems = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.submodule (mountPoint: {
          inherit mountPoint;
          device = null;
          fsType = "auto";
          neededForBoot = mountPoint == "/";
          options = [ "defaults" ];
        })
      );
      default = { };
      description = "The file systems to be mounted, by mount point.";
    };
    swapDevices = lib.mkOption {
      type = lib.types.listOf lib.types.anything;
      default = [ ];
      description = "The swap devices and swap files.";
    };
  };

  config = {
    assertions = [
      {
        assertion = config.fileSystems ? "/";
        message = "The 'fileSystems' option does not specify your root file system.";
      }
    ];
    environment.etc.fstab.text = builtins.concatStringsSep "" (
      map (
        fs: "${fs.device} ${fs.mountPoint} ${fs.fsType} ${builtins.concatStringsSep "," fs.options}\n"
      ) (builtins.attrValues config.fileSystems)
      ++ map (swap: "${swap.device} none swap\n") config.swapDevices
    );
  };
}
