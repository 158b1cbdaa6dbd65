# --- process.sh: processes, identified by number and start time, since numbers are reused.

# Sets process_state, process_session and process_start. A program's name may contain line breaks and brackets.
inspect() {
  stat=
  { while IFS= read -r line || [ -n "$line" ]; do stat="$stat$line "; done <"/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086 # fields are wanted
  set -- ${stat##*) }
  [ $# -ge 20 ] || return 1
  process_state=$1 process_session=$4 process_start=${20}
}
# Registers the process for a part (worker, guardian, …) of the deployment that holds the lock.
register() {
  inspect "$2" && printf '%s %s\n' "$2" "$process_start" >"$lock/$1.$$" && mv -f "$lock/$1.$$" "$lock/$1"
} 2>/dev/null
plays() {
  { read -r pid start <"$lock/$1"; } 2>/dev/null || return 1
  inspect "$pid" && [ "$start" = "$process_start" ] && [ "$process_state" != Z ]
}
# Sends a signal to every process of a session; fails if there is none.
signal_session() {
  found=1
  for entry in /proc/[0-9]*; do
    if inspect "${entry#/proc/}" && [ "$process_session" = "$2" ] && [ "$process_state" != Z ]; then
      found=0
      kill -s "$1" "${entry#/proc/}" 2>/dev/null
    fi
  done
  return "$found"
}
session_is_gone() { ! signal_session "$1" "$2"; }
# Ends the session that a process leads or led: sends TERM, and KILL a second later.
end_led_by() {
  if inspect "$1" && [ "$2" != "$process_start" ]; then return 0; fi
  leader=$1
  if signal_session TERM "$leader" && ! wait_for 1 session_is_gone 0 "$leader"; then
    wait_for 2 session_is_gone KILL "$leader" || say "processes of the session $leader cannot be killed"
  fi
}
# Ends the session of a part of the deployment.
end_session() {
  { read -r leader start <"$lock/$1"; } 2>/dev/null || return 0
  end_led_by "$leader" "$start"
  rm -f "$lock/$1"
}

