# A fleet, a machine, and assertions about both. The machine is a real sshd on the loopback interface.
# Its sessions run in namespaces of their own, in which the host name is `web`.
# shellcheck shell=bash disable=SC2154 # bats sets `status`, `output`, `stderr`
bats_require_minimum_version 1.5.0

root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

# Runs once per file: creates the keys, and a flake with its lock file, which every test copies.
setup_file() {
  export PATTERN=$BATS_FILE_TMPDIR
  ssh-keygen -q -t ed25519 -N '' -C tester -f "$PATTERN/key"
  ssh-keygen -q -t ed25519 -N '' -C machine -f "$PATTERN/host_key"
  ssh-keygen -q -t ed25519 -N '' -C impostor -f "$PATTERN/impostor_key"
  # Three consecutive free ports.
  local port
  export PORT=0
  until [ "$PORT" != 0 ]; do
    PORT=$((20000 + RANDOM % 30000))
    for port in "$PORT" $((PORT + 1)) $((PORT + 2)); do
      if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then PORT=0; fi
    done
  done
  # The largest and the smallest disk of this machine. No test opens them.
  local -a disks
  mapfile -t disks < <(lsblk -bdno SIZE,PATH 2>/dev/null | sort -rn | awk '{ print $2 }')
  export DISK=${disks[0]:-/dev/none} SMALL_DISK=${disks[-1]:-/dev/none}
  cp -r "$root/tests/deploy/fixture" "$PATTERN/flake"
  mv "$PATTERN/flake/fakes" "$PATTERN/fakes"
  sed -i -e "s|@FAKES@|$PATTERN/fakes|" -e "s|@SYSTEM@|$(uname -m)-linux|" -e "s|@PORT@|$PORT|" \
    -e "s|@USER@|$(id -un)|" -e "s|@DISK@|$DISK|" -e "s|@SMALL_DISK@|$SMALL_DISK|" \
    -e "s|@KEY@|$(cat "$PATTERN/key.pub")|" "$PATTERN/flake/flake.nix"
  git -C "$PATTERN/flake" init -q
  git -C "$PATTERN/flake" config user.name tester
  git -C "$PATTERN/flake" config user.email tester@example.org
  git -C "$PATTERN/flake" add .
  (cd "$PATTERN/flake" && nix --extra-experimental-features 'nix-command flakes' flake lock 2>/dev/null)
  git -C "$PATTERN/flake" add .
  git -C "$PATTERN/flake" commit -qm 'A fleet'
}

setup() {
  export FLAKE=$BATS_TEST_TMPDIR/flake FAKE_LOG=$BATS_TEST_TMPDIR/log
  export TMPDIR=$BATS_TEST_TMPDIR/tmp
  unset XDG_RUNTIME_DIR NIX_SSHOPTS SSH_AUTH_SOCK
  mkdir "$TMPDIR"
  cp -r "$PATTERN/flake" "$FLAKE"
  # tests/deploy_script.rs tests updates with the real program. Here `echo` prints its arguments.
  export PANTHEROS_MCP=echo
  cp "$PATTERN/key" "$PATTERN/key.pub" "$BATS_TEST_TMPDIR/"
  KEY=$BATS_TEST_TMPDIR/key
  KNOWN_HOSTS=$BATS_TEST_TMPDIR/known_hosts
  printf '[127.0.0.1]:%s %s\n' "$PORT" "$(cut -d' ' -f1,2 "$PATTERN/host_key.pub")" >"$KNOWN_HOSTS"
}

teardown() {
  if [ -n "${SSHD:-}" ]; then kill "$SSHD" 2>/dev/null || true; fi
}

deploy() {
  "$root/deploy.sh" --flake "$FLAKE" "$@"
}

# As `deploy`, with the key and the host keys of the machine.
deploy_with_key() {
  deploy --key "$KEY" --known-hosts "$KNOWN_HOSTS" "$@"
}

