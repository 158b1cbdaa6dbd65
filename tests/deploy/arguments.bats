#!/usr/bin/env bats
# What deploy.sh is called with: refused before anything is looked at, let alone touched.
# shellcheck disable=SC2016,SC2154 # what looks like an expansion is the hostile input; bats sets `stderr`
load helpers

# refused_usage TEXT ARGUMENT …: exit code 2, TEXT is said, nothing was touched.
refused_usage() {
  local text=$1
  shift
  run --separate-stderr deploy "$@"
  assert_status 2
  assert_says "$text" 'deploy.sh --help'
  [ -z "$output" ] || fail 'a refusal prints nothing on standard output'
  [[ ! $stderr =~ [^[:print:][:space:]] ]] || fail 'control characters were printed'
  [ ${#stderr} -lt 1000 ] || fail 'the input was repeated at length'
  assert_untouched
}

@test "the help says what there is" {
  run --separate-stderr deploy --help
  assert_status 0
  assert_says --install --dry-run --action --key --known-hosts --renamed-from --flake 'Exit codes' 'Examples'
}

@test "every option in the help is understood" {
  local option
  for option in $(deploy --help | grep -oE '^  --[a-z-]+' | sort -u); do
    run --separate-stderr deploy "$option"
    [[ $stderr != *'there is no option'* ]] || fail "$option is in the help only"
  done
}

@test "every example in the help gets past the checks of the call" {
  local line
  while read -r line; do
    line=${line%%  *}
    # shellcheck disable=SC2086 # the example's words are what is meant
    run --separate-stderr deploy ${line#./deploy.sh } --flake "$FLAKE"
    [ "$status" -ne 2 ] || fail "the help shows what is refused: $line"
  done < <(deploy --help | grep -E '^  \./deploy\.sh')
}

@test "a call without a host, with too much, with unknown options" {
  refused_usage 'which host?'
  refused_usage 'not 3 arguments' web root@127.0.0.1 more
  refused_usage "no option '--yes'" --yes web
  refused_usage "no option '--force'" web --force
  refused_usage "no option '-y'" -y web
  refused_usage "no option '--install=yes'" --install=yes web
  refused_usage '--key needs a value' web --key
  refused_usage '--key has an empty value' web --key ''
  refused_usage 'not '"'reboot'" --action reboot web
  refused_usage 'are for updates' --install --action boot web
  refused_usage 'no flake.nix' --flake "$BATS_TEST_TMPDIR" web
}

@test "hosts that are no names" {
  local name
  for name in '' '-web' '--web' 'a b' $'a\nb' $'a\e[2Jb' 'a"b' "a'b" '$(touch /tmp/owned)' '`id`' '${HOME}' '../web' \
    '..' 'a..b' 'a.' 'a/b' 'a#b' 'a;b' 'a&b' 'a|b' 'wéb' "$(printf 'x%.0s' {1..10000})"; do
    refused_usage 'host' -- "$name"
  done
}

@test "targets that are no targets" {
  local target
  for target in '' '-oProxyCommand=id' '-p' 'root@' '@127.0.0.1' '-x@127.0.0.1' 'root@-x' 'a@b@c' 'ro ot@x' 'root@a b' \
    $'root@a\nb' $'root@\e]0;x\a' 'root@$(id)' 'root@`id`' 'root@a;id' "root@a'b" 'root@a"b' 'root@a/b' 'root@a#b' \
    'root@127.0.0.1:' 'root@127.0.0.1:0' 'root@127.0.0.1:65536' 'root@127.0.0.1:22x' 'root@127.0.0.1:-1' \
    'root@127.0.0.1: 22' 'root@2001:db8::1' '::1' 'root@[::1' 'root@[]' 'root@[web]' 'root@[::1]x' 'root@[::1]:' \
    'root@[::1]:99999' 'root@[::1%$(id)]' 'Root$@x' "root@$(printf 'x%.0s' {1..10000})"; do
    refused_usage target -- web "$target"
  done
}

@test "targets that are fine end up in the command as they were meant" {
  local target wanted
  while read -r target wanted; do
    run --separate-stderr deploy --dry-run web "$target"
    assert_status 0
    assert_says "$wanted"
  done <<EOF
root@127.0.0.1          --target-host root@127.0.0.1
admin@web.example.org   --target-host admin@web.example.org
web.example.org         --target-host $(id -un)@web.example.org
admin@192.0.2.7:2222    -p 2222'
root@[2001:db8::1]      --target-host 'root@[2001:db8::1]'
root@[fe80::1%eth0]:22  --target-host 'root@[fe80::1%eth0]'
EOF
  assert_untouched
}
