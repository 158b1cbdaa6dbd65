# The programs and `/etc` of a host.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  options.environment = {
    systemPackages = lib.mkOption {
      type = lib.types.listOf lib.types.package;
      default = [ ];
      description = "Packages in every user's `PATH`.";
    };
    etc = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.submodule (_: {
          text = null;
          source = null;
        })
      );
      default = { };
      description = "Files under `/etc`, each with a `text`, or linked to a `source`.";
    };
  };

  config = {
    environment = {
      systemPackages = [ pkgs.hello-panther ];
      etc = {
        hostname.text = "${config.networking.hostName}\n";
        os-release.text = ''
          NAME=NixOS
          ID=nixos
          VERSION_ID="${config.system.nixos.release}"
          PRETTY_NAME="NixOS ${config.system.nixos.version}"
        '';
      };
    };
    system = {
      path = pkgs.joinTrees {
        name = "system-path";
        paths = config.environment.systemPackages;
      };
      build.etc = pkgs.mkTree {
        name = "etc";
        buildPhase = ''echo "setting up /etc for ${config.networking.hostName}"'';
        tree = lib.mapAttrs' (name: entry: {
          name = "etc/${name}";
          value = if entry.source == null then pkgs.file entry.text else pkgs.link "${entry.source}";
        }) config.environment.etc;
      };
    };
  };
}
