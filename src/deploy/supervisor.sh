#!/bin/sh
# Brings a NixOS machine to another system and back again unless somebody confirms it in time.
#
#   begin DIR          checks the deployment described in DIR/spec and starts it, detached
#   confirm DIR NONCE  keeps the new system (NONCE `-`: read from standard input)
#   cancel DIR         asks for the old system at once
#   alive DIR          says that the machine was reached afresh, while the new system is activated
#   withdraw DIR       sees to it that what has not begun never does
#   seen DIR           says that the machine was reached afresh, after it went back
#   state DIR          prints DIR/state.json, after finishing what a crash or a reboot cut short
#   list               prints the state of every deployment, one JSON object a line
#   sweep              removes deployments older than 30 days, never the newest 5
#
# Runs as root, on any POSIX shell; needs coreutils, util-linux (setsid, flock), Nix and /proc.
# Exit codes: 0 done; 1 the deployment ended otherwise; 64 wrong usage; 65 wrong spec; 69 refused;
# 74 cannot write; 75 try again later (somebody else deploys, or it is too early); 77 not allowed.
# shellcheck disable=SC2015 # every `A && B || C` here wants C also where B fails
set -u
umask 077
unset CDPATH ENV
export LC_ALL=C
PATH="$PATH:/run/current-system/sw/bin:/nix/var/nix/profiles/default/bin"
export PATH
cd / || exit 74

base=/var/lib/pantheros/deployments
run=/run/pantheros
lock=$run/lock
# Held by who switches a machine, one at a time (switch-to-configuration).
switch_lock=/run/nixos/switch-to-configuration.lock
roots=/nix/var/nix/gcroots/pantheros
host_signers=/etc/pantheros/allowed_signers
log_half=32768

say() { printf 'pantheros: %s\n' "$1" >&2; }
fail() {
  say "$2"
  exit "$1"
}

# --- The clock: hundredths of a second since the machine started, which nobody sets.

