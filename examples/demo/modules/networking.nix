# Name and network.
{ lib, ... }:
{
  options.networking = {
    hostName = lib.mkOption {
      type = lib.types.str;
      default = "nixos";
      description = "The name of the machine.";
    };
    domain = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "fleet.example";
      description = "The domain the machine is in.";
    };
    useDHCP = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether addresses come from DHCP.";
    };
    firewall = {
      enable = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Whether to enable the firewall. Incoming connections not allowed here are dropped.";
      };
      allowedTCPPorts = lib.mkOption {
        type = lib.types.listOf lib.types.port;
        default = [ ];
        example = [
          22
          80
        ];
        description = "TCP ports that take incoming connections.";
      };
      allowedUDPPorts = lib.mkOption {
        type = lib.types.listOf lib.types.port;
        default = [ ];
        description = "UDP ports that take incoming packets.";
      };
    };
  };
}
