#!/usr/bin/env bash
# Updates a host of this flake, or installs it on a machine for the first time.
#
# A thin front end: `pantheros-mcp deploy` does an update, and nixos-anywhere, as this flake's lock file
# pins it, an installation. `usage` below describes the whole interface.
set -euo pipefail
unset CDPATH

readonly EXIT_FAILED=1 EXIT_USAGE=2 EXIT_REFUSED=3 EXIT_DECLINED=4

usage() {
  cat <<'TEXT'
usage: deploy.sh [OPTION …] HOST [TARGET] [-- ARGUMENT …]

Updates HOST, a host of this flake, on a machine that already runs NixOS: 'pantheros-mcp deploy' makes
a plan, shows it, asks a person, and deploys. With --install, the script installs NixOS there first,
which WIPES the host's disks.

  TARGET               [USER@]ADDRESS[:PORT]; an IPv6 address goes in brackets. Missing parts come from
                       the host's pantheros.deploy (with --install: root, port 22)

  --install            first installation; shows the disks that will be wiped, and a person types the
                       host's name. No option replaces the person
  --dry-run            change no machine. For an update: build it and show its plan. For an
                       installation: check what can be checked without the machine, and print the command
  --action ACTION      for an update: switch (default), boot, test or dry-activate
  --key FILE           log in with this private key, and with no key of an agent
  --known-hosts FILE   accept only the host keys in this file
  --flake DIR          the flake; by default the one beside this script
  --help               show this text
  -- ARGUMENT …        for an update: more arguments for 'pantheros-mcp deploy', such as further hosts
                       or an option that 'pantheros-mcp deploy --help' lists

Host keys are always checked. Accept an unknown host key yourself, beforehand, with ssh.

A new system is kept only if the host can be reached over a new connection and is healthy. Otherwise the
host goes back by itself, even if this script is ended half-way. 'pantheros-mcp rollback HOST' brings
back an older system.

An update runs the pantheros-mcp that PANTHEROS_MCP names, or else the one on PATH, or else the flake's own.

Examples:
  ./deploy.sh --dry-run ovh-cloud                        show what an update would change and risk
  ./deploy.sh ovh-cloud                                  update the host at its own address
  ./deploy.sh --key ~/.ssh/fleet ovh-cloud admin@192.0.2.7:2222
  ./deploy.sh -- --tag production --canary 2             update several hosts, two of them first
  ./deploy.sh --install hetzner-cloud root@192.0.2.9     first installation, from a rescue system

Exit codes of an update, which are those of pantheros-mcp:
  0    every host is as asked, or the plan was shown
  1    a host is not as asked, or nobody approved, or there is no pantheros-mcp to run
  2    a wrong call; nothing was changed
  130  interrupted (Ctrl-C) before anything was deployed

Exit codes of an installation:
  0  done, or --dry-run found nothing wrong
  1  a command failed after it had begun: the machine may have changed
  2  a wrong call; nothing was changed
  3  refused by a check; nothing was changed
  4  the person at the terminal did not agree, or there is no terminal; nothing was changed
  128+N  ended by signal N, together with everything it had started
TEXT
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/deploy/common.sh
. "$here/tools/deploy/common.sh"
# shellcheck source=tools/deploy/checks.sh
. "$here/tools/deploy/checks.sh"
# shellcheck source=tools/deploy/install.sh
. "$here/tools/deploy/install.sh"

# --- arguments ---------------------------------------------------------------------------------

install='' dry_run='' action='' key='' known_hosts='' flake=$here
host='' target='' user='' address='' port=''

# Set by the checks below.
public_key=''
declare -A fact=() machine=()
disks=() authorized=() machine_disks=() wiped=() ssh_options=() fresh_ssh=() command=()

arguments=() handed_on=()
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      usage
      exit 0
      ;;
    --install) install=yes ;;
    --dry-run) dry_run=yes ;;
    --action | --key | --known-hosts | --flake)
      [ $# -gt 1 ] || usage_error "$1 needs a value"
      case $1 in
        --action) action=$2 ;;
        --key) key=$2 ;;
        --known-hosts) known_hosts=$2 ;;
        --flake) flake=$2 ;;
      esac
      [ -n "$2" ] || usage_error "$1 has an empty value"
      shift
      ;;
    --)
      shift
      handed_on=("$@")
      break
      ;;
    -*) usage_error "there is no option $(shown "$1")" ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
if [ ${#arguments[@]} -gt 2 ]; then
  usage_error "one HOST and one TARGET, not ${#arguments[@]} arguments; put more hosts after a --"
fi
host=${arguments[0]-}
target=${arguments[1]-}

case ${action:=switch} in
  switch | boot | test | dry-activate) ;;
  *) usage_error "--action is switch, boot, test or dry-activate, not $(shown "$action")" ;;
