# shellcheck shell=bash
# restore-drill STATE CANARY SAMPLES BYTES [MOUNT-POINT FROZEN-COPY]...: restores the canary and some
# randomly chosen files from this host's newest backup, and compares them. CANARY is its path in the repository.
# Exit code 1: the backup is wrong; 2: the drill could not be carried out, which says nothing about the backup.
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
cannot() {
  echo "restore drill: $*; this says nothing about the backup" >&2
  exit 2
}

work=$(mktemp --directory)
trap 'rm -rf -- "$work"' EXIT
# restic's messages go to the journal, since standard output of the calls below is data.
selection=(--host="$RESTORE_DRILL_HOST" --tag=pantheros)

listed=$(restic snapshots --retry-lock=2h --json "${selection[@]}" latest) || cannot "the backups in the repository could not be listed"
snapshot=$(jq --raw-output '.[0].id // empty' <<<"$listed") || cannot "restic's list of backups could not be parsed"
[ -n "$snapshot" ] || fail "the repository holds no backup of this host"

[ -r "$state/canaries" ] || cannot "there is no $state/canaries to compare with; the next backup writes it"
restic restore --retry-lock=2h --quiet "$snapshot" --include="$canary" --target="$work/restored" >&2 ||
  fail "the canary could not be restored from backup $snapshot"
restored=$work/restored$canary
[ -f "$restored" ] || fail "backup $snapshot holds no canary at $canary"
sum=$(sha256sum <"$restored")
known=0
grep --quiet --line-regexp --fixed-strings -- "$sum" "$state/canaries" || known=$?
case $known in
  0) ;;
  1) fail "the canary of backup $snapshot matches none that this host recorded" ;;
  *) cannot "$state/canaries could not be read" ;;
esac
read -r written <"$restored"

# Prints the path on the running system of a file in the repository.
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
  shuf --head-count="$samples" >"$work/sample" || fail "the files of backup $snapshot could not be listed"

# Whether a file has not changed since the backup. Its change time (ctime) cannot be set back.
is_unchanged() {
  local changed
  [ -f "$1" ] && [ ! -L "$1" ] && changed=$(stat --format=%Z -- "$1" 2>/dev/null) && [ "$changed" -lt "$written" ]
}

restored_count=0
compared=0
while IFS= read -r path; do
  restic dump --retry-lock=2h --quiet "$snapshot" "$path" >"$work/file" || fail "$path could not be restored from backup $snapshot"
  restored_count=$((restored_count + 1))
  now=$(live "$path")
  is_unchanged "$now" || continue
  differs=0
  cmp --silent -- "$work/file" "$now" || differs=$?
  # A file that was changed or removed during the comparison may differ from the backup.
  if [ "$differs" -ne 0 ] && ! is_unchanged "$now"; then continue; fi
  case $differs in
    0) compared=$((compared + 1)) ;;
    1) fail "$path in backup $snapshot differs from $now, which has not changed since" ;;
    *) cannot "$path of backup $snapshot could not be compared with $now" ;;
  esac
done <"$work/sample"
[ "$restored_count" -gt 0 ] || fail "backup $snapshot holds no file to restore"

echo "restore drill: backup $snapshot of $(date --iso-8601=seconds --date="@$written") restores: the canary and $restored_count files, $compared of them compared with the running system"
