# --- boot.sh: the profile and the boot default.

generation_of() {
  generation=${1##*/}
  generation=${generation#"${profile##*/}-"}
  generation=${generation%-link}
  matches "$generation" 0-9 || generation=
}
find_newest_generation() {
  newest_generation=0
  for link in "$profile"-*-link; do
    generation_of "$link"
    if [ -n "$generation" ] && [ "$generation" -gt "$newest_generation" ]; then newest_generation=$generation; fi
  done
}
set_profile() {
  (umask 022 && mkdir -p "${profile%/*}")
  if [ -n "${wanted_generation:-$profile_generation}" ]; then
    limited "$activation_seconds" no nix-env --profile "$profile" --switch-generation "${wanted_generation:-$profile_generation}"
  else
    limited "$activation_seconds" no nix-env --profile "$profile" --set "$toplevel"
  fi
  if [ "$code" -ne 0 ] || [ "$(readlink -f "$profile")" != "$toplevel" ]; then
    reason=profile_failed message="The profile was not set to the new system: nix-env ended with $code."
    return 1
  fi
  generation_of "$(readlink "$profile")"
  profile_generation=$generation
}
# Sets the profile to the new system, and makes it the boot default.
make_default() {
  if ! set_profile; then
    boot_untouched=yes
    return 1
  fi
  switch_to "$toplevel" boot no
  boot_exit=$code
  if [ "$code" -ne 0 ]; then
    reason=boot_failed message="switch-to-configuration boot ended with $code."
    return 1
  fi
}
# Prints the keys of the boot menu's entries, one a line as `key=value`, from the JSON that `bootctl` writes without
# spaces: in a string, a quotation mark has a backslash before it, so `,"key":` is always a key.
print_menu() {
  # With the machine's mounts: the boot loader's files may be mounted when they are needed.
  with_machine_mounts timeout 30 bootctl list --json=short --no-pager 2>/dev/null | tr -d '\n' | sed 's/[{,]"\([A-Za-z]*\)":/\
\1=/g'
}
# Whether the options of an entry in $1, with a mark before and after them, start the system $2.
starts_system() {
  case $1 in *[\"\ ]"init=$2/init"[\"\ ]*) ;; *) return 1 ;; esac
}
# Sets `entry` to the name of the boot entry of the system $1, and `is_default` to `yes` if the boot loader is known to
# start it next. NixOS names entries by generation or by content, depending on its version; a unified kernel image has no
# file `*.conf`.
find_entry() {
  entry='' is_default='' listed='' fits=''
  menu=$(print_menu)
  while IFS= read -r line; do
    case $line in
      type=*) listed='' fits='' ;;
      'id="'*) listed=${line#*\"} && listed=${listed%%\"*} ;;
      options=*) if starts_system "$line" "$1"; then fits=yes entry=$listed; fi ;;
      isDefault=true*) is_default=${is_default:-$fits} ;;
    esac
  done <<END
$menu
END
  # Before systemd 252, `bootctl` writes no JSON.
  if [ -z "$entry" ] && menu=$(with_machine_mounts timeout 30 bootctl --print-boot-path); then
    entry=$(with_machine_mounts timeout 30 grep -rlF --include='*.conf' "init=$1/init" "$menu/loader/entries" 2>/dev/null |
      sort | tail -n 1)
    entry=${entry##*/}
  fi
  # The counter of boot attempts in a file's name is not part of the entry's name (systemd, Automatic Boot Assessment).
  stem=${entry%.*}
  case ${stem##*+} in "$stem" | *[!0-9-]*) ;; *) entry=${stem%+*}.${entry##*.} ;; esac
}
# Adds a boot entry for the new system and selects it for the next boot only. Any later boot starts the old system,
# whatever caused it.
make_next() {
  set_profile || return 1
  generation_of "$profile_was"
  limited "$activation_seconds" no nix-env --profile "$profile" --switch-generation "$generation"
  default=$(readlink -f "$profile")
  if [ "$code" -ne 0 ] || [ "$default" = "$toplevel" ]; then
    reason=profile_failed message="The profile was not set back: nix-env ended with $code."
    return 1
  fi
  # `boot` creates an entry for each generation, and makes its own system the default.
  switch_to "$default" boot no
  boot_exit=$code
  if [ "$code" -ne 0 ]; then
    reason=boot_failed message="switch-to-configuration boot ended with $code."
    return 1
  fi
  find_entry "$toplevel"
  if [ -z "$entry" ]; then
    reason=boot_once_failed message="The boot menu has no entry for the new system: is there no room for it?"
    return 1
  fi
  limited "$activation_seconds" no bootctl set-oneshot "$entry"
  if [ "$code" -ne 0 ]; then
    reason=boot_once_failed message="The boot loader cannot start an entry once: bootctl ended with $code."
    return 1
  fi
}
# Undoes `make_default` and `make_next`, even if they were interrupted.
restore_default() {
  [ -n "$defaults_changed" ] || return 0
  if [ "$boot_once" = 1 ] && [ -z "$started_by_boot" ] && [ "$(running)" != "$toplevel" ]; then
    limited "$activation_seconds" no bootctl set-oneshot ''
    [ "$code" -eq 0 ] || add_message "The next boot may start the new system once: bootctl ended with $code."
  fi
  # A profile that has changed since was set from outside.
  if [ "$(readlink "$profile")" != "$profile_was" ] && [ "$(readlink -f "$profile")" = "$toplevel" ]; then
    generation_of "$profile_was"
    if [ -n "$generation" ]; then
      limited "$activation_seconds" no nix-env --profile "$profile" --switch-generation "$generation"
    else
      rm -f "$profile" && code=0
    fi
    [ "$code" -eq 0 ] || return 1
  fi
  for link in "$profile"-*-link; do
    generation_of "$link"
    if [ -n "$generation" ] && [ "$generation" -gt "$newest_generation" ] &&
      [ "$(readlink "$link")" = "$toplevel" ] && [ "${link##*/}" != "$(readlink "$profile")" ]; then rm -f "$link"; fi
  done
  profile_generation=
  if [ -n "$boot_untouched" ]; then
    defaults_changed=
    return 0
  fi
  default=$(readlink -f "$profile")
  [ -x "$default/bin/switch-to-configuration" ] || default=$previous
  switch_to "$default" boot no
  if [ "$code" -ne 0 ]; then
    find_entry "$default"
    [ -n "$is_default" ] || return 1
    add_message "switch-to-configuration boot of the previous system ended with $code, but that is the boot default."
  fi
  defaults_changed=
}

