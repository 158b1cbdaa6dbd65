# Installing NixOS on a machine for the first time, with nixos-anywhere; to be sourced.
# shellcheck shell=bash disable=SC2154 # set by deploy.sh

# Fills `command`. $1 is the folder with what the new system gets besides its closure.
install_command() {
  local settings name alias known_hosts at_port
  # ssh's own idea of the name the host key is filed under, and where.
  settings=$(ssh -G -T "${ssh_options[@]}" -- "$user@$address")
  name=$(sed -n 's/^hostname //p' <<<"$settings")
  alias=$(sed -n 's/^hostkeyalias //p' <<<"$settings")
  known_hosts=$(sed -n 's/^userknownhostsfile //p' <<<"$settings")
  at_port=$(sed -n 's/^port //p' <<<"$settings")
  if [ -z "$alias" ]; then
    alias=$name
    if [ "$at_port" != 22 ]; then alias="[$name]:$at_port"; fi
  fi
  command=(env "PATH=$here/tools/deploy/strict:$PATH" "PANTHEROS_SSH=$(command -v ssh)"
    "PANTHEROS_KNOWN_HOSTS=$known_hosts" "PANTHEROS_HOST_KEY_ALIAS=$alias"
    "${nix_command[@]}" run --inputs-from . nixos-anywhere --
    --flake ".#$host" --extra-files "$1")
  if [ -n "$key" ]; then command+=(-i "$key"); fi
  if [ -n "$port" ]; then command+=(--ssh-port "$port"); fi
  if [ "${fact[build-on]}" = target ]; then command+=(--build-on remote); else command+=(--build-on local); fi
  if [[ $address == *:* ]]; then
    # It takes no IPv6 address; ssh does.
    command+=(--ssh-option "HostName=$address" --target-host "$user@$host")
  else
    command+=(--target-host "$user@$address")
  fi
}

check_install() {
  local LC_ALL=C disk
  check_input nixos-anywhere
  check_user "${fact[user]}"
  [ ${#disks[@]} -gt 0 ] || refuse "'$host' has no disko layout, so there is nothing to install onto"
  for disk in "${disks[@]}"; do
    [[ $disk =~ ^/dev/[A-Za-z0-9/_.:+-]+$ ]] || refuse "'$host' names a disk that is none: $(shown "$disk")"
  done
  if [ -n "$public_key" ] && ! check_key_stays "${fact[user]}"; then
    refuse "the new system does not let the key $(shown "$key") in as ${fact[user]}: nobody with it alone could log in"
  fi
}

print_install() {
  # The real folder gets a name nobody can guess.
  install_command "$scratch_parent/$scratch_name/root"
  command_line "${command[@]}"
}

# A disk smaller than this is no disk to install on, but perhaps the one a rescue system runs from:
# OVH's has 2.9 GB and takes the name /dev/sda.
readonly SMALLEST_DISK=8000000000

check_machine_for_install() {
  local disk line name bytes rest
  survey "${disks[@]}"
  for disk in "${disks[@]}"; do
    for line in "${machine_disks[@]}"; do
      read -r name bytes rest <<<"$line"
      [ "$name" = "$disk" ] || continue
      if ! [[ $bytes =~ ^[0-9]{1,18}$ ]] || [ "$bytes" -lt "$SMALLEST_DISK" ]; then
        refuse "$disk on $address is $(shown "$rest"), too small for a system: is it the rescue system's own disk?"
      fi
      wiped+=("$disk $rest")
      continue 2
    done
    refuse "$address has no disk $disk: see docs/guides/ for the names your provider uses"
  done
  # What nixos-anywhere's installer needs to run from memory (its README, "Memory Requirements").
  if [ "${machine[memory-kib]:-0}" -lt 1500000 ]; then
    note "$address has less than 1.5 GB of memory; nixos-anywhere asks for that much"
  fi
}

# Only a person at a terminal can say yes, by typing; there is no option for it.
ask_person() {
  local line answer
  say ""
  say "This installs '$host' on $user@$address ($(shown "${machine[host-name]:-}"), ${machine[firmware]:-unknown firmware})."
  say "EVERYTHING on these disks is lost:"
  for line in "${wiped[@]}"; do say "  $(shown "$line")"; done
  printf "Type the host's name to go on: " >&2
  # A trap would run, and `read` go on waiting for an answer: here a signal ends us by itself.
  trap - INT TERM HUP
  if [ -n "$signal" ]; then stop; fi
  IFS= read -r answer || answer=
  catch_signals
  if [ "$answer" != "$host" ]; then
    say "That is not '$host'. Nothing was changed."
    exit "$EXIT_DECLINED"
  fi
}

install_host() {
  local public
  # A host key made here is known before the new system is first reached, so nobody has to trust it
  # on sight.
  local root=$scratch/root
  (umask 022 && mkdir -p -- "$root/etc/ssh")
  ssh-keygen -q -t ed25519 -N '' -C "root@${fact[host-name]}" -f "$root/etc/ssh/ssh_host_ed25519_key"
  public=$(cut -d ' ' -f 1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")
  install_command "$root"
  say "== $(command_line "${command[@]}")"
  if ! run "${command[@]}"; then
    say "The installation failed: $address may have empty disks now. DEPLOYMENT.md, 'When it goes wrong', has the rest."
    exit "$EXIT_FAILED"
  fi
  say "'$host' is installed. Its host key, for your known_hosts in place of the old one:"
  local at=$address
  if [ "${fact[port]}" != 22 ]; then at="[$address]:${fact[port]}"; fi
  printf '%s %s\n' "$at" "$public"
}
