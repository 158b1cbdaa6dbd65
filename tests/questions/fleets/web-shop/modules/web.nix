# A web server of the shop, with its image proxy.
{
  config,
  lib,
  overlays,
  pkgs,
  ...
}:
let
  domain = "shop.example.org";
  proxy = port: {
    proxyPass = "http://127.0.0.1:${toString port}";
    proxyWebsockets = true;
  };
in
{
  nixpkgs.overlays = [ overlays.pins ];

  security.acme = {
    acceptTerms = true;
    defaults.email = "operations@${domain}";
  };

  services.nginx = {
    enable = true;
    recommendedProxySettings = true;
    recommendedTlsSettings = true;
    recommendedGzipSettings = true;
    clientMaxBodySize = "20m";
    virtualHosts = {
      ${domain} = {
        enableACME = true;
        forceSSL = lib.mkDefault true;
        serverAliases = [ "www.${domain}" ];
        locations."/" = proxy 8080;
        locations."/images/" = proxy 8081;
        locations."/static/".root = "/srv/shop";
      };
      "admin.${domain}" = {
        enableACME = true;
        forceSSL = true;
        locations."/" = proxy 8080 // {
          extraConfig = ''
            allow 10.20.0.0/16;
            deny all;
          '';
        };
      };
    };
  };

  networking.firewall.allowedTCPPorts = [
    80
    443
  ];

  services.redis.servers.sessions = {
    enable = true;
    port = 6379;
    save = [ ];
    settings.maxmemory = lib.mkDefault "256mb";
  };

  systemd.services = {
    shop = {
      description = "The shop";
      wantedBy = [ "multi-user.target" ];
      after = [
        "network-online.target"
        "redis-sessions.service"
      ];
      wants = [ "network-online.target" ];
      environment.SHOP_LISTEN = "127.0.0.1:8080";
      serviceConfig = {
        ExecStart = "/srv/shop/bin/shop";
        EnvironmentFile = "/run/agenix/shop-environment";
        DynamicUser = true;
        Restart = "on-failure";
        RestartSec = 5;
        MemoryMax = lib.mkDefault "1G";
      };
    };
    imgproxy = {
      description = "Image proxy of the shop";
      wantedBy = [ "multi-user.target" ];
      environment.IMGPROXY_BIND = "127.0.0.1:8081";
      serviceConfig = {
        ExecStart = lib.getExe pkgs.imgproxy;
        DynamicUser = true;
        Restart = "on-failure";
      };
    };
  };

  users.users.nginx.extraGroups = [ config.users.groups.deploy.name ];
}
