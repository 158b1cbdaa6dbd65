#!/usr/bin/env bash
# Deploys a host of this flake: updates it, or installs it on a machine for the first time.
#
# A thin layer over nixos-rebuild and nixos-anywhere, both as this flake's lock file pins them.
# Everything is checked before anything is touched; `usage` below is the whole interface.
set -euo pipefail
unset CDPATH

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_REFUSED=3 EXIT_DECLINED=4 EXIT_UNREACHABLE=5

usage() {
  cat <<'TEXT'
usage: deploy.sh [OPTION …] HOST [TARGET]

Updates HOST, a host of this flake, on a machine that runs NixOS already. With --install it installs
NixOS there first, which WIPES the host's disks.

  TARGET               [USER@]ADDRESS[:PORT]; an IPv6 address goes in brackets. What it does not say
                       comes from the host's pantheros.deploy (with --install: root, port 22)

  --install            first installation; shows the disks that are wiped, and a person types the
                       host's name. There is no option that says yes
  --dry-run            check all that can be checked without the machine, print the commands that
                       would run, and touch nothing
  --action ACTION      for an update: switch (default), boot, test or dry-activate
  --key FILE           log in with this private key and no other
  --known-hosts FILE   accept only the host keys in this file
  --renamed-from NAME  the machine still has this host name, and is to be renamed
  --flake DIR          the flake, if not the one beside this script
  --help               this text

Host keys are always checked. An unknown one is accepted by a person, beforehand, with ssh.

'switch' runs the new system, connects afresh, and only then makes it the boot default: if it locks
you out, a reboot brings back the old one.

Examples:
  ./deploy.sh --dry-run ovh-cloud                        what an update would run
  ./deploy.sh ovh-cloud                                  update, at the host's own address
  ./deploy.sh --key ~/.ssh/fleet ovh-cloud admin@192.0.2.7:2222
  ./deploy.sh --install hetzner-cloud root@192.0.2.9     first installation, from a rescue system

Exit codes:
  0  done, or nothing found wrong by --dry-run
  1  a command failed after it had begun: the machine may have changed
  2  a wrong call; nothing was touched
  3  refused by a check; nothing was touched
  4  the person at the terminal did not agree, or there is no terminal; nothing was touched
  5  the new system runs, but cannot be reached afresh; a reboot brings back the old one
  128+N  ended by signal N, and everything it had started with it
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/deploy/common.sh
. "$here/tools/deploy/common.sh"
# shellcheck source=tools/deploy/checks.sh
. "$here/tools/deploy/checks.sh"
# shellcheck source=tools/deploy/update.sh
. "$here/tools/deploy/update.sh"
# shellcheck source=tools/deploy/install.sh
. "$here/tools/deploy/install.sh"

# --- what is asked for -------------------------------------------------------------------------

install='' dry_run='' action=switch key='' known_hosts='' renamed_from='' flake=$here
host='' target='' user='' address='' port=''

# What is found out on the way.
public_key=''
declare -A fact=() machine=()
disks=() authorized=() machine_disks=() wiped=() ssh_options=() fresh_ssh=() steps=() command=()

arguments=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --install) install=yes ;;
    --dry-run) dry_run=yes ;;
    --action | --key | --known-hosts | --renamed-from | --flake)
      [ $# -gt 1 ] || usage_error "$1 needs a value"
      case $1 in
        --action) action=$2 ;;
        --key) key=$2 ;;
        --known-hosts) known_hosts=$2 ;;
        --renamed-from) renamed_from=$2 ;;
        --flake) flake=$2 ;;
      esac
      [ -n "$2" ] || usage_error "$1 has an empty value"
      shift
      ;;
    --)
      shift
      arguments+=("$@")
      break
      ;;
    -*) usage_error "there is no option $(shown "$1")" ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
case ${#arguments[@]} in
  0) usage_error "which host?" ;;
  1 | 2) ;;
  *) usage_error "one HOST and one TARGET, not ${#arguments[@]} arguments" ;;
esac
host=${arguments[0]}
target=${arguments[1]-}

case $action in
  switch | boot | test | dry-activate) ;;
  *) usage_error "--action is switch, boot, test or dry-activate, not $(shown "$action")" ;;
esac
if [ -n "$install" ] && [ "$action$renamed_from" != switch ]; then
  usage_error "--action and --renamed-from are for updates, not for --install"
fi
check_host_name
if [ ${#arguments[@]} -eq 2 ]; then parse_target; fi
[ -f "$flake/flake.nix" ] || usage_error "there is no flake.nix in $(shown "$flake")"

# --- checks that need no machine ---------------------------------------------------------------

check_programs
make_scratch
# The script leaves the folder it was called in.
[ -z "$key" ] || key=$(realpath -sm -- "$key")
[ -z "$known_hosts" ] || known_hosts=$(realpath -sm -- "$known_hosts")
flake=$(cd -- "$flake" && pwd)
cd -- "$flake"
[ -z "$key" ] || check_key
[ -z "$known_hosts" ] || check_file --known-hosts "$known_hosts" || true
# Nothing is evaluated for a call that is refused anyway.
stop_if_refused

check_host_exists
read_facts
if [ -z "$address" ]; then
  target=${fact[address]}
  if [ -z "$target" ]; then
    refuse "'$host' has no pantheros.deploy.targetHost: say where it is, as in: deploy.sh $host 192.0.2.7"
    stop_if_refused
  fi
  if [[ $target == *:*:* && $target != \[* ]]; then target="[$target]"; fi
  parse_target
fi
if [ -n "$install" ]; then
  user=${user:-root}
else
  user=${user:-${fact[user]}}
  port=${port:-${fact[port]}}
fi

ssh_options=(-o StrictHostKeyChecking=yes)
if [ -n "$key" ]; then ssh_options+=(-o IdentitiesOnly=yes -i "$key"); fi
if [ -n "$known_hosts" ]; then
  ssh_options+=(-o "UserKnownHostsFile=$known_hosts" -o GlobalKnownHostsFile=/dev/null)
fi
if [ -n "$port" ]; then ssh_options+=(-p "$port"); fi
# A connection of its own, whatever the user's configuration shares.
fresh_ssh=(ssh "${ssh_options[@]}" -o ControlMaster=no -o ControlPath=none -o ConnectTimeout=15 --)
[ -z "${NIX_SSHOPTS:-}" ] || note "NIX_SSHOPTS is not used: put such settings into ssh's own configuration"

check_builder
if [ -n "$install" ]; then
  check_install
else
  check_update
  plan_update
fi
describe_tree
stop_if_refused

if [ -n "$dry_run" ]; then
  if [ -n "$install" ]; then
    note "this would wipe: ${disks[*]}"
    print_install
  else
    print_update
  fi
  exit 0
fi

# --- the machine -------------------------------------------------------------------------------

if [ -n "$install" ]; then
  if ! [ -t 0 ] || ! [ -t 2 ]; then
    say "refused: an installation is agreed to by a person at a terminal, and there is none. Nothing was changed."
    exit "$EXIT_DECLINED"
  fi
  check_machine_for_install
  stop_if_refused
  ask_person
  install_host
else
  check_machine_for_update
  stop_if_refused
  update
fi
