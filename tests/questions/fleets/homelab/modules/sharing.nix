{ config, lib, ... }:
let
  cfg = config.home.shares;
in
{
  options.home.shares = lib.mkOption {
    type = lib.types.attrsOf (
      lib.types.submodule {
        options = {
          path = lib.mkOption {
            type = lib.types.path;
            description = "The folder that is shared.";
          };
          guests = lib.mkOption {
            type = lib.types.bool;
            default = false;
            description = "Whether guests may read it.";
          };
        };
      }
    );
    default = { };
    description = "The folders that the machine shares with Samba.";
  };

  config = lib.mkIf (cfg != { }) {
    services.samba = {
      enable = true;
      openFirewall = true;
      settings = lib.mapAttrs (_: share: {
        inherit (share) path;
        "read only" = "no";
        "guest ok" = if share.guests then "yes" else "no";
      }) cfg;
    };
    services.samba-wsdd.enable = true;
  };
}
