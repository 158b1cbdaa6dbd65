#!/bin/sh
# A stand-in for the `bootctl` and the boot menu of a machine with EFI. As NixOS's systemd-boot-builder.py makes
# them, entries have a hash of their content and a count of remaining starts in their names.
menu=/var/lib/bootloader/loader/entries
write_menu() {
  rm -rf $menu && mkdir -p $menu || exit
  for link in /nix/var/nix/profiles/system-*-link; do
    entry="title NixOS
options init=$(readlink -f "$link")/init loglevel=4"
    echo "$entry" >"$menu/nixos-$(echo "$entry" | sha256sum | cut -c 1-64)+3.conf"
  done
}
case $1 in
  --print-boot-path)
    write_menu
    echo /var/lib/bootloader
    ;;
  list)
    write_menu
    # A title may contain anything.
    printf '[{"type":"loader","id":"auto-windows","title":"a,\\"id\\":\\"b\\""}'
    for file in "$menu"/*.conf; do
      options=$(sed -n 's/^options //p' "$file")
      system=${options%%/init *}
      default=false
      if [ "${system#init=}" = "$(cat /var/lib/bootloader/default)" ]; then default=true; fi
      printf ',{"type":"type1","source":"esp","id":"%s","path":"%s","title":"NixOS",' "${file##*/}" "$file"
      printf '"options":"dyndbg=\\"file a +p\\" %s","initrd":["a","b"],"isDefault":%s}' "$options" "$default"
    done
    echo ']'
    ;;
  set-oneshot)
    if [ -z "$2" ]; then
      rm -f /var/lib/bootloader/once
      exit
    fi
    system=$(sed -n 's|^options init=\(.*\)/init .*|\1|p' "$menu/${2%.conf}+3.conf") && [ -n "$system" ] || exit
    echo "$system" >/var/lib/bootloader/once
    ;;
  *) exit 2 ;;
esac
