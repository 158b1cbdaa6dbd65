# The disks of this host, as a function of the path of its boot disk.
{ device }: import ../../layouts/btrfs.nix { inherit device; }
