# The firewall: only ports that a service opens are reachable.
{ config, lib, ... }:

{
  config = {
    networking = {
      nftables.enable = lib.mkDefault true;
      firewall = {
        enable = true;
        # Path MTU discovery and simple diagnosis need it.
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
