# Checks that evaluation refuses dangerous settings, with a message that says what to do.
{ pkgs, self }:

let
  inherit (pkgs) lib;
  inherit (pkgs.stdenv.hostPlatform) system;
  fleet = import ../../fleet;
  key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzxSIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa somebody";

  # A host of this fleet with other keys and the settings to check.
  hostWith =
    keys: module:
    (self.nixosConfigurations.${fleet.defaultHost}.extendModules {
      modules = [
        module
        {
          nixpkgs.hostPlatform = lib.mkForce system;
          pantheros.users.keys = lib.mkForce (
            {
              admin = [ ];
              deploy = [ ];
            }
            // keys
          );
        }
      ];
    }).config;
  sound = {
    admin = [ key ];
    deploy = [ key ];
  };
  failed =
    config:
    map (assertion: assertion.message) (lib.filter (assertion: !assertion.assertion) config.assertions);

  # Combinations of settings, and the beginning of the message for each.
  combinations = {
    "disko formats another disk" = {
      module.disko.devices.disk.boot.device = lib.mkForce "/dev/vdz";
      says = [
        "pantheros.bootDisk is /dev/sda, while disko formats /dev/vdz"
        "pantheros.bootDisk is /dev/sda, while GRUB is installed on /dev/vdz"
      ];
    };
    "a disk that cannot start by BIOS, nor by UEFI" = {
      module.disko.devices = lib.mkForce (
        lib.updateManyAttrsByPath [
          {
            path = [
              "disk"
              "boot"
              "content"
              "partitions"
            ];
            update =
              partitions:
              removeAttrs partitions [
                "bios"
                "efi"
              ];
          }
        ] (import ../../hosts/layouts/btrfs.nix { device = "/dev/sda"; })
      );
      says = [
        "pantheros.bootDisk is /dev/sda, while GRUB is installed on no disk"
        "pantheros.bootDisk: nothing is mounted at /boot/efi"
      ];
    };
    "ways in besides keys" = {
      module = {
        services.openssh = {
          authorizedKeysInHomedir = lib.mkForce true;
          settings = {
            PasswordAuthentication = lib.mkForce true;
            PermitRootLogin = lib.mkForce "prohibit-password";
          };
        };
        networking.firewall.enable = lib.mkForce false;
      };
      says = [
        "networking.firewall must stay enabled"
        "services.openssh.authorizedKeysFiles is %h/.ssh/authorized_keys"
        "services.openssh.settings allows passwords"
        "services.openssh.settings.PermitRootLogin is prohibit-password"
      ];
    };
    "no way in" = {
      module.services.openssh.openFirewall = lib.mkForce false;
      says = [ "The firewall would block SSH" ];
    };
    "no SSH" = {
      module.services.openssh.enable = lib.mkForce false;
      says = [ "SSH is the only way to reach a host" ];
    };
    "a deployment that would not arrive" = {
      module.pantheros.deploy = {
        port = 2222;
        user = "nobody-here";
      };
      says = [
        "pantheros.deploy.port is 2222"
        "pantheros.deploy.user is nobody-here"
      ];
    };
    "a secret in the store" = {
      module.pantheros.nix.builders = [
        {
          hostName = "builder.example.org";
          systems = [ "aarch64-linux" ];
          sshKey = "${builtins.storeDir}/key";
          publicHostKey = "c3NoLWVkMjU1MTk=";
        }
      ];
      says = [ "pantheros.nix.builders: the key for builder.example.org is in the Nix store" ];
    };
  };
  unnoticed = lib.concatLists (
    lib.mapAttrsToList (
      name:
      { module, says }:
      let
        said = failed (hostWith sound module);
        missing = lib.filter (sentence: !lib.any (lib.hasPrefix sentence) said) says;
      in
      map (sentence: "${name}: `${sentence}…` is missing in ${builtins.toJSON said}") missing
    ) combinations
  );

  # Lines that are not public keys: their owner would be locked out.
  notKeys = [
    ""
    "~/.ssh/id_ed25519.pub"
    "-----BEGIN OPENSSH PRIVATE KEY-----"
    "ssh-dss AAAAB3NzaC1kc3MAAACBAKX"
    "# ${key}"
    "ssh-ed25519"
  ];
  accepts =
    line:
    (builtins.tryEval (
      builtins.deepSeq
        (hostWith (sound // { admin = [ line ]; }) { }).users.users.admin.openssh.authorizedKeys.keys
        true
    )).success;
  accepted = lib.filter accepts notKeys;

  # Users with keys, and the reason why the host may not be deployed.
  refusals = keys: map (refusal: refusal.code) (hostWith keys { }).pantheros.deploy.refusals;
  deployments = {
    nobody = refusals { } == [ "no_authorized_keys" ];
    administrator = refusals { admin = [ key ]; } == [ "deploying_user_has_no_key" ];
    deployer = refusals { deploy = [ key ]; } == [ ];
  };

  soundHost = hostWith (sound // { admin = [ "from=\"192.0.2.0/24\",no-pty ${key}" ]; }) { };

  problems =
    unnoticed
    ++ map (line: "pantheros.users.keys accepts `${line}`, which is not a public key") accepted
    ++ lib.mapAttrsToList (name: _: "with a key for ${name}, the refusals are wrong") (
      lib.filterAttrs (_: right: !right) deployments
    )
    ++ map (message: "a sound host fails: ${message}") (failed soundHost ++ soundHost.warnings);
in
if problems == [ ] then
  pkgs.runCommand "refused" { } "touch $out"
else
  throw (lib.concatStringsSep "\n" problems)
