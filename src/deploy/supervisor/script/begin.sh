# --- begin.sh: starts a deployment, after interrupted ones are finished.

# Starts a guardian if none of the deployment's processes is left and it has not ended; fails if nothing was started.
revive() {
  read_state || return 1
  if is_final && ! holds_lock; then
    write_late
    if [ -h "$roots/$id" ] || [ -h "$roots/$id-previous" ]; then release; fi
    return 1
  fi
  mutex
  holder
  if [ -n "$held_by" ] && { [ "$held_by" != "$id" ] || somebody_works; }; then
    let_go
    return 1
  fi
  read_state
  if is_final; then
    release
    let_go
    return 1
  fi
  # Keeps the registered process of an activation, which may still run.
  if holds_lock; then rm -f "$lock/attempt" "$lock/fresh" && register starter $$; else take_lock; fi || fail 74 "cannot write $lock"
  detach
  let_go
}
# Finishes this deployment if none of its processes is left.
recover() {
  if revive; then wait_for $((3 * activation_seconds + 30)) ended_or_waiting; fi
}
# After a reboot into the new system the deployment is not ended: its worker waits for the confirmation.
ended_or_waiting() { ended || { [ "$reboot" = 1 ] && [ "$state" = waiting ] && plays worker; }; }

# Ends the deployment as refused; nothing is changed yet.
refuse() {
  reason=$2 message=$3
  enter refused
  release
  let_go
  print_state
  fail "$1" "$3"
}

begun() { read_state && [ "$state" != accepted ]; }

# Finishes other deployments that were interrupted.
finish_others() {
  own=$id
  for dir in "$base"/plan-*; do
    id=${dir#"$base/"}
    if [ "$id" = "$own" ] || ! is_id "$id" || ! read_state; then continue; fi
    if is_final && ! holds_lock; then continue; fi
    (read_spec && recover) || say "$id could not be finished"
  done
  id=$own
  dir=$base/$id
  forget_state
}

begin() {
  if read_state; then
    recover
    read_state
    print_state
    if is_final; then fail 1 "$id has ended: a plan can be deployed only once"; fi
    exit 0
  fi
  # Nothing below works without these, not even the lock.
  find_missing nix-store nix-env setsid flock
  [ -z "$missing" ] || refuse 69 program_missing "$missing"
  finish_others
  began_in=$(boot_id)
  now
  started_uptime=$((uptime / 100))
  mutex
  if [ -e "$dir/withdrawn" ]; then
    let_go
    fail 69 "$id was withdrawn before it started"
  fi
  if holder && { [ -e "$base/$held_by" ] || somebody_works; }; then
    let_go
    fail 75 "the deployment $held_by holds the lock on this machine"
  fi
  rm -f "$dir/confirm" "$dir/cancel"
  take_lock || fail 74 "cannot write $lock"
  touch "$lock/fresh"
  profile_was=$(readlink "$profile")
  find_newest_generation
  if ! enter accepted; then
    rm -f "$run/$id.json"
    release
    fail 74 "$dir/state.json cannot be written: is the disk full?"
  fi
  mkdir -p "$roots" && ln -sfn "$toplevel" "$roots/$id" && ln -sfn "$previous" "$roots/$id-previous" ||
    refuse 74 no_gc_root "$roots cannot be written."
  verify_signature
  [ "$(running)" = "$previous" ] || refuse 69 system_changed "Another system runs than when the plan was made."
  for path in "$toplevel" "$previous"; do
    [ -x "$path/bin/switch-to-configuration" ] ||
      refuse 69 system_missing "$path is not in the store, or is not a NixOS system."
  done
  timeout 30 nix-store --check-validity "$toplevel" "$previous" 2>/dev/null ||
    refuse 69 system_missing "$toplevel or $previous is not in the store."
  detach
  let_go
  (sweep)
  if ! wait_for 10 begun; then
    mutex
    somebody=yes
    plays guardian || plays worker || somebody=
    [ -n "$somebody" ] || refuse 69 not_started "The supervisor did not start."
    let_go
  fi
  print_state
}

