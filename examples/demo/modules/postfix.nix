# The mail server.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.postfix;
in
{
  options.services.postfix = {
    enable = lib.mkEnableOption "the Postfix mail server";
    hostname = lib.mkOption {
      type = lib.types.str;
      default = config.networking.hostName;
      description = "The name the server introduces itself with.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment = {
      systemPackages = [ pkgs.postfix ];
      etc."postfix/main.cf".text = "myhostname = ${cfg.hostname}\n";
    };
    networking.firewall.allowedTCPPorts = [
      25
      465
    ];
    systemd.services.postfix = {
      description = "Postfix mail server";
      after = [ "network.target" ];
      serviceConfig.ExecStart = "${pkgs.postfix}/bin/postfix start";
    };
  };
}
