# Services, each a unit file of its own.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  lines = section: builtins.attrValues (builtins.mapAttrs (key: value: "${key}=${value}") section);
  mkUnit =
    name: service:
    pkgs.writeText "unit-${name}.service" ''
      [Unit]
      Description=${service.description}
      After=${toString service.after}

      [Service]
      ${builtins.concatStringsSep "\n" (lines service.serviceConfig)}

      [Install]
      WantedBy=${toString service.wantedBy}
    '';
in
{
  options.systemd.services = lib.mkOption {
    type = lib.types.attrsOf (
      lib.types.submodule (name: {
        enable = true;
        description = name;
        after = [ ];
        wantedBy = [ "multi-user.target" ];
        serviceConfig = { };
      })
    );
    default = { };
    description = "Definition of systemd service units.";
  };

  config = {
    environment.etc."systemd/system".source = "${config.system.build.units}/system";
    system.build.units = pkgs.mkTree {
      name = "system-units";
      tree = {
        "system/multi-user.target" = pkgs.file "[Unit]\nDescription=Multi-User System\n";
      }
      // lib.mapAttrs' (name: service: {
        name = "system/${name}.service";
        value = pkgs.link "${mkUnit name service}";
      }) config.systemd.services;
    };
  };
}
