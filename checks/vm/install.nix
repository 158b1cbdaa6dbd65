# Formats an empty disk with each host's layout, installs the system, and boots it by BIOS and by UEFI.
{ self, pkgs, ... }:

let
  inherit (pkgs) lib;
  inherit (pkgs.stdenv.hostPlatform) system;
  hosts = lib.filterAttrs (_: hostSystem: hostSystem == system) (import ../../fleet).hosts;

  installTest =
    host: efi:
    (host.extendModules {
      modules = [
        {
          disko.tests = {
            inherit efi;
            # The disks of the test have other names, for which the host's assertions fail.
            extraConfig.assertions = lib.mkForce [ ];
            extraChecks = ''
              for mountpoint in ["/", "/home", "/var"]:
                  machine.succeed(f"findmnt --mountpoint {mountpoint} --types btrfs")
              machine.succeed("findmnt --mountpoint /boot --types ext4")
              machine.succeed("findmnt --mountpoint /boot/efi --types vfat")
              machine.succeed("test ${if efi then "-d" else "! -d"} /sys/firmware/efi")
            '';
          };
        }
      ];
    }).config.system.build.installTest;
in
lib.concatMapAttrs (name: _: {
  "${name}-bios" = installTest self.nixosConfigurations.${name} false;
  "${name}-uefi" = installTest self.nixosConfigurations.${name} true;
}) hosts
