{ lib, ... }:
{
  services.openssh = {
    enable = true;
    openFirewall = true;
    settings = {
      PasswordAuthentication = lib.mkDefault false;
      KbdInteractiveAuthentication = false;
      PermitRootLogin = lib.mkDefault "no";
      MaxAuthTries = 3;
      X11Forwarding = false;
      AllowGroups = [
        "wheel"
        "deploy"
        "analytics"
      ];
    };
  };

  services.fail2ban = {
    enable = true;
    maxretry = 5;
    ignoreIP = [ "10.20.0.0/16" ];
  };
}
