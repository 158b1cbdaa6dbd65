#!/usr/bin/env bats
# Installations on a machine. `fake-nixos-anywhere` stands in for the program that would wipe it,
# and like that one connects without checking host keys.
# shellcheck disable=SC2154 # bats and the helpers set them
load helpers

@test "a dry run says what would be wiped, and connects to nobody" {
  start_machine
  run --separate-stderr deploy_with_key --install --dry-run web "$(target)"
  assert_status 0
  assert_says "this would wipe: $DISK" 'nixos-anywhere -- --flake .#web' "--ssh-port $PORT" "-i $KEY" \
    "PATH=$root/tools/deploy/strict:" "'PANTHEROS_HOST_KEY_ALIAS=[127.0.0.1]:$PORT'" --extra-files
  assert_untouched
}

@test "an IPv6 address is given the way nixos-anywhere takes it" {
  run --separate-stderr deploy_with_key --install --dry-run web 'root@[2001:db8::1]'
  assert_status 0
  assert_says '--ssh-option HostName=2001:db8::1 --target-host root@web'
}

@test "without a terminal nobody agrees" {
  start_machine
  run --separate-stderr deploy_with_key --install web "$(target)" </dev/null
  assert_status 4
  assert_says 'a person at a terminal'
  assert_untouched
  run --separate-stderr deploy_with_key --install web "$(target)" < <(yes web)
  assert_status 4
  assert_untouched
}

@test "anything but the host's name is a no" {
  start_machine
  local answer
  for answer in '' y yes WEB 'web ' 'web2' '*'; do
    at_terminal "$answer" --install web "$(target)"
    assert_status 4
    assert_says "That is not 'web'" 'Nothing was changed.'
    assert_unchanged
  done
}

@test "the host's name, typed at a terminal, installs" {
  start_machine
  at_terminal web --install web "$(target)"
  assert_status 0
  assert_says 'EVERYTHING on these disks is lost' "$DISK" "Type the host's name"
  grep -qF "nixos-anywhere <--flake> <.#web> <--extra-files>" "$FAKE_LOG" || fail "$(cat "$FAKE_LOG")"
  grep -qF "<-i> <$KEY> <--ssh-port> <$PORT> <--build-on> <local> <--target-host> <root@127.0.0.1>" "$FAKE_LOG"
  # The host key is generated beforehand: the private half is in the installed files, the public
  # half is printed, and neither stays on this machine.
  grep -qE -- '^-rw-------.* ssh_host_ed25519_key$' "$FAKE_LOG"
  grep -q '^drwxr-xr-x .* etc$' "$FAKE_LOG"
  assert_says "[127.0.0.1]:$PORT $(grep -o 'ssh-ed25519 [^ ]*' "$FAKE_LOG")"
  [[ $output != *PRIVATE* ]] || fail 'a private key was shown'
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
}

@test "nixos-anywhere, which does not check host keys, checks them all the same" {
  start_machine
  # After the checks, another machine answers where nixos-anywhere connects.
  local other=$((PORT + 1))
  sed -e "s/^Port .*/Port $other/" -e "s|^HostKey .*|HostKey $PATTERN/impostor_key|" \
    "$BATS_TEST_TMPDIR/sshd_config" >"$BATS_TEST_TMPDIR/impostor_config"
  "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f "$BATS_TEST_TMPDIR/impostor_config" 2>/dev/null 3>&- &
  local impostor=$!
  FAKE_SECOND_PORT=$other at_terminal web --install web "$(target)"
  kill "$impostor"
  assert_status 1
  grep -q "^connected to port $PORT" "$FAKE_LOG"
  grep -q "^could not connect to port $other" "$FAKE_LOG"
  assert_says 'Host key verification failed'
}

@test "the machine keeps its known key when the port changes, as it does after kexec" {
  start_machine
  local other=$((PORT + 2))
  sed -e "s/^Port .*/Port $other/" "$BATS_TEST_TMPDIR/sshd_config" >"$BATS_TEST_TMPDIR/installer_config"
  "$(command -v sshd || echo /usr/sbin/sshd)" -D -e -f "$BATS_TEST_TMPDIR/installer_config" 2>/dev/null 3>&- &
  local installer=$!
  FAKE_SECOND_PORT=$other at_terminal web --install web "$(target)"
  kill "$installer"
  assert_status 0
  grep -q "^connected to port $other" "$FAKE_LOG"
}

@test "a machine without the disk the layout names" {
  start_machine
  at_terminal other-disk --install other-disk "$(target)"
  assert_status 3
  assert_says 'has no disk /dev/disk/by-id/absent'
  assert_unchanged
}

@test "a disk that is too small to be meant" {
  local bytes
  bytes=$(lsblk -bdno SIZE "$SMALL_DISK" 2>/dev/null || echo 0)
  [ "$SMALL_DISK" != /dev/none ] && [ "$bytes" -lt 8000000000 ] || skip 'this machine has no small disk'
  start_machine
  at_terminal small-disk --install small-disk "$(target)"
  assert_status 3
  assert_says "$SMALL_DISK" "too small for a system"
  assert_unchanged
}

@test "an installation that fails is a failure" {
  start_machine
  FAKE_DOES=fail at_terminal web --install web "$(target)"
  assert_status 1
  assert_says 'The installation failed'
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
}

@test "a machine with another host key, or an unknown one" {
  start_machine impostor_key
  at_terminal web --install web "$(target)"
  assert_status 3
  assert_says 'Host key verification failed' 'Nothing was changed.'
  : >"$KNOWN_HOSTS"
  at_terminal web --install web "$(target)"
  assert_status 3
  assert_says 'Host key verification failed' 'a person'
  [ ! -s "$KNOWN_HOSTS" ] || fail 'the key was taken on sight'
  assert_unchanged
}

@test "a machine that is not there, or does not let us in" {
  at_terminal web --install web "$(target)"
  assert_status 3
  assert_says 'does not answer over SSH'
  start_machine
  : >"$BATS_TEST_TMPDIR/authorized_keys"
  at_terminal web --install web "$(target)"
  assert_status 3
  assert_says 'does not answer over SSH'
  assert_unchanged
}

@test "a machine on which we cannot become root" {
  NOT_ROOT=yes start_machine
  at_terminal web --install web "$(target)"
  assert_status 3
  assert_says 'cannot become root' 'sudo -n true'
  assert_unchanged
}

@test "a machine of another architecture" {
  start_machine
  at_terminal target-built --install target-built "$(target)"
  assert_status 3
  assert_says "'target-built' is riscv64-linux, but 127.0.0.1 is '$(uname -m)-linux'"
  assert_unchanged
}

@test "a machine that never stops talking" {
  start_machine
  printf '#!/bin/sh\nexec yes noise\n' >"$BATS_TEST_TMPDIR/session"
  SECONDS=0
  at_terminal web --install web "$(target)"
  assert_status 3
  [ "$SECONDS" -lt 30 ] || fail 'it was listened to for too long'
  assert_unchanged
}

@test "what a machine says is shown without its control characters" {
  start_machine
  printf '#!/bin/sh\ncat >/dev/null\nprintf "machine\\t\\033[2Jx\\nkernel\\tLinux\\nend\\t.\\n"\n' >"$BATS_TEST_TMPDIR/session"
  at_terminal web --install web "$(target)"
  assert_status 3
  assert_says '[2jx-linux'
  [[ $output != *$'\e[2'[jJ]* ]] || fail 'an escape sequence got through'
}
