# The checks of deploy.sh before an installation; to be sourced.
# shellcheck shell=bash disable=SC2154 # set by deploy.sh

# The server's rule for host names (`HostName` in src/names.rs): such a name is safe in an attribute path.
readonly HOST_PATTERN='^[A-Za-z0-9_]([A-Za-z0-9_-]|\.[A-Za-z0-9_-]){0,127}$'
readonly USER_PATTERN='^[a-z_][a-z0-9_-]{0,31}$'
readonly ADDRESS_PATTERN='^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$'
readonly IPV6_PATTERN='^[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,32})?$'
# NIX_SSHOPTS is split at white space, and ssh expands `%` and `~` in names of files.
readonly PATH_PATTERN='^[A-Za-z0-9_./@+,:=-]+$'

check_host_name() {
  local LC_ALL=C
  [[ $host =~ $HOST_PATTERN ]] ||
    usage_error "$(shown "$host") is no host name: letters, digits, dot, hyphen and underscore, at most 128"
}

# Splits TARGET into user, address (without brackets) and port. Parts that TARGET does not have stay empty.
parse_target() {
  local LC_ALL=C rest=$target given
  given=$(shown "$target")
  if [[ $target == -* ]]; then usage_error "the target $given starts with a hyphen"; fi
  if [[ $rest == *@* ]]; then
    user=${rest%%@*}
    rest=${rest#*@}
    [[ $user =~ $USER_PATTERN ]] || usage_error "the target $given has no valid user before its @"
  fi
  if [[ $rest == \[* ]]; then
    address=${rest#\[}
    address=${address%%\]*}
    port=${rest#*\]}
    if [[ $rest != *\]* ]] || ! [[ $address =~ $IPV6_PATTERN && $address == *:*:* ]]; then
      usage_error "the target $given has no IPv6 address between its brackets"
    fi
    if [[ -n $port && $port != :* ]]; then usage_error "the target $given has something other than :PORT after its bracket"; fi
  elif [[ $rest == *:*:* ]]; then
    usage_error "the target $given has several colons: an IPv6 address goes in brackets, as in root@[2001:db8::1]"
  else
    address=${rest%%:*}
    port=${rest#"$address"}
    [[ $address =~ $ADDRESS_PATTERN ]] ||
      usage_error "the target $given is not [USER@]ADDRESS[:PORT] with a host name or an IP address"
  fi
  if [[ $port == : ]]; then usage_error "the target $given has a colon and no port"; fi
  port=${port#:}
  if [ -n "$port" ] && ! { [[ $port =~ ^[1-9][0-9]{0,4}$ ]] && [ "$port" -le 65535 ]; }; then
    usage_error "the target $given has no port from 1 to 65535 after its colon"
  fi
}

# check_file OPTION FILE: refuses FILE unless it is a readable regular file whose name Nix can pass to ssh.
check_file() {
  local LC_ALL=C option=$1 file=$2
  if ! [[ $file =~ $PATH_PATTERN ]]; then
    refuse "$option: the name $(shown "$file") cannot be handed on to ssh by Nix: make a link with a plain name to it"
  elif ! [ -e "$file" ]; then
    refuse "$option: there is no file $(shown "$file")"
  elif ! [ -f "$file" ]; then
    refuse "$option: $(shown "$file") is no regular file"
  elif ! [ -r "$file" ]; then
    refuse "$option: $(shown "$file") cannot be read by $(id -un)"
  else
    return 0
  fi
  return 1
}

# Refuses a key that is public, readable by others, or unknown to OpenSSH. Sets `public_key` if that needs no
# passphrase.
check_key() {
  local first mode message
  check_file --key "$key" || return 0
  mode=$(stat -L -c %a -- "$key")
  if ((8#$mode & 8#077)); then
    refuse "--key: others may read $(shown "$key") (mode $mode): run chmod 600 on it"
    return 0
  fi
  IFS= read -r -n 64 first <"$key" || true
  if [[ $first == ssh-* || $first == ecdsa-* || $first == sk-* ]]; then
    refuse "--key: $(shown "$key") is a public key: give the private one, usually the name without .pub"
    return 0
  fi
  if message=$(ssh-keygen -y -P '' -f "$key" 2>&1 </dev/null); then
    public_key=$message
  elif [[ $message == *passphrase* ]]; then
    # ssh itself will ask for the passphrase; the file beside it has the public half.
    if [ -r "$key.pub" ]; then public_key=$(head -c 16384 -- "$key.pub"); fi
  else
    refuse "--key: $(shown "$key") is no private key that ssh-keygen understands"
  fi
}

check_programs() {
  local program
  for program in nix git ssh ssh-keygen ps timeout realpath stat mktemp; do
    command -v "$program" >/dev/null || refuse "there is no '$program' on PATH"
  done
  stop_if_refused
}

# --- the flake ---------------------------------------------------------------------------------

# Evaluates into `output`. Builds nothing and leaves the lock file as it is.
evaluate() {
  capture "${nix_command[@]}" eval --read-only --no-update-lock-file --raw "$@"
}

check_host_exists() {
  local -a names
  local name near
  evaluate .#nixosConfigurations --apply 'hosts: builtins.concatStringsSep "\n" (builtins.attrNames hosts)' || {
    refuse "the flake's hosts could not be evaluated; Nix's error is above"
    stop_if_refused
  }
  mapfile -t names <<<"$output"
  for name in "${names[@]}"; do
    if [ "$name" = "$host" ]; then return 0; fi
  done
  near=$(nearest "$host" "${names[@]}" | head -n 3 | paste -sd, | sed 's/,/, /g')
  if [ -n "$near" ]; then
    refuse "the flake has no host '$host'; did you mean $near?"
  else
    refuse "the flake has no host '$host'; it has: ${names[*]}"
  fi
  stop_if_refused
}

# Sets `fact` (one value each) and the lists `disks` and `authorized` from tools/deploy/facts.nix.
read_facts() {
  local LC_ALL=C name value
  evaluate ".#nixosConfigurations.\"$host\"" --apply "$(<"$here/tools/deploy/facts.nix")" || {
    refuse "'$host' does not evaluate; Nix's error is above"
    stop_if_refused
  }
  while IFS=$'\t' read -r name value; do
    case $name in
      disk) disks+=("$value") ;;
      key) authorized+=("$value") ;;
      refusal) refuse "$host: $value" ;;
      *) fact["$name"]=$value ;;
    esac
  done <<<"$output"
  # Somebody else may have written the flake, and these values become part of a command line.
  [[ ${fact[user]} =~ $USER_PATTERN ]] || refuse "$host: pantheros.deploy.user is no user: $(shown "${fact[user]}")"
  [[ ${fact[port]} =~ ^[1-9][0-9]{0,4}$ ]] || refuse "$host: pantheros.deploy.port is no port: $(shown "${fact[port]}")"
}

# check_input NAME: refuses unless the lock file pins the input that `nix run --inputs-from .` will use.
check_input() {
  # shellcheck disable=SC2016 # Nix, not shell
  local expression='
    let
      lock = builtins.fromJSON (builtins.readFile (builtins.getEnv "PANTHEROS_LOCK"));
    in
    toString (lock.nodes.${lock.root}.inputs.${builtins.getEnv "PANTHEROS_INPUT"} or "")'
  capture env "PANTHEROS_LOCK=$flake/flake.lock" "PANTHEROS_INPUT=$1" \
    "${nix_command[@]}" eval --impure --raw --expr "$expression" || output=
  [ -n "$output" ] ||
    refuse "flake.lock does not pin the input '$1', which deploy.sh needs: add it to flake.nix, then run 'nix flake lock'"
}

# check_user USER: refuses unless a key is authorized for USER, whom deployments log in as.
check_user() {
  local entry
  for entry in "${authorized[@]}"; do
    if [[ $entry == "$1 "*[![:space:]]* ]]; then return 0; fi
  done
  refuse "no key is authorized for $1, the user that '$host' is deployed as: nobody could deploy it again"
}

# check_key_stays USER: whether the new system accepts the key in use for USER.
check_key_stays() {
  local entry type blob
  read -r type blob _ <<<"$public_key"
  for entry in "${authorized[@]}"; do
    if [ "${entry%% *}" = "$1" ] && [[ " $entry " == *" $type $blob "* ]]; then return 0; fi
  done
  return 1
}

# Refuses unless this machine, or one of its remote builders, can build for the host's system.
check_builder() {
  [ "${fact[build-on]}" = local ] || return 0
  local here_system extra builders
  here_system=$("${nix_command[@]}" config show system)
  extra=$("${nix_command[@]}" config show extra-platforms)
  builders=$("${nix_command[@]}" config show builders)
  case " $here_system $extra " in *" ${fact[system]} "*) return 0 ;; esac
  if [[ $builders == @* ]]; then
    [ ! -s "${builders#@}" ] || return 0
  elif [ -n "$builders" ]; then
    return 0
  fi
  refuse "'$host' is ${fact[system]}, this machine is $here_system, and Nix knows no remote builder:" \
    "configure one, or set pantheros.deploy.buildOn = \"target\""
}