esac
if [ -n "$install" ] && [ "$action ${handed_on[*]}" != 'switch ' ]; then
  usage_error "--action and arguments after a -- are for updates, not for --install"
fi
if [ ${#arguments[@]} -eq 0 ]; then
  # The arguments after the -- name the hosts.
  [ ${#handed_on[@]} -gt 0 ] || usage_error "which host?"
else
  check_host_name
fi
if [ ${#arguments[@]} -eq 2 ]; then parse_target; fi
[ -f "$flake/flake.nix" ] || usage_error "there is no flake.nix in $(shown "$flake")"

# --- an update ---------------------------------------------------------------------------------

# Replaces this process by `pantheros-mcp deploy`, which then has the terminal and the signals and gives the exit code.
update() {
  local flake_folder
  local -a program
  flake_folder=$(cd -- "$flake" && pwd -P)
  if [ -n "${PANTHEROS_MCP:-}" ]; then
    type -P -- "$PANTHEROS_MCP" >/dev/null ||
      usage_error "PANTHEROS_MCP is $(shown "$PANTHEROS_MCP"), which is no program"
    program=("$PANTHEROS_MCP")
  elif type -P pantheros-mcp >/dev/null; then
    program=(pantheros-mcp)
  elif type -P nix >/dev/null; then
    note "there is no pantheros-mcp on PATH: running the one of $(shown "$flake_folder")"
    program=("${nix_command[@]}" run --no-update-lock-file "$flake_folder#pantheros-mcp" --)
  else
    say "deploy.sh: there is no pantheros-mcp on PATH, and no nix to run the flake's own:" \
      "install one of them, or set PANTHEROS_MCP. Nothing was changed."
    exit "$EXIT_FAILED"
  fi
  program+=(--flake "$flake_folder" deploy --action "$action")
  if [ -n "$target" ]; then program+=(--target "$target"); fi
  if [ -n "$key" ]; then program+=(--identity "$key"); fi
  if [ -n "$known_hosts" ]; then program+=(--known-hosts "$known_hosts"); fi
  if [ -n "$dry_run" ]; then program+=(--dry-run); fi
  if [ -n "$host" ]; then program+=("$host"); fi
  # A signal that arrived before this line counts, too.
  trap - INT TERM HUP
  if [ -n "$signal" ]; then kill -s "$signal" "$$"; fi
  exec -- "${program[@]}" "${handed_on[@]}"
}
if [ -z "$install" ]; then update; fi

# --- an installation: checks that need no machine ----------------------------------------------

check_programs
make_scratch
# The `cd` below would change the meaning of relative paths.
[ -z "$key" ] || key=$(realpath -sm -- "$key")
[ -z "$known_hosts" ] || known_hosts=$(realpath -sm -- "$known_hosts")
flake=$(cd -- "$flake" && pwd)
cd -- "$flake"
[ -z "$key" ] || check_key
[ -z "$known_hosts" ] || check_file --known-hosts "$known_hosts" || true
# Evaluating takes seconds: refuse first what needs no evaluation.
stop_if_refused

check_host_exists
read_facts
if [ -z "$address" ]; then
  target=${fact[address]}
  if [ -z "$target" ]; then
    refuse "'$host' has no pantheros.deploy.targetHost: add its address, as in: deploy.sh --install $host 192.0.2.7"
    stop_if_refused
  fi
  if [[ $target == *:*:* && $target != \[* ]]; then target="[$target]"; fi
  parse_target
fi
user=${user:-root}

ssh_options=(-o StrictHostKeyChecking=yes)
if [ -n "$key" ]; then ssh_options+=(-o IdentitiesOnly=yes -i "$key"); fi
if [ -n "$known_hosts" ]; then
  ssh_options+=(-o "UserKnownHostsFile=$known_hosts" -o GlobalKnownHostsFile=/dev/null)
fi
if [ -n "$port" ]; then ssh_options+=(-p "$port"); fi
# Always a new connection, even if the user's configuration shares connections.
fresh_ssh=(ssh "${ssh_options[@]}" -o ControlMaster=no -o ControlPath=none -o ConnectTimeout=15 --)
[ -z "${NIX_SSHOPTS:-}" ] || note "NIX_SSHOPTS is not used: put these settings into ssh's own configuration"

check_builder
check_install
describe_tree
stop_if_refused

if [ -n "$dry_run" ]; then
  note "this would wipe: ${disks[*]}"
  print_install
  exit 0
fi

# --- the machine -------------------------------------------------------------------------------

if ! [ -t 0 ] || ! [ -t 2 ]; then
  say "refused: an installation needs a person at a terminal, and there is no terminal. Nothing was changed."
  exit "$EXIT_DECLINED"
fi
check_machine_for_install
stop_if_refused
ask_person
install_host
