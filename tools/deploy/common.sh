# Functions that the parts of deploy.sh share; to be sourced.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are set in one file and used in another

# Nix without the settings of a flake and without the global flake registry, so that it runs only what the
# lock file pins.
nix_command=(nix --extra-experimental-features 'nix-command flakes' --option accept-flake-config false
  --option flake-registry '' --option warn-dirty false)

say() { printf '%s\n' "$*" >&2; }
note() { say "note: $*"; }

# Quotes text from outside for a message: short, on one line, without control characters.
shown() {
  local LC_ALL=C text=$1
  if [ ${#text} -gt 80 ]; then text="${text:0:77}..."; fi
  if [[ $text =~ ^[[:print:]]*$ ]]; then printf "'%s'" "$text"; else printf '%q' "$text"; fi
}

# Reports a wrong call and ends the script.
usage_error() {
  say "deploy.sh: $*"
  say "Try: deploy.sh --help"
  exit "$EXIT_USAGE"
}

refusals=()
refuse() { refusals+=("$*"); }

# Ends the script if anything was refused so far.
stop_if_refused() {
  [ ${#refusals[@]} -gt 0 ] || return 0
  printf 'refused: %s\n' "${refusals[@]}" >&2
  say "Nothing was changed."
  exit "$EXIT_REFUSED"
}

# Prints those of the names "${@:2}" that are spelt like $1, nearest first.
nearest() {
  local wanted=$1 name
  shift
  for name in "$@"; do
    printf '%s %s\n' "$(distance "$wanted" "$name")" "$name"
  done | sort -n | while read -r far name; do
    [ "$far" -gt $((${#wanted} / 3 + 1)) ] || printf '%s\n' "$name"
  done
}

# Prints the Levenshtein distance of $1 and $2.
distance() {
  local from=$1 to=$2 i j cost best
  local -a before now
  for ((j = 0; j <= ${#to}; j++)); do before[j]=$j; done
  for ((i = 1; i <= ${#from}; i++)); do
    now=("$i")
    for ((j = 1; j <= ${#to}; j++)); do
      cost=1
      if [ "${from:i-1:1}" = "${to:j-1:1}" ]; then cost=0; fi
      best=$((before[j - 1] + cost))
      if ((before[j] + 1 < best)); then best=$((before[j] + 1)); fi
      if ((now[j - 1] + 1 < best)); then best=$((now[j - 1] + 1)); fi
      now[j]=$best
    done
    before=("${now[@]}")
  done
  printf '%s\n' "${before[${#to}]}"
}

# Prints the arguments as a line that a shell reads back as the same arguments.
command_line() {
  local LC_ALL=C word line=
  for word in "$@"; do
    if ! [[ $word =~ ^[A-Za-z0-9_./:=@%+,#-]+$ ]]; then word=${word@Q}; fi
    line+="$word "
  done
  printf '%s\n' "${line% }"
}

# --- children ----------------------------------------------------------------------------------

# The process that runs now, and the signal that arrived meanwhile.
child=
signal=

# Prints the number of every process below $1.
descendants() {
  local parent pid
  local -A children=()
  while read -r pid parent; do
    children[$parent]+="$pid "
  done < <(ps -A -o pid= -o ppid=)
  local -a queue=("$1")
  while [ ${#queue[@]} -gt 0 ]; do
    parent=${queue[0]}
    queue=("${queue[@]:1}")
    for pid in ${children[$parent]:-}; do
      printf '%s\n' "$pid"
      queue+=("$pid")
    done
  done
}

# ended_within TENTHS PROCESS …: whether all processes end within this time, in tenths of a second.
ended_within() {
  local tenths=$1
  shift
  while kill -0 "$@" 2>/dev/null; do
    [ "$((tenths--))" -gt 0 ] || return 1
    sleep 0.1
  done
}

# Ends everything that was started: with SIGTERM, and after ten seconds with SIGKILL.
pass_on() {
  signal=$1
  [ -n "$child" ] || return 0
  local -a all
  mapfile -t all < <(descendants "$child")
  all=("$child" "${all[@]}")
  # Ctrl-C reaches the children, too. A second signal would interrupt their clean-up.
  if [ "$signal" = INT ] && ended_within 50 "${all[@]}"; then return 0; fi
  kill -s TERM "${all[@]}" 2>/dev/null || true
  ended_within 100 "${all[@]}" || kill -s KILL "${all[@]}" 2>/dev/null || true
}

catch_signals() {
  trap 'pass_on INT' INT
  trap 'pass_on TERM' TERM
  trap 'pass_on HUP' HUP
}
catch_signals

# Ends the script by the signal that arrived.
stop() {
  say "deploy.sh: stopped by SIG$signal"
  trap - "$signal" EXIT
  clean_up
  kill -s "$signal" "$$"
}

# Runs a command with this script's terminal, ends it if the script gets a signal, and returns its exit code. The
# subshell restores the signals and the input that bash takes from a background process.
run() {
  local code=0
  # The signal arrived while no command ran.
  if [ -n "$signal" ]; then stop; fi
  (
    trap - INT TERM HUP
    exec "$@"
  ) <&0 &
  child=$!
  wait "$child" || code=$?
  # A signal interrupts `wait` before the child has ended.
  if [ -n "$signal" ]; then
    wait "$child" 2>/dev/null || true
    stop
  fi
  child=
  return "$code"
}

# Runs a command and sets `output` to its standard output, without the last line breaks. A command substitution would
# delay signals until its end.
capture() {
  local code=0
  run "$@" >"$scratch/output" || code=$?
  output=$(tr -d '\0' <"$scratch/output")
  return "$code"
}
output=

# A private folder, which is removed when the script ends.
scratch_parent=${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}
scratch_name=pantheros-deploy.XXXXXXXX
scratch=
clean_up() { [ -z "$scratch" ] || rm -rf -- "$scratch"; }
trap clean_up EXIT
make_scratch() { scratch=$(umask 077 && mktemp -d -- "$scratch_parent/$scratch_name"); }
