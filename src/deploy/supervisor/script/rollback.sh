# --- rollback.sh: the end of a deployment, and the rollback to the old system.

not_written() { reason=state_not_written message="The state could not be written: is the disk full?"; }
finish() {
  enter "$1"
  release
  exit 0
}

# Whether systemd stops the machine. While a machine is still starting, `is-system-running` does not say so.
is_stopping() {
  stops=$(timeout -k 1 20 systemctl show --property=ActiveState --property=Job shutdown.target 2>/dev/null) || return 1
  case $stops in *Job=[1-9]* | *ActiveState=active*) ;; *) return 1 ;; esac
}
# Waits while systemd stops the machine: units may need minutes, for example to write their data. Returns if it did not do
# so for $1 seconds. systemd itself forces a reboot after 30 minutes (reboot.target, `JobTimeoutSec`); five minutes later
# it can be assumed to hang.
await_stop() {
  now
  stopping=$uptime give_up=$((uptime + 210000))
  until [ "$uptime" -ge "$give_up" ] || [ $((uptime - stopping)) -ge $(($1 * 100)) ]; do
    sleep 1
    now
    if is_stopping; then stopping=$uptime; fi
  done
}
# Each method needs less of a damaged system than the one before; the last needs only the kernel.
restart() {
  timeout -k 1 10 sync
  for force in '' --force '--force --force'; do
    if [ -n "$force" ]; then
      add_message "The machine did not stop when it was asked to, so its reboot was forced."
      enter "$state"
    fi
    if [ -d /run/systemd/system ]; then
      # shellcheck disable=SC2086 # none, one or two
      timeout -k 1 20 systemctl reboot $force
    else
      timeout -k 1 20 reboot ${force:+-f}
    fi
    # Unless it was refused, it may begin a while later, since programs may delay it (systemd-inhibit(1)).
    case $? in 0 | 124 | 137) await_stop 60 ;; *) await_stop 5 ;; esac
  done
}

reboot_machine() {
  add_message "The machine is rebooted into the previous system."
  reboot_requested=true
  enter rolling_back
  restart
}

# If the spec allows it, reboots the machine when no connection reaches the old system either: the boot default was
# reachable once.
await_contact() {
  if [ "$reboot_on_failure" = 0 ] || [ "$action" = boot ] || [ -n "$started_by_boot" ]; then return; fi
  # The `cancel` came over a connection, so the machine can be reached.
  if [ "$reason" = cancelled ]; then return; fi
  enter awaiting_contact
  if wait_for "$confirm_seconds" test -e "$dir/seen"; then return; fi
  add_message "No connection reached the previous system within $confirm_seconds s."
  reboot_machine
}

# Whether the old system runs again. Its activation may always end with 2 or 3, because a snippet of its own fails;
# after two attempts that counts as restored.
is_back() {
  [ "$(running)" = "$previous" ] || return 1
  case $code in 0 | 4) return 0 ;; 2 | 3) [ "$try" -ge 2 ] ;; *) return 1 ;; esac
}

# Ends without a rollback, because another system was activated from outside.
leave_alone() {
  reason=system_changed
  add_message "Another system was activated since: it stays active."
  finish rollback_failed
}

# Restores the old system; `reason` and `message` have the cause.
roll_back() {
  end_session program
  end_session logger
  if is_superseded; then leave_alone; fi
  deadline_uptime=
  enter rolling_back
  problem=
  # Pre-switch checks must not prevent a rollback.
  export NIXOS_NO_CHECK=1
  uncover
  restore_default || problem="Profile and boot default could not be restored."
  # A second try is needed if the killed activation left a lock behind; another program may take the switch lock first.
  try=1 busy=0
  until [ "$action" = boot ] || [ -n "$started_by_boot" ]; do
    ensure_bus
    switch_to "$previous" test no
    rollback_exit=$code
    if is_back; then break; fi
    if [ "$code" -eq 1 ] && ! switch_is_free && [ "$busy" -lt 20 ]; then
      busy=$((busy + 1))
      continue
    fi
    if [ "$try" -ge 2 ] || [ "$code" -eq 124 ]; then
      problem="$problem The previous system could not be activated."
      break
    fi
    try=$((try + 1))
    pause
  done
  # A system that was booted can only be replaced by another boot.
  if [ -z "$problem" ] && [ "$reboot" = 1 ] && [ "$(running)" != "$previous" ] && [ -z "$started_by_boot" ]; then
    reboot_machine
    problem="The machine did not reboot."
  fi
  if [ -z "$problem" ] && [ "$(running)" != "$previous" ]; then
    reason=system_changed
    finish rollback_failed
  fi
  if [ "$action" != boot ]; then ensure_sshd; fi
  if [ -z "$problem" ]; then
    await_contact
    finish rolled_back
  fi
  add_message "${problem# }"
  # If nobody can log in either, only a reboot helps: the boot default is the previous system.
  if { [ "$reboot_on_failure" = 1 ] || ! sshd_listens; } && [ -z "$defaults_changed" ]; then reboot_machine; fi
  finish rollback_failed
}