now() {
  read -r uptime _ </proc/uptime
  uptime=${uptime%.*}${uptime#*.}
  while :; do case $uptime in 0?*) uptime=${uptime#0} ;; *) break ;; esac done
}
# Short at first: most of what is waited for comes soon.
paused=0
pause() {
  paused=$((paused + 1))
  if [ "$paused" -le 10 ]; then sleep 0.02; elif [ "$paused" -le 30 ]; then sleep 0.1; else sleep 0.2; fi
}
# Waits until the rest of its arguments holds, at most $1 seconds.
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

# --- Processes, told apart from later ones with the same number by when they started.

# Sets process_state, process_session and process_start. Anybody may name a program, with line breaks and brackets.
inspect() {
  stat=
  { while IFS= read -r line || [ -n "$line" ]; do stat="$stat$line "; done <"/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086 # fields are wanted
  set -- ${stat##*) }
  [ $# -ge 20 ] || return 1
  process_state=$1 process_session=$4 process_start=${20}
}
# Writes down which process plays a part of the deployment that holds the lock.
register() {
  inspect "$2" && printf '%s %s\n' "$2" "$process_start" >"$lock/$1.$$" && mv -f "$lock/$1.$$" "$lock/$1"
} 2>/dev/null
plays() {
  { read -r pid start <"$lock/$1"; } 2>/dev/null || return 1
  inspect "$pid" && [ "$start" = "$process_start" ] && [ "$process_state" != Z ]
}
# Sends a signal to every process of a session; fails where there is none.
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
# Ends the session that a process leads, or led: asks, and a second later no longer asks.
end_led_by() {
  if inspect "$1" && [ "$2" != "$process_start" ]; then return 0; fi
  leader=$1
  if signal_session TERM "$leader" && ! wait_for 1 session_is_gone 0 "$leader"; then
    wait_for 2 session_is_gone KILL "$leader" || say "processes of the session $leader cannot be killed"
  fi
}
# The same for a part of the deployment.
end_session() {
  { read -r leader start <"$lock/$1"; } 2>/dev/null || return 0
  end_led_by "$leader" "$start"
  rm -f "$lock/$1"
}

# --- The spec: `key=value` lines; what is not exactly as expected is refused.

matches() {
  # shellcheck disable=SC2254 # a pattern is wanted
  case $1 in '' | *[!$2]*) return 1 ;; esac
}
is_id() {
  rest=${1#plan-}
  [ "plan-$rest" = "$1" ] && [ ${#rest} -eq 26 ] && matches "$rest" a-z2-7
}
is_store_path() {
  rest=${1#/nix/store/}
  [ "/nix/store/$rest" = "$1" ] && [ ${#rest} -le 211 ] && matches "$rest" '0-9a-zA-Z+._?=-' || return 1
  hash=${rest%%-*}
  [ ${#hash} -eq 32 ] && [ ${#rest} -gt 33 ] && matches "$hash" 0-9a-z
}
is_profile() {
  rest=${1#/nix/var/nix/profiles/}
  [ "/nix/var/nix/profiles/$rest" = "$1" ] && matches "${rest#system-profiles/}" '0-9a-zA-Z_-'
}
is_seconds() { matches "$1" 0-9 && [ ${#1} -le 5 ] && [ "${1#0}" = "$1" ] && [ "$1" -le 86400 ]; }
is_nonce() { [ ${#1} -ge 16 ] && [ ${#1} -le 128 ] && matches "$1" '0-9a-zA-Z_-'; }
is_path() { case $1 in /*) [ ${#1} -le 1024 ] && matches "$1" '0-9a-zA-Z/._+-' ;; *) return 1 ;; esac }

bad_spec() { fail 65 "$dir/spec: $1"; }

# Sets dir and id from an argument, which has to be a deployment's folder and nothing else.
open_folder() {
  id=${1#"$base/"}
  dir=$base/$id
  is_id "$id" && [ "$dir" = "$1" ] || fail 64 "not a deployment's folder: it has to be $base/plan-…"
  [ -d "$dir" ] && [ ! -h "$dir" ] && [ -O "$dir" ] || fail 64 "$dir is not a folder of root's"
  case $(stat -c %A "$dir") in ?????w* | ????????w*) fail 64 "$dir can be written by others than root" ;; esac
}

read_spec() {
  action='' toplevel='' previous='' profile=/nix/var/nix/profiles/system
  confirm_seconds='' activation_seconds='' reboot_on_failure=0 nonce='' allowed_signers='' wanted_generation='' reverts='' reboot=0 boot_once=0 seen=' '
  [ -f "$dir/spec" ] && [ ! -h "$dir/spec" ] || bad_spec "missing"
  [ "$(wc -c <"$dir/spec")" -le 8192 ] || bad_spec "longer than 8192 bytes"
  [ "$(tr -d '\000' <"$dir/spec" | wc -c)" -eq "$(wc -c <"$dir/spec")" ] || bad_spec "holds a zero byte"
  number=0
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    key=${line%%=*} value=${line#*=}
    case $line in *=*) ;; *) bad_spec "line $number is not key=value" ;; esac
    case $seen in *" $key "*) bad_spec "line $number: given before" ;; esac
    right=yes
    case $key in
      version) [ "$value" = 1 ] || right='' ;;
      id) [ "$value" = "$id" ] || right='' ;;
      action) action=$value && case $value in switch | boot | test | dry-activate) ;; *) right='' ;; esac ;;
      toplevel) toplevel=$value && is_store_path "$value" || right='' ;;
      previous) previous=$value && is_store_path "$value" || right='' ;;
      profile) profile=$value && is_profile "$value" || right='' ;;
      confirm_seconds) confirm_seconds=$value && is_seconds "$value" || right='' ;;
      activation_seconds) activation_seconds=$value && is_seconds "$value" || right='' ;;
      reboot_on_failure) reboot_on_failure=$value && case $value in 0 | 1) ;; *) right='' ;; esac ;;
      # One there is already, which the profile goes to instead of a new one.
      generation) wanted_generation=$value && matches "$value" 0-9 && [ ${#value} -le 9 ] || right='' ;;
      # With the action boot: start the machine with the new system, and have it confirmed then.
      reboot) reboot=$value && case $value in 0 | 1) ;; *) right='' ;; esac ;;
      # The boot loader can start an entry once, and has to.
      boot_once) boot_once=$value && case $value in 0 | 1) ;; *) right='' ;; esac ;;
      # The deployment this one takes back.
      reverts) reverts=$value && is_id "$value" || right='' ;;
      nonce) nonce=$value && is_nonce "$value" || right='' ;;
      allowed_signers) allowed_signers=$value && { [ -z "$value" ] || is_path "$value"; } || right='' ;;
      *) bad_spec "line $number: unknown key" ;;
    esac
    [ -n "$right" ] || bad_spec "line $number: not a value for $key"
    seen="$seen$key "
  done <"$dir/spec"
  case $reboot:$action in 1:boot | 0:*) ;; *) bad_spec "only the action boot can reboot" ;; esac
  for key in version id action toplevel previous confirm_seconds activation_seconds nonce; do
    case $seen in *" $key "*) ;; *) bad_spec "$key is missing" ;; esac
  done
}

# --- The state.

quote() {
  text=$1
  quoted=
  while [ -n "$text" ]; do
    tail=${text#?}
    character=${text%"$tail"}
    text=$tail
    case $character in
      '"' | \\) character=\\$character ;;
      [[:cntrl:]]) character=$(printf '\\u%04x' "'$character") ;;
      [[:print:]]) ;;
      # No telling whether it is UTF-8.
      *) character='?' ;;
    esac
    quoted=$quoted$character
  done
  printf '"%s"' "$quoted"
}
text() { [ -z "$2" ] || printf ',"%s":%s' "$1" "$(quote "$2")"; }
plain() { [ -z "$2" ] || printf ',"%s":%s' "$1" "$2"; }
running() { readlink -f /run/current-system; }
boot_id() { cat /proc/sys/kernel/random/boot_id; }

started_by_boot='' boot_untouched=''
forget_state() {
  state='' defaults_changed='' profile_was='' newest_generation='' profile_generation='' activation_exit='' units_failed='' boot_exit=''
  rollback_exit='' reason='' message='' began_in='' started_uptime='' deadline_uptime=''
}
state_json() {
  printf '{"version":1,"id":"%s","state":"%s"' "$id" "$state"
  text action "$action"
  text toplevel "$toplevel"
  text previous "$previous"
  text running "$(running)"
  text profile_was "$profile_was"
  plain newest_generation "$newest_generation"
  plain profile_generation "$profile_generation"
  plain defaults_changed "$defaults_changed"
  plain activation_exit "$activation_exit"
  plain units_failed "$units_failed"
  plain boot_exit "$boot_exit"
  plain rollback_exit "$rollback_exit"
  text boot_id "$began_in"
  plain started_uptime "$started_uptime"
  plain deadline_uptime "$deadline_uptime"
  text updated "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  text reason "$reason"
  text message "$message"
  printf '}\n'
}
# Where the disk takes nothing the state is kept in memory, and the caller is told.
enter() {
  state=$1
  json=$(state_json)
  new=$dir/state.json.$$
  if { printf '%s\n' "$json" >"$new" && sync "$new" && mv -f "$new" "$dir/state.json" && sync "$dir"; } 2>/dev/null; then
    rm -f "$run/$id.json"
    return 0
  fi
  rm -f "$new"
  printf '%s\n' "$json" >"$run/$id.json.$$" && mv -f "$run/$id.json.$$" "$run/$id.json"
  return 1
}
# Writes the state of a deployment that ended while the disk was full.
write_late() {
  [ -f "$run/$id.json" ] || return 0
  new=$dir/state.json.$$
  { cp "$run/$id.json" "$new" && sync "$new" && mv -f "$new" "$dir/state.json" && rm -f "$run/$id.json"; } 2>/dev/null ||
    rm -f "$new"
}
# Sets `file` to where the state is.
find_state() {
  file=$run/$id.json
  [ -f "$file" ] || file=$dir/state.json
}
# Sets `value` to one of state.json as `enter` writes it: no such text can stand inside one of its strings.
value_of() {
  value=
  case $json in *"\"$1\":"*) ;; *) return 0 ;; esac
  value=${json#*"\"$1\":"}
  case $value in
    '"'*) value=${value#?} && value=${value%%\"*} ;;
    *) value=${value%%[,\}]*} ;;
  esac
}
# Fails where nothing was begun, or another version of this program wrote it.
read_state() {
  json=
  find_state
  { IFS= read -r json <"$file"; } 2>/dev/null || return 1
  value_of version
  if [ "$value" != 1 ]; then
    say "$id: a supervisor of another version wrote its state; it is left alone"
    return 1
  fi
  message=
  value_of state && state=$value
  value_of profile_was && profile_was=$value
  value_of newest_generation && newest_generation=$value
  value_of profile_generation && profile_generation=$value
  value_of defaults_changed && defaults_changed=$value
  value_of activation_exit && activation_exit=$value
  value_of units_failed && units_failed=$value
  value_of boot_exit && boot_exit=$value
  value_of rollback_exit && rollback_exit=$value
  value_of reason && reason=$value
  value_of boot_id && began_in=$value
  value_of started_uptime && started_uptime=$value
  value_of deadline_uptime && deadline_uptime=$value
}
is_final() {
  case $state in confirmed | staged | checked | rolled_back | rollback_failed | refused) ;; *) return 1 ;; esac
}
ended() { read_state && is_final && ! holds_lock; }
print_state() {
  find_state
  cat "$file"
}

# --- The lock: a folder in memory, gone with a reboot, that names the deployment and its processes.

holder() {
  held_by=
  { read -r held_by <"$lock/id"; } 2>/dev/null
}
holds_lock() { holder && [ "$held_by" = "$id" ]; }
somebody_works() { plays starter || plays guardian || plays worker; }
# One at a time takes the lock, or finds that nobody keeps it. Children must not inherit it.
mutex() {
  mkdir -p "$run" && touch "$run/mutex" || fail 74 "cannot write $run"
  exec 9>"$run/mutex"
  wait_for 20 flock -n 9 || fail 75 "another command holds $run/mutex"
}
let_go() { exec 9>&-; }
take_lock() {
  rm -rf "$run/lock.new" && mkdir "$run/lock.new" && printf '%s\n' "$id" >"$run/lock.new/id" &&
    boot_id >"$run/lock.new/boot_id" && rm -rf "$lock" && mv "$run/lock.new" "$lock" && register starter $$
}
release() {
  rm -f "$roots/$id" "$roots/$id-previous"
  if holds_lock; then
    end_session logger
    rm -rf "$run/lock.old" && mv "$lock" "$run/lock.old" && rm -rf "$run/lock.old"
  fi
}

# --- Running what a system brings, in a session of its own.

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

generation_of() {
  generation=${1##*/}
  generation=${generation#"${profile##*/}-"}
  generation=${generation%-link}
  matches "$generation" 0-9 || generation=
}
find_newest_generation() {
  newest_generation=0
  for link in "$profile"-*-link; do
    generation_of "$link"
    if [ -n "$generation" ] && [ "$generation" -gt "$newest_generation" ]; then newest_generation=$generation; fi
  done
}
set_profile() {
  (umask 022 && mkdir -p "${profile%/*}")
  if [ -n "${wanted_generation:-$profile_generation}" ]; then
    limited "$activation_seconds" no nix-env --profile "$profile" --switch-generation "${wanted_generation:-$profile_generation}"
  else
    limited "$activation_seconds" no nix-env --profile "$profile" --set "$toplevel"
  fi
  if [ "$code" -ne 0 ] || [ "$(readlink -f "$profile")" != "$toplevel" ]; then
    reason=profile_failed message="The profile was not set to the new system: nix-env ended with $code."
    return 1
  fi
  generation_of "$(readlink "$profile")"
  profile_generation=$generation
}
# Makes the new system the profile's generation and the boot default.
make_default() {
  if ! set_profile; then
    boot_untouched=yes
    return 1
  fi
  switch_to "$toplevel" boot no
  boot_exit=$code
  if [ "$code" -ne 0 ]; then
    reason=boot_failed message="switch-to-configuration boot ended with $code."
    return 1
  fi
}
# Sets `entry` to the boot loader's name for the entry that starts the new system. NixOS names them by generation
# or by what is in them, depending on its version; how often one was tried is not part of its name (systemd's
# Automatic Boot Assessment).
find_entry() {
  entry=
  menu=$(timeout 30 bootctl --print-boot-path) || return 0
  for file in "$menu"/loader/entries/*.conf; do
    if timeout 30 grep -qF "init=$toplevel/init" "$file" 2>/dev/null; then
      entry=${file##*/}
      entry=${entry%.conf}
      entry=${entry%%+*}.conf
    fi
  done
}
# Gives the new system an entry in the boot menu beside the default, and has it start next, that one
# time: a start after that brings the old system, whoever makes it.
make_next() {
  set_profile || return 1
  generation_of "$profile_was"
  limited "$activation_seconds" no nix-env --profile "$profile" --switch-generation "$generation"
  default=$(readlink -f "$profile")
  if [ "$code" -ne 0 ] || [ "$default" = "$toplevel" ]; then
    reason=profile_failed message="The profile was not set back: nix-env ended with $code."
    return 1
  fi
  # It makes an entry of every generation, and its own system the default.
  switch_to "$default" boot no
  boot_exit=$code
  if [ "$code" -ne 0 ]; then
    reason=boot_failed message="switch-to-configuration boot ended with $code."
    return 1
  fi
  find_entry
  if [ -z "$entry" ]; then
    reason=boot_once_failed message="The boot menu has no entry for the new system: is there no room for it?"
    return 1
  fi
  limited "$activation_seconds" no bootctl set-oneshot "$entry"
  if [ "$code" -ne 0 ]; then
    reason=boot_once_failed message="The boot loader cannot start an entry once: bootctl ended with $code."
    return 1
  fi
}
# Undoes `make_default` and `make_next`, also where they were cut short.
restore_default() {
  [ -n "$defaults_changed" ] || return 0
  # A profile that has moved on since is somebody else's.
  if [ "$(readlink "$profile")" != "$profile_was" ] && [ "$(readlink -f "$profile")" = "$toplevel" ]; then
    generation_of "$profile_was"
    if [ -n "$generation" ]; then
      limited "$activation_seconds" no nix-env --profile "$profile" --switch-generation "$generation"
    else
      rm -f "$profile" && code=0
    fi
    [ "$code" -eq 0 ] || return 1
  fi
  for link in "$profile"-*-link; do
    generation_of "$link"
    if [ -n "$generation" ] && [ "$generation" -gt "$newest_generation" ] &&
      [ "$(readlink "$link")" = "$toplevel" ] && [ "${link##*/}" != "$(readlink "$profile")" ]; then rm -f "$link"; fi
  done
  profile_generation=
  if [ -n "$boot_untouched" ]; then
    defaults_changed=
    return 0
  fi
  default=$(readlink -f "$profile")
  [ -x "$default/bin/switch-to-configuration" ] || default=$previous
  switch_to "$default" boot no
  [ "$code" -eq 0 ] && defaults_changed=
}

not_written() { reason=state_not_written message="The state could not be written: is the disk full?"; }
finish() {
  enter "$1"
  release
  exit 0
}

# Each way asks less of a machine that is not well; the last one asks only the kernel.
restart() {
  timeout -k 1 10 sync
  for force in '' --force '--force --force'; do
    if [ -d /run/systemd/system ]; then
      # shellcheck disable=SC2086 # none, one or two
      timeout -k 1 20 systemctl reboot $force
    else
      timeout -k 1 20 reboot ${force:+-f}
    fi
    wait_for 60 false
  done
}

reboot_machine() {
  message="$message The machine is rebooted into it."
  enter rolling_back
  restart
}

# Where it is allowed to, the machine starts anew if nobody reaches the old system either: what a start
# brings up was reachable once.
await_contact() {
  if [ "$reboot_on_failure" = 0 ] || [ "$action" = boot ] || [ -n "$started_by_boot" ]; then return; fi
  # Who cancels has reached it.
  if [ "$reason" = cancelled ]; then return; fi
  enter awaiting_contact
  if wait_for "$confirm_seconds" test -e "$dir/seen"; then return; fi
  message="$message Nobody reached the previous system within $confirm_seconds s."
  reboot_machine
}

# Whether the old system runs again. One whose activation always ends with 2 or 3, for a snippet of its own
# that fails, is as it was: that is seen once it was tried twice.
is_back() {
  [ "$(running)" = "$previous" ] || return 1
  case $code in 0 | 4) return 0 ;; 2 | 3) [ "$try" -ge 2 ] ;; *) return 1 ;; esac
}

# Somebody else's system is not ours to undo.
leave_alone() {
  reason=system_changed message="$1 Somebody switched to another system since: it is left alone."
  finish rollback_failed
}

# Brings the old system back; `reason` and `message` say why.
roll_back() {
  end_session program
  end_session logger
  if is_superseded; then leave_alone "$message"; fi
  deadline_uptime=
  enter rolling_back
  problem=
  # The checks before a switch are for going forward.
  export NIXOS_NO_CHECK=1
  restore_default || problem="Profile and boot default could not be restored."
  # The second try is for what the killed activation had left locked; somebody else may take the lock before us.
  try=1 busy=0
  until [ "$action" = boot ] || [ -n "$started_by_boot" ]; do
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
  # What was started is only left by another start.
  if [ -z "$problem" ] && [ "$reboot" = 1 ] && [ "$(running)" != "$previous" ] && [ -z "$started_by_boot" ]; then
    reboot_machine
    problem="The machine did not reboot."
  fi
  if [ -z "$problem" ] && [ "$(running)" != "$previous" ]; then
    reason=system_changed
    finish rollback_failed
  fi
  if [ -z "$problem" ]; then
    await_contact
    finish rolled_back
  fi
  message="$message $problem"
  if [ "$reboot_on_failure" = 1 ] && [ -z "$defaults_changed" ]; then reboot_machine; fi
  finish rollback_failed
}

becomes_default() { [ "$action" = switch ] || [ "$action" = boot ]; }
# Whether the profile is as it was, or as this deployment makes it.
profile_is_ours() { [ "$(readlink "$profile")" = "$profile_was" ] || [ "$(readlink -f "$profile")" = "$toplevel" ]; }
profile_changed() { reason=profile_changed message="Somebody set the profile to another generation meanwhile."; }
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
      reason=not_confirmed message="Nobody confirmed within $confirm_seconds s."
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

# Starts the machine with the new system, which is confirmed after that.
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
# What became of that: the machine was started, or the supervisor died before.
resume_start() {
  case $cut:$state:$(running) in
    rebooted:rolling_back:"$toplevel")
      reason=${reason:-rebooted} message="$told It started the new system again."
      finish rollback_failed
      ;;
    *:confirming:"$toplevel") confirm_now ;;
    rebooted:*:"$toplevel") await_confirmation ;;
    rebooted:rolling_back:*) message=$told ;;
    rebooted:*) reason=did_not_start message="The machine was started, and does not run the new system." ;;
    *) reason=$cut message=$told ;;
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

# Whether somebody made another system run and the profile's generation, which nothing here does.
is_superseded() {
  case $(running) in "$toplevel" | "$previous") return 1 ;; esac
  [ "$(readlink "$profile")" != "$profile_was" ] && [ "$(readlink -f "$profile")" != "$toplevel" ]
}

# What a dead worker or a reboot left undone.
resume() {
  end_session program
  end_session logger
  if [ "$began_in" != "$(boot_id)" ]; then cut=rebooted told="The machine was rebooted before the end."; else
    cut=supervisor_died told="The supervisor was killed before the end."
  fi
  if [ "$action" = dry-activate ] || [ "$state" = accepted ]; then
    reason=$cut message="$told Nothing was changed."
    finish refused
  fi
  if [ "$reboot" = 1 ]; then resume_start; fi
  if [ "$state" = confirming ] && [ "$(running)" = "$toplevel" ]; then
    message="$told What was confirmed is finished."
    case $action in
      boot) stage ;;
      *) confirm_now ;;
    esac
  fi
  if [ -z "$reason" ]; then reason=$cut; fi
  message=$told
  # A machine that started from its boot default runs what any start would bring.
  if [ "$cut" = rebooted ] && [ "$(running)" != "$toplevel" ]; then
    started_by_boot=yes
    [ "$(running)" = "$previous" ] || message="$told Another system runs than before: it is left alone."
  elif [ "$cut" = rebooted ] && [ "$toplevel" = "$previous" ]; then
    started_by_boot=yes
  elif is_superseded; then
    leave_alone "$told"
  fi
  roll_back
}

# --- Guardian and worker: each starts the other anew where it was killed.

# Where what they say for lack of anybody listening goes.
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
      # Something kills it again and again, or there is no room to run: that may pass, and nobody else is here.
      if [ "$attempt" -gt 12 ]; then sleep 60; elif [ "$attempt" -gt 3 ]; then sleep $(((attempt - 3) * 5)); fi
      mode=again
      if [ "$attempt" -eq 1 ] && [ -e "$lock/fresh" ] && [ "$state" = accepted ]; then mode=first; fi
      find_errors
      setsid sh "$dir/supervisor" work "$dir" "$mode" </dev/null >/dev/null 2>>"$errors" &
      register worker $!
    fi
    # Nothing waits for it but the end.
    sleep 0.3
  done
}
# Starts the guardian so that it outlives the connection, and lets nothing hold the connection open.
detach() {
  shell=$previous/sw/bin/sh
  [ -x "$shell" ] || shell=$(command -v sh)
  if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
    systemctl reset-failed "pantheros-deploy-$id.service" 2>/dev/null
    systemd-run --quiet --collect --unit="pantheros-deploy-$id" --property=KillMode=process \
      --property=Restart=on-failure --property=RestartSec=1 --setenv=PATH="$PATH" --description="pantherOS deployment $id" \
      "$shell" "$dir/supervisor" supervise "$dir" </dev/null >/dev/null 9>&- && return
    say "systemd does not start it: it gets a session of its own"
  fi
  find_errors
  setsid "$shell" "$dir/supervisor" supervise "$dir" </dev/null >/dev/null 2>>"$errors" 9>&- &
}

# --- Commands.

# Finishes this deployment where nobody is at it any more.
recover() {
  read_state || return 0
  if is_final && ! holds_lock; then
    write_late
    if [ -h "$roots/$id" ] || [ -h "$roots/$id-previous" ]; then release; fi
    return 0
  fi
  mutex
  holder
  if [ -n "$held_by" ] && { [ "$held_by" != "$id" ] || somebody_works; }; then
    let_go
    return 0
  fi
  read_state
  if is_final; then
    release
    let_go
    return 0
  fi
  # Keeps what is known of the program that may still run.
  if holds_lock; then rm -f "$lock/attempt" "$lock/fresh" && register starter $$; else take_lock; fi || fail 74 "cannot write $lock"
  detach
  let_go
  wait_for $((3 * activation_seconds + 30)) ended_or_waiting
}
# One that was started by a reboot waits to be confirmed.
ended_or_waiting() { ended || { [ "$reboot" = 1 ] && [ "$state" = waiting ] && plays worker; }; }

# Refuses before anything was changed.
refuse() {
  reason=$2 message=$3
  enter refused
  release
  let_go
  print_state
  fail "$1" "$3"
}

begun() { read_state && [ "$state" != accepted ]; }

# Finishes what other deployments left undone.
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
    if is_final; then fail 1 "$id is over: a plan is deployed once"; fi
    exit 0
  fi
  finish_others
  began_in=$(boot_id)
  now
  started_uptime=$((uptime / 100))
  mutex
  if [ -e "$dir/withdrawn" ]; then
    let_go
    fail 69 "$id was withdrawn before it began"
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
  for program in nix-store nix-env setsid flock; do
    command -v "$program" >/dev/null || refuse 69 program_missing "There is no $program on root's search path: $PATH"
  done
  [ "$(running)" = "$previous" ] || refuse 69 system_changed "Another system runs than when the plan was made."
  for path in "$toplevel" "$previous"; do
    [ -x "$path/bin/switch-to-configuration" ] ||
      refuse 69 system_missing "$path is not in the store, or is no NixOS system."
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

# What the host says of signatures goes before what the spec says.
verify_signature() {
  signers=$allowed_signers
  # A link to nowhere must not make the machine take everything.
  if [ -e "$host_signers" ] || [ -h "$host_signers" ]; then signers=$host_signers; fi
  [ -n "$signers" ] || return 0
  signature_problem=
  check_signature || refuse 77 signature "$signature_problem"
}
check_signature() {
  signature_problem="The plan is not signed, and this machine wants it signed."
  [ -f "$dir/plan" ] && [ -f "$dir/signature" ] || return 1
  signature_problem="The plan's signature is not one of those this machine accepts."
  principal=$(timeout 30 ssh-keygen -Y find-principals -f "$signers" -s "$dir/signature" 2>/dev/null | head -n 1)
  [ -n "$principal" ] || return 1
  timeout 30 ssh-keygen -Y verify -f "$signers" -I "$principal" -n pantheros-deploy -s "$dir/signature" \
    <"$dir/plan" >/dev/null 2>&1 || return 1
  signature_problem="The signed plan is another one than this deployment."
  # In canonical JSON no key stands inside a string unescaped, keys are sorted, and no other object of a plan has a
  # key of these names.
  # shellcheck disable=SC2020 # both become line breaks
  tr ',{' '\n\n' <"$dir/plan" | tr -d '}]' >"$lock/plan" || return 1
  grep -qxF "\"id\":\"${reverts:-$id}\"" "$lock/plan" && grep -qxF "\"action\":\"$action\"" "$lock/plan" || return 1
  case $reboot in 1) rebooting=true ;; *) rebooting=false ;; esac
  grep -qxF "\"reboot\":$rebooting" "$lock/plan" || return 1
  # No plan names another profile.
  [ "$profile" = /nix/var/nix/profiles/system ] || return 1
  machine=$(cat /etc/machine-id)
  [ -n "$machine" ] || return 1
  covered=''
  forget_host
  while IFS= read -r line; do
    value=${line#*:}
    case $line in
      # The first key of a host, and the last.
      '"activation_timeout":'*) forget_host && its_activation=$value ;;
      '"boot_once":'*) its_once=$value ;;
      '"current":'*) its_current=$value ;;
      '"machine_id":'*) its_machine=$value ;;
      '"profile_generation":'*) its_profile_generation=$value ;;
      '"profile_path":'*) its_profile_path=$value ;;
      '"reboot_on_failure":'*) its_reboots=$value ;;
      '"rollback_timeout":'*) its_confirm=$value ;;
      '"source":'*) its_source=$value ;;
      '"generation":'*) its_generation=$value ;;
      '"toplevel":'*) if is_what_was_signed "$value"; then covered=yes; fi ;;
    esac
  done <"$lock/plan"
  [ -n "$covered" ] || return 1
  if [ -n "$reverts" ]; then
    # Who signed a plan that takes itself back signed that, too: for what was deployed here by it.
    grep -qxF '"revert_confirmed":true' "$lock/plan" || return 1
    grep -qE '"state":"(confirmed|staged)"' "$base/$reverts/state.json" || return 1
    return 0
  fi
  signature_problem="The signed plan has expired."
  expires=$(sed -n 's/^"expires":"\([0-9TZ:.-]*\)"$/\1/p' "$lock/plan")
  [ -n "$expires" ] && [ "$(date -u +%Y%m%d%H%M%S)" -lt "$(printf %s "$expires" | tr -cd 0-9 | head -c 14)" ]
}

