# Prints facts of the machine before an installation, one a line: `name<TAB>value`. Changes nothing.
# The machine's own `sh` runs it, which may be that of a rescue system.
# shellcheck shell=sh
say() { printf '%s\t%s\n' "$1" "$2"; }

say kernel "$(uname -s)"
say machine "$(uname -m)"
say host-name "$(uname -n)"
if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then say root yes; fi
if [ -d /sys/firmware/efi ]; then say firmware UEFI; else say firmware BIOS; fi
say memory-kib "$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)"
for disk in "$@"; do
  [ ! -b "$disk" ] || say disk "$disk $(lsblk -bdno SIZE "$disk") $(lsblk -dno SIZE,MODEL,SERIAL "$disk")"
done
say end .
