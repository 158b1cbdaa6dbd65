# Updating a host that runs NixOS already; to be sourced.
#
# The whole of what is replaced once `pantheros-mcp` deploys: plan, print, do.
# shellcheck shell=bash disable=SC2154 # set by deploy.sh

# update_command ACTION: fills `command`.
update_command() {
  local at=$address
  if [[ $at == *:* ]]; then at="[$at]"; fi
  command=(env "NIX_SSHOPTS=${ssh_options[*]}"
    "${nix_command[@]}" run --inputs-from . nixpkgs#nixos-rebuild-ng --
    "$1" --flake ".#$host" --target-host "$user@$at" --use-substitutes --no-update-lock-file --no-reexec)
  if [ "$user" != root ]; then command+=(--sudo); fi
  if [ "${fact[build-on]}" = target ]; then command+=(--build-host "$user@$at"); fi
}

check_update() {
  check_input nixpkgs
  check_user "${fact[user]}"
  if [ -n "$public_key" ] && ! check_key_stays "$user"; then
    refuse "the new configuration does not let the key $(shown "$key") in as $user: this would be its last login"
  fi
  if [ "$user" = root ] && [ "${fact[root-login]}" = no ]; then
    refuse "the new configuration does not let root in over SSH: log in as ${fact[user]}"
  fi
}

# What is done, in order. `switch` is done in two steps, with a look in between: the new system runs
# first and becomes the boot default only if it can still be reached, so that a reboot brings back
# the old one otherwise.
plan_update() {
  steps=("$action")
  if [ "$action" = switch ]; then steps=(test switch); fi
}

print_update() {
  local step
  for step in "${steps[@]}"; do
    update_command "$step"
    command_line "${command[@]}"
  done
}

check_machine_for_update() {
  survey
  [ -n "${machine[nixos]:-}" ] || refuse "$address does not run NixOS: install it first (deploy.sh --install $host …)"
  if [ "${machine[host-name]:-}" != "${renamed_from:-${fact[host-name]}}" ]; then
    refuse "$address calls itself $(shown "${machine[host-name]:-}"), not '${renamed_from:-${fact[host-name]}}':" \
      "is it the right machine? If it is to be renamed: --renamed-from NAME"
  fi
}

update() {
  local step
  for step in "${steps[@]}"; do
    if [ "$step" != "${steps[0]}" ]; then
      say "== a fresh connection to $user@$address"
      if ! answers; then
        say "The new system runs, but does not let us in again. It is NOT the boot default: reboot the machine" \
          "at the provider's console, and the old system is back. DEPLOYMENT.md, 'Locked out', has the rest."
        exit "$EXIT_UNREACHABLE"
      fi
      evaluate ".#nixosConfigurations.\"$host\".config.system.build.toplevel.drvPath" || output=
      if [ "$output" != "${fact[toplevel]}" ]; then
        say "The flake changed meanwhile. What runs on '$host' now is not the boot default; deploy again."
        exit "$EXIT_FAILED"
      fi
    fi
    update_command "$step"
    say "== $(command_line "${command[@]}")"
    if ! run "${command[@]}"; then
      say "'$step' failed. DEPLOYMENT.md, 'When it goes wrong', says how to look at '$host' and how to go back."
      exit "$EXIT_FAILED"
    fi
  done
  say "'$host': $action done."
}

# Whether the host still lets us in: a connection of its own, as the user and key needed tomorrow.
answers() {
  run timeout --foreground 60 "${fresh_ssh[@]}" "$user@$address" true
}
