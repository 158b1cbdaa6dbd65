# --- commands.sh: the other commands.

# Waits for the final state, prints it, and succeeds if it is the expected one.
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
  read_state || fail 64 "$id was not started"
  recover
  read_state
  case $state in
    accepted | activating) fail 75 "$id is $state: it can be confirmed once it waits" ;;
    waiting) touch "$dir/confirm" || fail 74 "$dir/confirm cannot be written: is the disk full?" ;;
  esac
  conclude confirmed || fail 1 "$id could not be confirmed; its state is $state"
}
cancel() {
  read_state || fail 64 "$id was not started"
  recover
  read_state
  if ! is_final; then touch "$dir/cancel" || fail 74 "$dir/cancel cannot be written: is the disk full?"; fi
  conclude rolled_back || fail 1 "$id was not rolled back: it is $state"
}
# Records that a new connection reached the machine: $1 is the occasion.
reached() {
  read_state || fail 64 "$id was not started"
  touch "$dir/$1" || fail 74 "$dir/$1 cannot be written: is the disk full?"
  print_state
}
# Withdraws a deployment whose `begin` has had no effect so far.
withdraw() {
  mutex
  if read_state; then
    let_go
    print_state
    fail 69 "$id has started"
  fi
  touch "$dir/withdrawn" || fail 74 "$dir/withdrawn cannot be written: is the disk full?"
  let_go
}
# What the timer runs: it must not wait, or it would not run again meanwhile.
rescue() {
  revive
  if ended; then end_timer; fi
}
show() {
  read_state || fail 64 "$id was not started"
  recover
  print_state
}
list() {
  for dir in "$base"/plan-*; do
    id=${dir#"$base/"}
    if is_id "$id" && read_state; then print_state; fi
  done
}
# Whether nothing was begun in `dir`, which is older than an hour, so that nobody is about to begin.
is_abandoned() {
  [ ! -e "$dir/state.json" ] && [ ! -e "$run/$id.json" ] && changed=$(stat -c %Y "$dir" 2>/dev/null) &&
    [ "$changed" -lt $(($(date +%s) - 3600)) ]
}
sweep() {
  before=$(($(date +%s) - 30 * 86400))
  kept=0
  # shellcheck disable=SC2012 # ids have no character that ls would change
  ls -1At "$base" 2>/dev/null | while IFS= read -r name; do
    # A power cut while the files were sent leaves `.new-ID`.
    id=${name#.new-}
    is_id "$id" || continue
    dir=$base/$name
    if is_abandoned; then
      rm -rf "$dir"
      continue
    fi
    [ "$id" = "$name" ] || continue
    kept=$((kept + 1))
    if [ "$kept" -le 5 ] || [ "$(stat -c %Y "$dir")" -ge "$before" ]; then continue; fi
    if read_state && ! is_final; then continue; fi
    release
    rm -rf "$dir"
  done
}
