#!/usr/bin/env bats
# Defects of the flake, the host, the key or this machine: nothing is installed, and nothing is changed.
# shellcheck disable=SC2016,SC2154 # literal `$` in single quotes; variables set by bats and the helpers
load helpers

# refused TEXT ARGUMENT …: fails with exit code 3 and TEXT, and changes nothing.
refused() {
  local text=$1
  shift
  run --separate-stderr deploy_with_key --install "$@"
  assert_status 3
  assert_says "$text" 'Nothing was changed.'
  [ -z "$output" ] || fail 'a refusal prints nothing on standard output'
}

@test "an unknown host: the nearest names, or all of them" {
  refused "no host 'wbe'; did you mean web?" wbe
  refused "no host 'keyles'; did you mean keyless?" keyles
  refused "no host 'database'; it has: broken" database
  assert_untouched
}

@test "a host that refuses to be deployed" {
  refused "keyless: nobody's key is authorized" keyless
  refused "keyless: nobody's key is authorized" keyless root@127.0.0.1
  refused "keyless: nobody's key is authorized" --dry-run keyless
  assert_untouched
}

@test "a host that says nothing of deployment" {
  refused 'no `pantheros.deploy`' foreign
  assert_untouched
}

@test "a host that does not evaluate" {
  refused 'broken on purpose' broken
  refused "'broken' does not evaluate" --dry-run broken
  assert_untouched
}

@test "a host without an address needs a target" {
  refused 'no pantheros.deploy.targetHost' nowhere
  run --separate-stderr deploy --install --dry-run nowhere root@127.0.0.1
  assert_status 0
  assert_untouched
}

@test "a host of another architecture, and nobody to build it" {
  refused 'Nix knows no remote builder' elsewhere
  assert_untouched
  run --separate-stderr deploy --install --dry-run target-built
  assert_status 0
  assert_says '--build-on remote'
}

@test "a user or a disk in the flake that is no such thing" {
  refused 'pantheros.deploy.user is no user' odd-user
  refused 'names a disk that is none' odd-disk
  assert_untouched
}

@test "a host without a layout is not installed" {
  refused 'no disko layout' diskless
  assert_untouched
}

@test "a key that the new configuration does not let in" {
  refused 'could log in' stranger
  assert_untouched
}

@test "nobody is let in as the user that deploys" {
  refused "no key is authorized for $(id -un)" nobody
  run --separate-stderr deploy --install --dry-run nobody
  assert_status 3
  assert_untouched
}

@test "a lock file that lacks an input, or is out of date" {
  sed -i '/nixos-anywhere.url/d' "$FLAKE/flake.nix"
  (cd "$FLAKE" && nix --extra-experimental-features 'nix-command flakes' flake lock 2>/dev/null)
  refused "does not pin the input 'nixos-anywhere'" web
  git -C "$FLAKE" checkout -q flake.lock flake.nix
  sed -i 's/nixos-anywhere.url/other.url/' "$FLAKE/flake.nix"
  refused 'requires lock file changes' web
  git -C "$FLAKE" checkout -q flake.nix
  assert_untouched
}

@test "keys that are none" {
  local file=$BATS_TEST_TMPDIR/file
  refused 'there is no file' web --key "$BATS_TEST_TMPDIR/absent"
  refused 'no regular file' web --key "$TMPDIR"
  cp "$KEY.pub" "$file" && chmod 600 "$file"
  refused 'is a public key' web --key "$file"
  printf 'hello\n' >"$file"
  refused 'no private key that ssh-keygen understands' web --key "$file"
  head -c 10000 /dev/urandom >"$file"
  refused 'no private key that ssh-keygen understands' web --key "$file"
  head -n 3 "$KEY" >"$file"
  refused 'no private key that ssh-keygen understands' web --key "$file"
  assert_untouched
}

