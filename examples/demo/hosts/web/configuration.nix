# The web server: two sites behind nginx.
{
  imports = [ ./disko.nix ];

  networking.hostName = "web";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "25.05";
  time.timeZone = "Europe/Berlin";

  boot.loader = {
    systemd-boot.enable = true;
    efi.canTouchEfiVariables = true;
  };

  services.nginx = {
    enable = true;
    virtualHosts = {
      "fleet.example".forceSSL = true;
      "status.fleet.example" = { };
    };
  };

  pantheros.deploy = {
    targetHost = "web.fleet.example";
    tags = [
      "production"
      "web"
    ];
    healthChecks = [
      { http = "http://web.fleet.example/"; }
      {
        command = [
          "systemctl"
          "is-active"
          "nginx.service"
        ];
      }
    ];
    rollbackTimeout = 120;
  };
}
