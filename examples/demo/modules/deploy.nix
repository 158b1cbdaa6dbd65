# The options that pantherOS reads to deploy a host.
{ config, lib, ... }:
{
  options.pantheros.deploy = {
    targetHost = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "web.fleet.example";
      description = "The name or address the host is reached at over SSH; `null` if it is not deployed to.";
    };
    user = lib.mkOption {
      type = lib.types.str;
      default = "deploy";
      description = "The user to log in as; it needs `sudo` without a password.";
    };
    port = lib.mkOption {
      type = lib.types.port;
      default = builtins.head config.services.openssh.ports;
      description = "The port SSH listens on.";
    };
    tags = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      example = [ "production" ];
      description = "Names for groups of hosts, to deploy to them together.";
    };
    buildOn = lib.mkOption {
      type = lib.types.enum [
        "local"
        "target"
      ];
      default = "local";
      description = "Where the system is built: here, or on the host itself.";
    };
    healthChecks = lib.mkOption {
      type = lib.types.listOf lib.types.anything;
      default = [ ];
      example = [
        { tcp = 443; }
      ];
      description = "Checks that must pass after activation; a host that fails one is rolled back.";
    };
    rollbackTimeout = lib.mkOption {
      type = lib.types.int;
      default = 60;
      description = "Seconds within which an activated system must be confirmed; otherwise the host goes back by itself.";
    };
  };
}
