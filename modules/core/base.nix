# What every host has, whatever it is for.
{
  config,
  lib,
  pkgs,
  ...
}:

{
  config = {
    time.timeZone = lib.mkDefault "UTC";
    i18n.defaultLocale = lib.mkDefault "en_US.UTF-8";
    console.keyMap = lib.mkDefault "us";

    environment.systemPackages = [
      pkgs.curl
      pkgs.git
      pkgs.htop
      pkgs.jq
      pkgs.lsof
      pkgs.rsync
      pkgs.tmux
      pkgs.vim
    ];

    # A log that fills the disk takes the host down with it.
    services.journald.extraConfig = lib.mkDefault ''
      SystemMaxUse=1G
      MaxRetentionSec=1month
    '';

    # Certificates, tokens and logs of several hosts all depend on the time.
    services.timesyncd.enable = lib.mkDefault true;

    boot.tmp.cleanOnBoot = lib.mkDefault true;
    zramSwap.enable = lib.mkDefault true;

    assertions = [
      {
        assertion = config.networking.hostName != "";
        message = "A host needs networking.hostName: deployments check that the machine that answers is the one that is meant.";
      }
    ];
  };
}
