{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.home.desktop;
in
{
  options.home.desktop = {
    enable = lib.mkEnableOption "the desktop";
    games = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether the machine has Steam.";
    };
    session = lib.mkOption {
      type = lib.types.enum [
        "sway"
        "kiosk"
      ];
      default = "sway";
      description = "The desktop that is started.";
    };
  };

  config = lib.mkIf cfg.enable {
    programs.sway.enable = cfg.session == "sway";
    services.cage = {
      enable = cfg.session == "kiosk";
      program = lib.getExe pkgs.firefox;
    };
    # The name from before 24.11.
    hardware.opengl.enable = true;
    hardware.bluetooth.enable = true;

    services.pipewire = {
      enable = true;
      alsa.enable = true;
      pulse.enable = true;
    };
    services.printing = {
      enable = true;
      drivers = [ pkgs.brlaser ];
    };
    programs.steam.enable = cfg.games;
    programs.firefox = {
      enable = true;
      policies.DisableTelemetry = true;
    };
    fonts.packages = [
      pkgs.noto-fonts
      pkgs.nerd-fonts.jetbrains-mono
    ];
    environment.systemPackages = with pkgs; [
      obsidian
      libreoffice
      keepassxc
    ];
    networking.networkmanager.enable = true;
  };
}
