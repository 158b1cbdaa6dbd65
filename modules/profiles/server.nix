# A server: it starts by itself, stays up, and nobody sits before it.
{ config, lib, ... }:

let
  cfg = config.pantheros.profiles.server;
in
{
  options.pantheros.profiles.server.enable =
    lib.mkEnableOption "what servers have in common: nothing graphical, no suspend, a watchdog, and metrics";

  config = lib.mkIf cfg.enable {
    # Manuals are read on the machine one works at.
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
      # There is nobody at the console to type a password, and root has none.
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

    # A kernel that panics is of use to nobody until it starts again.
    boot.kernel.sysctl = {
      "kernel.panic" = 10;
      "kernel.panic_on_oops" = 1;
    };

    pantheros.monitoring.exporter.enable = lib.mkDefault true;
  };
}
