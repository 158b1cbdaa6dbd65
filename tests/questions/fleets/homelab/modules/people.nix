{
  config,
  lib,
  pkgs,
  ...
}:
{
  users.users.martha = {
    isNormalUser = true;
    extraGroups = [
      "wheel"
      "networkmanager"
      "podman"
    ];
    shell = pkgs.fish;
    openssh.authorizedKeys.keyFiles = [ ./martha.pub ];
  };
  programs.fish.enable = true;

  users.users.otto = lib.mkIf config.home.desktop.enable {
    isNormalUser = true;
    hashedPasswordFile = "/run/agenix/otto-password";
    extraGroups = [ "networkmanager" ];
  };

  security.sudo.wheelNeedsPassword = lib.mkDefault false;

  home-manager = {
    useGlobalPkgs = true;
    users.martha = import ../home/martha.nix;
    users.otto = lib.mkIf config.home.desktop.enable (import ../home/otto.nix);
  };
}
