# The database.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.postgresql;
in
{
  options.services.postgresql = {
    enable = lib.mkEnableOption "the PostgreSQL server";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.postgresql;
      description = "The PostgreSQL package to use.";
    };
    dataDir = lib.mkOption {
      type = lib.types.str;
      default = "/var/lib/postgresql/17";
      description = "Where the databases are.";
    };
    ensureDatabases = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      description = "Databases that are created if they do not exist.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    systemd.services.postgresql = {
      description = "PostgreSQL Server";
      after = [ "network.target" ];
      serviceConfig = {
        ExecStart = "${cfg.package}/bin/postgres -D ${cfg.dataDir}";
        User = "postgres";
      };
    };
    users.users.postgres = {
      isSystemUser = true;
      description = "PostgreSQL server user";
      home = cfg.dataDir;
    };
  };
}
