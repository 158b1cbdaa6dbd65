# --- run.sh: runs programs of a system, each in its own session, and interprets their exit codes.

# Keeps at most the last 64 KiB of its input, and continues to read it if the disk is full.
keep_log() {
  register logger $$
  if [ -s "$dir/log" ]; then mv -f "$dir/log" "$dir/log.old"; fi
  size=0
  # One read at a time, so that the log is always current, and complete if this process dies.
  while dd bs=$log_half count=1 >>"$dir/log"; do
    before=$size
    size=$(wc -c <"$dir/log") && [ "$size" -gt "$before" ] || break
    if [ "$size" -ge "$log_half" ]; then mv -f "$dir/log" "$dir/log.old" && size=0 || break; fi
  done 2>/dev/null
  cat >/dev/null
}
join_log() {
  if [ -f "$dir/log.old" ]; then
    cat "$dir/log.old" "$dir/log" 2>/dev/null | tail -c $((2 * log_half)) >"$dir/log.new" && mv -f "$dir/log.new" "$dir/log"
    rm -f "$dir/log.old" "$dir/log.new"
  fi
}
# Runs a program for at most $1 seconds and sets `code`: 124 means that it took too long. If $2 is `cancellable`, 125
# means cancelled, and 126 that no connection reached the machine within the time limit of the confirmation.
limited() {
  now
  limit=$((uptime + $1 * 100))
  attended=$((uptime + confirm_seconds * 100))
  cancellable=$2
  shift 2
  code=
  rm -f "$lock/output" "$lock/program"
  output=/dev/null
  # If memory is full there is no log, but the rollback must still work.
  if mkfifo "$lock/output" 2>/dev/null; then
    output=$lock/output
    setsid sh "$dir/supervisor" keep-log "$dir" <"$output" >/dev/null 2>&1 &
    register logger $!
  fi
  setsid sh "$dir/supervisor" run "$dir" "$@" </dev/null >"$output" 2>&1 &
  child=$!
  inspect "$child" && born=$process_start || born=gone
  register program "$child"
  paused=0
  while inspect "$child" && [ "$process_start" = "$born" ] && [ "$process_state" != Z ]; do
    now
    if [ "$uptime" -ge "$limit" ]; then code=124; fi
    if [ "$cancellable" = cancellable ]; then
      if [ -e "$dir/alive" ]; then
        rm -f "$dir/alive"
        attended=$((uptime + confirm_seconds * 100))
      fi
      if [ "$uptime" -ge "$attended" ]; then code=126; fi
      if [ -e "$dir/cancel" ]; then code=125; fi
    fi
    [ -z "$code" ] || break
    tick
  done
  # A program that cannot be killed is not waited for.
  if [ -n "$code" ]; then
    end_led_by "$child" "$born"
  else
    wait "$child"
    code=$?
  fi
  # Remaining child processes may keep the output open; the log ends with the program.
  wait_for 1 eval '! plays logger' || end_session logger
  rm -f "$lock/output" "$lock/program"
  join_log
}
switch_is_free() { [ ! -e "$switch_lock" ] || flock -n "$switch_lock" true 2>/dev/null; }
# Waits for another program that switches the machine; else switch-to-configuration would fail at once.
switch_to() {
  wait_for "$activation_seconds" switch_is_free
  limited "$activation_seconds" "$3" "$1/bin/switch-to-configuration" "$2"
}

# Exit codes of switch-to-configuration-ng: 4 means that units failed to start on an active system, 100 that only a
# reboot can replace the init (nothing was done), 2 that an activation script failed.
activated() {
  case $code in 0 | 4) [ "$(running)" = "$1" ] ;; *) return 1 ;; esac
}
why_not_activated() {
  case $code in
    124) reason=activation_timeout message="The activation took longer than $activation_seconds s and was ended." ;;
    125) reason=cancelled message="Cancelled while the activation ran." ;;
    126) reason=unattended message="No new connection reached the machine for $confirm_seconds s during the activation." ;;
    100) reason=needs_reboot message="The new system can only be started by a reboot: deploy it with the action boot." ;;
    0 | 4) reason=wrong_system message="The activation reported success, but another system runs." ;;
    *) reason=activation_failed message="switch-to-configuration ended with $code." ;;
  esac
}