# What the signed plan says of one of its hosts.
forget_host() {
  its_machine='' its_current='' its_once='' its_profile_generation='' its_profile_path='' its_reboots=''
  its_activation='' its_confirm='' its_source='' its_generation=''
}
# Whether the spec says of this machine what the host of the plan says whose new system is $1: everything that is
# acted on is compared.
is_what_was_signed() {
  [ "$its_machine" = "\"$machine\"" ] || return 1
  [ "$its_confirm" = "$confirm_seconds" ] && [ "$its_activation" = "$activation_seconds" ] || return 1
  case $its_reboots:$reboot_on_failure in true:1 | false:0) ;; *) return 1 ;; esac
  case $reboot:$its_once:$boot_once in 1:true:1 | 1:false:0 | 0:*:0) ;; *) return 1 ;; esac
  if [ -z "$reverts" ]; then
    [ "$1" = "\"$toplevel\"" ] && [ "$its_current" = "\"$previous\"" ] || return 1
    case $its_source in '"new"') [ -z "$wanted_generation" ] ;; '') [ "$its_generation" = "$wanted_generation" ] ;; *) return 1 ;; esac
    return
  fi
  # The way back begins where the way there ended, and ends at the system and the generation from before.
  case $action:$reboot in boot:0) was_running=$its_current ;; *) was_running=$1 ;; esac
  [ "$its_current" = "\"$toplevel\"" ] && [ "$was_running" = "\"$previous\"" ] || return 1
  if [ "$its_profile_path" != "$its_current" ]; then its_profile_generation=''; fi
  [ "$its_profile_generation" = "$wanted_generation" ]
}

