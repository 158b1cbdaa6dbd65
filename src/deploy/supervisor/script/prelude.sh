#!/bin/sh
# Activates another system on a NixOS machine, and rolls back unless the new system is confirmed in time.
#
#   begin DIR          checks the deployment described in DIR/spec and starts it, detached
#   confirm DIR NONCE  keeps the new system (NONCE `-`: read from standard input)
#   cancel DIR         requests a rollback, and waits for its end
#   alive DIR          records that a new connection reached the machine during the activation
#   withdraw DIR       prevents a deployment that has not started from starting
#   seen DIR           records that a new connection reached the machine after the rollback
#   state DIR          prints DIR/state.json; first finishes a deployment that a crash or reboot interrupted
#   rescue DIR         continues a deployment that has no process left; a timer runs this
#   list               prints the state of every deployment, one JSON object per line
#   sweep              removes deployments older than 30 days, never the newest 5, and those that were sent more than an
#                      hour ago and never begun
#
# Runs as root, on any POSIX shell; needs coreutils, util-linux (setsid, flock), Nix and /proc.
# Exit codes: 0 done; 1 the deployment ended in another state; 64 wrong usage; 65 wrong spec; 69 refused;
# 74 cannot write; 75 try again later (another deployment is in progress, or it is too early); 77 not allowed.
# shellcheck disable=SC2015 # every `A && B || C` here intends to run C also if B fails
set -u
umask 077
unset CDPATH ENV
export LC_ALL=C
PATH="$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"
export PATH
cd / || exit 74

base=/var/lib/pantheros/deployments
run=/run/pantheros
lock=$run/lock
# The lock of switch-to-configuration, which allows one switch at a time.
switch_lock=/run/nixos/switch-to-configuration.lock
roots=/nix/var/nix/gcroots/pantheros
host_signers=/etc/pantheros/allowed_signers
log_half=32768

say() { printf 'pantheros: %s\n' "$1" >&2; }
fail() {
  say "$2"
  exit "$1"
}

