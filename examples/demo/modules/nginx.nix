# The web server.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.nginx;
in
{
  options.services.nginx = {
    enable = lib.mkEnableOption "the nginx web server";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.nginx;
      description = "The nginx package to use.";
    };
    virtualHosts = lib.mkOption {
      type = lib.types.attrsOf (
        lib.types.submodule (serverName: {
          inherit serverName;
          root = "/var/www/${serverName}";
          forceSSL = false;
        })
      );
      default = { };
      description = "The sites that are served, by server name.";
    };
    configFile = lib.mkOption {
      type = lib.types.package;
      default = pkgs.nginx-config.override { inherit (cfg) virtualHosts; };
      description = "The configuration file, made of the sites.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment = {
      systemPackages = [ cfg.package ];
      etc."nginx/nginx.conf".source = cfg.configFile;
    };
    networking.firewall.allowedTCPPorts = [
      80
      443
    ];
    systemd.services.nginx = {
      description = "Nginx Web Server";
      after = [ "network.target" ];
      serviceConfig.ExecStart = "${cfg.package}/bin/nginx -c ${cfg.configFile}";
    };
  };
}
