#!/usr/bin/env bash
# Makes a folder what /nix/store is to the units of tests/fixtures/units, as far as they need it:
#
#   store.sh FOLDER
#
# FOLDER/PACKAGE/bin has links to the programs that tests/fixtures/programs gives a package, as far as this machine has
# them, and each script of the fixtures is where the units name it. `/nix/store/` of the fixtures is FOLDER/ in there.
set -euo pipefail

store=$1
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
units=$tests/fixtures/units
PATH=$PATH:/usr/sbin:/sbin

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

while IFS=' ' read -r package programs; do
  package=${package%:}
  mkdir -p "$store/$package/bin"
  for program in $programs; do
    if real=$(type -P "${program#*=}"); then ln -s "$real" "$store/$package/bin/${program%%=*}"; fi
  done
done < <(grep -v '^#' "$tests/fixtures/programs")

# Every package on a search path has to be known: one that is left out in silence would not be missed.
while IFS= read -r package; do
  [ -d "$store/$package" ] || fail "tests/fixtures/programs does not say which programs $package has, which a unit declares"
done < <(grep -rhoE '"?PATH=[^ ]*' "$units" | grep -oE '/nix/store/[^/:"]+/bin' | cut -d / -f 4 | sort -u)

for script in "$units"/scripts/*; do
  name=${script##*/}
  mapfile -t named < <(grep -rhoE "/nix/store/${name//./\\.}(/bin/[0-9A-Za-z._-]+)?( |\"|\$)" "$units" | tr -d ' "' | sort -u)
  # No unit names a command for administrators.
  [ ${#named[@]} -gt 0 ] || named=("/nix/store/$name/bin/$name")
  [ ${#named[@]} -eq 1 ] || fail "$name is named ${#named[@]} ways: ${named[*]}"
  place=$store/${named[0]#/nix/store/}
  mkdir -p "${place%/*}"
  sed "s|/nix/store/|$store/|g" "$script" >"$place"
  chmod +x "$place"
done
