# shellcheck shell=bash
# prepare-backup STATE [MOUNT-POINT FROZEN-COPY]...: a new canary, then a frozen copy of every subvolume.
state=$1
shift

umask 077
canary=$state/canary
# The first line is when it was written: what changed later is no concern of this backup.
{
  date +%s
  head --bytes=4096 /dev/urandom | base64
} >"$canary.new"
sum=$(sha256sum <"$canary.new")
# The drill knows a canary by its hash. The old ones stay known: until this backup is
# complete, the newest in the repository holds the one before.
{
  if [ -e "$state/canaries" ]; then
    tail --lines=99 "$state/canaries"
  fi
  echo "$sum"
} >"$state/canaries.new"
mv -- "$state/canaries.new" "$state/canaries"
mv -- "$canary.new" "$canary"
sync "$state"

while [ $# -ge 2 ]; do
  # A copy that is left from a run that was cut off.
  if [ -e "$2" ]; then
    btrfs --quiet subvolume delete "$2"
  fi
  btrfs --quiet subvolume snapshot -r "$1" "$2"
  shift 2
done
