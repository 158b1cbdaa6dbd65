# --- clock.sh: time since boot in hundredths of a second, which setting the clock does not change.

now() {
  read -r uptime _ </proc/uptime
  uptime=${uptime%.*}${uptime#*.}
  while :; do case $uptime in 0?*) uptime=${uptime#0} ;; *) break ;; esac done
}
# Pauses are short at first, since most conditions become true soon.
paused=0
pause() {
  paused=$((paused + 1))
  if [ "$paused" -le 10 ]; then sleep 0.02; elif [ "$paused" -le 30 ]; then sleep 0.1; else sleep 0.2; fi
}
# Waits at most $1 seconds until the command in the other arguments succeeds.
wait_for() {
  paused=0
  now
  until_then=$((uptime + $1 * 100))
  shift
  until "$@"; do
    now
    [ "$uptime" -lt "$until_then" ] || return 1
    pause
  done
}