# Says which state of the flake is deployed: what Git tracks, committed or not.
describe_tree() {
  local commit status changed untracked
  if ! commit=$(git rev-parse --short HEAD 2>/dev/null); then
    note "the flake is not in a Git commit: no commit records what is deployed"
    return 0
  fi
  status=$(GIT_OPTIONAL_LOCKS=0 git status --porcelain -- . 2>/dev/null)
  untracked=$(grep -c '^??' <<<"$status" || true)
  changed=$(grep -vc '^??' <<<"${status:-??}" || true)
  if [ "$changed" -gt 0 ]; then
    note "the tree is not clean: $changed changed file(s) are deployed that no commit has (based on $commit)"
  fi
  if [ "$untracked" -gt 0 ]; then
    note "$untracked file(s) are not tracked by Git: Nix does not see them"
  fi
  if [ -z "$status" ]; then note "the tree is clean, at $commit"; fi
}

# --- the machine -------------------------------------------------------------------------------

# Asks the machine for its facts over a new connection. Sets `machine` and `machine_disks`.
survey() {
  local name value
  # A machine that writes without end counts as one that does not answer.
  # shellcheck disable=SC2016 # for the inner shell
  capture bash -c 'set -o pipefail; "$@" | head -c 65536' -- \
    timeout --foreground 60 "${fresh_ssh[@]}" "$user@$address" sh -s -- "$@" <"$here/tools/deploy/survey.sh" || {
    refuse "$user@$address does not answer over SSH, or its host key is not the known one; ssh's error is above." \
      "An unknown host key needs a person who compares its fingerprint: ssh-keyscan ADDRESS | ssh-keygen -lf -"
    stop_if_refused
  }
  while IFS=$'\t' read -r name value; do
    if [ "$name" = disk ]; then machine_disks+=("$value"); else machine["$name"]=$value; fi
  done <<<"$output"
  if [ -z "${machine[end]:-}" ]; then
    refuse "$user@$address did not answer completely: check that its login shell runs commands"
    stop_if_refused
  fi
  local system=${machine[machine]:-}-${machine[kernel]:-}
  system=${system,,}
  if [ "$system" != "${fact[system]}" ]; then
    refuse "'$host' is ${fact[system]}, but $address is $(shown "$system")"
  fi
  [ -n "${machine[root]:-}" ] || refuse "$user cannot become root on $address without a password (sudo -n true fails)"
}
