# The name and the platform of a system.
{ config, lib, ... }:
{
  options = {
    assertions = lib.mkOption {
      type = lib.types.listOf lib.types.anything;
      default = [ ];
      internal = true;
      description = "Conditions a configuration must meet, each with the message for when it does not.";
    };
    warnings = lib.mkOption {
      type = lib.types.listOf lib.types.str;
      default = [ ];
      internal = true;
      description = "Warnings to print when the configuration is evaluated.";
    };
    nixpkgs.hostPlatform = lib.mkOption {
      type = lib.types.str;
      apply = system: { inherit system; };
      example = "aarch64-linux";
      description = "The platform the system runs on.";
    };
    time.timeZone = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = null;
      example = "Europe/Berlin";
      description = "The time zone used when displaying times and dates.";
    };
    system = {
      stateVersion = lib.mkOption {
        type = lib.types.str;
        description = "The release the host was first installed with; it stays when the host is upgraded.";
      };
      path = lib.mkOption {
        type = lib.types.package;
        internal = true;
        description = "The packages of the system in one folder.";
      };
      build = lib.mkOption {
        type = lib.types.attrsOf lib.types.anything;
        default = { };
        description = "Derivations made from the configuration.";
      };
      nixos = {
        release = lib.mkOption {
          type = lib.types.str;
          default = "25.05";
          readOnly = true;
          description = "The NixOS release.";
        };
        version = lib.mkOption {
          type = lib.types.str;
          default = "${config.system.nixos.release}-demo";
          internal = true;
          description = "The full NixOS version.";
        };
        label = lib.mkOption {
          type = lib.types.str;
          default = config.system.nixos.version;
          description = "Name of the system in the boot menu.";
        };
      };
    };
  };
}
