{
  imports = [ ./disko.nix ];

  networking.hostName = "web1";
  networking.wg-quick.interfaces.shop.address = [ "10.20.0.11/24" ];

  boot.loader.systemd-boot.enable = true;
  boot.loader.efi.canTouchEfiVariables = true;
  boot.initrd.availableKernelModules = [
    "nvme"
    "virtio_pci"
  ];
}
