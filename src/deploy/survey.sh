# What pantherOS asks a NixOS machine: `key<TAB>value` lines, a key as often as there are values.
# Run as `sh -c`, by any user; needs coreutils. What a machine does not have is left out, and so are
# generations and disks where the first argument is `briefly`.
PATH="$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"
export PATH LC_ALL=C

fact() { printf '%s\t%s\n' "$1" "$2"; }
link() { if [ -e "$2" ]; then fact "$1" "$(readlink -f "$2")"; fi; }
line() { if [ -r "$2" ]; then IFS= read -r value <"$2" || [ -n "$value" ] && fact "$1" "$value"; fi; }

fact version 1
fact machine "$(uname -m)"
fact now "$(date +%s)"
line host_name /proc/sys/kernel/hostname
line boot_id /proc/sys/kernel/random/boot_id
line machine_id /etc/machine-id
line uptime /proc/uptime
link running /run/current-system
link booted /run/booted-system
link configured /nix/var/nix/profiles/system
profile=/nix/var/nix/profiles/system
if [ -L "$profile" ]; then fact profile "$(readlink "$profile")"; fi
for part in kernel initrd kernel-modules; do
  link "running_$part" "/run/current-system/$part"
  link "booted_$part" "/run/booted-system/$part"
done
if [ -r /run/current-system/configuration-revision ]; then line revision /run/current-system/configuration-revision
elif command -v nixos-version >/dev/null; then fact revision_json "$(nixos-version --json 2>/dev/null | tr -d '\n')"; fi

if [ "${1:-}" = briefly ]; then all=; else all=yes; fi
for generation in "$profile"-*-link; do
  if [ -z "$all" ] || ! [ -L "$generation" ]; then continue; fi
  number=${generation#"$profile"-}
  nixos=
  if [ -r "$generation/nixos-version" ]; then IFS= read -r nixos <"$generation/nixos-version" || true; fi
  fact generation "${number%-link} $(stat -c %Y "$generation") $(readlink -f "$generation") $nixos"
done

# systemd-boot, which can start an entry once (systemd's Boot Loader Interface, `LoaderInfo`).
if [ -e /sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f ] && command -v bootctl >/dev/null; then
  fact boot_once yes
fi
if [ -d /run/systemd/system ]; then
  fact systemd yes
  systemctl list-units --failed --plain --no-legend --full 2>/dev/null | while read -r unit _; do fact failed "$unit"; done
fi
for mount in / /nix /boot /boot/efi /var; do
  if [ -n "$all" ] && [ -d "$mount" ]; then
    df -P -k -- "$mount" 2>/dev/null | tail -n 1 | while read -r _ size used free _ where; do
      fact disk "$where $size $used $free"
    done
  fi
done
if [ -r /run/pantheros/lock/id ]; then line deploying /run/pantheros/lock/id; fi
fact end yes
