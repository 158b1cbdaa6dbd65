# All modules of the fleet; a host also imports its own.
{
  imports = [
    ./boot.nix
    ./deploy.nix
    ./disko.nix
    ./environment.nix
    ./filesystems.nix
    ./networking.nix
    ./nginx.nix
    ./openssh.nix
    ./postfix.nix
    ./postgresql.nix
    ./system.nix
    ./systemd.nix
    ./toplevel.nix
    ./users.nix
    ./vm.nix
  ];
}
