#!/bin/sh
# Brings a NixOS machine to another system and back again unless somebody confirms it in time.
#
#   begin DIR          checks the deployment described in DIR/spec and starts it, detached
#   confirm DIR NONCE  keeps the new system (NONCE `-`: read from standard input)
#   cancel DIR         asks for the old system at once
#   alive DIR          says that the machine was reached afresh, while the new system is activated
#   withdraw DIR       sees to it that what has not begun never does
#   seen DIR           says that the machine was reached afresh, after it went back
#   state DIR          prints DIR/state.json, after finishing what a crash or a reboot cut short
#   list               prints the state of every deployment, one JSON object a line
#   sweep              removes deployments older than 30 days, never the newest 5
#
# Runs as root, on any POSIX shell; needs coreutils, util-linux (setsid, flock), Nix and /proc.
# Exit codes: 0 done; 1 the deployment ended otherwise; 64 wrong usage; 65 wrong spec; 69 refused;
# 74 cannot write; 75 try again later (somebody else deploys, or it is too early); 77 not allowed.
# shellcheck disable=SC2015 # every `A && B || C` here wants C also where B fails
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

