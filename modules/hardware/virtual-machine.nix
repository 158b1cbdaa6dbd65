# A virtual machine under QEMU/KVM, as rented from OVH or Hetzner.
{ config, lib, ... }:

let
  cfg = config.pantheros.hardware.virtualMachine;
  inherit (cfg.serialConsole) unit speed;
in
{
  options.pantheros.hardware.virtualMachine = {
    enable = lib.mkEnableOption "support for a virtual machine under QEMU: its drivers in the initrd, a console on the serial line, and its guest agent";

    serialConsole = {
      unit = lib.mkOption {
        type = lib.types.ints.between 0 3;
        default = 0;
        description = "Number of the serial line with the provider's console: 0 is `ttyS0`.";
      };
      speed = lib.mkOption {
        type = lib.types.ints.positive;
        default = 115200;
        description = "Speed of the serial line, in bits per second.";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    boot = {
      initrd = {
        # Drivers for every bus to which a provider may attach the disk.
        availableKernelModules = [
          "ahci"
          "ata_piix"
          "sd_mod"
          "sr_mod"
          "uhci_hcd"
          "virtio_blk"
          "virtio_mmio"
          "virtio_net"
          "virtio_pci"
          "virtio_scsi"
          "xhci_pci"
        ];
        # Drivers to return memory to the hypervisor, for its consoles, and for randomness for the first keys.
        kernelModules = [
          "virtio_balloon"
          "virtio_console"
          "virtio_gpu"
          "virtio_rng"
        ];
      };
      # The last console shows the boot messages and the login prompt.
      kernelParams = [
        "console=tty0"
        "console=ttyS${toString unit},${toString speed}n8"
      ];
      loader = {
        timeout = lib.mkDefault 3;
        grub.extraConfig = ''
          serial --unit=${toString unit} --speed=${toString speed}
          terminal_input --append serial
          terminal_output --append serial
        '';
      };
    };

    services = {
      qemuGuest.enable = lib.mkDefault true;
      # Returns unused blocks of /boot and the EFI system partition to the provider's storage; Btrfs does this itself.
      fstrim.enable = lib.mkDefault true;
    };
  };
}
