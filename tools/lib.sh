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
