# Surveys a NixOS machine. Prints `key<TAB>value` lines and repeats a key that has several values.
# Run with `sh -c`, by any user; needs coreutils. Omits what a machine does not have. If the first argument is
# `briefly`, prints only the identity, the running system, the boot default, the services and the address of the connection.
PATH="$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"
export PATH LC_ALL=C

fact() { printf '%s\t%s\n' "$1" "$2"; }
link() { if [ -e "$2" ]; then fact "$1" "$(readlink -f "$2")"; fi; }
line() { if [ -r "$2" ]; then IFS= read -r value <"$2" || [ -n "$value" ] && fact "$1" "$value"; fi; }

fact version 1
line host_name /proc/sys/kernel/hostname
line boot_id /proc/sys/kernel/random/boot_id
line machine_id /etc/machine-id
link running /run/current-system
link configured /nix/var/nix/profiles/system
profile=/nix/var/nix/profiles/system
if [ -L "$profile" ]; then fact profile "$(readlink "$profile")"; fi
# Units are listed only if systemd answers. A service that restarts in a loop is never `failed`: see its `SubState`.
if [ -d /run/systemd/system ] && failed=$(systemctl list-units --state=failed --plain --no-legend --full 2>/dev/null); then
  fact systemd yes
  printf '%s\n' "$failed" | while read -r unit _; do [ -z "$unit" ] || fact failed "$unit"; done
  # What tells whether a service was restarted: how often by systemd, its last result, and since when it is active. A
  # service of the type `oneshot` may be started again by a timer.
  {
    systemctl show '*.service' \
      --property=Id,Type,SubState,Result,NRestarts,ActiveState,ActiveEnterTimestampMonotonic 2>/dev/null
    echo
  } | while IFS='=' read -r key value; do
    case $key in
      Id) unit=$value ;;
      Type) type=$value ;;
      SubState) sub=$value ;;
      Result) result=$value ;;
      NRestarts) restarts=$value ;;
      ActiveState) active=$value ;;
      ActiveEnterTimestampMonotonic) since=$value ;;
      '')
        if [ "${active:-}" != active ] || [ "${type:-}" = oneshot ]; then since=0; fi
        if [ -n "${unit:-}" ] && { [ "${since:-0}${restarts:-0}" != 00 ] || [ "${result:-success}" != success ]; }; then
          fact service "$unit ${sub:-unknown} ${result:-success} ${restarts:-0} ${since:-0}"
        fi
        unset unit type sub result restarts active since
        ;;
    esac
  done
fi
# The address of this connection on the machine (ssh(1), SSH_CONNECTION). It can differ from the one that the client
# used, because of address translation.
if [ -n "${SSH_CONNECTION:-}" ]; then fact connection "$SSH_CONNECTION"; fi
if [ "${1:-}" = briefly ]; then
  fact end yes
  exit
fi

fact machine "$(uname -m)"
if [ -n "${SSH_CONNECTION:-}" ]; then
  # shellcheck disable=SC2086 # word splitting is intended
  set -- $SSH_CONNECTION
  if command -v ip >/dev/null; then
    ip -o addr show to "${3%%%*}" 2>/dev/null | while read -r _ interface _; do fact interface "${interface%%@*}"; done
  fi
fi
if [ -r ~/.ssh/authorized_keys ] && command -v ssh-keygen >/dev/null; then
  ssh-keygen -lf ~/.ssh/authorized_keys 2>/dev/null | head -n 100 | while read -r _ key _; do fact home_key "$key"; done
fi
line uptime /proc/uptime
link booted /run/booted-system
for part in kernel initrd kernel-modules; do
  link "running_$part" "/run/current-system/$part"
  link "booted_$part" "/run/booted-system/$part"
done
if [ -r /run/current-system/configuration-revision ]; then line revision /run/current-system/configuration-revision
elif command -v nixos-version >/dev/null; then fact revision_json "$(nixos-version --json 2>/dev/null | tr -d '\n')"; fi
for generation in "$profile"-*-link; do
  [ -L "$generation" ] || continue
  number=${generation#"$profile"-}
  nixos=
  if [ -r "$generation/nixos-version" ]; then IFS= read -r nixos <"$generation/nixos-version" || true; fi
  fact generation "${number%-link} $(stat -c %Y "$generation") $(readlink -f "$generation") $nixos"
done

# Whether the boot loader supports a one-time boot entry (systemd's Boot Loader Interface, `LoaderFeatures`:
# four bytes of attributes, then 64 flags; the flag is 1 << 3).
features=/sys/firmware/efi/efivars/LoaderFeatures-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f
if [ -r "$features" ] && command -v bootctl >/dev/null; then
  flags=$(od -An -tu1 -j4 -N1 "$features" 2>/dev/null | tr -d ' ')
  if [ -n "$flags" ] && [ $((flags >> 3 & 1)) -eq 1 ]; then fact boot_once yes; fi
fi
for mount in / /nix /boot /boot/efi /var; do
  if [ -d "$mount" ]; then
    df -P -k -- "$mount" 2>/dev/null | tail -n 1 | while read -r _ size used free _ where; do
      fact disk "$where $size $used $free"
    done
  fi
done
if [ -r /run/pantheros/lock/id ]; then line deploying /run/pantheros/lock/id; fi
fact end yes
