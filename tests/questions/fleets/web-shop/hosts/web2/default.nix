{ lib, ... }:
{
  imports = [ ./disko.nix ];

  networking.hostName = "web2";
  networking.wg-quick.interfaces.shop.address = [ "10.20.0.12/24" ];

  # The older of the two machines, with half of the memory.
  services.redis.servers.sessions.settings.maxmemory = "128mb";
  systemd.services.shop.serviceConfig.MemoryMax = "768M";
  nix.gc.dates = "daily";

  # A leftover of the move to the new load balancer.
  networking.firewall.allowedTCPPorts = [ 8443 ];

  boot.loader.grub = {
    enable = true;
    efiSupport = true;
    device = "nodev";
  };
  boot.loader.efi.canTouchEfiVariables = lib.mkDefault true;
}
