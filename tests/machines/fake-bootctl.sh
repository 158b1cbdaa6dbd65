#!/bin/sh
# A stand-in for the `bootctl` of a machine with systemd-boot: `stage2` is the boot loader here, and each generation of the
# profile is an entry of its menu, as a unified kernel image, which has no `*.conf`.
set -eu
case $1 in
  list)
    default=$(cat /boot/default)
    # A title may contain anything.
    printf '[{"type":"loader","id":"auto-windows","title":"a,\\"id\\":\\"b\\""}'
    for link in /nix/var/nix/profiles/system-*-link; do
      system=$(readlink -f "$link")
      number=${link%-link}
      is_default=false
      if [ "$system" = "$default" ]; then is_default=true; fi
      printf ',{"type":"type2","source":"esp","id":"nixos-%s+3.efi","path":"/boot/EFI/Linux/nixos-%s+3.efi",' \
        "${number##*-}" "${number##*-}"
      printf '"title":"NixOS","options":"dyndbg=\\"file a +p\\" init=%s/init loglevel=4","isDefault":%s}' "$system" "$is_default"
    done
    printf ']\n'
    ;;
  set-oneshot)
    if [ -z "$2" ]; then
      rm -f /boot/once
    else
      number=${2#nixos-}
      readlink -f "/nix/var/nix/profiles/system-${number%.efi}-link" >/boot/once.new
      mv /boot/once.new /boot/once
    fi
    ;;
  --print-boot-path) echo /boot ;;
  *) exit 1 ;;
esac
