# shellcheck shell=bash
# restore-drill STATE CANARY SAMPLES BYTES [MOUNT-POINT FROZEN-COPY]...: restores the canary and some files,
# drawn by chance, from this host's newest backup, and compares them. CANARY is where it is in the repository.
state=$1
canary=$2
samples=$3
bytes=$4
shift 4
pairs=("$@")

fail() {
  echo "restore drill: $*" >&2
  exit 1
}

work=$(mktemp --directory)
trap 'rm -rf -- "$work"' EXIT
# restic's own words go to the journal; standard output of the calls below is data.
selection=(--host="$RESTORE_DRILL_HOST" --tag=pantheros)

snapshot=$(restic snapshots --retry-lock=2h --json "${selection[@]}" latest | jq --raw-output '.[0].id // empty')
[ -n "$snapshot" ] || fail "the repository holds no backup of this host"

restic restore --retry-lock=2h --quiet "$snapshot" --include="$canary" --target="$work/restored" >&2 ||
  fail "the canary could not be restored from backup $snapshot"
restored=$work/restored$canary
[ -f "$restored" ] || fail "backup $snapshot holds no canary at $canary"
sum=$(sha256sum <"$restored")
grep --quiet --line-regexp --fixed-strings -- "$sum" "$state/canaries" ||
  fail "the canary of backup $snapshot is not what was backed up"
read -r written <"$restored"

# Where a file of the repository is on the running system.
live() {
  local index
  for ((index = 0; index + 1 < ${#pairs[@]}; index += 2)); do
    case $1 in
      "${pairs[index + 1]}"/*)
        echo "${pairs[index]%/}${1#"${pairs[index + 1]}"}"
        return
        ;;
    esac
  done
  echo "$1"
}

restic ls --retry-lock=2h --json "$snapshot" |
  jq --raw-output --argjson bytes "$bytes" \
    'select(.type == "file" and .size > 0 and .size <= $bytes) | .path | select(test("\n") | not)' |
  shuf --head-count="$samples" >"$work/sample"

restored_count=0
compared=0
while IFS= read -r path; do
  restic dump --retry-lock=2h --quiet "$snapshot" "$path" >"$work/file" || fail "$path could not be restored from backup $snapshot"
  restored_count=$((restored_count + 1))
  now=$(live "$path")
  # The change time cannot be set back: unchanged since before the backup means it must be the same.
  if [ -f "$now" ] && [ ! -L "$now" ] && [ "$(stat --format=%Z -- "$now")" -lt "$written" ]; then
    cmp --silent -- "$work/file" "$now" || fail "$path in backup $snapshot differs from $now, which has not changed since"
    compared=$((compared + 1))
  fi
done <"$work/sample"
[ "$restored_count" -gt 0 ] || fail "backup $snapshot holds no file to try"

echo "restore drill: backup $snapshot of $(date --iso-8601=seconds --date="@$written") restores: the canary and $restored_count files, $compared of them compared with the running system"