# start_machine [HOST-KEY]: starts a machine on $PORT that accepts only our key.
start_machine() {
  local key=${1:-host_key} sshd config=$BATS_TEST_TMPDIR/sshd_config
  sshd=$(command -v sshd || echo /usr/sbin/sshd)
  unshare -ru true 2>/dev/null || skip "no user namespaces here"
  cp "$PATTERN/$key" "$BATS_TEST_TMPDIR/machine_key"
  cp "$PATTERN/key.pub" "$BATS_TEST_TMPDIR/authorized_keys"
  cat >"$BATS_TEST_TMPDIR/session" <<'SESSION'
#!/bin/sh
exec unshare -ru sh -c '
  hostname web
  # In a namespace that maps no user, everybody is `nobody`.
  exec ${NOT_ROOT:+unshare -U} sh -c "$SSH_ORIGINAL_COMMAND"'
SESSION
  chmod +x "$BATS_TEST_TMPDIR/session"
  cat >"$config" <<CONFIG
Port $PORT
ListenAddress 127.0.0.1
HostKey $BATS_TEST_TMPDIR/machine_key
AuthorizedKeysFile $BATS_TEST_TMPDIR/authorized_keys
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
ForceCommand env NOT_ROOT=${NOT_ROOT:-} $BATS_TEST_TMPDIR/session
CONFIG
  if [ "$(id -u)" = 0 ]; then mkdir -p /run/sshd; fi
  "$sshd" -D -e -f "$config" 2>"$BATS_TEST_TMPDIR/sshd.log" 3>&- &
  SSHD=$!
  local tries=50
  until grep -q 'Server listening' "$BATS_TEST_TMPDIR/sshd.log"; do
    [ "$((tries--))" -gt 0 ] || { cat "$BATS_TEST_TMPDIR/sshd.log"; return 1; }
    sleep 0.1
  done
}

# terminal ANSWER ARGUMENT …: runs deploy.sh in a terminal of its own, and types ANSWER at the question.
terminal() {
  local answer=$1 line transcript=$BATS_TEST_TMPDIR/transcript pid=$BATS_TEST_TMPDIR/pid
  shift
  line=$(printf '%q ' exec "$root/deploy.sh" --flake "$FLAKE" --key "$KEY" --known-hosts "$KNOWN_HOSTS" "$@")
  : >"$transcript"
  rm -f "$pid"
  # The braces keep the typing process from being a child of `script`, which would take its end for
  # deploy.sh's.
  {
    script -qefc "echo \$\$ >$pid; $line" "$transcript"
  } < <(
    tries=300
    until grep -q 'go on: $' "$transcript" || [ "$((tries--))" = 0 ]; do
      sleep 0.1
      if [ -s "$pid" ] && ! kill -0 "$(<"$pid")" 2>/dev/null; then exit; fi
    done
    printf '%s\n' "$answer"
    sleep 0.3
  )
}

# As `terminal`, but waits for the end.
at_terminal() {
  need_disk
  run terminal "$@"
}

need_disk() {
  [ "$(lsblk -bdno SIZE "$DISK" 2>/dev/null || echo 0)" -ge 8000000000 ] || skip 'this machine has no disk to speak of'
}

# The address of the machine.
target() { printf 'root@127.0.0.1:%s' "$PORT"; }

# Fails if anything ran, connected to the machine, was written, or was left behind.
assert_untouched() {
  [ ! -e "$FAKE_LOG" ] || fail "something ran: $(cat "$FAKE_LOG")"
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
  diff -r -x index "$PATTERN/flake" "$FLAKE" || fail "the flake changed"
  if [ -n "${SSHD:-}" ]; then
    ! grep -q 'Connection from\|Accepted' "$BATS_TEST_TMPDIR/sshd.log" || fail "the machine was connected to"
  fi
}

# As above, but deploy.sh may have asked the machine about itself.
assert_unchanged() {
  [ ! -e "$FAKE_LOG" ] || fail "something ran: $(cat "$FAKE_LOG")"
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
  diff -r -x index "$PATTERN/flake" "$FLAKE" || fail "the flake changed"
}

fail() {
  printf '%s\n' "$@" "status: ${status:-}" "output: ${output:-}" "stderr: ${stderr:-}" >&2
  return 1
}

# assert_status CODE: the last `run` ended with CODE.
assert_status() { [ "$status" -eq "$1" ] || fail "status $status, not $1"; }

# assert_says TEXT …: the last `run` printed each TEXT, on either stream.
assert_says() {
  local text
  for text in "$@"; do
    [[ $output${stderr:-} == *"$text"* ]] || fail "does not say: $text"
  done
}