@test "a key that others may read, or we may not" {
  local mode
  for mode in 644 640 604 660 601; do
    chmod "$mode" "$KEY"
    refused "others may read" web
    assert_says "mode $mode" 'chmod 600'
  done
  chmod 600 "$KEY"
  assert_untouched
  [ "$(id -u)" != 0 ] || skip 'root may read everything'
  chmod 000 "$KEY"
  refused 'cannot be read' web
}

@test "names of files that cannot be handed on" {
  local name
  for name in 'with space' 'per%cent' "quo'te" 'dol$lar' $'new\nline' '~tilde'; do
    cp "$KEY" "$BATS_TEST_TMPDIR/$name"
    refused 'cannot be handed on' web --key "$BATS_TEST_TMPDIR/$name"
    refused 'cannot be handed on' web --known-hosts "$BATS_TEST_TMPDIR/$name"
  done
  assert_untouched
}

@test "an encrypted key is taken for what its public half says" {
  ssh-keygen -q -p -P '' -N secret -f "$KEY"
  run --separate-stderr deploy_with_key --install --dry-run web
  assert_status 0
  refused 'could log in' stranger
  rm "$KEY.pub"
  run --separate-stderr deploy_with_key --install --dry-run web
  assert_status 0
  [[ $output$stderr != *PRIVATE* ]] || fail 'the key was shown'
}

@test "a program that is not there" {
  local program
  for program in nix git ssh ssh-keygen; do
    mkdir "$BATS_TEST_TMPDIR/bin"
    local tool
    for tool in bash env nix git ssh ssh-keygen ps timeout realpath stat mktemp dirname id head rm cat; do
      [ "$tool" = "$program" ] || ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/bin/$tool"
    done
    PATH=$BATS_TEST_TMPDIR/bin run --separate-stderr "$root/deploy.sh" --flake "$FLAKE" --install web
    assert_status 3
    assert_says "no '$program' on PATH"
    rm -r "${BATS_TEST_TMPDIR:?}/bin"
  done
  assert_untouched
}

@test "every refusal is told at once" {
  sed -i 's/refusals = \[ { message/keys = [ ]; disks = [ ]; refusals = [ { message/' "$FLAKE/hosts.nix"
  refused "keyless: nobody's key is authorized" keyless
  assert_says 'no disko layout' 'could log in'
}

@test "the tree: clean, changed, with files Git does not track, without Git" {
  run --separate-stderr deploy --install --dry-run web
  assert_says "the tree is clean, at $(git -C "$FLAKE" rev-parse --short HEAD)"
  echo '# changed' >>"$FLAKE/hosts.nix"
  touch "$FLAKE/new.nix"
  run --separate-stderr deploy --install --dry-run web
  assert_status 0
  assert_says '1 changed file(s) are deployed that no commit has' '1 file(s) are not tracked by Git'
  rm -rf "$FLAKE/.git"
  run --separate-stderr deploy --install --dry-run web
  assert_status 0
  assert_says 'not in a Git commit'
}

@test "host-key checking is never switched off, whatever the environment asks for" {
  NIX_SSHOPTS='-o StrictHostKeyChecking=no' run --separate-stderr deploy --install --dry-run web
  assert_status 0
  assert_says tools/deploy/strict 'NIX_SSHOPTS is not used'
  [[ $output != *StrictHostKeyChecking=no* ]] || fail 'the environment got through'
  run ! grep -rnE 'StrictHostKeyChecking[= ](no|accept-new|off)' "$root/deploy.sh" "$root/tools/deploy"
}

@test "every deploy.sh command in the documents is one that is understood" {
  local line tried=0
  while read -r line; do
    line=${line%% #*}
    line=${line##*&& }
    # shellcheck disable=SC2086 # the example is split into its words
    run --separate-stderr deploy --dry-run ${line#./deploy.sh }
    [ "$status" -ne 2 ] || fail "a document shows what is refused: $line"
    tried=$((tried + 1))
  done < <(git -C "$root" grep -hE '^ *(git .*&& )?\./deploy\.sh ' -- '*.md')
  [ "$tried" -gt 5 ] || fail "only $tried commands were found"
}
