# The first installation of a host, with nixos-anywhere; to be sourced.
# shellcheck shell=bash disable=SC2154 # set by deploy.sh

# Sets `command`. $1 is the folder with the files that the new system gets besides its closure.
install_command() {
  local settings name alias known_hosts at_port
  # ssh prints under which name, and in which files, it looks for the host key.
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
    # nixos-anywhere accepts no IPv6 address as its target, but passes this option to ssh.
    command+=(--ssh-option "HostName=$address" --target-host "$user@$host")
  else
    command+=(--target-host "$user@$address")
  fi
}

check_install() {
  local LC_ALL=C disk
  check_input nixos-anywhere
  check_user "${fact[user]}"
  [ ${#disks[@]} -gt 0 ] || refuse "'$host' has no disko layout, so there is no disk to install on"
  for disk in "${disks[@]}"; do
    [[ $disk =~ ^/dev/[A-Za-z0-9/_.:+-]+$ ]] || refuse "'$host' names a disk that is none: $(shown "$disk")"
  done
  if [ -n "$public_key" ] && ! check_key_stays "${fact[user]}"; then
    refuse "the new system does not let the key $(shown "$key") in as ${fact[user]}: nobody who has only this key could log in"
  fi
}

print_install() {
  # An installation uses a folder with a random name.
  install_command "$scratch_parent/$scratch_name/root"
  command_line "${command[@]}"
}

# In bytes. A smaller disk may be the one that a rescue system runs from: OVHcloud's has 2.9 GB and the name
# /dev/sda.
readonly SMALLEST_DISK=8000000000

check_machine_for_install() {
  local disk line name bytes rest
  survey "${disks[@]}"
  for disk in "${disks[@]}"; do
    for line in "${machine_disks[@]}"; do
      read -r name bytes rest <<<"$line"
      [ "$name" = "$disk" ] || continue
      if ! [[ $bytes =~ ^[0-9]{1,18}$ ]] || [ "$bytes" -lt "$SMALLEST_DISK" ]; then
        refuse "$disk on $address is $(shown "$rest"), too small for a system: it may be the rescue system's own disk"
      fi
      wiped+=("$disk $rest")
      continue 2
    done
    refuse "$address has no disk $disk: see docs/guides/ for the names your provider uses"
  done
  # nixos-anywhere's installer runs from memory (its README, "Memory Requirements").
  if [ "${machine[memory-kib]:-0}" -lt 1500000 ]; then
    note "$address has less than 1.5 GB of memory, which nixos-anywhere needs"
  fi
}

# Asks the person at the terminal to type the host's name. No option replaces that.
ask_person() {
  local line answer
  say ""
  say "This installs '$host' on $user@$address ($(shown "${machine[host-name]:-}"), ${machine[firmware]:-unknown firmware})."
  say "EVERYTHING on these disks is lost:"
  for line in "${wiped[@]}"; do say "  $(shown "$line")"; done
  printf "Type the host's name to go on: " >&2
  # After a trap, `read` would continue to wait. Without traps, a signal ends the script.
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
  # The host key is made here, so it is known before the first connection to the new system.
  local root=$scratch/root
  (umask 022 && mkdir -p -- "$root/etc/ssh")
  ssh-keygen -q -t ed25519 -N '' -C "root@${fact[host-name]}" -f "$root/etc/ssh/ssh_host_ed25519_key"
  public=$(cut -d ' ' -f 1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")
  install_command "$root"
  say "== $(command_line "${command[@]}")"
  if ! run "${command[@]}"; then
    say "The installation failed: the disks of $address may be empty now. See DEPLOYMENT.md, 'When it goes wrong'."
    exit "$EXIT_FAILED"
  fi
  say "'$host' is installed. Put its host key into your known_hosts in place of the old one:"
  local at=$address
  if [ "${fact[port]}" != 22 ]; then at="[$address]:${fact[port]}"; fi
  printf '%s %s\n' "$at" "$public"
}
