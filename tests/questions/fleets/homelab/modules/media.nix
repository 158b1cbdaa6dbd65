{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.home.media;
in
{
  options.home.media = {
    enable = lib.mkEnableOption "the media server";
    folder = lib.mkOption {
      type = lib.types.path;
      default = "/srv/media";
      description = "Where the media are.";
    };
  };

  config = lib.mkIf cfg.enable {
    services.jellyfin = {
      enable = true;
      openFirewall = true;
    };
    services.navidrome = {
      enable = true;
      settings = {
        MusicFolder = "${cfg.folder}/music";
        Address = "0.0.0.0";
        Port = 4533;
      };
    };
    services.paperless = {
      enable = true;
      consumptionDir = "/srv/scans";
      passwordFile = "/run/agenix/paperless-password";
      settings.PAPERLESS_OCR_LANGUAGE = "deu+eng";
    };
    services.home-assistant = {
      enable = true;
      config.homeassistant.name = "Zuhause";
      config.http.server_port = 8123;
    };
    networking.firewall.allowedTCPPorts = [
      4533
      8123
    ];
    environment.systemPackages = [
      pkgs.media-report
      pkgs.paperless-inbox
    ];
    users.groups.media.members = [
      "jellyfin"
      "navidrome"
      "martha"
    ];
  };
}
