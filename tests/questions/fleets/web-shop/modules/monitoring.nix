{ config, lib, ... }:
let
  exporters = config.services.prometheus.exporters;
in
{
  services.prometheus.exporters = {
    node = {
      enable = true;
      enabledCollectors = [
        "systemd"
        "processes"
      ];
      listenAddress = lib.mkDefault "0.0.0.0";
    };
    postgres.enable = config.services.postgresql.enable;
    nginx.enable = config.services.nginx.enable;
  };

  # Only the monitoring host, which is on the private network, reads them.
  networking.firewall.interfaces.shop.allowedTCPPorts = [
    exporters.node.port
  ]
  ++ lib.optional config.services.postgresql.enable exporters.postgres.port
  ++ lib.optional config.services.nginx.enable exporters.nginx.port;

  services.nginx.statusPage = config.services.nginx.enable;

  services.smartd = {
    enable = true;
    notifications.mail = {
      enable = true;
      recipient = "operations@shop.example.org";
    };
  };
}
