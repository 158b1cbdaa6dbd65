#!/usr/bin/env bats
# An installation that is ended by a signal ends every process that it started.
# shellcheck disable=SC2016,SC2154 # literal `$` in single quotes; variables set by bats and the helpers
load helpers

gone() {
  local tries=200
  while kill -0 "$1" 2>/dev/null && [ "$(ps -o stat= -p "$1" | cut -c1)" != Z ]; do
    [ "$((tries--))" -gt 0 ] || return 1
    sleep 0.1
  done
}

# ends_on SIGNAL CODE: sends SIGNAL to deploy.sh alone while the installation runs.
ends_on() {
  local pid at code=0 pids tries=300
  need_disk
  start_machine
  FAKE_DOES=hang terminal web --install web "$(target)" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  at=$!
  until [ -s "$FAKE_LOG.pids" ] || [ "$((tries--))" = 0 ]; do sleep 0.1; done
  read -r pid <"$BATS_TEST_TMPDIR/pid"
  read -ra pids <"$FAKE_LOG.pids" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
  kill -s "$1" "$pid"
  gone "$pid" || { kill -s KILL "$pid" && fail 'it does not end'; }
  wait "$at" || code=$?
  [ "$code" = "$2" ] || fail "ended with $code" "$(cat "$BATS_TEST_TMPDIR/out")"
  for pid in "${pids[@]}"; do gone "$pid" || fail "process $pid is still there"; done
  grep -q "stopped by SIG$1" "$BATS_TEST_TMPDIR/out"
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
}

@test "SIGTERM ends it and its children" { ends_on TERM 143; }

@test "SIGINT ends it and its children" { ends_on INT 130; }

@test "SIGHUP ends it and its children" { ends_on HUP 129; }

@test "Ctrl-C ends it at the question, whatever is typed after it" {
  start_machine
  at_terminal $'\003web' --install web "$(target)"
  [ "$status" = 130 ] || fail "ended with $status" "$output"
  [ ! -e "$FAKE_LOG" ] || fail "it was installed: $(cat "$FAKE_LOG")"
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
}

@test "an evaluation that takes long ends with it, too" {
  local pid evaluation='' tries=300 code=0
  # 10,000,000,000 additions.
  sed -i "s/throw \"broken on purpose\"/toString (let n = builtins.genList (x: x) 100000; add = builtins.foldl' (a: b: a + b) 0; in add (map (x: add n) n))/" \
    "$FLAKE/hosts.nix"
  setsid "$root/deploy.sh" --flake "$FLAKE" --key "$KEY" --known-hosts "$KNOWN_HOSTS" --install broken \
    >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
  pid=$!
  until [ -n "$evaluation" ] || [ "$((tries--))" = 0 ]; do
    sleep 0.1
    evaluation=$(pgrep -P "$pid" -f 'nixosConfigurations."broken"' || true)
  done
  kill -s TERM "$pid" || fail "$(cat "$BATS_TEST_TMPDIR/out")"
  gone "$pid" || { kill -s KILL "$pid" && fail 'it does not end'; }
  wait "$pid" || code=$?
  [ "$code" = 143 ] || fail "ended with $code" "$(cat "$BATS_TEST_TMPDIR/out")"
  gone "$evaluation" || fail 'the evaluation goes on'
  [ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls -A "$TMPDIR")"
}
