# --- worker.sh: the worker, from the activation to the confirmation.

becomes_default() { [ "$action" = switch ] || [ "$action" = boot ]; }
# Whether the profile is unchanged, or was set by this deployment.
profile_is_ours() { [ "$(readlink "$profile")" = "$profile_was" ] || [ "$(readlink -f "$profile")" = "$toplevel" ]; }
profile_changed() { reason=profile_changed message="The profile was set to another generation in the meantime."; }
confirm_now() {
  if [ "$(running)" != "$toplevel" ]; then
    reason=wrong_system message="Another system runs than the one that was to be confirmed."
    roll_back
  fi
  if becomes_default && ! profile_is_ours; then
    profile_changed
    roll_back
  fi
  changed_before=$defaults_changed
  becomes_default && defaults_changed=true
  deadline_uptime=
  if ! enter confirming; then
    not_written
    defaults_changed=$changed_before
    roll_back
  fi
  if becomes_default && ! make_default; then roll_back; fi
  defaults_changed=
  finish confirmed
}

activate() {
  if ! wait_for 10 switch_is_free; then
    reason=busy message="Another program switches the machine: it holds $switch_lock."
    finish refused
  fi
  if ! enter activating; then
    not_written
    finish refused
  fi
  switch_to "$toplevel" test cancellable
  activation_exit=$code
  [ "$code" -ne 4 ] || units_failed=true
  if ! activated "$toplevel"; then
    why_not_activated
    roll_back
  fi
  await_confirmation
}

await_confirmation() {
  now
  deadline=$((uptime + confirm_seconds * 100))
  deadline_uptime=$((deadline / 100))
  if ! enter waiting; then
    not_written
    roll_back
  fi
  while :; do
    now
    if [ -e "$dir/cancel" ]; then
      reason=cancelled message="Cancelled before it was confirmed."
      roll_back
    elif [ -e "$dir/confirm" ]; then
      confirm_now
    elif [ "$uptime" -ge "$deadline" ]; then
      reason=not_confirmed message="The deployment was not confirmed within $confirm_seconds s."
      roll_back
    fi
    tick
  done
}

stage() {
  if ! profile_is_ours; then
    profile_changed
    if [ "$state" = accepted ]; then finish refused; else roll_back; fi
  fi
  if [ "$state" = accepted ]; then
    defaults_changed=true
    if ! enter confirming; then
      not_written
      defaults_changed=
      finish refused
    fi
  fi
  if make_default; then
    defaults_changed=
    finish staged
  fi
  roll_back
}

# Reboots the machine into the new system, which is confirmed after that.
start_new() {
  defaults_changed=true
  if ! enter staging; then
    not_written
    defaults_changed=
    finish refused
  fi
  if [ "$boot_once" = 1 ]; then make_next || roll_back; else make_default || roll_back; fi
  if ! enter rebooting; then
    not_written
    roll_back
  fi
  restart
  reason=not_rebooted message="The machine did not reboot."
  roll_back
}
# Continues `start_new` after the reboot, or after the supervisor was killed before it.
resume_start() {
  case $cut:$state:$(running) in
    rebooted:rolling_back:"$toplevel")
      reason=${reason:-$cut}
      add_message "$told"
      add_message "It booted the new system again."
      finish rollback_failed
      ;;
    *:confirming:"$toplevel") confirm_now ;;
    rebooted:*:"$toplevel") await_confirmation ;;
    rebooted:rebooting:*)
      reason=did_not_start
      add_message "The machine booted, but does not run the new system."
      ;;
    *)
      reason=${reason:-$cut}
      add_message "$told"
      ;;
  esac
  if [ "$cut" = rebooted ]; then started_by_boot=yes; fi
  roll_back
}

check() {
  if ! enter activating; then
    not_written
    finish refused
  fi
  switch_to "$toplevel" dry-activate cancellable
  activation_exit=$code
  if [ "$code" -eq 0 ]; then finish checked; fi
  why_not_activated
  finish refused
}

# Whether another system was activated from outside and the profile set to it.
is_superseded() {
  case $(running) in "$toplevel" | "$previous") return 1 ;; esac
  [ "$(readlink "$profile")" != "$profile_was" ] && [ "$(readlink -f "$profile")" != "$toplevel" ]
}

# Finishes a deployment after its worker was killed or the machine was rebooted.
resume() {
  end_session program
  end_session logger
  cut=supervisor_died told="The supervisor was killed"
  if [ "$began_in" != "$(boot_id)" ]; then cut=rebooted told="The machine was rebooted"; fi
  case $cut:$state:$reboot_requested in
    # The message has it already.
    rebooted:*:true) told= ;;
    *:waiting:*) told="$told before the new system was confirmed." ;;
    *:confirming:*) told="$told while the new system was made the boot default." ;;
    *) told="$told before the end." ;;
  esac
  if [ "$action" = dry-activate ] || [ "$state" = accepted ]; then
    reason=$cut message="$told Nothing was changed."
    finish refused
  fi
  if [ "$reboot" = 1 ]; then resume_start; fi
  if [ "$state" = confirming ] && [ "$(running)" = "$toplevel" ]; then
    message="$told The confirmed deployment was completed."
    case $action in
      boot) stage ;;
      *) confirm_now ;;
    esac
  fi
  reason=${reason:-$cut}
  add_message "$told"
  # After a boot from the boot default, another reboot would bring the same system.
  if [ "$cut" = rebooted ] && [ "$(running)" != "$toplevel" ]; then
    started_by_boot=yes
    [ "$(running)" = "$previous" ] || add_message "The machine runs a third system, which stays active."
  elif [ "$cut" = rebooted ] && [ "$toplevel" = "$previous" ]; then
    started_by_boot=yes
  elif is_superseded; then
    leave_alone
  fi
  roll_back
}

