#!/usr/bin/env bats
# The arguments of deploy.sh. Wrong ones are refused before anything is examined or changed.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # literal `$` in single quotes; variables set by bats and `run`
load helpers

# refused_usage TEXT ARGUMENT …: fails with exit code 2 and TEXT, and changes nothing.
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
  assert_says --install --dry-run --action --key --known-hosts --flake 'Exit codes' 'Examples'
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
    # shellcheck disable=SC2086 # the example is split into its words
    run --separate-stderr deploy ${line#./deploy.sh }
    [ "$status" -ne 2 ] || fail "the help shows what is refused: $line"
  done < <(deploy --help | grep -E '^  \./deploy\.sh')
}

@test "a call without a host, with too much, with unknown options" {
  refused_usage 'which host?'
  refused_usage 'which host?' --
  refused_usage 'not 3 arguments' web root@127.0.0.1 more
  refused_usage "no option '--yes'" --yes web
  refused_usage "no option '--force'" web --force
  refused_usage "no option '-y'" -y web
  refused_usage "no option '--install=yes'" --install=yes web
  refused_usage '--key needs a value' web --key
  refused_usage '--key has an empty value' web --key ''
  refused_usage 'not '"'reboot'" --action reboot web
  refused_usage 'are for updates' --install --action boot web
  refused_usage 'are for updates' --install web root@127.0.0.1 -- --batch
  refused_usage "no option '--sign'" --sign key web
  refused_usage 'no flake.nix' --flake "$BATS_TEST_TMPDIR" web
}

@test "hosts that are no names" {
  local name
  for name in '' '-web' '--web' 'a b' $'a\nb' $'a\e[2Jb' 'a"b' "a'b" '$(touch /tmp/owned)' '`id`' '${HOME}' '../web' \
    '..' 'a..b' 'a.' 'a/b' 'a#b' 'a;b' 'a&b' 'a|b' 'wéb' "$(printf 'x%.0s' {1..10000})"; do
    refused_usage '' "$name"
    refused_usage '' --install "$name"
  done
}

@test "targets that are no targets" {
  local target
  for target in '' '-oProxyCommand=id' '-p' 'root@' '@127.0.0.1' '-x@127.0.0.1' 'root@-x' 'a@b@c' 'ro ot@x' 'root@a b' \
    $'root@a\nb' $'root@\e]0;x\a' 'root@$(id)' 'root@`id`' 'root@a;id' "root@a'b" 'root@a"b' 'root@a/b' 'root@a#b' \
    'root@127.0.0.1:' 'root@127.0.0.1:0' 'root@127.0.0.1:65536' 'root@127.0.0.1:22x' 'root@127.0.0.1:-1' \
    'root@127.0.0.1: 22' 'root@2001:db8::1' '::1' 'root@[::1' 'root@[]' 'root@[web]' 'root@[::1]x' 'root@[::1]:' \
    'root@[::1]:99999' 'root@[::1%$(id)]' 'Root$@x' "root@$(printf 'x%.0s' {1..10000})"; do
    refused_usage '' web "$target"
    refused_usage '' --install web "$target"
  done
}

@test "targets that are fine end up in the command as they were meant" {
  local target wanted
  while read -r target wanted; do
    run --separate-stderr deploy --install --dry-run web "$target"
    assert_status 0
    assert_says "$wanted"
    run --separate-stderr deploy web "$target"
    assert_status 0
    assert_says "--flake $FLAKE deploy --action switch --target $target web"
  done <<EOF
root@127.0.0.1          --target-host root@127.0.0.1
admin@web.example.org   --target-host admin@web.example.org
web.example.org         --target-host root@web.example.org
admin@192.0.2.7:2222    --ssh-port 2222
root@[2001:db8::1]      --ssh-option HostName=2001:db8::1 --target-host root@web
root@[fe80::1%eth0]:22  --ssh-option HostName=fe80::1%eth0 --target-host root@web
EOF
  assert_untouched
}

# updates WANTED ARGUMENT …: checks the arguments that pantheros-mcp gets after the flake.
updates() {
  local wanted=$1
  shift
  run --separate-stderr deploy "$@"
  assert_status 0
  [ "$output" = "--flake $FLAKE deploy --action $wanted" ] || fail "wanted: $wanted"
  assert_untouched
}

@test "an update is pantheros-mcp's, with all that was asked for" {
  updates 'switch web' web
  updates 'boot web' --action boot web
  updates 'switch --target root@[::1]:22 --identity a b/key --known-hosts known --dry-run web' \
    --dry-run --key 'a b/key' --known-hosts known web 'root@[::1]:22'
}

@test "what is behind a -- is handed on as it is" {
  updates 'switch web db --canary 2' web -- db --canary 2
  updates 'switch --tag all --install --flake elsewhere' -- --tag all --install --flake elsewhere
  updates 'switch --dry-run web --sign $(id) * --batch' --dry-run web -- --sign '$(id)' '*' --batch
}

@test "a flake elsewhere, named from here" {
  cd "$FLAKE/.."
  run --separate-stderr "$root/deploy.sh" --flake flake web
  assert_status 0
  [ "$output" = "--flake $FLAKE deploy --action switch web" ] || fail
}

@test "which pantheros-mcp: the one that is named, on PATH, the flake's, or none" {
  local bin=$BATS_TEST_TMPDIR/bin tool
  mkdir "$bin"
  for tool in bash dirname; do ln -s "$(command -v "$tool")" "$bin/$tool"; done
  PANTHEROS_MCP=/absent/pantheros-mcp refused_usage "PANTHEROS_MCP is '/absent/pantheros-mcp', which is no program" web
  PANTHEROS_MCP=$TMPDIR refused_usage 'which is no program' web
  run --separate-stderr env "PATH=$bin" PANTHEROS_MCP= "$root/deploy.sh" --flake "$FLAKE" web
  assert_status 1
  assert_says 'no pantheros-mcp on PATH' 'no nix' 'set PANTHEROS_MCP' 'Nothing was changed.'
  ln -s "$(type -P echo)" "$bin/nix"
  run --separate-stderr env "PATH=$bin" PANTHEROS_MCP= "$root/deploy.sh" --flake "$FLAKE" web
  assert_status 0
  assert_says "running the one of '$FLAKE'" "run --no-update-lock-file $FLAKE#pantheros-mcp -- --flake $FLAKE deploy"
  ln -s "$(type -P echo)" "$bin/pantheros-mcp"
  run --separate-stderr env "PATH=$bin" PANTHEROS_MCP= "$root/deploy.sh" --flake "$FLAKE" web
  assert_status 0
  [ "$output" = "--flake $FLAKE deploy --action switch web" ] || fail 'not the one on PATH'
  assert_untouched
}
