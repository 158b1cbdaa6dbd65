# Nothing is reachable that did not ask for it.
{ config, lib, ... }:

{
  config = {
    networking = {
      nftables.enable = lib.mkDefault true;
      firewall = {
        enable = true;
        # Path MTU discovery and plain diagnosis need it.
        allowPing = true;
        # On a public address the log is full of nothing else.
        logRefusedConnections = lib.mkDefault false;
      };
    };

    assertions = [
      {
        assertion = config.networking.firewall.enable;
        message = "networking.firewall must stay enabled: what a service opens is decided by its own openFirewall.";
      }
    ];
  };
}
