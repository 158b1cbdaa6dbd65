# Settings of every host, whatever its purpose.
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

    # Limited, because a log that fills the disk would break the host.
    services.journald.extraConfig = lib.mkDefault ''
      SystemMaxUse=1G
      MaxRetentionSec=1month
    '';

    # Certificates, tokens and the comparison of logs across hosts depend on the right time.
    services.timesyncd.enable = lib.mkDefault true;

    boot.tmp.cleanOnBoot = lib.mkDefault true;
    zramSwap.enable = lib.mkDefault true;

    assertions = [
      {
        assertion = config.networking.hostName != "";
        message = "A host needs networking.hostName: deployments compare it with the name that the machine reports.";
      }
    ];
  };
}
