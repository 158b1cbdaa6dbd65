# Options in the shape of an evaluated NixOS configuration, for the queries in relevance.toml. README.md explains it.
{
  # Number of further services that no query wants, with eight options each; at most 400.
  fillers ? 400,
}:
let
  inherit (builtins)
    attrNames
    concatStringsSep
    elem
    elemAt
    filter
    fromJSON
    genList
    groupBy
    head
    isString
    length
    listToAttrs
    mapAttrs
    match
    split
    tail
    ;

  # path|type|visibility|default|description
  # `=> PATH` is an option that was renamed to PATH, and `removed: TEXT` one that was removed. Below an option are the
  # options of its submodules; `<name>` and `*` are the names and positions of the elements.
  table = ''
    assertions|list of unspecified value||[ ]|Conditions that must hold for the configuration.
    boot.binfmt.emulatedSystems|list of (one of "aarch64-linux", "aarch64_be-linux", "alpha-linux", "armv6l-linux", …||[ ]|List of systems to emulate.
    boot.blacklistedKernelModules|(attribute set of boolean) or (list of string) convertible to it||{ }|Kernel modules that are not loaded automatically.
    boot.cleanTmpDir|boolean|hidden||=> boot.tmp.cleanOnBoot
    boot.crashDump.kernelParams|list of string||[ "1" "boot.shell_on_fail" ]|Parameters of the kernel after a crash.
    boot.extraModprobeConfig|strings concatenated with "\n"||""|Lines to append to the configuration of modprobe.
    boot.extraModulePackages|list of package||[ ]|Packages with further kernel modules.
    boot.growPartition|boolean||false|Whether to grow the root partition at boot.
    boot.initrd.availableKernelModules|(attribute set of boolean) or (list of string) convertible to it||{ }|Kernel modules in the initial ramdisk, loaded if needed.
    boot.initrd.kernelModules|(attribute set of boolean) or (list of string) convertible to it||{ }|Kernel modules to load in the initial ramdisk.
    boot.initrd.luks.devices|attribute set of (submodule)||{ }|LUKS devices to unlock at boot.
    boot.initrd.luks.devices.<name>.allowDiscards|boolean||false|Whether discards reach the encrypted device.
    boot.initrd.luks.devices.<name>.bypassWorkqueues|boolean||false|Whether the encrypted device bypasses work queues.
    boot.initrd.luks.devices.<name>.device|string|||Encrypted device to unlock.
    boot.initrd.luks.devices.<name>.fallbackToPassword|boolean||false|Whether to ask for a password if the key file is missing.
    boot.initrd.luks.devices.<name>.keyFile|null or string||null|File with the key of the device.
    boot.initrd.network.enable|boolean||false|Whether the initial ramdisk has network.
    boot.initrd.network.ssh.authorizedKeys|list of string|||Public keys that may log in to the initial ramdisk.
    boot.initrd.network.ssh.enable|boolean||false|Whether to run an SSH server in the initial ramdisk.
    boot.initrd.secrets|attribute set of (null or absolute path)||{ }|Secrets to add to the initial ramdisk.
    boot.initrd.systemd.enable|boolean||true|Whether the initial ramdisk runs systemd.
    boot.kernel.sysctl|open submodule of attribute set of (sysctl option value)||{ }|Parameters of the running kernel, as in sysctl.
    boot.kernel.sysfs|open submodule of nested attribute set of null or sysfs attribute values||{ }|Parameters in /sys to set at boot.
    boot.kernelModules|(attribute set of boolean) or (list of string) convertible to it||{ }|Kernel modules to load at boot.
    boot.kernelPackages|raw value||pkgs.linuxPackages|Linux kernel and the packages that belong to it.
    boot.kernelParams|list of string, with spaces inside double quotes||[ ]|Parameters on the command line of the kernel.
    boot.kernelPatches|list of (attribute set)||[ ]|Patches for the kernel.
    boot.loader.efi.canTouchEfiVariables|boolean||false|Whether the installation is allowed to modify EFI boot variables.
    boot.loader.efi.efiSysMountPoint|string||"/boot"|Where the EFI system partition is mounted.
    boot.loader.generic-extlinux-compatible.configurationLimit|signed integer||20|Maximum number of generations in the boot menu.
    boot.loader.grub.configurationLimit|signed integer||100|Maximum number of generations in the menu of GRUB.
    boot.loader.grub.device|string||""|Disk on which GRUB is installed.
    boot.loader.grub.devices|list of string||[ ]|Disks on which GRUB is installed.
    boot.loader.grub.efiInstallAsRemovable|boolean||false|Whether GRUB boots without modifying EFI boot variables.
    boot.loader.grub.efiSupport|boolean||false|Whether GRUB boots by EFI.
    boot.loader.grub.enable|boolean||!config.boot.isContainer|Whether to use the boot loader GRUB.
    boot.loader.grub.useOSProber|boolean||false|Whether GRUB looks for systems on other devices.
    boot.loader.grub.users|attribute set of (submodule)||{ }|Users of the boot menu of GRUB.
    boot.loader.grub.users.<name>.hashedPasswordFile|null or string||null|File with the hash of the password for the boot menu.
    boot.loader.grub.version|unspecified value|hidden||removed: Delete it from the configuration.
    boot.loader.limine.maxGenerations|null or signed integer||null|Maximum number of latest generations in the menu of Limine.
    boot.loader.raspberryPi|unspecified value|hidden||removed: Delete it from the configuration.
    boot.loader.systemd-boot.configurationLimit|null or signed integer||null|Maximum number of latest generations in the boot menu.
    boot.loader.systemd-boot.consoleMode|one of "0", "1", "2", "5", "auto", "max", "keep"||"keep"|Resolution of the boot menu.
    boot.loader.systemd-boot.editor|boolean||true|Whether the kernel command line can be edited at boot.
    boot.loader.systemd-boot.enable|boolean||false|Whether to use the boot loader systemd-boot.
    boot.loader.systemd-boot.extraFiles|attribute set of absolute path||{ }|Further files on the EFI system partition.
    boot.loader.systemd-boot.memtest86.enable|boolean||false|Whether the boot menu offers a test of memory.
    boot.loader.systemd-boot.xbootldrMountPoint|null or string||null|Mount point of the extended boot partition.
    boot.loader.timeout|null or signed integer||5|Seconds until the default entry boots.
    boot.modprobeConfig.enable|boolean||true|Whether to write the configuration of modprobe.
    boot.plymouth.enable|boolean||false|Whether to show a splash screen at boot.
    boot.supportedFilesystems|(attribute set of boolean) or (list of string) convertible to it||{ }|File systems that the machine can mount.
    boot.swraid.enable|boolean||"`true` if stateVersion is older than 23.11"|Whether to support software RAID.
    boot.tmp.cleanOnBoot|boolean||false|Whether to delete files in /tmp at boot.
    boot.tmp.tmpfsSize|string or (positive integer, meaning >0)||"50%"|Maximum size of /tmp in memory.
    boot.tmp.useTmpfs|boolean||false|Whether /tmp is in memory.
    boot.tmpOnTmpfs|boolean|hidden||=> boot.tmp.useTmpfs
    boot.zfs.extraPools|list of string||[ ]|ZFS pools to import at boot.
    boot.zfs.package|package||pkgs.zfs|Package of ZFS.
    console.font|null or string or absolute path||null|Font of the console.
    console.keyMap|string or absolute path||"us"|Keyboard layout of the console.
    containers|attribute set of (submodule)||{ }|NixOS systems that run as light containers.
    containers.<name>.autoStart|boolean||false|Whether the container starts at boot.
    containers.<name>.bindMounts|attribute set of (submodule)||{ }|Directories of the host in the container.
    containers.<name>.bindMounts.<name>.hostPath|null or string||null|Directory of the host.
    containers.<name>.config|Toplevel NixOS config|||NixOS configuration of the container.
    containers.<name>.privateNetwork|boolean||false|Whether the container has its own network.
    disko.checkScripts|boolean||false|Whether to check the scripts with ShellCheck.
    disko.devices|submodule||{ }|Disks, partitions and file systems to create.
    disko.devices.disk|attribute set of (submodule)||{ }|Disks to partition.
    disko.devices.disk.<name>.content|null or (one of bcachefs,btrfs,filesystem,gpt,luks,lvm_pv,mdraid,swap,table,zfs)||null|Content of the disk.
    disko.devices.disk.<name>.device|An absolute path|||Path of the disk.
    disko.devices.disk.<name>.imageName|string||"‹name›"|Name of the image.
    disko.devices.disk.<name>.imageSize|string matching the pattern [0-9]+[KMGTP]?||"2G"|Size of the image for tests.
    disko.devices.disk.<name>.type|value "disk" (singular enum)||"disk"|Kind of the device.
    disko.devices.lvm_vg|attribute set of (submodule)||{ }|LVM volume groups to create.
    disko.devices.lvm_vg.<name>.lvs|attribute set of (submodule)||{ }|Logical volumes of the group.
    disko.devices.lvm_vg.<name>.lvs.<name>.lvm_type|null or one of "mirror", "raid0", "raid1", "raid4", "raid5", "raid6", "thin-pool", …||null|Kind of the logical volume.
    disko.devices.lvm_vg.<name>.lvs.<name>.size|string|||Size of the logical volume.
    disko.devices.mdadm|attribute set of (submodule)||{ }|Software RAID arrays to create.
    disko.devices.mdadm.<name>.level|signed integer||1|Level of the RAID array.
    disko.devices.mdadm.<name>.metadata|one of "1", "1.0", "1.1", "1.2", "default", "ddf", "imsm"||"default"|Version of the metadata.
    disko.devices.nodev|attribute set of (submodule)||{ }|File systems without a device, such as tmpfs.
    disko.devices.nodev.<name>.fsType|string|||Type of the file system.
    disko.devices.nodev.<name>.mountOptions|list of string||[ "defaults" ]|Options for mounting.
    disko.devices.zpool|attribute set of (submodule)||{ }|ZFS pools to create.
    disko.devices.zpool.<name>.datasets|attribute set of (one of zfs_fs,zfs_volume)|||Datasets of the pool.
    disko.devices.zpool.<name>.mode|one of "", "mirror", "raidz", "raidz1", "raidz2", "raidz3" or attribute set of (one of …||""|Layout of the pool, such as mirror or raidz.
    disko.devices.zpool.<name>.mountpoint|null or (An absolute path)||null|Where the root of the pool is mounted.
    disko.devices.zpool.<name>.options|attribute set of string||{ }|Options of the pool.
    disko.devices.zpool.<name>.postCreateHook|strings concatenated with "\n"||""|Shell commands to run after the creation.
    disko.devices.zpool.<name>.rootFsOptions|attribute set of string||{ }|Options of the root file system of the pool.
    disko.enableConfig|boolean||true|Whether NixOS is configured from the devices.
    disko.imageBuilder.copyNixStore|boolean||true|Whether to copy the Nix store into the image.
    disko.imageBuilder.imageFormat|one of "raw", "qcow2"||"raw"|Format of the disk images.
    disko.imageBuilder.qemu|null or string||null|Program that emulates a machine to build images.
    disko.memSize|signed integer||1024|Memory of the machine that builds images, in MiB.
    disko.rootMountPoint|string||"/mnt"|Where the target is mounted during installation.
    disko.testMode|boolean||false|Whether the configuration is for a test.
    disko.tests.efi|boolean|||Whether the test machine boots by EFI.
    disko.tests.extraChecks|strings concatenated with "\n"||""|Further checks of the test.
    disko.tests.extraConfig|unspecified value||{ }|Further configuration of the test machine.
    documentation.enable|boolean||true|Whether to install documentation.
    documentation.man.cache.enable|boolean||false|Whether to generate the index of manual pages.
    documentation.man.generateCaches|boolean|hidden||=> documentation.man.cache.enable
    documentation.nixos.enable|boolean||true|Whether to install the manual of NixOS.
    environment.defaultPackages|list of package|||Packages that are installed by default.
    environment.etc|attribute set of (submodule)||{ }|Files in /etc.
    environment.etc.<name>.mode|string||"symlink"|Mode of the file.
    environment.etc.<name>.source|absolute path|||Path of the source file.
    environment.etc.<name>.text|null or strings concatenated with "\n"||null|Text of the file.
    environment.memoryAllocator.provider|one of "libc", "graphene-hardened", "graphene-hardened-light", "jemalloc", "mimalloc", …||"libc"|Allocator of memory for all programs.
    environment.noXlibs|unspecified value|hidden||removed: Delete it from the configuration.
    environment.pathsToLink|list of string||[ ]|Paths of packages to link into the system profile.
    environment.sessionVariables|attribute set of (null or (list of (signed integer or string or absolute path)) or …||{ }|Environment variables that PAM sets at login.
    environment.shellAliases|attribute set of (null or string or absolute path)|||Aliases for all shells.
    environment.systemPackages|list of package||[ ]|Packages that all users have on their PATH.
    environment.variables|attribute set of (null or (list of (signed integer or string or absolute path)) or …||{ }|Environment variables of all shells.
    fileSystems|attribute set of (submodule)||{ }|File systems to mount.
    fileSystems.<name>.autoFormat|boolean||false|Whether to format the device if it is empty.
    fileSystems.<name>.device|null or string (with check: non-empty)||null|Device to mount.
    fileSystems.<name>.encrypted.enable|boolean||false|Whether the device is encrypted.
    fileSystems.<name>.fsType|string (with check: non-empty)|||Type of the file system.
    fileSystems.<name>.neededForBoot|boolean||false|Whether the initial ramdisk mounts it.
    fileSystems.<name>.options|non-empty (list of string (with check: non-empty))||[ "defaults" ]|Options for mounting.
    fonts.fontconfig.defaultFonts.monospace|list of string||[ "DejaVu Sans Mono" ]|Default fonts of fixed width.
    fonts.fonts|list of absolute path|hidden||=> fonts.packages
    fonts.packages|list of absolute path||[ ]|Fonts to install.
    hardware.bluetooth.enable|boolean||false|Whether to enable Bluetooth.
    hardware.cpu.amd.updateMicrocode|boolean||false|Whether to update the microcode of AMD processors.
    hardware.cpu.intel.npu.enable|boolean||false|Whether to enable the neural processor of Intel.
    hardware.cpu.intel.updateMicrocode|boolean||false|Whether to update the microcode for Intel processors.
    hardware.enableAllFirmware|boolean||false|Whether to install all firmware.
    hardware.enableRedistributableFirmware|boolean||config.hardware.enableAllFirmware|Whether to install firmware that may be redistributed.
    hardware.firmware|list of package||[ ]|Packages with firmware.
    hardware.graphics.enable|boolean||false|Whether to enable hardware acceleration for graphics.
    hardware.graphics.enable32Bit|boolean||false|Whether 32-bit programs have hardware acceleration.
    hardware.graphics.extraPackages|list of package||[ ]|Packages with further graphics drivers.
    hardware.nvidia.modesetting.enable|boolean||lib.versionAtLeast cfg.package.version "535"|Whether to enable modesetting of the NVIDIA driver.
    hardware.nvidia.open|null or boolean|||Whether to use the open kernel module of NVIDIA.
    hardware.nvidia.package|package|||Package of the NVIDIA driver.
    hardware.opengl.driSupport|unspecified value|hidden||removed: Delete it from the configuration.
    hardware.opengl.driSupport32Bit|boolean|hidden||=> hardware.graphics.enable32Bit
    hardware.opengl.enable|boolean|hidden||=> hardware.graphics.enable
    hardware.opengl.extraPackages|list of package|hidden||=> hardware.graphics.extraPackages
    hardware.pulseaudio|submodule|hidden||=> services.pulseaudio
    hardware.u2f|unspecified value|hidden||removed: Delete it from the configuration.
    home-manager.backupFileExtension|null or string||null|Suffix for files that home-manager would overwrite.
    home-manager.enableLegacyProfileManagement|boolean||false|Whether to manage profiles as before.
    home-manager.extraSpecialArgs|attribute set||{ }|Further arguments of the modules of home-manager.
    home-manager.minimal|boolean||false|Whether to import only the necessary modules.
    home-manager.overwriteBackup|boolean||false|Whether home-manager overwrites older backup files.
    home-manager.sharedModules|list of raw value||[ ]|Modules that all users import.
    home-manager.useGlobalPkgs|boolean||false|Whether home-manager uses the packages of the system.
    home-manager.useUserPackages|boolean||false|Whether packages are installed in the profile of the user.
    home-manager.users|attribute set of (Home Manager module)|shallow|{ }|Configuration of home-manager for each user.
    home-manager.users.<name>.accounts.email.accounts|attribute set of (submodule)||{ }|Mail accounts of the user.
    home-manager.users.<name>.dconf.settings|attribute set of attribute set of (GVariant value)||{ }|Settings in dconf.
    home-manager.users.<name>.gtk.enable|boolean||false|Whether to configure GTK for the user.
    home-manager.users.<name>.gtk.theme|null or (submodule)||null|Theme of GTK.
    home-manager.users.<name>.gtk.theme.name|string|||Name of the theme of GTK.
    home-manager.users.<name>.home.activation|DAG of string||{ }|Scripts that run at activation.
    home-manager.users.<name>.home.file|attribute set of (submodule)||{ }|Files in the home directory.
    home-manager.users.<name>.home.file.<name>.source|absolute path|||Path of the source file.
    home-manager.users.<name>.home.file.<name>.text|null or strings concatenated with "\n"||null|Text of the file.
    home-manager.users.<name>.home.homeDirectory|absolute path|||Home directory of the user.
    home-manager.users.<name>.home.packages|list of package||[ ]|Packages in the profile of the user.
    home-manager.users.<name>.home.sessionPath|list of string||[ ]|Directories to add to PATH.
    home-manager.users.<name>.home.sessionVariables|lazy attribute set of (null or string or absolute path or signed integer or floating …||{ }|Environment variables of the session.
    home-manager.users.<name>.home.shellAliases|attribute set of string||{ }|Aliases for all shells of the user.
    home-manager.users.<name>.home.stateVersion|one of "18.09", "19.03", "19.09", "20.03", "20.09", "21.03", "21.05", "21.11", …|||Release of home-manager at installation.
    home-manager.users.<name>.home.username|non-empty string|||Name of the user.
    home-manager.users.<name>.programs.alacritty.enable|boolean||false|Whether to configure the terminal Alacritty.
    home-manager.users.<name>.programs.bash.enable|boolean||false|Whether to configure bash for the user.
    home-manager.users.<name>.programs.bash.shellAliases|attribute set of string||{ }|Aliases for bash.
    home-manager.users.<name>.programs.direnv.enable|boolean||false|Whether to configure direnv for the user.
    home-manager.users.<name>.programs.direnv.nix-direnv.enable|boolean||false|Whether direnv uses nix-direnv.
    home-manager.users.<name>.programs.firefox.profiles|?||{ }|Profiles of Firefox.
    home-manager.users.<name>.programs.fish.enable|boolean||false|Whether to configure fish for the user.
    home-manager.users.<name>.programs.fish.interactiveShellInit|strings concatenated with "\n"||""|Shell code at the start of interactive fish.
    home-manager.users.<name>.programs.fzf.enable|boolean||false|Whether to configure fzf for the user.
    home-manager.users.<name>.programs.git.enable|boolean||false|Whether to install and configure Git for the user.
    home-manager.users.<name>.programs.git.extraConfig|(attribute set of attribute set of (string or boolean or signed integer or list of …|hidden||=> programs.git.settings
    home-manager.users.<name>.programs.git.ignores|list of string||[ ]|Patterns of files that Git ignores.
    home-manager.users.<name>.programs.git.lfs.enable|boolean||false|Whether to configure Git LFS for the user.
    home-manager.users.<name>.programs.git.settings|(attribute set of attribute set of (string or boolean or signed integer or list of …||{ }|Configuration of Git for the user.
    home-manager.users.<name>.programs.git.signing.key|null or string||null|Key with which commits are signed.
    home-manager.users.<name>.programs.git.userEmail|submodule|hidden||=> programs.git.settings.user.email
    home-manager.users.<name>.programs.git.userName|submodule|hidden||=> programs.git.settings.user.name
    home-manager.users.<name>.programs.gpg.enable|boolean||false|Whether to configure GnuPG for the user.
    home-manager.users.<name>.programs.home-manager.enable|boolean||false|Whether home-manager manages itself.
    home-manager.users.<name>.programs.kitty.enable|boolean||false|Whether to configure the terminal kitty.
    home-manager.users.<name>.programs.neovim.enable|boolean||false|Whether to configure Neovim for the user.
    home-manager.users.<name>.programs.neovim.plugins|list of (package or (submodule))||[ ]|Plugins of Neovim.
    home-manager.users.<name>.programs.ssh.enable|boolean||false|Whether to configure the SSH client of the user.
    home-manager.users.<name>.programs.starship.enable|boolean||false|Whether to configure the prompt Starship for the user.
    home-manager.users.<name>.programs.starship.enableZshIntegration|boolean||[](#opt-home.shell.enableZshIntegration)|Whether Starship is used in Z shell.
    home-manager.users.<name>.programs.tmux.enable|boolean||false|Whether to configure tmux for the user.
    home-manager.users.<name>.programs.tmux.plugins|list of plugin packages or submodules||[ ]|Plugins of tmux.
    home-manager.users.<name>.programs.vscode.enable|boolean||false|Whether to configure VS Code for the user.
    home-manager.users.<name>.programs.vscode.profiles|attribute set of (submodule)||{ }|Profiles of VS Code.
    home-manager.users.<name>.programs.zsh.enable|boolean||false|Whether to configure Z shell for the user.
    home-manager.users.<name>.programs.zsh.initContent|strings concatenated with "\n"||""|Lines to add to .zshrc.
    home-manager.users.<name>.programs.zsh.oh-my-zsh|submodule||{ }|Settings of Oh My Zsh.
    home-manager.users.<name>.programs.zsh.oh-my-zsh.enable|boolean||false|Whether to use Oh My Zsh.
    home-manager.users.<name>.programs.zsh.oh-my-zsh.plugins|list of string||[ ]|Plugins of Oh My Zsh.
    home-manager.users.<name>.programs.zsh.oh-my-zsh.theme|string||""|Theme of Oh My Zsh.
    home-manager.users.<name>.programs.zsh.shellAliases|attribute set of string||{ }|Aliases for Z shell.
    home-manager.users.<name>.services.dunst.enable|boolean||false|Whether to run the notification daemon dunst.
    home-manager.users.<name>.services.gpg-agent.enable|boolean||false|Whether to run the GnuPG agent for the user.
    home-manager.users.<name>.services.gpg-agent.pinentry.package|null or package||null|Program that asks for the passphrase.
    home-manager.users.<name>.services.gpg-agent.pinentryPackage|null or package|hidden||=> services.gpg-agent.pinentry.package
    home-manager.users.<name>.services.syncthing.enable|boolean||false|Whether to run Syncthing for the user.
    home-manager.users.<name>.systemd.user.services|attribute set of (open submodule of systemd service unit configuration)||{ }|Services of systemd for the user.
    home-manager.users.<name>.systemd.user.startServices|boolean or one of "suggest", "sd-switch"||true|Whether services of the user start at activation.
    home-manager.users.<name>.wayland.windowManager.hyprland.enable|boolean||false|Whether to configure Hyprland for the user.
    home-manager.users.<name>.wayland.windowManager.sway.enable|boolean||false|Whether to configure Sway for the user.
    home-manager.users.<name>.xdg.configFile|attribute set of (submodule)||{ }|Files in the directory .config.
    home-manager.users.<name>.xdg.configFile.<name>.source|absolute path|||Path of the source file.
    home-manager.users.<name>.xdg.mimeApps.enable|boolean||false|Whether to manage default applications of the user.
    home-manager.verbose|boolean||false|Whether activation prints more.
    i18n.defaultLocale|string||"en_US.UTF-8"|Locale that decides language and formats.
    i18n.extraLocaleSettings|attribute set of string||{ }|Further locale variables, such as LC_TIME.
    i18n.extraLocales|(list of string) or value "all" (singular enum)||[ ]|Further locales to generate.
    i18n.glibcLocales|null or absolute path|||Package with the locales.
    image.modules|attribute set of module|||Modules for images.
    location.latitude|floating point number|||Latitude of the machine.
    networking.bonds|attribute set of (submodule)||{ }|Bonds of network interfaces.
    networking.bonds.<name>.interfaces|list of string|||Interfaces in the bond.
    networking.bridges|attribute set of (submodule)||{ }|Bridges between network interfaces.
    networking.bridges.<name>.interfaces|list of string|||Interfaces in the bridge.
    networking.defaultGateway|null or ((submodule) or string convertible to it)||null|Default route for IPv4.
    networking.defaultGateway.address|string|||Address of the gateway.
    networking.defaultGateway6|null or ((submodule) or string convertible to it)||null|Default route for IPv6.
    networking.dhcpcd.enable|boolean||true|Whether to run dhcpcd.
    networking.dhcpcd.extraConfig|strings concatenated with "\n"||""|Lines to append to the configuration of dhcpcd.
    networking.domain|null or string||null|Domain of the machine.
    networking.enableIPv6|boolean||true|Whether to use IPv6.
    networking.extraHosts|strings concatenated with "\n"||""|Lines to append to /etc/hosts.
    networking.firewall.allowPing|boolean||true|Whether to answer to ping.
    networking.firewall.allowedTCPPortRanges|list of attribute set of 16 bit unsigned integer; between 0 and 65535 (both inclusive)||[ ]|Ranges of TCP ports that are open.
    networking.firewall.allowedTCPPorts|list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)||[ ]|TCP ports on which incoming connections are accepted.
    networking.firewall.allowedUDPPortRanges|list of attribute set of 16 bit unsigned integer; between 0 and 65535 (both inclusive)||[ ]|Ranges of UDP ports that are open.
    networking.firewall.allowedUDPPorts|list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)||[ ]|UDP ports that are open.
    networking.firewall.checkReversePath|boolean or one of "strict", "loose"|||Whether to drop packets that arrive on an unexpected interface.
    networking.firewall.enable|boolean||true|Whether to filter incoming connections with a firewall.
    networking.firewall.extraCommands|strings concatenated with "\n"||""|Shell commands to add iptables rules.
    networking.firewall.extraInputRules|strings concatenated with "\n"||""|Rules of nftables for the input chain.
    networking.firewall.filterForward|boolean||false|Whether the firewall filters forwarded packets.
    networking.firewall.interfaces|attribute set of (submodule)||{ }|Ports that are open on single interfaces.
    networking.firewall.interfaces.<name>.allowedTCPPorts|list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)||[ ]|TCP ports that are open on this interface.
    networking.firewall.interfaces.<name>.allowedUDPPorts|list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)||[ ]|UDP ports that are open on this interface.
    networking.firewall.logRefusedConnections|boolean||false|Whether to log refused connections.
    networking.firewall.logReversePathDrops|boolean||false|Whether to log packets with a wrong reverse path.
    networking.firewall.package|package|||Package of the packet filter.
    networking.firewall.rejectPackets|boolean||false|Whether to reject packets instead of dropping them.
    networking.firewall.trustedInterfaces|list of string||[ ]|Interfaces whose traffic is always accepted.
    networking.fqdn|string|||Full name of the machine.
    networking.hostId|null or string||null|Identifier of the machine, which ZFS needs.
    networking.hostName|string||config.system.nixos.distroId|Name of the machine.
    networking.hosts|attribute set of list of string|||Host names by address, for /etc/hosts.
    networking.interfaces|attribute set of (submodule)||{ }|Network interfaces and their addresses.
    networking.interfaces.<name>.ipv4.addresses|list of (submodule)||[ ]|IPv4 addresses of the interface.
    networking.interfaces.<name>.ipv4.addresses.*.address|string|||IPv4 address.
    networking.interfaces.<name>.ipv4.addresses.*.prefixLength|integer between 0 and 32 (both inclusive)|||Length of the subnet prefix in bits.
    networking.interfaces.<name>.ipv4.routes|list of (submodule)||[ ]|Static IPv4 routes of the interface.
    networking.interfaces.<name>.ipv6.addresses|list of (submodule)||[ ]|IPv6 addresses of the interface.
    networking.interfaces.<name>.macAddress|null or string||null|MAC address of the interface.
    networking.interfaces.<name>.mtu|null or signed integer||null|Maximum size of a packet.
    networking.interfaces.<name>.useDHCP|null or boolean||null|Whether to get the address of this interface by DHCP.
    networking.nameservers|list of string||[ ]|DNS servers that resolve names.
    networking.nat.enable|boolean||false|Whether to translate addresses for a private network.
    networking.nat.externalInterface|null or string||null|Interface to the outside network.
    networking.nat.forwardPorts|list of (submodule)||[ ]|Ports to forward to machines behind NAT.
    networking.nat.forwardPorts.*.destination|string|||Address that the port is forwarded to.
    networking.nat.internalInterfaces|list of string||[ ]|Interfaces of the private networks behind NAT.
    networking.networkmanager.dns|one of "default", "dnsmasq", "systemd-resolved", "none"||"default"|How NetworkManager handles DNS.
    networking.networkmanager.enable|boolean||false|Whether to configure the network with NetworkManager.
    networking.networkmanager.ethernet.macAddress|string or one of "permanent", "preserve", "random", "stable"||"preserve"|MAC address of wired interfaces.
    networking.networkmanager.wifi.macAddress|string or one of "permanent", "preserve", "random", "stable", "stable-ssid"||"preserve"|MAC address of wireless interfaces.
    networking.networkmanager.wifi.powersave|null or boolean||null|Whether wireless devices save power.
    networking.nftables.enable|boolean||false|Whether to use nftables instead of iptables.
    networking.nftables.ruleset|strings concatenated with "\n"||""|Rules for nftables.
    networking.nftables.tables|attribute set of (submodule)||{ }|Tables of nftables.
    networking.nftables.tables.<name>.content|strings concatenated with "\n"|||Content of the table.
    networking.proxy.default|null or string||null|Proxy for all protocols.
    networking.resolvconf.enable|boolean||true|Whether to write resolv.conf.
    networking.search|list of string||[ ]|Domains to search when a host name is resolved.
    networking.timeServers|list of string|||Servers for NTP.
    networking.useDHCP|boolean||true|Whether to get addresses by DHCP on every interface.
    networking.useNetworkd|boolean||false|Whether to configure the network with systemd-networkd.
    networking.vlans|attribute set of (submodule)||{ }|VLAN interfaces.
    networking.vlans.<name>.id|signed integer|||Number of the VLAN.
    networking.wg-quick.interfaces|attribute set of (submodule)||{ }|Interfaces that wg-quick configures.
    networking.wg-quick.interfaces.<name>.address|list of string||[ ]|Addresses of the interface.
    networking.wg-quick.interfaces.<name>.autostart|boolean||true|Whether to bring the interface up at boot.
    networking.wg-quick.interfaces.<name>.configFile|null or string||null|File of wg-quick with the whole configuration.
    networking.wg-quick.interfaces.<name>.peers|list of (submodule)||[ ]|Peers of the interface.
    networking.wg-quick.interfaces.<name>.peers.*.publicKey|string|||Public key of the peer.
    networking.wireguard.enable|boolean||config.networking.wireguard.interfaces != { }|Whether to enable WireGuard.
    networking.wireguard.interfaces|attribute set of (submodule)||{ }|WireGuard interfaces.
    networking.wireguard.interfaces.<name>.ips|list of string||[ ]|Addresses of the WireGuard interface.
    networking.wireguard.interfaces.<name>.listenPort|null or signed integer||null|UDP port to listen on.
    networking.wireguard.interfaces.<name>.peers|list of (submodule)||[ ]|Peers of the interface.
    networking.wireguard.interfaces.<name>.peers.*.allowedIPs|list of string|||Addresses that the peer may use.
    networking.wireguard.interfaces.<name>.peers.*.endpoint|null or string||null|Address and port of the peer.
    networking.wireguard.interfaces.<name>.peers.*.persistentKeepalive|null or signed integer||null|Seconds between packets that keep the tunnel open.
    networking.wireguard.interfaces.<name>.peers.*.presharedKeyFile|null or string||null|File with the key that is shared with the peer.
    networking.wireguard.interfaces.<name>.peers.*.publicKey|(optionally newline-terminated) single-line string|||Public key of the peer.
    networking.wireguard.interfaces.<name>.privateKeyFile|null or string||null|File with the private key of the interface.
    networking.wireless.enable|boolean||false|Whether to connect to wireless networks with wpa_supplicant.
    networking.wireless.networks|attribute set of (submodule)||{ }|Wireless networks to connect to.
    networking.wireless.networks.<name>.psk|null or string matching the pattern [[:print:]]{8,63}||null|Pre-shared key of the network, which is stored in the Nix store.
    nix.autoOptimiseStore|submodule|hidden||=> nix.settings.auto-optimise-store
    nix.binaryCaches|submodule|hidden||=> nix.settings.substituters
    nix.buildMachines|list of (submodule)||[ ]|Machines for remote builds.
    nix.buildMachines.*.hostName|string|||Name of the build machine.
    nix.buildMachines.*.sshKey|null or string||null|Private key for the connection to the machine.
    nix.buildMachines.*.systems|list of string||[ ]|Systems that the machine can build for.
    nix.channel.enable|boolean||true|Whether to use channels.
    nix.daemonCPUSchedPolicy|one of "other", "batch", "idle"||"other"|Scheduling policy of the Nix daemon for processor time.
    nix.daemonNiceLevel|unspecified value|hidden||removed: Consider nix.daemonCPUSchedPolicy.
    nix.distributedBuilds|boolean||false|Whether to build on remote machines.
    nix.enable|boolean||true|Whether to install Nix.
    nix.extraOptions|strings concatenated with "\n"||""|Lines to append to nix.conf.
    nix.gc.automatic|boolean||false|Whether to run the garbage collector automatically.
    nix.gc.dates|(optionally newline-terminated) single-line string or list of string||[ "03:15" ]|When to collect garbage.
    nix.gc.options|(optionally newline-terminated) single-line string||""|Options for nix-collect-garbage, such as the age of generations.
    nix.gc.persistent|boolean||true|Whether a missed garbage collection runs at the next boot.
    nix.gc.randomizedDelaySec|(optionally newline-terminated) single-line string||"0"|Maximum random delay of the garbage collector.
    nix.maxJobs|submodule|hidden||=> nix.settings.max-jobs
    nix.nixPath|list of string|||Default search path for Nix expressions.
    nix.optimise.automatic|boolean||false|Whether to deduplicate files in the store periodically.
    nix.optimise.dates|(optionally newline-terminated) single-line string or list of string||[ "03:45" ]|When to deduplicate files in the store.
    nix.package|package||pkgs.nix|Package of Nix.
    nix.readOnlyStore|unspecified value|hidden||=> boot.readOnlyNixStore
    nix.registry|attribute set of (submodule)||{ }|Flake registry of the system.
    nix.settings|open submodule of attribute set of (Nix config atom (null, bool, int, float, str, path …||{ }|Settings of Nix, as in nix.conf.
    nix.settings.allowed-users|list of string||[ "*" ]|Users that may connect to the Nix daemon.
    nix.settings.auto-optimise-store|boolean||false|Whether to deduplicate files in the store when they are added.
    nix.settings.cores|signed integer||0|Cores that each build may use.
    nix.settings.extra-sandbox-paths|list of string||[ ]|Paths that builds see in the sandbox.
    nix.settings.max-jobs|signed integer or value "auto" (singular enum)||"auto"|Maximum number of builds at once.
    nix.settings.require-sigs|boolean||true|Whether store paths must be signed.
    nix.settings.sandbox|boolean or value "relaxed" (singular enum)||true|Whether builds run in a sandbox.
    nix.settings.substituters|list of string|||Binary caches from which store paths are fetched.
    nix.settings.trusted-public-keys|list of string|||Public keys with which binary caches sign store paths.
    nix.settings.trusted-substituters|list of string||[ ]|Binary caches that users may add.
    nix.settings.trusted-users|list of string|||Users with further rights at the Nix daemon.
    nix.sshServe.enable|boolean||false|Whether to serve the store over SSH.
    nix.trustedUsers|submodule|hidden||=> nix.settings.trusted-users
    nix.useSandbox|submodule|hidden||=> nix.settings.sandbox
    nixpkgs.config|nixpkgs config||{ }|Configuration of nixpkgs, such as allowUnfree.
    nixpkgs.hostPlatform|string or (attribute set)|||Platform on which the machine runs.
    nixpkgs.overlays|list of (nixpkgs overlay)||[ ]|Overlays to apply to nixpkgs.
    nixpkgs.pkgs|An evaluation of Nixpkgs; the top level attribute set of packages|||Package set to use.
    powerManagement.cpuFreqGovernor|null or string||null|Governor of the processor's frequency.
    programs.bash.completion.enable|boolean||true|Whether to enable completion for bash.
    programs.bash.enableCompletion|boolean|hidden||=> programs.bash.completion.enable
    programs.bash.interactiveShellInit|strings concatenated with "\n"||""|Shell commands at the start of interactive bash.
    programs.command-not-found.enable|boolean|||Whether to suggest packages for unknown commands.
    programs.dconf.enable|boolean||false|Whether to enable dconf.
    programs.direnv.enable|boolean||false|Whether to install direnv.
    programs.firefox.enable|boolean||false|Whether to install Firefox.
    programs.fish.enable|boolean||false|Whether to configure fish for the whole system.
    programs.git.config|(attribute set of attribute set of anything) or list of attribute set of attribute set …||[ ]|Configuration of Git for the whole system.
    programs.git.enable|boolean||false|Whether to install Git.
    programs.git.lfs.enable|boolean||false|Whether to install Git LFS.
    programs.gnupg.agent.enable|boolean||false|Whether to run the GnuPG agent.
    programs.gnupg.agent.enableSSHSupport|boolean||false|Whether the GnuPG agent serves SSH.
    programs.htop.enable|boolean||false|Whether to install htop.
    programs.light|unspecified value|hidden||removed: Delete it from the configuration.
    programs.mosh.enable|boolean||false|Whether to install mosh and open its ports.
    programs.mtr.enable|boolean||false|Whether to install mtr with its capability.
    programs.neovim.defaultEditor|boolean||false|Whether Neovim is the default editor.
    programs.neovim.enable|boolean||false|Whether to install Neovim.
    programs.nh.clean.enable|boolean||false|Whether to clean old generations with nh periodically.
    programs.nh.enable|boolean||false|Whether to install nh.
    programs.nix-index.enable|boolean||false|Whether to install nix-index.
    programs.nix-ld.enable|boolean||false|Whether to run unpatched binaries with nix-ld.
    programs.nix-ld.libraries|list of package|||Libraries that unpatched programs find.
    programs.rust-motd.enable|boolean||false|Whether to generate the message of the day with rust-motd.
    programs.ssh.enableAskPassword|boolean||config.services.xserver.enable|Whether SSH asks for a password in a window.
    programs.ssh.extraConfig|strings concatenated with "\n"||""|Lines to append to the configuration of SSH clients.
    programs.ssh.knownHosts|attribute set of (submodule)||{ }|Host keys of known SSH servers.
    programs.ssh.knownHosts.<name>.publicKey|null or string||null|Public key of the host.
    programs.ssh.knownHostsFiles|list of absolute path||[ ]|Files with host keys of known servers.
    programs.ssh.startAgent|boolean||false|Whether to start an SSH agent when a user logs in.
    programs.starship.enable|boolean||false|Whether to enable the prompt Starship.
    programs.steam.enable|boolean||false|Whether to install Steam.
    programs.sway.enable|boolean||false|Whether to install Sway.
    programs.thefuck|unspecified value|hidden||removed: Delete it from the configuration.
    programs.tmux.enable|boolean||false|Whether to install tmux.
    programs.vim.enable|boolean||false|Whether to install Vim.
    programs.wireshark.enable|boolean||false|Whether to install Wireshark and its capture group.
    programs.zsh.enable|boolean||false|Whether to configure Z shell for the whole system.
    qt.enable|boolean||false|Whether to configure Qt.
    security.acme.acceptTerms|boolean||false|Whether you accept the terms of the certificate authority.
    security.acme.certs|attribute set of (submodule)||{ }|Certificates to request.
    security.acme.certs.<name>.credentialFiles|attribute set of absolute path||config.security.acme.defaults.credentialFiles|Files with credentials of the DNS provider.
    security.acme.certs.<name>.dnsProvider|null or string||config.security.acme.defaults.dnsProvider|DNS provider for the challenge.
    security.acme.certs.<name>.email|null or string||config.security.acme.defaults.email|Mail address for the account of this certificate.
    security.acme.certs.<name>.environmentFile|null or absolute path||config.security.acme.defaults.environmentFile|File with environment variables for the DNS challenge.
    security.acme.certs.<name>.extraDomainNames|list of string||[ ]|Further names in the certificate.
    security.acme.certs.<name>.group|string||config.security.acme.defaults.group|Group that may read the certificate.
    security.acme.certs.<name>.reloadServices|list of string||config.security.acme.defaults.reloadServices|Services to reload after a renewal.
    security.acme.certs.<name>.webroot|null or string||config.security.acme.defaults.webroot|Directory for challenges over HTTP.
    security.acme.defaults|submodule|||Values that all certificates inherit.
    security.acme.defaults.dnsProvider|null or string||null|DNS provider for the challenge of all certificates.
    security.acme.defaults.email|null or string||null|Mail address for the account at the certificate authority.
    security.acme.defaults.server|null or string||"https://acme-v02.api.letsencrypt.org/directory"|Directory of the certificate authority.
    security.acme.defaults.validMinDays|null or signed integer||null|Days before expiry at which a certificate is renewed.
    security.acme.production|unspecified value|hidden||removed: Delete it from the configuration.
    security.apparmor.enable|boolean||false|Whether to enable AppArmor.
    security.auditd.enable|boolean||false|Whether to run the audit daemon.
    security.doas.enable|boolean||false|Whether to install doas.
    security.doas.wheelNeedsPassword|boolean||true|Whether members of wheel must type a password for doas.
    security.lockKernelModules|boolean||false|Whether to disable kernel module loading after boot.
    security.pam.services|attribute set of (submodule)||{ }|Services that authenticate with PAM.
    security.pam.services.<name>.unixAuth|boolean||true|Whether to check the password of the account.
    security.pam.sshAgentAuth.enable|boolean||false|Whether to authenticate with a forwarded SSH agent.
    security.pki.certificateFiles|list of absolute path||[ ]|Certificates of authorities to trust, as files in PEM format.
    security.pki.certificates|list of string||[ ]|Certificates of authorities to trust, in PEM format.
    security.please.wheelNeedsPassword|boolean||true|Whether members of wheel must type a password for please.
    security.polkit.enable|boolean||false|Whether to enable polkit.
    security.protectKernelImage|boolean||false|Whether to forbid replacing the running kernel.
    security.rtkit.enable|boolean||false|Whether to run RealtimeKit.
    security.run0.wheelNeedsPassword|boolean||true|Whether members of wheel must type a password for run0.
    security.sudo-rs.enable|boolean||false|Whether to install sudo-rs, a sudo in Rust.
    security.sudo-rs.extraRules|list of (submodule)||[ ]|Rules to append to sudoers of sudo-rs.
    security.sudo-rs.wheelNeedsPassword|boolean||true|Whether members of wheel must type a password for sudo-rs.
    security.sudo.configFile|strings concatenated with "\n"|||Text of sudoers.
    security.sudo.enable|boolean||true|Whether to install sudo.
    security.sudo.execWheelOnly|boolean||false|Whether only members of wheel can run sudo.
    security.sudo.extraConfig|strings concatenated with "\n"||""|Lines to append to sudoers.
    security.sudo.extraRules|list of (submodule)||[ ]|Rules to append to sudoers.
    security.sudo.keepTerminfo|boolean||true|Whether terminal definitions survive sudo.
    security.sudo.wheelNeedsPassword|boolean||true|Whether members of wheel must type a password for sudo.
    security.wrappers|attribute set of (submodule)||{ }|Programs that run with further rights.
    security.wrappers.<name>.setuid|boolean||false|Whether the wrapper has the setuid bit.
    services.adguardhome.enable|boolean||false|Whether to run AdGuard Home.
    services.alloy.enable|boolean||false|Whether to run Grafana Alloy.
    services.antennas|unspecified value|hidden||removed: Delete it from the configuration.
    services.atticd.enable|boolean||false|Whether to run the binary cache Attic.
    services.authelia.instances|attribute set of (submodule)||{ }|Instances of Authelia.
    services.automatic-timezoned.enable|boolean||false|Whether to set the time zone by the location.
    services.avahi.enable|boolean||false|Whether to announce services by mDNS with Avahi.
    services.avahi.nssmdns4|boolean||false|Whether to resolve names in the .local domain by mDNS over IPv4.
    services.avahi.nssmdns6|boolean||false|Whether to resolve names in the .local domain by mDNS over IPv6.
    services.bind.enable|boolean||false|Whether to run the DNS server BIND.
    services.bind.zones|(attribute set of (submodule)) or (list of (attribute set)) convertible to it||[ ]|Zones that BIND serves.
    services.bitwarden_rs|submodule|hidden||=> services.vaultwarden
    services.borgbackup.jobs|attribute set of (submodule)||{ }|Backups with BorgBackup.
    services.borgbackup.jobs.<name>.compression|string||"lz4"|How the backup is compressed.
    services.borgbackup.jobs.<name>.encryption.mode|one of "repokey", "keyfile", "repokey-blake2", "keyfile-blake2", "authenticated", …|||How the repository is encrypted.
    services.borgbackup.jobs.<name>.encryption.passCommand|null or string||null|Command that prints the passphrase.
    services.borgbackup.jobs.<name>.encryption.passphrase|null or string||null|Passphrase of the repository, in clear text.
    services.borgbackup.jobs.<name>.paths|null or ((list of string) or string convertible to it)||null|Paths to back up.
    services.borgbackup.jobs.<name>.preHook|strings concatenated with "\n"||""|Shell commands to run before the backup.
    services.borgbackup.jobs.<name>.repo|string|||Remote or local repository to back up to.
    services.borgbackup.jobs.<name>.startAt|string or list of string||"daily"|When to run the backup.
    services.borgbackup.repos|attribute set of (submodule)||{ }|Repositories of BorgBackup to serve.
    services.borgbackup.repos.<name>.authorizedKeys|list of string||[ ]|Public keys that may write to the repository.
    services.borgbackup.repos.<name>.path|absolute path||"/var/lib/borgbackup"|Where to store the backups of the repository.
    services.borgmatic.enable|boolean||false|Whether to enable borgmatic.
    services.btrbk.instances|attribute set of (submodule)||{ }|Instances of btrbk.
    services.btrbk.instances.<name>.onCalendar|null or string||"daily"|When to take snapshots with btrbk.
    services.btrbk.instances.<name>.settings|open submodule of attribute set of (string or instances of this type recursively)||{ }|Configuration of btrbk.
    services.btrfs.autoScrub.enable|boolean||false|Whether to scrub btrfs file systems periodically.
    services.btrfs.autoScrub.interval|string||"monthly"|How often btrfs file systems are scrubbed.
    services.caddy.email|null or string||null|Mail address for the account at the certificate authority.
    services.caddy.enable|boolean||false|Whether to run the web server Caddy.
    services.caddy.extraConfig|strings concatenated with "\n"||""|Lines to append to the Caddyfile.
    services.caddy.globalConfig|strings concatenated with "\n"||""|Global options of the Caddyfile.
    services.caddy.openFirewall|boolean||false|Whether to open the ports of Caddy in the firewall.
    services.caddy.package|package||pkgs.caddy|Package of Caddy.
    services.caddy.virtualHosts|attribute set of (submodule)||{ }|Virtual hosts of Caddy.
    services.caddy.virtualHosts.<name>.extraConfig|strings concatenated with "\n"||""|Lines to append to this host in the Caddyfile.
    services.caddy.virtualHosts.<name>.serverAliases|list of string||[ ]|Further names of the host.
    services.caddy.virtualHosts.<name>.useACMEHost|null or string||null|Certificate of another host to use.
    services.chrony.enable|boolean||false|Whether to synchronise the clock with chrony.
    services.chrony.servers|list of string||config.networking.timeServers|NTP servers of chrony.
    services.clamav.daemon.enable|boolean||false|Whether to run the ClamAV daemon.
    services.cloud-init.enable|boolean||false|Whether to run cloud-init.
    services.cloudflared.enable|boolean||false|Whether to run tunnels of Cloudflare.
    services.cloudflared.tunnels|attribute set of (submodule)||{ }|Tunnels of Cloudflare.
    services.cloudflared.tunnels.<name>.default|string|||Service for requests that match no rule.
    services.cron.enable|boolean||false|Whether to run the cron daemon.
    services.cron.systemCronJobs|list of string||[ ]|Lines of the system crontab.
    services.crowdsec.enable|boolean||false|Whether to run the CrowdSec engine.
    services.desktopManager.gnome.enable|boolean||false|Whether to enable the desktop GNOME.
    services.desktopManager.plasma6.enable|boolean||false|Whether to enable the desktop Plasma 6.
    services.dhcpd4|unspecified value|hidden||removed: Delete it from the configuration.
    services.displayManager.autoLogin|submodule||{ }|Login of a user without a password prompt.
    services.displayManager.autoLogin.enable|boolean|||Whether a user is logged in automatically.
    services.displayManager.autoLogin.user|null or string||null|User that is logged in automatically.
    services.displayManager.defaultSession|null or session name||null|Session that is selected at login.
    services.displayManager.enable|boolean||false|Whether to run a display manager.
    services.displayManager.gdm.enable|boolean||false|Whether to run the display manager GDM.
    services.displayManager.sddm.enable|boolean||false|Whether to run the display manager SDDM.
    services.displayManager.sessionPackages|list of package with provided sessions||[ ]|Packages with sessions.
    services.dnsmasq.enable|boolean||false|Whether to run Dnsmasq.
    services.dovecot2.enable|boolean||false|Whether to run the IMAP server Dovecot.
    services.duplicati.enable|boolean||false|Whether to run Duplicati.
    services.earlyoom.enable|boolean||false|Whether to kill processes early when memory runs out.
    services.envfs.enable|boolean||false|Whether to mount envfs.
    services.eternal-terminal.enable|boolean||false|Whether to run the Eternal Terminal server.
    services.fail2ban.banaction|string|||Action that bans an address.
    services.fail2ban.bantime|string||"10m"|How long an address is banned.
    services.fail2ban.bantime-increment.enable|boolean||false|Whether repeated bans last longer.
    services.fail2ban.bantime-increment.maxtime|null or string||null|Longest time of a ban.
    services.fail2ban.daemonConfig|unspecified value|hidden||removed: The settings of the daemon are in `services.fail2ban.daemonSettings`.
    services.fail2ban.daemonSettings|attribute set of section of an INI file (attrs of INI atom (null, bool, int, float or …|||Settings of the fail2ban daemon.
    services.fail2ban.enable|boolean||false|Whether to ban addresses after failed logins.
    services.fail2ban.ignoreIP|list of string||[ ]|Addresses that are never banned.
    services.fail2ban.jails|attribute set of (strings concatenated with "\n" or (submodule))||{ }|Jails, each with its filter and action.
    services.fail2ban.maxretry|unsigned integer, meaning >=0||3|Failures after which an address is banned.
    services.fail2ban.package|package||pkgs.fail2ban|Package of fail2ban.
    services.forgejo.enable|boolean||false|Whether to run Forgejo.
    services.fstrim.enable|boolean||true|Whether to enable periodic SSD TRIM of mounted partitions.
    services.fstrim.interval|string||"weekly"|How often fstrim runs.
    services.fwupd.enable|boolean||false|Whether to update firmware with fwupd.
    services.garage.enable|boolean||false|Whether to run Garage.
    services.gatus.enable|boolean||false|Whether to run the status page Gatus.
    services.getty.autologinUser|null or string||null|User that is logged in on consoles automatically.
    services.gitea.disableRegistration|submodule|hidden||=> services.gitea.settings.service.DISABLE_REGISTRATION
    services.gitea.enable|boolean||false|Whether to run Gitea.
    services.gitea.settings|open submodule of attribute set of section of an INI file (attrs of INI atom (null, …||{ }|Settings of Gitea, as in app.ini.
    services.gitea.settings.server.DOMAIN|string||"localhost"|Name of the server.
    services.gitea.settings.server.HTTP_PORT|16 bit unsigned integer; between 0 and 65535 (both inclusive)||3000|Port that Gitea listens on.
    services.gitea.settings.service.DISABLE_REGISTRATION|boolean||false|Whether only administrators may create accounts.
    services.gitea.useWizard|unspecified value|hidden||removed: Delete it from the configuration.
    services.gitlab-runner.enable|boolean||false|Whether to run GitLab Runner.
    services.gitlab.enable|boolean||false|Whether to run GitLab.
    services.grafana.declarativePlugins|null or (list of absolute path)||null|Plugins of Grafana to install.
    services.grafana.domain|submodule|hidden||=> services.grafana.settings.server.domain
    services.grafana.enable|boolean||false|Whether to run Grafana.
    services.grafana.port|submodule|hidden||=> services.grafana.settings.server.http_port
    services.grafana.provision.datasources|submodule||{ }|Data sources to provision.
    services.grafana.provision.datasources.settings|null or (submodule)||null|Data sources to provision.
    services.grafana.provision.enable|boolean||false|Whether to provision data sources and dashboards.
    services.grafana.settings|open submodule of attribute set of section of an INI file (attrs of INI atom (null, …||{ }|Settings of Grafana, as in grafana.ini.
    services.grafana.settings.security.admin_password|string||"admin"|Password of the administrator at the first start.
    services.grafana.settings.security.secret_key|null or string||null|Key that signs data in the database.
    services.grafana.settings.server.domain|string||"localhost"|Name under which a browser reaches Grafana.
    services.grafana.settings.server.http_addr|string||"127.0.0.1"|Address that Grafana listens on.
    services.grafana.settings.server.http_port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||3000|Port that Grafana listens on.
    services.grafana.settings.server.root_url|string||"%(protocol)s://%(domain)s:%(http_port)s/"|Full address of Grafana in a browser.
    services.guix.publish.enable|boolean||false|Whether to publish the store of Guix.
    services.haproxy.enable|boolean||false|Whether to run HAProxy.
    services.harmonia.cache.enable|boolean||false|Whether to run the binary cache Harmonia.
    services.headscale.enable|boolean||false|Whether to run a control server for Tailscale.
    services.headscale.settings|open submodule of (YAML 1.1 value)|||Settings of Headscale.
    services.headscale.settings.server_url|string||"http://127.0.0.1:8080"|Address of the control server for clients.
    services.home-assistant.enable|boolean||false|Whether to run Home Assistant.
    services.home-assistant.extraComponents|list of (one of "3_day_blinds", "abode", "acaia", "accuweather", "acer_projector", …||[ "default_config" "met" "esphome" ]|Components whose dependencies are installed.
    services.httpd.enable|boolean||false|Whether to run the web server Apache.
    services.httpd.virtualHosts|attribute set of (submodule)|||Virtual hosts of Apache.
    services.httpd.virtualHosts.<name>.documentRoot|null or absolute path||null|Directory with the files of the host.
    services.httpd.virtualHosts.<name>.enableACME|boolean||false|Whether to get a certificate for this host by ACME.
    services.httpd.virtualHosts.<name>.forceSSL|boolean||false|Whether to redirect requests to HTTPS.
    services.hydra.enable|boolean||false|Whether to run Hydra.
    services.immich.enable|boolean||false|Whether to run Immich.
    services.jellyfin.enable|boolean||false|Whether to run Jellyfin.
    services.jellyfin.openFirewall|boolean||false|Whether to open the ports of Jellyfin in the firewall.
    services.journald.console|string||""|Console that journald writes to.
    services.journald.extraConfig|strings concatenated with "\n"||""|Lines to append to journald.conf.
    services.journald.forwardToSyslog|boolean|||Whether journald forwards messages to syslog.
    services.journald.gateway.enable|boolean||false|Whether to serve the journal over HTTP.
    services.journald.rateLimitBurst|signed integer||10000|Messages per interval before journald drops more.
    services.journald.storage|one of "persistent", "volatile", "auto", "none"||"persistent"|Where journald stores messages.
    services.journald.upload.enable|boolean||false|Whether to upload the journal to another machine.
    services.k3s.enable|boolean||false|Whether to run K3s.
    services.k3s.role|one of "server", "agent"||"server"|Whether this machine is a server or an agent of K3s.
    services.k3s.tokenFile|null or absolute path||null|File with the token to join the cluster.
    services.keycloak.enable|boolean||false|Whether to run Keycloak.
    services.kubernetes.roles|list of (one of "master", "node")||[ ]|Roles of this machine in a Kubernetes cluster.
    services.libinput.enable|boolean||config.services.xserver.enable|Whether to use libinput.
    services.localtimed.enable|boolean||false|Whether to keep the time zone correct.
    services.locate.enable|boolean||false|Whether to update the database of locate.
    services.logind.lidSwitch|submodule|hidden||=> services.logind.settings.Login.HandleLidSwitch
    services.logind.settings.Login|open submodule of attribute set of (systemd option)||{ }|Section [Login] of logind.conf.
    services.logrotate.enable|boolean||cfg.settings != {}|Whether to rotate log files.
    services.logrotate.settings|attribute set of (open submodule of attribute set of (null or signed integer or …||{ }|Which log files to rotate, and how.
    services.loki.enable|boolean||false|Whether to run the log store Loki.
    services.matrix-synapse.enable|boolean||false|Whether to run the Matrix server Synapse.
    services.matrix-synapse.settings|open submodule of (YAML 1.1 value)||{ }|Settings of Synapse.
    services.matrix-synapse.settings.enable_registration|boolean||false|Whether anyone may register an account.
    services.matrix-synapse.settings.server_name|string||config.networking.hostName|Domain of the Matrix server.
    services.memcached.enable|boolean||false|Whether to run Memcached.
    services.minio.enable|boolean||false|Whether to run MinIO.
    services.mongodb.enable|boolean||false|Whether to run MongoDB.
    services.mosquitto.enable|boolean||false|Whether to run the MQTT broker Mosquitto.
    services.mosquitto.listeners|list of (submodule)||[ ]|Listeners of the broker.
    services.mosquitto.listeners.*.port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||1883|Port to listen on.
    services.mosquitto.listeners.*.users|attribute set of (submodule)||{ }|Users of the broker.
    services.mosquitto.listeners.*.users.<name>.hashedPasswordFile|null or absolute path||null|File with the hash of the password for the broker.
    services.mysql.enable|boolean||false|Whether to run a MySQL server.
    services.mysql.ensureDatabases|list of string||[ ]|Databases that are created if they are missing.
    services.mysql.package|package|||Package of MySQL or MariaDB.
    services.mysqlBackup.databases|list of string||[ ]|Databases to dump.
    services.mysqlBackup.enable|boolean||false|Whether to dump MySQL databases regularly.
    services.netbird.enable|boolean||false|Whether to run the Netbird client.
    services.netdata.enable|boolean||false|Whether to run Netdata.
    services.nextcloud.config.adminpassFile|null or string|||File with the password of the administrator.
    services.nextcloud.config.dbtype|null or one of "sqlite", "pgsql", "mysql"||null|Kind of database.
    services.nextcloud.config.extraTrustedDomains|submodule|hidden||=> services.nextcloud.settings.trusted_domains
    services.nextcloud.enable|boolean||false|Whether to run Nextcloud.
    services.nextcloud.extraApps|attribute set of package||{ }|Apps of Nextcloud to install.
    services.nextcloud.hostName|string|||Name under which Nextcloud is reached.
    services.nextcloud.https|boolean||false|Whether links to Nextcloud use HTTPS.
    services.nextcloud.maxUploadSize|string||"512M"|Maximum size of an uploaded file.
    services.nextcloud.package|package|||Package of Nextcloud, which decides its version.
    services.nextcloud.settings|open submodule of (JSON value)||{ }|Settings of Nextcloud, as in config.php.
    services.nextcloud.settings.trusted_domains|list of string||[ ]|Names under which Nextcloud accepts requests.
    services.nextcloud.settings.trusted_proxies|list of string||[ ]|Proxies that Nextcloud trusts.
    services.nfs.server.enable|boolean||false|Whether to run an NFS server.
    services.nfs.server.exports|strings concatenated with "\n"||""|Directories that NFS exports.
    services.nginx.appendHttpConfig|strings concatenated with "\n"||""|Lines to append to the http block.
    services.nginx.clientMaxBodySize|string||"10m"|Maximum size of a request body.
    services.nginx.commonHttpConfig|strings concatenated with "\n"||""|Lines in the http block, before the hosts.
    services.nginx.enable|boolean||false|Whether to run the web server Nginx.
    services.nginx.package|package||pkgs.nginxStable|Package of Nginx.
    services.nginx.proxyResolveWhileRunning|boolean||false|Whether Nginx resolves names of proxied hosts while running.
    services.nginx.proxyTimeout|string||"60s"|How long Nginx waits for a proxied server.
    services.nginx.recommendedBrotliSettings|boolean||false|Whether to use the recommended settings for Brotli.
    services.nginx.recommendedGzipSettings|boolean||false|Whether to use the recommended settings for gzip.
    services.nginx.recommendedOptimisation|boolean||false|Whether to use the recommended settings for speed.
    services.nginx.recommendedProxySettings|boolean||false|Whether to use the recommended settings for a proxy.
    services.nginx.recommendedTlsSettings|boolean||false|Whether to use the recommended settings for TLS.
    services.nginx.recommendedUwsgiSettings|boolean||false|Whether to use the recommended settings for uWSGI.
    services.nginx.sslDhparam|unspecified value|hidden||removed: The cipher suites with DHE are gone; services.nginx.recommendedTlsSettings may help.
    services.nginx.sslProtocols|string||"TLSv1.2 TLSv1.3"|Versions of TLS that are allowed.
    services.nginx.statusPage|boolean||false|Whether to show a status page to localhost.
    services.nginx.streamConfig|strings concatenated with "\n"||""|Configuration of the stream block, for TCP.
    services.nginx.upstreams|attribute set of (submodule)||{ }|Groups of servers for a proxy.
    services.nginx.upstreams.<name>.servers|attribute set of (open submodule of attribute set of (boolean or signed integer or …||{ }|Servers of the upstream.
    services.nginx.user|string||"nginx"|User that Nginx runs as.
    services.nginx.virtualHosts|attribute set of (submodule)|||Virtual hosts of Nginx.
    services.nginx.virtualHosts.<name>.addSSL|boolean||false|Whether to serve HTTPS besides HTTP.
    services.nginx.virtualHosts.<name>.basicAuthFile|null or absolute path||null|File with users and passwords for HTTP authentication.
    services.nginx.virtualHosts.<name>.enableACME|boolean||false|Whether to get a certificate for this host by ACME.
    services.nginx.virtualHosts.<name>.extraConfig|strings concatenated with "\n"||""|Lines to append to the server block.
    services.nginx.virtualHosts.<name>.forceSSL|boolean||false|Whether to redirect requests without TLS to HTTPS.
    services.nginx.virtualHosts.<name>.listen|list of (submodule)||[ ]|Addresses and ports to listen on.
    services.nginx.virtualHosts.<name>.locations|attribute set of (submodule)||{ }|Locations of the host.
    services.nginx.virtualHosts.<name>.locations.<name>.extraConfig|strings concatenated with "\n"||""|Lines to append to the location.
    services.nginx.virtualHosts.<name>.locations.<name>.proxyPass|null or string||null|Address that requests are passed to.
    services.nginx.virtualHosts.<name>.locations.<name>.proxyWebsockets|boolean||false|Whether to pass websockets.
    services.nginx.virtualHosts.<name>.locations.<name>.return|null or string or signed integer||null|Status or address to return.
    services.nginx.virtualHosts.<name>.locations.<name>.root|null or absolute path||null|Directory with the files of the location.
    services.nginx.virtualHosts.<name>.onlySSL|boolean||false|Whether to serve HTTPS only.
    services.nginx.virtualHosts.<name>.root|null or absolute path||null|Directory with the files of the host.
    services.nginx.virtualHosts.<name>.serverAliases|list of string||[ ]|Further names of the host.
    services.nginx.virtualHosts.<name>.useACMEHost|null or string||null|Certificate of another host to use.
    services.nix-serve.enable|boolean||false|Whether to run the binary cache nix-serve.
    services.nix-serve.secretKeyFile|null or string||null|File with the key that signs store paths.
    services.ntp.enable|boolean||false|Whether to synchronise the clock with ntpd.
    services.oauth2-proxy.enable|boolean||false|Whether to run OAuth2 Proxy.
    services.ollama.enable|boolean||false|Whether to run Ollama.
    services.open-webui.enable|boolean||false|Whether to run Open WebUI.
    services.openntpd.enable|boolean||false|Whether to synchronise the clock with OpenNTPD.
    services.openssh.allowSFTP|boolean||true|Whether to enable file transfer by SFTP.
    services.openssh.authorizedKeysCommand|string||"none"|Program that prints the authorized keys of a user.
    services.openssh.authorizedKeysFiles|list of string||[ ]|Files with the public keys that may log in.
    services.openssh.authorizedKeysInHomedir|boolean||true|Whether users can add keys in their home directory.
    services.openssh.banner|unspecified value|hidden||removed: Set services.openssh.settings.Banner.
    services.openssh.enable|boolean||false|Whether to run the OpenSSH server, so that users can log in remotely.
    services.openssh.extraConfig|strings concatenated with "\n"||""|Lines to append to the configuration of the SSH server.
    services.openssh.forwardX11|submodule|hidden||=> services.openssh.settings.X11Forwarding
    services.openssh.generateHostKeys|boolean||services.openssh.enable|Whether to generate missing host keys.
    services.openssh.hostKeys|list of (attribute set)|||Host keys to generate, with type and path.
    services.openssh.knownHosts|attribute set of (submodule)|||=> programs.ssh.knownHosts
    services.openssh.listenAddresses|list of (submodule)||[ ]|Addresses and ports that the SSH server listens on.
    services.openssh.listenAddresses.*.addr|null or string||null|Host or address to listen on.
    services.openssh.listenAddresses.*.port|null or 16 bit unsigned integer; between 0 and 65535 (both inclusive)||null|Port to listen on.
    services.openssh.moduliFile|absolute path|||File with Diffie-Hellman moduli.
    services.openssh.openFirewall|boolean||true|Whether to open the ports of the SSH server in the firewall.
    services.openssh.package|package||programs.ssh.package|Package that provides the server `sshd`.
    services.openssh.passwordAuthentication|submodule|hidden||=> services.openssh.settings.PasswordAuthentication
    services.openssh.permitRootLogin|submodule|hidden||=> services.openssh.settings.PermitRootLogin
    services.openssh.ports|list of 16 bit unsigned integer; between 0 and 65535 (both inclusive)|||TCP ports that the SSH server listens on.
    services.openssh.settings|open submodule of attribute set of (atom (null, bool, int, float or string))||{ }|Settings of the SSH server, as in sshd_config.
    services.openssh.settings.AllowGroups|null or (list of string)||null|Groups whose members may log in.
    services.openssh.settings.AllowUsers|null or (list of string)||null|Users that may log in; all others are rejected.
    services.openssh.settings.Banner|null or absolute path||null|File with a text that is shown before login.
    services.openssh.settings.Ciphers|null or (list of string)|||Ciphers that are allowed.
    services.openssh.settings.DenyUsers|null or (list of string)||null|Users that may not log in.
    services.openssh.settings.GatewayPorts|null or string||"no"|Whether remote hosts may connect to forwarded ports.
    services.openssh.settings.KbdInteractiveAuthentication|null or boolean||true|Whether keyboard-interactive authentication is allowed.
    services.openssh.settings.KexAlgorithms|null or (list of string)|||Key exchange algorithms that are allowed.
    services.openssh.settings.LogLevel|null or one of "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG1", …||"INFO"|Verbosity of the messages of the SSH server.
    services.openssh.settings.Macs|null or (list of string)|||Message authentication codes that are allowed.
    services.openssh.settings.PasswordAuthentication|null or boolean||true|Whether users may log in by SSH with a password.
    services.openssh.settings.PermitRootLogin|null or one of "yes", "without-password", "prohibit-password", "forced-commands-only", …||"prohibit-password"|Whether root can log in by SSH, and how.
    services.openssh.settings.StrictModes|null or boolean||true|Whether to check modes and owners of files before login.
    services.openssh.settings.UseDns|null or boolean||false|Whether to look up the host name of a client.
    services.openssh.settings.UsePAM|null or boolean||true|Whether to authenticate with PAM.
    services.openssh.settings.X11Forwarding|null or boolean||false|Whether X11 connections are forwarded.
    services.openssh.sftpServerExecutable|string|||Program that serves SFTP.
    services.openssh.startWhenNeeded|boolean||false|Whether sshd is socket-activated, so that it starts for each connection.
    services.openvpn.servers|attribute set of (submodule)||{ }|OpenVPN connections.
    services.paperless.enable|boolean||false|Whether to run Paperless-ngx.
    services.pgadmin.enable|boolean||false|Whether to run pgAdmin.
    services.pgbackrest.enable|boolean||false|Whether to back up PostgreSQL with pgBackRest.
    services.pgbouncer.enable|boolean||false|Whether to run the connection pooler PgBouncer.
    services.pipewire.config|unspecified value|hidden||removed: Delete it from the configuration.
    services.pipewire.enable|boolean||false|Whether to run PipeWire.
    services.pipewire.pulse.enable|boolean||false|Whether PipeWire emulates PulseAudio.
    services.postfix.enable|boolean||false|Whether to run the mail server Postfix.
    services.postfix.settings.main|open submodule of attribute set of (null or boolean or signed integer or absolute path …|||Settings of Postfix, as in main.cf.
    services.postgresql.authentication|strings concatenated with "\n"||""|Rules for client authentication (pg_hba.conf).
    services.postgresql.dataDir|absolute path|||Directory with the data of PostgreSQL.
    services.postgresql.enable|boolean||false|Whether to run the PostgreSQL server.
    services.postgresql.enableTCPIP|boolean||false|Whether PostgreSQL listens on all network interfaces.
    services.postgresql.ensureDatabases|list of string||[ ]|Databases that are created if they are missing.
    services.postgresql.ensureUsers|list of (submodule)||[ ]|Users of the database that are created if they are missing.
    services.postgresql.ensureUsers.*.ensureDBOwnership|boolean||false|Whether the user owns the database of the same name.
    services.postgresql.extensions|(function that evaluates to a(n) list of absolute path) or (list of absolute path) …|||Extensions of PostgreSQL to install.
    services.postgresql.extraConfig|unspecified value|hidden||removed: Set services.postgresql.settings.
    services.postgresql.extraPlugins|(function that evaluates to a(n) list of absolute path) or (list of absolute path) …|hidden||=> services.postgresql.extensions
    services.postgresql.identMap|strings concatenated with "\n"||""|Map of system users to database users.
    services.postgresql.initialScript|null or absolute path||null|SQL script that runs at the first start.
    services.postgresql.package|package|||Package of the PostgreSQL server, which decides its version.
    services.postgresql.port|submodule|hidden||=> services.postgresql.settings.port
    services.postgresql.settings|open submodule of attribute set of (boolean or floating point number or signed integer …||{ }|Settings of PostgreSQL, as in postgresql.conf.
    services.postgresql.settings.log_line_prefix|string||"[%p] "|Text before each line of the log.
    services.postgresql.settings.port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||5432|Port that PostgreSQL listens on.
    services.postgresql.systemCallFilter|attribute set of ((submodule) or boolean convertible to it)|||System calls that PostgreSQL may make.
    services.postgresqlBackup.compression|one of "none", "gzip", "zstd"||"gzip"|How the dumps are compressed.
    services.postgresqlBackup.databases|list of string||[ ]|Databases to dump.
    services.postgresqlBackup.enable|boolean||false|Whether to dump PostgreSQL databases regularly.
    services.postgresqlBackup.location|absolute path||"/var/backup/postgresql"|Directory for the dumps.
    services.postgresqlBackup.startAt|(list of string) or string||"*-*-* 01:15:00"|When to dump the databases.
    services.printing.enable|boolean||false|Whether to print with CUPS.
    services.prometheus.alertmanager.configuration|null or (attribute set)||null|Configuration of Alertmanager.
    services.prometheus.alertmanager.enable|boolean||false|Whether to run Alertmanager.
    services.prometheus.alertmanagers|list of (attribute set)||[ ]|Alertmanagers that receive alerts.
    services.prometheus.enable|boolean||false|Whether to run the Prometheus server.
    services.prometheus.exporters|submodule||{ }|Exporters of metrics.
    services.prometheus.exporters.blackbox|submodule||{ }|
    services.prometheus.exporters.blackbox.configFile|absolute path|||Configuration of the exporter.
    services.prometheus.exporters.blackbox.enable|boolean||false|Whether to run the exporter that probes endpoints.
    services.prometheus.exporters.nginx|submodule||{ }|
    services.prometheus.exporters.nginx.enable|boolean||false|Whether to run the exporter for Nginx.
    services.prometheus.exporters.node|submodule||{ }|
    services.prometheus.exporters.node.disabledCollectors|list of string||[ ]|Collectors to disable.
    services.prometheus.exporters.node.enable|boolean||false|Whether to run the exporter for metrics of the machine.
    services.prometheus.exporters.node.enabledCollectors|list of string||[ ]|Collectors to enable besides the default ones.
    services.prometheus.exporters.node.listenAddress|string||"0.0.0.0"|Address that the exporter listens on.
    services.prometheus.exporters.node.openFirewall|boolean||false|Whether to open the port of the exporter in the firewall.
    services.prometheus.exporters.node.port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||9100|Port that the exporter listens on.
    services.prometheus.exporters.postgres|submodule||{ }|
    services.prometheus.exporters.postgres.enable|boolean||false|Whether to run the exporter for PostgreSQL.
    services.prometheus.exporters.systemd|submodule||{ }|
    services.prometheus.exporters.systemd.enable|boolean||false|Whether to run the exporter for systemd units.
    services.prometheus.globalConfig|submodule||{ }|Parameters of Prometheus for all jobs.
    services.prometheus.globalConfig.scrape_interval|null or string||null|How often targets are scraped by default.
    services.prometheus.listenAddress|string||"0.0.0.0"|Address that Prometheus listens on.
    services.prometheus.port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||9090|Port that Prometheus listens on.
    services.prometheus.pushgateway.enable|boolean||false|Whether to run the push gateway.
    services.prometheus.retentionTime|null or string||null|How long samples are kept.
    services.prometheus.ruleFiles|list of absolute path||[ ]|Files with alerting and recording rules.
    services.prometheus.rules|list of string||[ ]|Alerting and recording rules.
    services.prometheus.scrapeConfigs|list of (submodule)||[ ]|Jobs that scrape targets.
    services.prometheus.scrapeConfigs.*.job_name|string|||Name of the job.
    services.prometheus.scrapeConfigs.*.scrape_interval|null or string||null|How often the targets of the job are scraped.
    services.prometheus.scrapeConfigs.*.static_configs|null or (list of (submodule))||null|Targets of the job.
    services.prometheus.scrapeConfigs.*.static_configs.*.targets|list of string|||Host and port of each target.
    services.pulseaudio.enable|boolean||false|Whether to run PulseAudio.
    services.qemuGuest.enable|boolean||false|Whether to run the guest agent of QEMU.
    services.rabbitmq.enable|boolean||false|Whether to run RabbitMQ.
    services.redis.servers|attribute set of (submodule)||{ }|Redis servers to run.
    services.redis.servers.<name>.enable|boolean||false|Whether to run this Redis server.
    services.redis.servers.<name>.port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||if name == "" then 6379 else 0|Port that the server listens on.
    services.redis.servers.<name>.requirePassFile|null or absolute path||null|File with the password of the server.
    services.resolved.enable|boolean||false|Whether to resolve names with systemd-resolved.
    services.resolved.settings.Resolve|open submodule of attribute set of (systemd option)||{ }|Section [Resolve] of the settings of systemd-resolved.
    services.restic.backups|attribute set of (submodule)||{ }|Periodic backups with restic.
    services.restic.backups.<name>.backupCleanupCommand|null or string||null|Script to run after the backup ends.
    services.restic.backups.<name>.backupPrepareCommand|null or string||null|Script that must run before the backup process, for example to stop services.
    services.restic.backups.<name>.checkOpts|list of string||[ ]|Options for checking the repository.
    services.restic.backups.<name>.dynamicFilesFrom|null or string||null|Script that prints the files to back up.
    services.restic.backups.<name>.environmentFile|null or string||null|File with credentials for the repository.
    services.restic.backups.<name>.exclude|list of string||[ ]|Patterns to exclude from the backup.
    services.restic.backups.<name>.extraBackupArgs|list of string||[ ]|Further arguments of the backup.
    services.restic.backups.<name>.initialize|boolean||false|Whether to create the repository if it is missing.
    services.restic.backups.<name>.passwordFile|null or string||null|File with the password of the repository.
    services.restic.backups.<name>.paths|null or (list of string)||[ ]|Paths to back up.
    services.restic.backups.<name>.pruneOpts|list of string||[ ]|Options for forgetting old snapshots.
    services.restic.backups.<name>.repository|null or string||null|Repository to back up to.
    services.restic.backups.<name>.repositoryFile|null or absolute path||null|File with the address of the repository.
    services.restic.backups.<name>.runCheck|boolean|||Whether to check the repository after the backup.
    services.restic.backups.<name>.timerConfig|null or (attribute set of (systemd option))|||When to run the backup, as a systemd timer.
    services.restic.server.enable|boolean||false|Whether to run the REST server of restic.
    services.rspamd.enable|boolean||false|Whether to run the spam filter Rspamd.
    services.samba.enable|boolean||false|Whether to run the Samba server for Windows shares.
    services.samba.settings|open submodule of attribute set of section of an INI file (attrs of INI atom (null, …|||Configuration of Samba.
    services.sanoid.enable|boolean||false|Whether to take ZFS snapshots with Sanoid.
    services.signald|unspecified value|hidden||removed: Delete it from the configuration.
    services.smartd.enable|boolean||false|Whether to watch the health of disks with smartd.
    services.snapper.configs|attribute set of (open submodule of attribute set of ((list of (string without line …||{ }|Subvolumes of which snapper takes snapshots.
    services.snipe-it.nginx|submodule||{ }|Virtual host of Nginx for Snipe-IT.
    services.snipe-it.nginx.enableACME|boolean||false|Whether to get a certificate for Snipe-IT by ACME.
    services.snipe-it.nginx.forceSSL|boolean||false|Whether the host of Snipe-IT redirects to HTTPS.
    services.sshd.enable|boolean|||=> services.openssh.enable
    services.sshguard.enable|boolean||false|Whether to block addresses that attack services, with sshguard.
    services.stalwart.stateVersion|string|||Release at which Stalwart was set up.
    services.syncoid.enable|boolean||false|Whether to replicate ZFS snapshots with Syncoid.
    services.syncthing.dataDir|absolute path||"/var/lib/syncthing"|Directory with the synchronised folders.
    services.syncthing.enable|boolean||false|Whether to run Syncthing.
    services.syncthing.settings|open submodule of (JSON value)||{ }|Settings of Syncthing.
    services.syncthing.settings.devices|attribute set of (open submodule of (JSON value))||{ }|Devices to synchronise with.
    services.syncthing.settings.folders|attribute set of (open submodule of (JSON value))||{ }|Folders to synchronise.
    services.tailscale.authKeyFile|null or absolute path||null|File with the key that authenticates the node.
    services.tailscale.enable|boolean||false|Whether to run the Tailscale client.
    services.tailscale.extraDaemonFlags|list of string||[ ]|Further flags of the Tailscale daemon.
    services.tailscale.extraSetFlags|list of string||[ ]|Further flags for `tailscale set`.
    services.tailscale.extraUpFlags|list of string||[ ]|Further flags for `tailscale up`.
    services.tailscale.openFirewall|boolean||false|Whether to open the port of Tailscale in the firewall.
    services.tailscale.permitCertUid|null or non-empty string||null|User that may get certificates from Tailscale.
    services.tailscale.useRoutingFeatures|one of "none", "client", "server", "both"||"none"|Whether to enable what subnet routers and exit nodes need.
    services.thermald.enable|boolean||false|Whether to run thermald.
    services.timesyncd.enable|boolean||!config.boot.isContainer|Whether to synchronise the clock with systemd-timesyncd.
    services.tlp.enable|boolean||false|Whether to save power with TLP.
    services.traefik.enable|boolean||false|Whether to run the proxy Traefik.
    services.traefik.staticConfigOptions|TOML value|||Static configuration of Traefik.
    services.tzupdate.enable|boolean||false|Whether to set the time zone by the address.
    services.unbound.enable|boolean||false|Whether to run the resolver Unbound.
    services.unbound.settings|open submodule of unbound.conf configuration type. The format consist of an attribute …||{ }|Configuration of Unbound.
    services.uptime-kuma.enable|boolean||false|Whether to run Uptime Kuma.
    services.vaultwarden.backupDir|null or string||null|Directory for backups of Vaultwarden.
    services.vaultwarden.config|attribute set of (null or boolean or signed integer or string)|||Configuration of Vaultwarden.
    services.vaultwarden.dbBackend|one of "sqlite", "mysql", "postgresql"||"sqlite"|Database that Vaultwarden uses.
    services.vaultwarden.enable|boolean||false|Whether to run Vaultwarden.
    services.vaultwarden.environmentFile|(list of absolute path) or absolute path convertible to it||[ ]|File with secret settings of Vaultwarden.
    services.vector.enable|boolean||false|Whether to run Vector.
    services.victoriametrics.enable|boolean||false|Whether to run VictoriaMetrics.
    services.victoriametrics.retentionPeriod|null or string||null|How long VictoriaMetrics keeps data.
    services.writefreely.nginx.forceSSL|boolean||false|Whether the host of WriteFreely redirects to HTTPS.
    services.xserver.desktopManager.gnome.enable|boolean|hidden||=> services.desktopManager.gnome.enable
    services.xserver.displayManager.autoLogin|submodule|hidden||=> services.displayManager.autoLogin
    services.xserver.displayManager.gdm.enable|boolean|hidden||=> services.displayManager.gdm.enable
    services.xserver.enable|boolean||false|Whether to run an X server.
    services.xserver.layout|string|hidden||=> services.xserver.xkb.layout
    services.xserver.libinput.enable|boolean|hidden||=> services.libinput.enable
    services.xserver.videoDrivers|list of string||[ "modesetting" "fbdev" ]|Drivers of graphics cards.
    services.xserver.xkb.layout|string||"us"|Keyboard layout.
    services.xserver.xkb.variant|string||""|Variant of the keyboard layout.
    services.zerotierone.enable|boolean||false|Whether to run ZeroTier One.
    services.zfs.autoScrub.enable|boolean||false|Whether to enable periodic scrubbing of ZFS pools.
    services.zfs.autoScrub.interval|string||"monthly"|How often ZFS pools are scrubbed.
    services.zfs.autoScrub.pools|list of string||[ ]|ZFS pools to scrub.
    services.zfs.autoSnapshot.enable|boolean||false|Whether to take automatic ZFS snapshots.
    services.zfs.trim.enable|boolean||true|Whether to trim ZFS pools periodically.
    services.zigbee2mqtt.enable|boolean||false|Whether to run zigbee2mqtt.
    specialisation|attribute set of (submodule)||{ }|Further variants of the configuration.
    specialisation.<name>.configuration|submodule|shallow|{ }|Configuration of the variant.
    specialisation.<name>.inheritParentConfig|boolean||true|Whether the variant includes the whole configuration.
    swapDevices|list of (submodule)||[ ]|Devices and files for swap.
    swapDevices.*.device|non-empty string|||Path of the device or file.
    swapDevices.*.priority|null or signed integer||null|Priority of the device.
    swapDevices.*.randomEncryption|(submodule) or boolean convertible to it||false|Encryption of swap with a random key.
    swapDevices.*.randomEncryption.enable|boolean||false|Whether to encrypt swap with a random key.
    swapDevices.*.size|null or signed integer||null|Size of the swap file in MiB.
    system.activationScripts|attribute set of (string or (submodule))||{ }|Shell scripts that run at activation.
    system.autoUpgrade.allowReboot|boolean||false|Whether to reboot after an upgrade to a different kernel.
    system.autoUpgrade.channel|null or string||null|Channel to upgrade to.
    system.autoUpgrade.dates|string||"04:40"|When to upgrade.
    system.autoUpgrade.enable|boolean||false|Whether to upgrade the system automatically.
    system.autoUpgrade.flake|null or string||null|Flake to upgrade to.
    system.autoUpgrade.operation|one of "switch", "boot"||"switch"|Whether an upgrade is activated now or at the next boot.
    system.autoUpgrade.persistent|boolean||true|Whether a missed upgrade runs at the next boot.
    system.autoUpgrade.randomizedDelaySec|string||"0"|Maximum random delay of an upgrade.
    system.autoUpgrade.rebootWindow|null or (submodule)||null|Time of day at which a reboot is allowed.
    system.configurationRevision|null or string||null|Revision of the configuration.
    system.copySystemConfiguration|boolean||false|Whether to copy configuration.nix into the system.
    system.nixos.label|string matching the pattern [a-zA-Z0-9:_\.-]*|||Label in the boot menu.
    system.rebuild.enableNg|unspecified value|hidden||removed: Delete it from the configuration.
    system.stateVersion|string||config.system.nixos.release|NixOS release at installation, for stateful data.
    systemd.coredump.enable|boolean||true|Whether to save core dumps.
    systemd.enableUnifiedCgroupHierarchy|unspecified value|hidden||removed: Delete it from the configuration.
    systemd.extraConfig|unspecified value|hidden||removed: Set systemd.settings.Manager.
    systemd.globalEnvironment|attribute set of (null or string or absolute path or package)||{ }|Environment variables of every service.
    systemd.managerEnvironment|attribute set of (null or string or absolute path or package)||{ }|Environment variables of systemd itself.
    systemd.mounts|list of (submodule)||[ ]|Mount units.
    systemd.network.enable|boolean||false|Whether to enable systemd-networkd.
    systemd.network.networks|attribute set of (submodule)||{ }|Networks of systemd-networkd.
    systemd.network.networks.<name>.matchConfig|attribute set of (systemd option)||{ }|Interfaces that this network applies to.
    systemd.network.networks.<name>.networkConfig|attribute set of (systemd option)||{ }|Section [Network] of the file.
    systemd.oomd.enable|boolean||true|Whether to run systemd-oomd.
    systemd.paths|attribute set of (submodule)||{ }|Path units.
    systemd.services|attribute set of (submodule)||{ }|Services of systemd.
    systemd.services.<name>.after|list of string||[ ]|Units that start before this unit.
    systemd.services.<name>.confinement.enable|boolean||false|Whether the service runs in a separate root directory.
    systemd.services.<name>.enable|boolean||true|Whether the unit is enabled.
    systemd.services.<name>.environment|attribute set of (null or string or absolute path or package)||{ }|Environment variables of the service.
    systemd.services.<name>.onFailure|list of string||[ ]|Units that start if the service fails.
    systemd.services.<name>.path|list of (package or string)||[ ]|Packages on the PATH of the service.
    systemd.services.<name>.preStart|strings concatenated with "\n"||""|Shell script that runs before the service.
    systemd.services.<name>.restartIfChanged|boolean||true|Whether to restart the service if its unit changes.
    systemd.services.<name>.script|strings concatenated with "\n"||""|Shell script that the service runs.
    systemd.services.<name>.serviceConfig|attribute set of (systemd option)||{ }|Section [Service] of the unit.
    systemd.services.<name>.startAt|string or list of string||[ ]|When to start the service, as a calendar event.
    systemd.services.<name>.unitConfig|attribute set of (systemd option)||{ }|Section [Unit] of the unit.
    systemd.services.<name>.wantedBy|list of string||[ ]|Units that start this unit.
    systemd.settings.Manager|open submodule of attribute set of (systemd option)|||Section [Manager] of system.conf.
    systemd.sleep.settings.Sleep|open submodule of attribute set of (systemd option)||{ }|Section [Sleep] of the settings for suspend.
    systemd.sockets|attribute set of (submodule)||{ }|Socket units.
    systemd.timers|attribute set of (submodule)||{ }|Timers of systemd.
    systemd.timers.<name>.timerConfig|attribute set of (systemd option)||{ }|Section [Timer] of the unit.
    systemd.timers.<name>.wantedBy|list of string||[ ]|Units that start this timer.
    systemd.tmpfiles.rules|list of string||[ ]|Files to create, delete and clean, as in tmpfiles.d.
    systemd.tmpfiles.settings|attribute set of attribute set of attribute set of (submodule)||{ }|Files to create, delete and clean, by name.
    systemd.user.services|attribute set of (submodule)||{ }|Services of each user.
    systemd.user.services.<name>.environment|attribute set of (null or string or absolute path or package)||{ }|Environment variables of the user service.
    systemd.user.services.<name>.serviceConfig|attribute set of (systemd option)||{ }|Section [Service] of the user unit.
    systemd.watchdog.runtimeTime|submodule|hidden||=> systemd.settings.Manager.RuntimeWatchdogSec
    time.hardwareClockInLocalTime|boolean||false|Whether the hardware clock keeps local time.
    time.timeZone|null or string without spaces||null|Time zone for displayed times.
    users.allowNoPasswordLogin|boolean||false|Whether to allow a system that nobody can log in to.
    users.defaultUserShell|absolute path or package||"/bin/sh"|Shell of users that have no other.
    users.extraUsers|attribute set of (submodule)|||=> users.users
    users.groups|attribute set of (submodule)||{ }|Groups of users.
    users.groups.<name>.gid|null or signed integer||null|Number of the group.
    users.groups.<name>.members|list of (string, not containing newlines or colons)||[ ]|Users in the group.
    users.ldap.enable|boolean||false|Whether to authenticate users against LDAP.
    users.motd|strings concatenated with "\n"||""|Message of the day, which users see at login.
    users.motdFile|null or absolute path||null|File with the message of the day.
    users.mutableUsers|boolean||true|Whether accounts can be changed with commands such as passwd.
    users.users|attribute set of (submodule)||{ }|User accounts.
    users.users.<name>.createHome|boolean||false|Whether to create the home directory.
    users.users.<name>.description|string, not containing newlines or colons||""|Full name of the user.
    users.users.<name>.expires|null or string matching the pattern [[:digit:]]{4}-[[:digit:]]{2}-[[:digit:]]{2}||null|Date on which the account expires.
    users.users.<name>.extraGroups|list of string||[ ]|Further groups of the user.
    users.users.<name>.group|string||""|Primary group of the user.
    users.users.<name>.hashedPassword|null or (string, not containing newlines or colons)||null|Hash of the password.
    users.users.<name>.hashedPasswordFile|null or string||null|File with the hash of the password.
    users.users.<name>.home|absolute path, not containing newlines or colons||"/var/empty"|Home directory of the user.
    users.users.<name>.ignoreShellProgramCheck|boolean||false|Whether to skip the check that the shell is enabled.
    users.users.<name>.initialHashedPassword|null or (string, not containing newlines or colons)||null|Hash of the password at creation.
    users.users.<name>.initialPassword|null or string||null|Password at creation, in clear text.
    users.users.<name>.isNormalUser|boolean||false|Whether this is an account of a person.
    users.users.<name>.isSystemUser|boolean||false|Whether this is an account of a service.
    users.users.<name>.linger|null or boolean||null|Whether to enable lingering for this user, so that units run without login.
    users.users.<name>.openssh.authorizedKeys.keyFiles|list of absolute path||[ ]|Files with public keys with which the user may log in.
    users.users.<name>.openssh.authorizedKeys.keys|list of (optionally newline-terminated) single-line string||[ ]|Public keys with which the user may log in.
    users.users.<name>.packages|list of package||[ ]|Packages for this user only.
    users.users.<name>.password|null or string||null|Password in clear text.
    users.users.<name>.shell|null or package or (absolute path, not containing newlines or colons)||pkgs.shadow|Login shell of the user.
    users.users.<name>.subUidRanges|list of (submodule)||[ ]|Subordinate user numbers, for containers.
    users.users.<name>.uid|null or signed integer||null|Number of the account.
    users.users.<name>.useDefaultShell|boolean||false|Whether to use the default shell.
    virtualisation.containers.enable|boolean||false|Whether to enable the common configuration of containers.
    virtualisation.docker.autoPrune.dates|string||"weekly"|When to prune Docker data.
    virtualisation.docker.autoPrune.enable|boolean||false|Whether to prune unused Docker data periodically.
    virtualisation.docker.daemon.settings|open submodule of (JSON value)||{ }|Configuration of the Docker daemon.
    virtualisation.docker.enable|boolean||false|Whether to run the Docker daemon.
    virtualisation.docker.enableOnBoot|boolean||true|Whether to start Docker at boot.
    virtualisation.docker.extraOptions|strings concatenated with " "||""|Further options of the Docker daemon.
    virtualisation.docker.logDriver|one of "none", "json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", …||"journald"|Where Docker writes logs.
    virtualisation.docker.package|package||pkgs.docker|Package of Docker.
    virtualisation.docker.rootless.enable|boolean||false|Whether to run Docker without root.
    virtualisation.docker.storageDriver|null or one of "aufs", "btrfs", "devicemapper", "overlay", "overlay2", "zfs"||null|How Docker stores layers.
    virtualisation.incus.enable|boolean||false|Whether to run Incus.
    virtualisation.libvirtd.enable|boolean||false|Whether to manage virtual machines with libvirt.
    virtualisation.libvirtd.qemu|submodule||{ }|Settings of QEMU for libvirt.
    virtualisation.libvirtd.qemu.swtpm|submodule||{ }|Emulated TPM for virtual machines.
    virtualisation.libvirtd.qemu.swtpm.enable|boolean||false|Whether virtual machines can have a TPM.
    virtualisation.lxc.enable|boolean||false|Whether to enable LXC.
    virtualisation.lxd|unspecified value|hidden||removed: Delete it from the configuration.
    virtualisation.multipass|unspecified value|hidden||removed: Delete it from the configuration.
    virtualisation.oci-containers.backend|one of "podman", "docker"||"podman"|Program that runs the containers.
    virtualisation.oci-containers.containers|attribute set of (submodule)||{ }|Containers to run as services.
    virtualisation.oci-containers.containers.<name>.autoStart|boolean||true|Whether the container starts at boot.
    virtualisation.oci-containers.containers.<name>.cmd|list of string||[ ]|Arguments of the image's program.
    virtualisation.oci-containers.containers.<name>.dependsOn|list of string||[ ]|Other containers that this one depends on.
    virtualisation.oci-containers.containers.<name>.environment|attribute set of string||{ }|Environment variables of the container.
    virtualisation.oci-containers.containers.<name>.environmentFiles|list of absolute path||[ ]|Files with environment variables of the container.
    virtualisation.oci-containers.containers.<name>.image|string|||Image of the container.
    virtualisation.oci-containers.containers.<name>.imageFile|null or path in the Nix store||null|File with the image of the container.
    virtualisation.oci-containers.containers.<name>.ports|list of string||[ ]|Ports of the container to publish.
    virtualisation.oci-containers.containers.<name>.volumes|list of string||[ ]|Volumes of the container.
    virtualisation.podman.autoPrune.enable|boolean||false|Whether to prune unused Podman data periodically.
    virtualisation.podman.dockerCompat|boolean||false|Whether to provide the command docker with Podman.
    virtualisation.podman.enable|boolean||false|Whether to install Podman.
    virtualisation.virtualbox.host.enable|boolean||false|Whether to install VirtualBox.
    virtualisation.vmVariant|submodule|shallow|{ }|Configuration for a test machine.
    warnings|list of string||[ ]|Warnings that are printed at evaluation.
    xdg.mime.defaultApplications|attribute set of (string or ((list of string) or string) convertible to it)||{ }|Default application for each type of file.
    xdg.portal.enable|boolean||false|Whether to enable desktop portals.
    zramSwap.algorithm|one of "842", "lzo", "lzo-rle", "lz4", "lz4hc", "zstd" or string||"zstd"|Compression algorithm.
    zramSwap.enable|boolean||false|Whether to use compressed swap space in memory.
    zramSwap.memoryMax|null or signed integer||null|Maximum size of compressed swap, in bytes.
    zramSwap.memoryPercent|positive integer, meaning >0||50|Share of memory for compressed swap, in percent.
    zramSwap.priority|signed integer||5|Priority of compressed swap.
    zramSwap.swapDevices|signed integer||1|Number of devices for compressed swap.
  '';

  strings = pattern: text: filter isString (split pattern text);
  lines = text: filter (line: line != "") (strings "\n" text);

  entry =
    line:
    let
      fields = strings "[|]" line;
    in
    {
      path = strings "[.]" (elemAt fields 0);
      type = elemAt fields 1;
      visibility = elemAt fields 2;
      default = elemAt fields 3;
      description = elemAt fields 4;
    };

  begins = prefix: text: match "${prefix}.*" text != null;

  # The name of a type, from its description.
  typeName =
    text:
    if text == "boolean" then
      "bool"
    else if begins "null or" text then
      "nullOr"
    else if begins "attribute set of" text then
      "attrsOf"
    else if begins "lazy attribute set of" text then
      "lazyAttrsOf"
    else if begins "list of" text then
      "listOf"
    else if begins "one of" text then
      "enum"
    else if begins "(open )?submodule" text then
      "submodule"
    else if text == "signed integer" then
      "int"
    else if begins "[0-9]* ?bit unsigned integer" text then
      "unsignedInt16"
    else if text == "package" then
      "package"
    else if text == "unspecified value" then
      "unspecified"
    else
      "str";

  literal = text: {
    _type = "literalExpression";
    inherit text;
  };

  # What every evaluated option has.
  common = loc: {
    _type = "option";
    inherit loc;
    declarations = [ "/nixpkgs/nixos/modules/${concatStringsSep "/" loc}.nix" ];
    declarationPositions = [ ];
    definitions = [ ];
    definitionsWithLocations = [ ];
    files = [ ];
    isDefined = false;
    highestPrio = 1500;
    options = [ ];
    value = throw "a search must not need the value of ${concatStringsSep "." loc}";
    valueMeta = { };
    __toString = _: concatStringsSep "." loc;
  };

  typeOf = description: getSubOptions: {
    _type = "option-type";
    name = typeName description;
    inherit description getSubOptions;
    descriptionClass = "noun";
    getSubModules = null;
    nestedTypes =
      if begins "open submodule" description then { freeformType = typeOf "JSON value" none; } else { };
    check = _: true;
  };
  none = _: { };

  option =
    loc: entry: below:
    let
      renamed = match "=> (.*)" entry.description;
      removed = match "removed: (.*)" entry.description;
      name = concatStringsSep "." loc;
      keys = attrNames below;
      element =
        if
          length keys == 1
          && elem (head keys) [
            "<name>"
            "*"
          ]
        then
          head keys
        else
          null;
      subOptions =
        prefix:
        if below == { } then
          { }
        else if element == null then
          internals prefix // mapAttrs (name: build (prefix ++ [ name ])) below
        else
          internals (prefix ++ [ element ])
          // mapAttrs (
            name:
            build (
              prefix
              ++ [
                element
                name
              ]
            )
          ) (groupBy (entry: head entry.path) below.${element});
      text = entry.default;
      simple = match "true|false|null|-?[0-9]+|\".*\"" text != null && match "\".*[\\].*\"" text == null;
    in
    common loc
    // {
      type = typeOf entry.type (if renamed == null then subOptions else none);
      ${if entry.visibility == "" then null else "visible"} =
        if entry.visibility == "hidden" then false else entry.visibility;
    }
    // (
      if renamed != null then
        {
          description = "Alias of {option}`${head renamed}`.";
          apply = value: value;
        }
      else if removed != null then
        {
          apply =
            _: throw "The option `${name}' can no longer be used since it's been removed. ${head removed}";
        }
      else
        {
          ${if entry.description == "" then null else "description"} = entry.description;
          ${
            if
              simple
              || elem text [
                "[ ]"
                "{ }"
              ]
            then
              "default"
            else
              null
          } =
            if text == "[ ]" then
              [ ]
            else if text == "{ }" then
              { }
            else
              fromJSON text;
          ${
            if
              simple
              || elem text [
                ""
                "[ ]"
                "{ }"
              ]
            then
              null
            else
              "defaultText"
          } =
            literal text;
          ${if entry.type == "boolean" then "example" else null} = true;
        }
    );

  # What every submodule has besides its own options.
  internals = prefix: {
    _module = listToAttrs (
      map
        (name: {
          inherit name;
          value =
            common (
              prefix
              ++ [
                "_module"
                name
              ]
            )
            // {
              internal = true;
              description = "Internal to the module system.";
              type = typeOf "unspecified value" none;
            };
        })
        [
          "args"
          "check"
          "freeformType"
          "specialArgs"
        ]
    );
  };

  # The option or the set of options at `loc`. The paths of the entries still begin with its name.
  build =
    loc: entries:
    let
      shorter = map (entry: entry // { path = tail entry.path; }) entries;
      own = filter (entry: entry.path == [ ]) shorter;
      below = groupBy (entry: head entry.path) (filter (entry: entry.path != [ ]) shorter);
      # Below `<name>` or `*`, the paths are shortened once more, so that `option` can group them by the next name.
      stripped = mapAttrs (
        key: members:
        if
          elem key [
            "<name>"
            "*"
          ]
        then
          map (entry: entry // { path = tail entry.path; }) members
        else
          members
      ) below;
    in
    if own == [ ] then
      mapAttrs (name: build (loc ++ [ name ])) below
    else
      option loc (head own) stripped;

  tree = mapAttrs (name: build [ name ]) (groupBy (entry: head entry.path) (map entry (lines table)));

  mod = number: by: number - number / by * by;
  pick = list: number: elemAt list (mod number (length list));

  firsts = [
    "amber"
    "birch"
    "cedar"
    "dusk"
    "ember"
    "fern"
    "grove"
    "heron"
    "iris"
    "juniper"
    "kestrel"
    "lark"
    "maple"
    "nettle"
    "otter"
    "plover"
    "quince"
    "raven"
    "sorrel"
    "thistle"
  ];
  seconds = [
    "Arc"
    "Bay"
    "Crest"
    "Dale"
    "Edge"
    "Fold"
    "Gate"
    "Hill"
    "Isle"
    "Keep"
    "Lane"
    "Mere"
    "Nook"
    "Path"
    "Ridge"
    "Stone"
    "Tarn"
    "Vale"
    "Ward"
    "Yard"
  ];

  filler =
    number:
    let
      name = pick firsts number + pick seconds (number / length firsts);
      option = member: build [ "services" name (head (strings "[|]" member)) ] [ (entry member) ];
    in
    {
      inherit name;
      value = listToAttrs (
        map
          (member: {
            name = head (strings "[|]" member);
            value = option member;
          })
          [
            "enable|boolean||false|Whether to run ${name}."
            "package|package||pkgs.${name}|Package of ${name}."
            "port|16 bit unsigned integer; between 0 and 65535 (both inclusive)||${toString (3000 + number)}|Port that ${name} listens on."
            "openFirewall|boolean||false|Whether to open the port of ${name} in the firewall."
            "dataDir|absolute path||\"/var/lib/${name}\"|Directory with the data of ${name}."
            "user|string||\"${name}\"|User that ${name} runs as."
            "settings|attribute set of anything||{ }|Settings of ${name}."
            "environmentFile|null or absolute path||null|File with secret settings of ${name}."
          ]
      );
    };

in
tree // { services = listToAttrs (genList filler fillers) // tree.services; }
