{
  lib,
  inputs,
  pkgs,
  ...
}:
{
  nixpkgs.overlays = [ (import ../pkgs) ];
  nixpkgs.config.allowUnfreePredicate =
    package:
    lib.elem (lib.getName package) [
      "steam"
      "steam-unwrapped"
      "unrar"
      "obsidian"
    ];

  nix.registry.nixpkgs.flake = inputs.nixpkgs;
  nix.settings.experimental-features = "nix-command flakes";
  nix.settings.trusted-users = [ "martha" ];

  time.timeZone = "Europe/Berlin";
  i18n.defaultLocale = "de_DE.UTF-8";
  console.keyMap = "de";

  services.openssh = {
    enable = lib.mkDefault true;
    settings.PasswordAuthentication = lib.mkDefault true;
    settings.PermitRootLogin = "no";
  };
  services.avahi = {
    enable = true;
    nssmdns4 = true;
    publish.enable = true;
    publish.addresses = true;
  };
  services.tailscale.enable = true;
  networking.firewall.trustedInterfaces = [ "tailscale0" ];

  environment.systemPackages = with pkgs; [
    git
    ripgrep
    unrar
    smartmontools
    pciutils
    lm_sensors
  ];

  system.autoUpgrade = {
    enable = lib.mkDefault true;
    flake = "git+https://git.example.org/home/machines";
    dates = lib.mkDefault "04:40";
    randomizedDelaySec = "45min";
    allowReboot = lib.mkDefault false;
  };

  boot.tmp.cleanOnBoot = true;
  boot.loader.systemd-boot.enable = lib.mkDefault true;
  boot.loader.systemd-boot.configurationLimit = lib.mkDefault 10;
  boot.loader.efi.canTouchEfiVariables = true;
  system.stateVersion = lib.mkDefault "24.11";
}
