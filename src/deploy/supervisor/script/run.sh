# --- run.sh: runs what a system brings, in a session of its own, and tells how it ended.

# Keeps the last 64 KiB or less of what comes in, and goes on reading where the disk is full.
keep_log() {
  register logger $$
  if [ -s "$dir/log" ]; then mv -f "$dir/log" "$dir/log.old"; fi
  size=0
  # One read a time, so that nothing is held back from who reads it, or lost with this process.
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
# Runs a program at most $1 seconds; sets `code`: 124 took too long and, where $2 is `cancellable`, 125 cancelled,
# 126 nobody reached the machine for as long as a confirmation may take.
limited() {
  now
  limit=$((uptime + $1 * 100))
  attended=$((uptime + confirm_seconds * 100))
  cancellable=$2
  shift 2
  code=
  rm -f "$lock/output" "$lock/program"
  output=/dev/null
  # Where memory is full there is no log, but the way back still has to work.
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
  # One that cannot be killed is not waited for.
  if [ -n "$code" ]; then
    end_led_by "$child" "$born"
  else
    wait "$child"
    code=$?
  fi
  # What it left behind may hold on to its output: the end of the program is the end of the log.
  wait_for 1 eval '! plays logger' || end_session logger
  rm -f "$lock/output" "$lock/program"
  join_log
}
switch_is_free() { [ ! -e "$switch_lock" ] || flock -n "$switch_lock" true 2>/dev/null; }
# Somebody else who switches the machine is waited for: it would end at once, and say so.
switch_to() {
  wait_for "$activation_seconds" switch_is_free
  limited "$activation_seconds" "$3" "$1/bin/switch-to-configuration" "$2"
}

# --- What the worker does.

# Told apart as switch-to-configuration-ng does: 4 is units that did not start on a system that is
# active, 100 an init that only a reboot can replace (nothing was done), 2 a failed activation script.
activated() {
  case $code in 0 | 4) [ "$(running)" = "$1" ] ;; *) return 1 ;; esac
}
why_not_activated() {
  case $code in
    124) reason=activation_timeout message="The activation took longer than $activation_seconds s and was ended." ;;
    125) reason=cancelled message="Cancelled while the activation ran." ;;
    126) reason=unattended message="The activation ran, and nobody reached the machine for $confirm_seconds s." ;;
    100) reason=needs_reboot message="The new system can only be started by a reboot: deploy it with the action boot." ;;
    0 | 4) reason=wrong_system message="The activation said it succeeded, and another system runs." ;;
    *) reason=activation_failed message="switch-to-configuration ended with $code." ;;
  esac
}

