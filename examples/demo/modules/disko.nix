# A host's disks as data, and what follows from them. `lib/disko.nix` fills in what a layout leaves out.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) disko;
  inherit (config.disko) devices;
  inherit (config.networking) hostName;
in
{
  options.disko.devices = lib.mkOption {
    type = lib.types.anything;
    default = { };
    apply = disko.evaluate;
    description = "The devices to set up.";
  };

  config = {
    fileSystems = disko.fileSystems devices;
    swapDevices = disko.swapDevices devices;
    boot = {
      initrd.luks.devices = disko.luksDevices devices;
      loader.grub.devices = disko.grubDevices devices;
      swraid.enable = lib.mkIf (disko.usesArrays devices) true;
    };

    system.build = {
      diskoScript = pkgs.mkTree {
        name = "disko";
        tree."bin/disko" = pkgs.program ''
          echo "${hostName}: this would erase and set up its disks with"
          ${builtins.concatStringsSep "\n" (map (step: "echo '  ${step}'") (disko.steps devices))}
        '';
      };
      diskoImages = pkgs.mkTree {
        name = "${hostName}-disko-images";
        tree = lib.mapAttrs' (_: disk: {
          name = "${disk.imageName}.raw";
          value = pkgs.file "${disk.imageSize} for ${disk.device}\n";
        }) devices.disk;
      };
    };
  };
}
