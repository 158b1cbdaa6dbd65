{ config, lib, ... }:
{
  services.restic.backups.state = {
    repository = "sftp:backup@vault.shop.example.org:/srv/${config.networking.hostName}";
    passwordFile = "/run/agenix/restic-password";
    paths = [
      "/var/lib"
      "/srv"
    ];
    exclude = [ "/var/lib/prometheus2" ];
    initialize = true;
    timerConfig = {
      OnCalendar = lib.mkDefault "02:30";
      RandomizedDelaySec = "1h";
      Persistent = true;
    };
    pruneOpts = [
      "--keep-daily 14"
      "--keep-weekly 8"
      "--keep-monthly 12"
    ];
  };
}
