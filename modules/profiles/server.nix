# A server: it boots and keeps running without anybody at its console.
{ config, lib, ... }:

let
  cfg = config.pantheros.profiles.server;
in
{
  options.pantheros.profiles.server.enable =
    lib.mkEnableOption "the settings that servers share: nothing graphical, no suspend, a watchdog, and metrics";

  config = lib.mkIf cfg.enable {
    # Manuals are read on workstations.
    documentation = {
      enable = lib.mkDefault false;
      nixos.enable = lib.mkDefault false;
    };
    fonts.fontconfig.enable = lib.mkDefault false;
    xdg = {
      autostart.enable = lib.mkDefault false;
      icons.enable = lib.mkDefault false;
      menus.enable = lib.mkDefault false;
      mime.enable = lib.mkDefault false;
      sounds.enable = lib.mkDefault false;
    };

    systemd = {
      # Nobody is at the console to enter a password, and root has none.
      enableEmergencyMode = false;
      sleep.settings.Sleep = {
        AllowSuspend = false;
        AllowHibernation = false;
      };
      settings.Manager = {
        RuntimeWatchdogSec = lib.mkDefault "30s";
        RebootWatchdogSec = lib.mkDefault "5min";
      };
    };

    # Reboots 10 seconds after a kernel panic or an oops: a kernel that has panicked serves nothing.
    boot.kernel.sysctl = {
      "kernel.panic" = 10;
      "kernel.panic_on_oops" = 1;
    };

    pantheros.monitoring.exporter.enable = lib.mkDefault true;
  };
}
