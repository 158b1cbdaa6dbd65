# What the tools share; to be sourced.
# shellcheck shell=bash disable=SC2034 # what is set here is used where it is sourced

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Everything that is installed for this project alone lies here and nowhere else.
prefix=${PANTHEROS_TOOLS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pantheros-tools}

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

# at_least WANTED FOUND: whether version FOUND is WANTED or newer.
at_least() {
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# The version a program says it has; nothing where there is no such program.
version_of() {
  "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1 || true
}

# Puts what tools/setup installed on PATH and tells the tests where to find it.
use_tools() {
  [ -r "$prefix/env.sh" ] || die "tools/setup has not run yet"
  # shellcheck source=/dev/null
  . "$prefix/env.sh"
}

# How Nix calls a flake in this folder: a Git repository at its last commit, or the folder as it is.
flake_in() {
  local folder
  folder=$(cd -- "$1" 2>/dev/null && pwd) || {
    say "there is no folder $1"
    return 2
  }
  if [ -e "$folder/.git" ]; then printf 'git+file://%s' "$folder"; else printf 'path:%s' "$folder"; fi
}

# override_inputs NIXPKGS [INPUT=PATH …]: sets `overrides` to the arguments that put these in the place of what is
# locked. Returns 2 for a wrong call.
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
