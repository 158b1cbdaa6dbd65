#!/usr/bin/env bash
# Makes a folder that replaces /nix/store for the units of tests/fixtures/units, as far as they need it:
#
#   store.sh FOLDER
#
# FOLDER/PACKAGE/bin links to the programs that tests/fixtures/programs lists for a package, as far as this machine has
# them. Each script of the fixtures is at the path that the units name, with FOLDER/ in place of `/nix/store/`.
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

# Every package on a search path has to be listed; otherwise nothing would show that it is missing.
while IFS= read -r package; do
  [ -d "$store/$package" ] || fail "tests/fixtures/programs does not say which programs $package has, which a unit declares"
done < <(grep -rhoE '"?PATH=[^ ]*' "$units" | grep -oE '/nix/store/[^/:"]+/bin' | cut -d / -f 4 | sort -u)

for script in "$units"/scripts/*; do
  name=${script##*/}
  mapfile -t named < <(grep -rhoE "/nix/store/${name//./\\.}(/bin/[0-9A-Za-z._-]+)?( |\"|\$)" "$units" | tr -d ' "' | sort -u)
  # Units do not name the commands for administrators.
  [ ${#named[@]} -gt 0 ] || named=("/nix/store/$name/bin/$name")
  [ ${#named[@]} -eq 1 ] || fail "$name is named ${#named[@]} ways: ${named[*]}"
  place=$store/${named[0]#/nix/store/}
  mkdir -p "${place%/*}"
  sed "s|/nix/store/|$store/|g" "$script" >"$place"
  chmod +x "$place"
done
