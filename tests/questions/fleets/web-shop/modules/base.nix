# What every host has.
{
  lib,
  overlays,
  pkgs,
  ...
}:
{
  imports = [
    ./ssh.nix
    ./users.nix
    ./monitoring.nix
    ./backup.nix
  ];

  nixpkgs.overlays = [ overlays.tools ];
  nixpkgs.config.allowUnfreePredicate = package: lib.getName package == "ngrok";

  nix = {
    settings = {
      experimental-features = [
        "nix-command"
        "flakes"
      ];
      trusted-users = [ "@wheel" ];
      auto-optimise-store = true;
    };
    gc = {
      automatic = true;
      dates = lib.mkDefault "weekly";
      options = "--delete-older-than 30d";
    };
  };

  time.timeZone = lib.mkDefault "Europe/Amsterdam";
  i18n.defaultLocale = "en_US.UTF-8";

  networking = {
    useDHCP = lib.mkDefault true;
    firewall.enable = true;
    firewall.logRefusedConnections = false;
    nftables.enable = true;
    wg-quick.interfaces.shop = {
      privateKeyFile = "/run/agenix/wireguard-key";
      listenPort = 51820;
    };
  };

  boot.kernel.sysctl = {
    "net.ipv4.tcp_congestion_control" = "bbr";
    "net.core.default_qdisc" = "fq";
    "vm.swappiness" = lib.mkDefault 10;
  };

  services.journald.extraConfig = ''
    SystemMaxUse=1G
    MaxRetentionSec=30day
  '';
  services.fstrim.enable = true;
  zramSwap.enable = true;

  environment.systemPackages = with pkgs; [
    ripgrep
    htop
    dnsutils
    tcpdump
    shop-release
  ];

  programs.vim = {
    enable = true;
    defaultEditor = true;
  };

  system.stateVersion = "25.11";
}
