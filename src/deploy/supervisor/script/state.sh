# --- state.sh: the state of the deployment, written at every step and read again by every command.

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
      # The byte may not be valid UTF-8.
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
  rollback_exit='' reboot_requested='' reason='' message='' began_in='' started_uptime='' deadline_uptime=''
}
# Adds a sentence to the message, unless it is in there.
add_message() {
  case $message in
    '') message=$1 ;;
    *"$1"*) ;;
    *) message="$message $1" ;;
  esac
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
  plain reboot_requested "$reboot_requested"
  text boot_id "$began_in"
  plain started_uptime "$started_uptime"
  plain deadline_uptime "$deadline_uptime"
  text updated "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  text reason "$reason"
  text message "$message"
  printf '}\n'
}
# Writes the state. If the disk cannot be written, keeps it in memory and returns 1.
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
# Sets `file` to the path of the current state.
find_state() {
  file=$run/$id.json
  [ -f "$file" ] || file=$dir/state.json
}
# Sets `value` to the value of the key $1 in `json`, as `enter` writes it: no string in it can contain the quoted key.
value_of() {
  value=
  case $json in *"\"$1\":"*) ;; *) return 0 ;; esac
  value=${json#*"\"$1\":"}
  case $value in
    '"'*) value=${value#?} && value=${value%%\"*} ;;
    *) value=${value%%[,\}]*} ;;
  esac
}
# Fails if there is no state, or if another version of this program wrote it.
read_state() {
  json=
  find_state
  { IFS= read -r json <"$file"; } 2>/dev/null || return 1
  value_of version
  if [ "$value" != 1 ]; then
    say "$id: a supervisor of another version wrote its state; it is not changed"
    return 1
  fi
  value_of state && state=$value
  value_of profile_was && profile_was=$value
  value_of newest_generation && newest_generation=$value
  value_of profile_generation && profile_generation=$value
  value_of defaults_changed && defaults_changed=$value
  value_of activation_exit && activation_exit=$value
  value_of units_failed && units_failed=$value
  value_of boot_exit && boot_exit=$value
  value_of rollback_exit && rollback_exit=$value
  value_of reboot_requested && reboot_requested=$value
  value_of reason && reason=$value
  # Only the message of a deployment that has ended can have quotation marks.
  value_of message && message=$value
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

