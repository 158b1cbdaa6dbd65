# The disks of this host, as a function of the one it boots from.
{ device }: import ../../layouts/btrfs.nix { inherit device; }
