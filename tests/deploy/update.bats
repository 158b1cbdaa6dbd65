#!/usr/bin/env bats
# Updating a machine. It is a real one as far as SSH goes; `fake-nixos-rebuild` stands in for the
# program that would change it.
# shellcheck disable=SC2016,SC2154 # expansions that are none; what bats and the helpers set
load helpers

ran() { sed -n 's/^nixos-rebuild <\([a-z-]*\)>.*/\1/p' "$FAKE_LOG" | paste -sd' '; }

@test "a dry run prints what a run does, and connects to nobody" {
  start_machine
  run --separate-stderr deploy_with_key --dry-run web
  assert_status 0
  assert_untouched
  local dry=$output
  run --separate-stderr deploy_with_key web
  assert_status 0
  [ "$(sed -n 's/^== env/env/p' <<<"$stderr")" = "$dry" ] || fail "what was run is not: $dry"
  # And the line is one that a shell reads back as what the program was given.
  eval "set -- $(head -n 1 <<<"$dry")"
  local given
  while [ "$1" != -- ]; do shift; done
  shift
  given=$(printf ' <%s>' "$@")
  grep -qxF "nixos-rebuild$given" "$FAKE_LOG" || fail "given:$given" "$(cat "$FAKE_LOG")"
}

@test "switch runs the new system, connects afresh, then makes it the default" {
  start_machine
  run --separate-stderr deploy_with_key web
  assert_status 0
  [ "$(ran)" = 'test switch' ] || fail "ran: $(ran)"
  grep -q "NIX_SSHOPTS <-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes -i $KEY" "$FAKE_LOG"
  # Once to ask, once between the two steps.
  [ "$(grep -c Accepted "$BATS_TEST_TMPDIR/sshd.log")" = 2 ] || fail "$(cat "$BATS_TEST_TMPDIR/sshd.log")"
  [ -z "$(ls -A "$TMPDIR")" ]
}

@test "the other actions are done in one step" {
  local action
  start_machine
  for action in boot test dry-activate; do
    rm -f "$FAKE_LOG"
    run --separate-stderr deploy_with_key --action "$action" web
    assert_status 0
    [ "$(ran)" = "$action" ] || fail "ran: $(ran)"
  done
}

@test "a system that locks us out does not become the default" {
  start_machine
  FAKE_DOES=lock-out run --separate-stderr deploy_with_key web
  assert_status 5
  assert_says 'NOT the boot default' 'reboot'
  [ "$(ran)" = test ] || fail "ran: $(ran)"
}

@test "an activation that fails ends it there" {
  start_machine
  FAKE_DOES=fail run --separate-stderr deploy_with_key web
  assert_status 1
  assert_says "'test' failed" DEPLOYMENT.md
  [ "$(ran)" = test ] || fail "ran: $(ran)"
}

@test "a flake that changes between the two steps ends it there" {
  start_machine
  FAKE_DOES=change-flake run --separate-stderr deploy_with_key web
  assert_status 1
  assert_says 'The flake changed meanwhile'
  [ "$(ran)" = test ] || fail "ran: $(ran)"
}

@test "a machine with another host key, or an unknown one" {
  start_machine impostor_key
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says 'Host key verification failed' 'Nothing was changed.'
  : >"$KNOWN_HOSTS"
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says 'Host key verification failed' 'a person'
  [ ! -s "$KNOWN_HOSTS" ] || fail 'the key was taken on sight'
  assert_unchanged
}

@test "a machine that is not there, or does not let us in" {
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says 'does not answer over SSH'
  start_machine
  : >"$FAKE_AUTHORIZED_KEYS"
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says 'does not answer over SSH'
  assert_unchanged
}

@test "the wrong machine" {
  MACHINE_NAME=db start_machine
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says "calls itself 'db', not 'web'" --renamed-from
  assert_unchanged
  run --separate-stderr deploy_with_key --renamed-from db web
  assert_status 0
}

@test "a machine that does not run NixOS" {
  NOT_NIXOS=yes start_machine
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says 'does not run NixOS' --install
  assert_unchanged
}

@test "a machine on which we cannot become root" {
  NOT_ROOT=yes start_machine
  run --separate-stderr deploy_with_key web
  assert_status 3
  assert_says 'cannot become root' 'sudo -n true'
  assert_unchanged
}

@test "a machine of another architecture" {
  MACHINE_NAME=target-built start_machine
  run --separate-stderr deploy_with_key target-built
  assert_status 3
  assert_says "'target-built' is riscv64-linux, but 127.0.0.1 is '$(uname -m)-linux'"
  assert_unchanged
}

@test "a machine that never stops talking" {
  start_machine
  printf '#!/bin/sh\nexec yes noise\n' >"$BATS_TEST_TMPDIR/session"
  SECONDS=0
  run --separate-stderr deploy_with_key web
  assert_status 3
  [ "$SECONDS" -lt 30 ] || fail 'it was listened to for too long'
  assert_unchanged
}

@test "what a machine says is shown without its control characters" {
  start_machine
  printf '#!/bin/sh\ncat >/dev/null\nprintf "machine\\t\\033[2Jx\\nkernel\\tLinux\\nend\\t.\\n"\n' >"$BATS_TEST_TMPDIR/session"
  run --separate-stderr deploy_with_key web
  assert_status 3
  [[ $stderr != *$'\e'* ]] || fail 'an escape sequence got through'
}
