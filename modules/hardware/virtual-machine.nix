# A virtual machine under QEMU/KVM, as OVH and Hetzner rent them out.
{ config, lib, ... }:

let
  cfg = config.pantheros.hardware.virtualMachine;
  inherit (cfg.serialConsole) unit speed;
in
{
  options.pantheros.hardware.virtualMachine = {
    enable = lib.mkEnableOption "what a virtual machine under QEMU needs: its drivers when it starts, its console on the serial line, its guest agent";

    serialConsole = {
      unit = lib.mkOption {
        type = lib.types.ints.between 0 3;
        default = 0;
        description = "Number of the serial line with the provider's console: 0 is `ttyS0`.";
      };
      speed = lib.mkOption {
        type = lib.types.ints.positive;
        default = 115200;
        description = "Its speed, in bits a second.";
      };
    };
  };

  config = lib.mkIf cfg.enable {
    boot = {
      initrd = {
        # Whatever bus the provider puts the disk on.
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
        # Memory that the hypervisor asks back, its consoles, and randomness for the first keys that are made.
        kernelModules = [
          "virtio_balloon"
          "virtio_console"
          "virtio_gpu"
          "virtio_rng"
        ];
      };
      # The last one gets the messages of the boot and the login prompt.
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
      # Gives the provider's storage back what /boot and the EFI system partition no longer use; Btrfs does so itself.
      fstrim.enable = lib.mkDefault true;
    };
  };
}
