# All of the fleet's modules; a host imports what is its own besides.
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
