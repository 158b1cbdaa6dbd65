#!/bin/sh
# Plays the boot loader and the second stage of NixOS on a test machine: starts the system that /boot/once names, once, or
# the one that /boot/default names. Without either, Debian's own units start.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
read -r address gateway </etc/test-network
ip link set lo up
ip addr add "$address" dev host0
ip link set host0 up
ip route add default via "$gateway"

# The boot loader can start an entry once (`LoaderFeatures`, 1 << 3).
mount -o remount,rw /sys
efi=/sys/firmware/efi/efivars
mkdir -p "$efi"
printf '\006\000\000\000\010\000\000\000\000\000\000\000' >"$efi/LoaderFeatures-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

system=
if [ -e /boot/once ]; then
  system=$(cat /boot/once)
  rm /boot/once
elif [ -e /boot/default ]; then
  system=$(cat /boot/default)
fi
if [ -n "$system" ]; then
  ln -sfn "$system" /run/booted-system
  "$system/activate" || echo "activate ended with $?" >&2
fi
exec /lib/systemd/systemd
