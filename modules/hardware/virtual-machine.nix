# A virtual machine under QEMU/KVM, as OVH and Hetzner rent them out.
{
  config,
  lib,
  modulesPath,
  ...
}:

let
  cfg = config.pantheros.hardware.virtualMachine;
in
{
  imports = [ "${modulesPath}/profiles/qemu-guest.nix" ];

  options.pantheros.hardware.virtualMachine = {
    enable = lib.mkEnableOption "what a virtual machine under QEMU needs: its drivers when it starts, its console on the serial line, its guest agent";

    serialPort = lib.mkOption {
      type = lib.types.strMatching "tty[A-Za-z0-9]+,?[0-9a-z]*";
      default = "ttyS0,115200n8";
      description = "Serial line with the provider's console, as the kernel's `console=` parameter takes it.";
    };
  };

  config = lib.mkIf cfg.enable {
    boot = {
      initrd.availableKernelModules = [
        "ahci"
        "ata_piix"
        "sd_mod"
        "sr_mod"
        "uhci_hcd"
        "virtio_blk"
        "virtio_pci"
        "virtio_scsi"
        "xhci_pci"
      ];
      # The last one gets the messages of the boot and the login prompt.
      kernelParams = [
        "console=tty0"
        "console=${cfg.serialPort}"
      ];
      loader = {
        timeout = lib.mkDefault 3;
        grub.extraConfig = ''
          serial --unit=0 --speed=115200
          terminal_input --append serial
          terminal_output --append serial
        '';
      };
    };

    services.qemuGuest.enable = lib.mkDefault true;
    # The hypervisor has the better entropy and the better clock.
    services.fstrim.enable = lib.mkDefault true;
  };
}
