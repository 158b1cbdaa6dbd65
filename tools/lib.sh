# Functions that the tools share; to be sourced.
# shellcheck shell=bash disable=SC2034 # the scripts that source this use the variables

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The folder for everything that is installed for this project only.
prefix=${PANTHEROS_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pantheros-tools}

# The operator's machine that the server is linted for, besides this one.
mac_target=aarch64-apple-darwin

# Whether this Rust has the standard library of that target.
has_mac_target() {
  [ -d "$(rustc --print sysroot)/lib/rustlib/$mac_target" ]
}

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# at_least WANTED FOUND: whether version FOUND is WANTED or newer.
at_least() {
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Prints the version that a program reports, or nothing if there is no such program.
version_of() {
  "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true
}

# Puts the programs that tools/setup installed on PATH, and sets the variables that the tests need.
use_tools() {
  [ -r "$prefix/env.sh" ] || die "$prefix/env.sh is missing: run tools/setup first"
  # shellcheck source=/dev/null
  . "$prefix/env.sh"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The folder for the files of the Debian that the test machines boot.
machine_debian=$prefix/debian-machine

# What is in it. Debian 12: its systemd runs with both versions of control groups.
machine_packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,openssh-server,iproute2,procps,sudo

# Prints why this system cannot run test machines; prints nothing if it can, once the programs are there.
why_no_machines() {
  if [ "$(uname -s)" != Linux ]; then
    echo "they need Linux"
  elif [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "they need root, or sudo without a password"
  elif ! as_root unshare --mount --net --pid --fork --mount-proc true 2>/dev/null; then
    echo "this system does not let root make namespaces: run it outside a container, or in a privileged one"
  elif ! as_root test -w /sys/fs/cgroup; then
    echo "control groups cannot be written here: run it outside a container, or in a privileged one"
  fi
}

# Whether the files of the test machines are there.
has_machine_debian() {
  [ "$(cat "$machine_debian/stamp" 2>/dev/null)" = "$machine_packages" ]
}

# Prints Nix's URL of the flake in a folder: of the Git repository, or else of the folder as it is.
flake_in() {
  local folder
  folder=$(cd -- "$1" 2>/dev/null && pwd) || {
    say "there is no folder $1"
    return 2
  }
  if [ -e "$folder/.git" ]; then printf 'git+file://%s' "$folder"; else printf 'path:%s' "$folder"; fi
}

# override_inputs NIXPKGS [INPUT=PATH …]: sets `overrides` to the arguments of Nix that replace locked inputs by these.
# Returns 2 for a wrong call.
override_inputs() {
  local argument reference
  reference=$(flake_in "$1") || return
  overrides=(--override-input nixpkgs "$reference")
  shift
  for argument in "$@"; do
    [[ $argument == ?*=?* && $argument != -* ]] || return 2
    reference=$(flake_in "${argument#*=}") || return
    overrides+=(--override-input "${argument%%=*}" "$reference")
  done
}
