# The firewall: only ports that a service opens are reachable.
{ config, lib, ... }:

{
  config = {
    networking = {
      nftables.enable = lib.mkDefault true;
      firewall = {
        enable = true;
        # So that an operator can tell a host that is down from a port that is closed.
        allowPing = true;
        # On a public address, these messages would fill the log.
        logRefusedConnections = lib.mkDefault false;
      };
    };

    assertions = [
      {
        assertion = config.networking.firewall.enable;
        message = "networking.firewall must stay enabled: each service opens its own ports with openFirewall.";
      }
    ];
  };
}
