#!/usr/bin/env bats
# Installing on a machine. `fake-nixos-anywhere` stands in for the program that would wipe it, and
# connects as that one does: with host-key checking switched off.
# shellcheck disable=SC2154 # bats and the helpers set them
load helpers

# at_terminal ANSWER ARGUMENT …: deploy.sh at a terminal of its own, where ANSWER is typed when asked.
at_terminal() {
  local answer=$1 line transcript=$BATS_TEST_TMPDIR/transcript
  shift
  [ "$(lsblk -bdno SIZE "$DISK" 2>/dev/null || echo 0)" -ge 8000000000 ] || skip 'this machine has no disk to speak of'
  line=$(printf '%q ' "$root/deploy.sh" --flake "$FLAKE" --key "$KEY" --known-hosts "$KNOWN_HOSTS" "$@")
  : >"$transcript"
  run script -qefc "$line" "$transcript" < <(
    tries=300
    until grep -q 'go on: $' "$transcript" || [ "$((tries--))" = 0 ]; do sleep 0.1; done
    printf '%s\n' "$answer"
    sleep 0.3
  )
}

target() { printf 'root@127.0.0.1:%s' "$PORT"; }

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
  # The host key that is made beforehand: private there, public here, and gone from this machine.
  grep -qE -- '^-rw-------.* ssh_host_ed25519_key$' "$FAKE_LOG"
  grep -q '^drwxr-xr-x .* etc$' "$FAKE_LOG"
  assert_says "[127.0.0.1]:$PORT $(grep -o 'ssh-ed25519 [^ ]*' "$FAKE_LOG")"
  [[ $output != *PRIVATE* ]] || fail 'a private key was shown'
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
}

@test "nixos-anywhere, which does not check host keys, checks them all the same" {
  start_machine
  # The machine is swapped for another behind the checks, where nixos-anywhere connects to.
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