# Waits for the end, prints it, and succeeds where it is the one wanted.
conclude() {
  wait_for $((3 * activation_seconds + 30)) ended || recover
  read_state
  print_state
  [ "$state" = "$1" ]
}
confirm() {
  given=$1
  if [ "$given" = - ]; then IFS= read -r given; fi
  [ "$given" = "$nonce" ] || fail 77 "this is not the nonce of $id"
  read_state || fail 64 "$id was not begun"
  recover
  read_state
  case $state in
    accepted | activating) fail 75 "$id is $state: it can be confirmed once it waits" ;;
    waiting) touch "$dir/confirm" || fail 74 "$dir/confirm cannot be written: is the disk full?" ;;
  esac
  conclude confirmed || fail 1 "$id is not confirmed: it is $state"
}
cancel() {
  read_state || fail 64 "$id was not begun"
  recover
  read_state
  if ! is_final; then touch "$dir/cancel" || fail 74 "$dir/cancel cannot be written: is the disk full?"; fi
  conclude rolled_back || fail 1 "$id was not rolled back: it is $state"
}
# Somebody reached the machine by a new connection: $1 says when.
reached() {
  read_state || fail 64 "$id was not begun"
  touch "$dir/$1" || fail 74 "$dir/$1 cannot be written: is the disk full?"
  print_state
}
# What was told to begin and did not, as far as anybody knows.
withdraw() {
  mutex
  if read_state; then
    let_go
    print_state
    fail 69 "$id has begun"
  fi
  touch "$dir/withdrawn" || fail 74 "$dir/withdrawn cannot be written: is the disk full?"
  let_go
}
show() {
  read_state || fail 64 "$id was not begun"
  recover
  print_state
}
list() {
  for dir in "$base"/plan-*; do
    id=${dir#"$base/"}
    if is_id "$id" && read_state; then print_state; fi
  done
}
sweep() {
  before=$(($(date +%s) - 30 * 86400))
  kept=0
  # shellcheck disable=SC2012 # ids hold no character that ls would change
  ls -1t "$base" 2>/dev/null | while IFS= read -r id; do
    is_id "$id" || continue
    dir=$base/$id
    kept=$((kept + 1))
    if [ "$kept" -le 5 ] || [ "$(stat -c %Y "$dir")" -ge "$before" ]; then continue; fi
    if read_state && ! is_final; then continue; fi
    release
    rm -rf "$dir"
  done
}

[ "$(id -u)" -eq 0 ] || fail 77 "only root can deploy"
command=${1:-}
case $command:$# in
  begin:2 | supervise:2 | cancel:2 | seen:2 | alive:2 | withdraw:2 | state:2 | keep-log:2 | confirm:3 | work:3)
    open_folder "$2"
    case $command in state | keep-log | withdraw) ;; *) read_spec ;; esac
    ;;
  run:[3-9]) open_folder "$2" ;;
  list:1 | sweep:1) ;;
  *) fail 64 "usage: supervisor begin|state|alive|seen|cancel|withdraw DIR | confirm DIR NONCE | list | sweep" ;;
esac
case $command in
  supervise | work)
    trap '' HUP INT QUIT
    # What brings the old system back is the old system's, and nothing of the new one.
    PATH="$previous/sw/bin:$PATH"
    ;;
esac
forget_state
case $command in
  begin) begin ;;
  supervise) guard ;;
  work) work "$3" ;;
  keep-log) keep_log ;;
  run)
    shift 2
    umask 022
    unset LC_ALL
    register program $$
    exec "$@"
    ;;
  confirm) confirm "$3" ;;
  cancel) cancel ;;
  alive | seen) reached "$command" ;;
  withdraw) withdraw ;;
  state) read_spec && show ;;
  list) list ;;
  sweep) sweep ;;
esac
