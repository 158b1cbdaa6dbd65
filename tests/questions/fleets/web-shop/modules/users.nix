{ config, pkgs, ... }:
{
  users.mutableUsers = false;

  users.groups.deploy = { };
  users.groups.analytics = { };

  users.users = {
    root.hashedPasswordFile = "/run/agenix/root-password";

    ada = {
      isNormalUser = true;
      description = "Ada, operations";
      extraGroups = [
        "wheel"
        "systemd-journal"
      ];
      shell = pkgs.zsh;
      hashedPasswordFile = "/run/agenix/ada-password";
      openssh.authorizedKeys.keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@desk"
      ];
    };

    grace = {
      isNormalUser = true;
      description = "Grace, development";
      extraGroups = [ "wheel" ];
      hashedPasswordFile = "/run/agenix/grace-password";
      openssh.authorizedKeys.keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGk7bOQPY0zPvYRGcKyzz1Yfxh5MqBIcU7c4yYDpZXO8 grace@laptop"
      ];
    };

    deploy = {
      isSystemUser = true;
      group = "deploy";
      useDefaultShell = true;
      home = "/srv/shop";
      openssh.authorizedKeys.keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPnvwqkc3ZfOHcFYx0VmdHmVgSyuYt+2Zp8zkxEiFVPz ci@forge"
      ];
    };
  };

  programs.zsh.enable = true;

  security.sudo = {
    execWheelOnly = false;
    extraRules = [
      {
        groups = [ "deploy" ];
        commands = [
          {
            command = "/run/current-system/sw/bin/systemctl restart shop.service";
            options = [ "NOPASSWD" ];
          }
        ];
      }
    ];
  };

  home-manager = {
    useGlobalPkgs = true;
    useUserPackages = true;
    users.ada = import ../users/ada.nix { inherit (config.system) stateVersion; };
  };
}
