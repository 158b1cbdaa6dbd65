#!/usr/bin/env bats
# The fixtures of units match the current sources, and a test runs every script of the units.

bats_require_minimum_version 1.5.0

root=$BATS_TEST_DIRNAME/../..

# Copies the files that tools/render-units reads into a repository of its own.
copy_sources() {
  cd "$root" || return 1
  git ls-files -z -- flake.nix flake.lock package.nix fleet hosts modules overlays checks src/flake tools tests/fixtures/units |
    xargs -0 cp --parents -t "$BATS_TEST_TMPDIR"
  cd "$BATS_TEST_TMPDIR" || return 1
  git init --quiet
  git add --all
}

@test "fixtures that are older than a module or the lock are said to be" {
  copy_sources
  run tools/render-units --fresh
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  local file
  for file in modules/core/base.nix flake.lock hosts/servers/ovh-cloud/configuration.nix src/flake/facts.nix; do
    cp "$file" kept
    echo >>"$file"
    run tools/render-units --fresh
    [ "$status" -eq 1 ]
    [[ $output == *"tests/fixtures/units is older than the modules"*"tools/render-units NIXPKGS"* ]]
    mv kept "$file"
  done
  echo '{ }' >modules/core/new.nix
  git add modules/core/new.nix
  run tools/render-units --fresh
  [ "$status" -eq 1 ]
}

@test "a wrong call is refused before anything is written" {
  copy_sources
  local arguments
  for arguments in "" "--fresh now" "--locked more" "--check" "/nowhere" ". disko"; do
    # shellcheck disable=SC2086 # split into several arguments
    run tools/render-units $arguments
    [ "$status" -eq 2 ]
  done
  git diff --quiet
}

@test "every script of a module is rendered, and a test runs it" {
  local script rendered found
  while IFS= read -r script; do
    # The end of the script, since Nix may put lines before it.
    rendered=
    for found in "$root"/tests/fixtures/units/scripts/*; do
      if [[ $(<"$found") == *"$(<"$script")"* ]]; then rendered=${found##*/}; fi
    done
    [ -n "$rendered" ] || { echo "no unit of the fixtures runs $script"; return 1; }
    case $rendered in
      unit-script-pantheros-deployments-start) grep -q '"pantheros-deployments.service"' "$root/tests/supervisor/machine.rs" ;;
      *) grep -q "run_in [a-z-]*\.service $rendered" "$root/tests/services/scripts.bats" ;;
    esac || { echo "no test runs $script as $rendered"; return 1; }
  done < <(git -C "$root" ls-files -- 'modules/**/*.sh' | sed "s|^|$root/|")
}
