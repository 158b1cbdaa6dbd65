# --- guardian.sh: guardian and worker: each restarts the other if it was killed.

# Sets `errors` to the file for error output after the connection is closed.
find_errors() {
  errors=/dev/null
  if { true >>"$dir/errors"; } 2>/dev/null; then errors=$dir/errors; fi
}
start_guardian() {
  find_errors
  setsid sh "$dir/supervisor" supervise "$dir" </dev/null >/dev/null 2>>"$errors" 9>&- &
  register guardian $!
}
tick() {
  plays guardian || start_guardian
  pause
}
work() {
  holds_lock && register worker $$ || exit 0
  read_state || exit 74
  if is_final; then
    release
  elif [ "$1" = again ]; then
    resume
  else
    case $action in
      boot) if [ "$reboot" = 1 ]; then start_new; else stage; fi ;;
      dry-activate) check ;;
      *) activate ;;
    esac
  fi
}
guard() {
  if plays guardian && [ "$pid" -ne $$ ]; then exit 0; fi
  holds_lock && register guardian $$ || exit 0
  attempt=0
  while holds_lock; do
    if ! plays worker; then
      read_state
      if is_final; then
        release
        break
      fi
      known=0
      { read -r known <"$lock/attempt"; } 2>/dev/null
      if [ "$known" -gt "$attempt" ]; then attempt=$known; fi
      attempt=$((attempt + 1))
      { printf '%s\n' "$attempt" >"$lock/attempt"; } 2>/dev/null
      # Either something kills the worker repeatedly, or memory is short. Both may pass, and no other process retries.
      if [ "$attempt" -gt 12 ]; then sleep 60; elif [ "$attempt" -gt 3 ]; then sleep $(((attempt - 3) * 5)); fi
      mode=again
      if [ "$attempt" -eq 1 ] && [ -e "$lock/fresh" ] && [ "$state" = accepted ]; then mode=first; fi
      find_errors
      setsid sh "$dir/supervisor" work "$dir" "$mode" </dev/null >/dev/null 2>>"$errors" &
      register worker $!
    fi
    # The guardian may be slow: only the end of the deployment needs it.
    sleep 0.3
  done
}
# A timer of systemd is a second guard: every 15 s it continues a deployment that has no process left, whatever ended them
# and kept systemd from starting the guardian again. It ends with the deployment.
start_timer() {
  timer=pantheros-deploy-$id-timer
  [ ! -e "/run/systemd/transient/$timer.timer" ] || return 0
  systemd-run --quiet --collect --unit="$timer" --on-active=15 --on-unit-inactive=15 --timer-property=AccuracySec=1 \
    --property=KillMode=process --setenv=PATH="$PATH" --description="second guard of the pantherOS deployment $id" \
    "$shell" "$dir/supervisor" rescue "$dir" </dev/null >/dev/null 9>&- || say "systemd cannot start the second guard"
}
end_timer() {
  timer=pantheros-deploy-$id-timer
  [ -e "/run/systemd/transient/$timer.timer" ] || return 0
  timeout -k 1 20 systemctl stop "$timer.timer"
  # A run that was killed leaves its unit as failed.
  timeout -k 1 20 systemctl reset-failed "$timer.service" 2>/dev/null || :
}
# Starts the guardian so that it outlives the connection, and lets nothing hold the connection open.
detach() {
  shell=$previous/sw/bin/sh
  [ -x "$shell" ] || shell=$(command -v sh)
  if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
    start_timer
    systemctl reset-failed "pantheros-deploy-$id.service" 2>/dev/null
    # Without a limit of starts: systemd would give up a guardian that is killed six times in ten seconds.
    systemd-run --quiet --collect --unit="pantheros-deploy-$id" --property=KillMode=process \
      --property=Restart=on-failure --property=RestartSec=1 --property=StartLimitIntervalSec=0 \
      --property=MountFlags=private --setenv=PATH="$PATH" --description="pantherOS deployment $id" \
      "$shell" "$dir/supervisor" supervise "$dir" </dev/null >/dev/null 9>&- && return
    say "systemd cannot start the guardian, so it runs in a session of its own"
  fi
  find_errors
  setsid "$shell" "$dir/supervisor" supervise "$dir" </dev/null >/dev/null 2>>"$errors" 9>&- &
}

