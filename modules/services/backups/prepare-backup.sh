# shellcheck shell=bash
# prepare-backup STATE [MOUNT-POINT FROZEN-COPY]...: writes a new canary, then makes a frozen copy of every subvolume.
state=$1
shift

umask 077
canary=$state/canary
# The first line is the time of writing: the drill does not compare files that changed later.
{
  date +%s
  head --bytes=4096 /dev/urandom | base64
} >"$canary.new"
sum=$(sha256sum <"$canary.new")
# The drill recognizes a canary by its hash. Old hashes are kept, because the newest backup in the
# repository has the previous canary until this backup is complete.
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
  # A copy that an interrupted run left.
  if [ -e "$2" ]; then
    btrfs --quiet subvolume delete "$2"
  fi
  btrfs --quiet subvolume snapshot -r "$1" "$2"
  shift 2
done
