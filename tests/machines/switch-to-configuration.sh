#!/bin/sh
# Does what NixOS's switch-to-configuration-ng does to systemd: a lock, changed and removed units are stopped, the system is
# activated, and units are started again. Exit codes: 2 the activation failed, 4 units failed, 100 only a reboot helps.
set -u
out=@out@
action=${1:-}
units=/etc/systemd/system
case $action in
  switch | boot | test | dry-activate) ;;
  *) exit 1 ;;
esac

if [ "$action" != dry-activate ]; then
  mkdir -p /run/nixos
  exec 9>>/run/nixos/switch-to-configuration.lock
  if ! flock -n 9; then
    echo "Could not acquire lock" >&2
    exit 1
  fi
fi
case $action in
  switch | boot)
    printf '%s\n' "$out" >/boot/default.new && sync /boot/default.new && mv /boot/default.new /boot/default || exit 1
    ;;
esac
[ "$action" != boot ] || exit 0
if [ -e "$out/needs-reboot" ]; then
  echo "only a reboot can start this system" >&2
  exit 100
fi

# has UNIT KEY VALUE: whether the new unit says so.
has() { grep -qx "$2=$3" "$out/etc/systemd/system/$1" 2>/dev/null; }

stop='' start='' restart=''
for file in "$units"/*; do
  unit=${file##*/}
  if ! [ -f "$file" ] || ! systemctl -q is-active "$unit"; then continue; fi
  if ! [ -e "$out/etc/systemd/system/$unit" ]; then
    stop="$stop $unit"
  elif ! cmp -s "$file" "$out/etc/systemd/system/$unit"; then
    if has "$unit" X-RestartIfChanged false; then continue; fi
    case $unit in
      *.target) continue ;;
    esac
    if has "$unit" X-StopIfChanged false; then restart="$restart $unit"; else
      stop="$stop $unit" start="$start $unit"
    fi
  fi
done
failed_before=$(systemctl --failed --plain --no-legend --full | cut -d ' ' -f 1 | tr '\n' ' ')
if [ "$action" = dry-activate ]; then
  echo "would stop the following units:$stop"
  echo "would restart the following units:$restart"
  echo "would start the following units:$start"
  exit 0
fi

# NixOS's program does everything over the system bus.
busctl --system status org.freedesktop.systemd1 >/dev/null 2>&1 || { echo "there is no system bus" >&2; exit 1; }

code=0
# The words are names of units.
# shellcheck disable=SC2086
[ -z "$stop" ] || systemctl stop $stop
"$out/activate" || code=2
systemctl reset-failed
systemctl daemon-reload || code=3
# shellcheck disable=SC2086
[ -z "$restart" ] || systemctl restart $restart || code=4
# A target that is active is started again, so that its new units come up.
targets=
for target in $(systemctl list-units --type=target --state=active --plain --no-legend | cut -d ' ' -f 1); do
  if [ "$(systemctl show --property=RefuseManualStart --value "$target")" != yes ]; then targets="$targets $target"; fi
done
# shellcheck disable=SC2086
systemctl start $targets $start || code=4
failed=$(systemctl --failed --plain --no-legend --full | cut -d ' ' -f 1)
for unit in $failed; do
  case " $failed_before " in
    *" $unit "*) ;;
    *)
      echo "warning: the following units failed: $unit" >&2
      [ "$code" -ne 0 ] || code=4
      ;;
  esac
done
exit "$code"
