# The facts of a host that tools/eval-fleet compares: how it is reached, boots, mounts its disks and is monitored.
{ config, ... }:

let
  inherit (builtins)
    attrNames
    concatMap
    filter
    listToAttrs
    mapAttrs
    map
    ;

  ssh = config.services.openssh;
  firewall = config.networking.firewall;
  # All users who could log in: people, and root.
  accounts = filter (
    name: config.users.users.${name}.isNormalUser || config.users.users.${name}.uid == 0
  ) (attrNames config.users.users);
  services = config.systemd.services;
in
{
  host_name = config.networking.hostName;
  state_version = config.system.stateVersion;
  time_zone = config.time.timeZone;
  locale = config.i18n.defaultLocale;
  console_keymap = config.console.keyMap;
  kernel_consoles = filter (
    parameter: builtins.match "console=.*" parameter != null
  ) config.boot.kernelParams;

  ssh = {
    inherit (ssh) enable ports;
    key_files = ssh.authorizedKeysFiles;
    inherit (ssh.settings)
      AuthenticationMethods
      Ciphers
      KbdInteractiveAuthentication
      KexAlgorithms
      Macs
      MaxAuthTries
      PasswordAuthentication
      PerSourcePenalties
      PermitRootLogin
      ;
    host_keys = map (key: key.type) ssh.hostKeys;
  };

  users = listToAttrs (
    map (name: {
      inherit name;
      value = {
        groups = config.users.users.${name}.extraGroups;
        keys = config.users.users.${name}.openssh.authorizedKeys.keys;
        has_password = builtins.any (way: config.users.users.${name}.${way} != null) [
          "hashedPassword"
          "hashedPasswordFile"
          "initialHashedPassword"
          "initialPassword"
          "password"
        ];
      };
    }) accounts
  );
  mutable_users = config.users.mutableUsers;
  sudo_needs_password = config.security.sudo.wheelNeedsPassword;

  firewall = {
    inherit (firewall)
      enable
      allowedTCPPortRanges
      allowedTCPPorts
      allowedUDPPortRanges
      allowedUDPPorts
      extraInputRules
      trustedInterfaces
      ;
    interfaces = attrNames firewall.interfaces;
  };
  dhcp = config.networking.useDHCP;

  boot = {
    disk = config.pantheros.bootDisk;
    grub_devices = concatMap (boot: boot.devices) config.boot.loader.grub.mirroredBoots;
    inherit (config.boot.loader.grub) efiSupport efiInstallAsRemovable;
    esp = config.boot.loader.efi.efiSysMountPoint;
    touches_efi_variables = config.boot.loader.efi.canTouchEfiVariables;
    has_virtio = builtins.all (driver: builtins.elem driver config.boot.initrd.availableKernelModules) [
      "virtio_blk"
      "virtio_pci"
      "virtio_scsi"
    ];
  };
  disks = mapAttrs (_: disk: {
    inherit (disk) device;
    partitions = mapAttrs (_: partition: {
      inherit (partition) size type;
    }) disk.content.partitions;
  }) config.disko.devices.disk;
  mounts = mapAttrs (_: mount: { inherit (mount) fsType options; }) config.fileSystems;

  deploy = {
    inherit (config.pantheros.deploy)
      buildOn
      port
      rollbackTimeout
      tags
      targetHost
      user
      ;
    refusals = map (refusal: refusal.code) config.pantheros.deploy.refusals;
  };

  exporter = {
    inherit (config.services.prometheus.exporters.node) enable listenAddress port;
  };
  exporter_home = services.prometheus-node-exporter.serviceConfig.ProtectHome;
  host_facts_at = services.pantheros-host-facts.startAt;
  backups = {
    inherit (config.pantheros.backups) enable;
    restic = config.pantheros.backups.restic.enable;
    snapshots_of = config.pantheros.backups.snapshots.subvolumes;
    snapshots_at = services.pantheros-snapshots.startAt;
    snapshots_catch_up = config.systemd.timers.pantheros-snapshots.timerConfig.Persistent;
    units = filter (
      name: builtins.match "pantheros-(snapshots|backup.*|restore-drill)|restic-.*" name != null
    ) (attrNames services);
  };
  trusted_users = config.nix.settings.trusted-users;
  nix_garbage = config.nix.gc.automatic;
  home_users = attrNames config.home-manager.users;
  home_closure_budget = config.pantheros.home.closureBudget;
  home_budget_is_checked = builtins.elem config.system.build.homeClosureBudget config.system.checks;
  secrets_enabled = config.pantheros.secrets.enable;
}
