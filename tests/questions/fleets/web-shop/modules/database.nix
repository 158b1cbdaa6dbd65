# The database of the shop.
{
  config,
  lib,
  pkgs,
  ...
}:
{
  services.postgresql = {
    enable = true;
    package = pkgs.postgresql_17;
    enableTCPIP = true;
    ensureDatabases = [ "shop" ];
    ensureUsers = [
      {
        name = "shop";
        ensureDBOwnership = true;
      }
    ];
    authentication = ''
      host shop shop 10.20.0.0/16 scram-sha-256
    '';
    settings = {
      max_connections = lib.mkDefault 100;
      shared_buffers = lib.mkDefault "512MB";
      log_min_duration_statement = 500;
      wal_level = "replica";
    };
    extensions = extensions: [ extensions.pgvector ];
  };

  services.postgresqlBackup = {
    enable = true;
    databases = [ "shop" ];
    startAt = "*-*-* 01:15:00";
  };

  networking.firewall.interfaces.shop.allowedTCPPorts = [ config.services.postgresql.settings.port ];

  users.users.analyst = {
    isNormalUser = true;
    group = "analytics";
    description = "Reports, with a tunnel to the database";
    openssh.authorizedKeys.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDnMDLtzwpTBHkHSqDQ8mJn3FB9cRSVJUhdDFX2VV9ZK analyst@office"
    ];
  };
}
