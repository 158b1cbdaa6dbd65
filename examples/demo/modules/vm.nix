# The host as a virtual machine, to try it out.
{ config, pkgs, ... }:
let
  inherit (config.networking) hostName;
in
{
  config.system.build.vm = pkgs.mkTree {
    name = "nixos-vm";
    buildPhase = ''echo "preparing a virtual machine of ${hostName}"'';
    tree = {
      "bin/run-${hostName}-vm" = pkgs.program ''
        echo "this would start ${hostName} in QEMU, from ${config.system.build.toplevel}"
      '';
      system = pkgs.link "${config.system.build.toplevel}";
    };
    meta = {
      description = "A virtual machine of ${hostName}";
      mainProgram = "run-${hostName}-vm";
    };
  };
}
