# shellcheck shell=bash
# finish-backup [MOUNT-POINT FROZEN-COPY]...: removes the frozen copies, whether or not the backup succeeded.
status=0
while [ $# -ge 2 ]; do
  if [ -e "$2" ]; then
    btrfs --quiet subvolume delete "$2" || status=1
  fi
  shift 2
done
exit "$status"
