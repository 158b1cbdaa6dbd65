# Who may log in. The keys are public ones made for this example; nobody has their private halves.
{ config, lib, ... }:
{
  options = {
    users = {
      motd = lib.mkOption {
        type = lib.types.lines;
        default = "";
        description = "Message of the day shown to users when they log in.";
      };
      mutableUsers = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Whether users can be changed on the host itself.";
      };
      users = lib.mkOption {
        type = lib.types.attrsOf (
          lib.types.submodule (name: {
            inherit name;
            description = "";
            extraGroups = [ ];
            hashedPassword = null;
            home = "/home/${name}";
            isNormalUser = false;
            isSystemUser = false;
            openssh.authorizedKeys = {
              keys = [ ];
              keyFiles = [ ];
            };
          })
        );
        default = { };
        description = "Additional user accounts to be created automatically by the system.";
      };
    };
    security.sudo.wheelNeedsPassword = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether users of the `wheel` group must provide a password to run commands as root.";
    };
  };

  config = {
    environment.etc.motd.text = config.users.motd;
    security.sudo.wheelNeedsPassword = false;
    users = {
      mutableUsers = false;
      users = {
        root.home = "/root";
        deploy = {
          isNormalUser = true;
          description = "Deployment";
          extraGroups = [ "wheel" ];
          openssh.authorizedKeys.keys = [
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPFYklaxYysnD5yFGVz7clOCjCA2KUKCedoE3t2d7x2i deploy@fleet.example"
          ];
        };
      };
    };
  };
}
