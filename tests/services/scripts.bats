#!/usr/bin/env bats
# The scripts of the service modules, each with exactly the commands that its unit declares. tests/fixtures/units has
# the units as nixpkgs renders them. checks/vm/backups.nix tests what needs Btrfs.

# shellcheck disable=SC2030,SC2031 # `run` sets status and output anew in each test
bats_require_minimum_version 1.5.0

fixtures=$BATS_TEST_DIRNAME/../fixtures/units

setup() {
  store=$BATS_TEST_TMPDIR/store
  "$BATS_TEST_DIRNAME/store.sh" "$store"
  mkdir "$BATS_TEST_TMPDIR/work"
  cd "$BATS_TEST_TMPDIR/work" || return 1
}

# Whether a unit runs a script, directly or through another script.
leads_to() {
  local name
  if grep -q "/nix/store/$2[/ ]" "$1"; then return 0; fi
  while IFS= read -r name; do
    if [ -e "$fixtures/scripts/$name" ] && leads_to "$fixtures/scripts/$name" "$2"; then return 0; fi
  done < <(grep -oE '/nix/store/[0-9A-Za-z._-]+' "$1" | cut -d / -f 4 | sort -u)
  return 1
}

# run_in UNIT SCRIPT [VARIABLE=VALUE …] [ARGUMENT …]: runs a script as its unit does, with only the programs on the
# unit's search path.
run_in() {
  local unit=$fixtures/$1 script=$2 path variables=()
  shift 2
  leads_to "$unit" "$script" || { echo "$unit does not run $script"; return 1; }
  path=$(sed -n 's/^Environment="PATH=\(.*\)"$/\1/p' "$unit")
  while [[ ${1:-} == [A-Z]*=* ]]; do
    variables+=("$1")
    shift
  done
  run env -i "PATH=${path//\/nix\/store\//$store/}" "${variables[@]}" "$store/$script/bin/$script" "$@"
}

need_root() {
  [ "$(id -u)" = 0 ] || skip "only root owns what root owns"
}

# Runs it as each of the two units that fetch secrets does.
check_token() {
  run_in opnix-secrets.service check-1password-token "$@"
  local said=$output code=$status
  run_in opnix-secrets-poll.service check-1password-token "$@"
  [ "$code" -eq "$status" ] && [ "$said" = "$output" ]
}

@test "1Password's token: missing, empty, no file" {
  check_token token group
  [ "$status" -eq 78 ]
  [[ $output == *"token does not exist"*"sudo opnix token set"* ]]
  : >token
  check_token token group
  [ "$status" -eq 78 ]
  [[ $output == *"is empty"* ]]
  check_token . group
  [ "$status" -eq 78 ]
  [[ $output == *"is not a regular file"* ]]
}

@test "1Password's token: only root and its group may read it" {
  need_root
  echo ops_secret >token
  local mode
  for mode in 600 400 640; do
    chmod "$mode" token
    check_token token group
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
  for mode in 644 604 660 620 602 650; do
    chmod "$mode" token
    check_token token group
    [ "$status" -eq 78 ]
    [[ $output == *"has the mode $mode"*revoke* ]]
    [[ $output != *ops_secret* ]]
  done
  chmod 640 token
  chgrp games token
  check_token token group
  [ "$status" -eq 78 ]
  [[ $output == *"by the group games"* ]]
  check_token token games
  [ "$status" -eq 0 ]
  chown nobody token
  check_token token games
  [ "$status" -eq 78 ]
  [[ $output == *"does not belong to root"* ]]
}

# The units that report their result.
reporting=(pantheros-restore-drill pantheros-snapshots restic-backups-pantheros restic-backups-pantheros-check)

@test "a task's metrics: a failure keeps when it last succeeded" {
  local unit good
  for unit in "${reporting[@]}"; do
    rm -rf metrics
    mkdir metrics
    run_in "$unit.service" report-backup-task SERVICE_RESULT=success check metrics
    [ "$status" -eq 0 ]
    grep -Fx 'pantheros_backup_task_success{task="check"} 1' metrics/pantheros_backup_check.prom
    # A time in the past.
    sed -i 's/ [0-9]*$/ 1700000000/' metrics/pantheros_backup_check_last_success.prom
    good=$(cat metrics/pantheros_backup_check_last_success.prom)
    [[ $good == *'pantheros_backup_task_last_success_timestamp_seconds{task="check"} 1700000000' ]]
    run_in "$unit.service" report-backup-task SERVICE_RESULT=exit-code check metrics
    [ "$status" -eq 0 ]
    grep -Fx 'pantheros_backup_task_success{task="check"} 0' metrics/pantheros_backup_check.prom
    [ "$(cat metrics/pantheros_backup_check_last_success.prom)" = "$good" ]
    [ "$(find metrics -type f ! -name '*.prom')" = "" ]
    [ "$(find metrics -type f ! -perm 644)" = "" ]
  done
}

@test "a task's metrics: not without a result, not without the folder" {
  mkdir metrics
  run_in restic-backups-pantheros.service report-backup-task check metrics
  [ "$status" -ne 0 ]
  [ "$(ls -A metrics)" = "" ]
  run_in restic-backups-pantheros.service report-backup-task SERVICE_RESULT=success check missing
  [ "$status" -ne 0 ]
}

@test "every backup has a canary of its own, known by its hash" {
  mkdir state
  local first
  run_in restic-backups-pantheros.service prepare-backup state
  [ "$status" -eq 0 ]
  first=$(sha256sum <state/canary)
  run_in restic-backups-pantheros.service prepare-backup state
  [ "$status" -eq 0 ]
  [ "$(sha256sum <state/canary)" != "$first" ]
  [ "$(cat state/canaries)" = "$first"$'\n'"$(sha256sum <state/canary)" ]
  [ "$(head --lines=1 state/canary)" -ge "$(($(date +%s) - 60))" ]
  [ "$(find state -type f ! -perm 600)" = "" ]
  seq 200 >state/canaries
  run_in restic-backups-pantheros.service prepare-backup state
  [ "$(wc --lines <state/canaries)" -eq 100 ]
  [ "$(tail --lines=1 state/canaries)" = "$(sha256sum <state/canary)" ]
}

@test "subvolumes are frozen for a backup, and no longer after it" {
  ln -sf "$BATS_TEST_DIRNAME/fake-btrfs" "$store/btrfs-progs/bin/btrfs"
  mkdir -p state frozen/home home
  echo left >frozen/home/over
  echo old >home/letter
  run_in restic-backups-pantheros.service prepare-backup state home frozen/home
  [ "$status" -eq 0 ]
  echo new >home/letter
  [ "$(ls frozen/home)" = letter ]
  [ "$(cat frozen/home/letter)" = old ]
  run_in restic-backups-pantheros.service finish-backup home frozen/home home frozen/missing
  [ "$status" -eq 0 ]
  [ "$(ls frozen)" = "" ]
}

# Two files that are frozen and backed up to a repository, with a canary. CHANGE is applied to the frozen copy.
back_up() {
  ln -sf "$BATS_TEST_DIRNAME/fake-btrfs" "$store/btrfs-progs/bin/btrfs"
  mkdir -p state frozen home/alice
  echo one >home/alice/letter
  echo two >home/alice/photo
  # The drill compares only files that changed before the second of the backup.
  until [ "$(date +%s)" -gt "$(stat --format=%Z home/alice/photo)" ]; do :; done
  run_in restic-backups-pantheros.service prepare-backup state home frozen/home
  [ "$status" -eq 0 ]
  eval "${1:-:}"
  echo secret >password
  export RESTIC_REPOSITORY=$PWD/repository RESTIC_PASSWORD_FILE=$PWD/password RESTIC_CACHE_DIR=$PWD/cache
  restic init --quiet
  restic backup --quiet --host=web --tag=pantheros "$PWD/frozen/home" "$PWD/state/canary"
}

drill() {
  run_in pantheros-restore-drill.service restore-drill RESTORE_DRILL_HOST=web "RESTIC_REPOSITORY=$PWD/repository" \
    "RESTIC_PASSWORD_FILE=$PWD/password" "RESTIC_CACHE_DIR=$PWD/cache" \
    "$PWD/state" "$PWD/state/canary" 20 1000000 "$PWD/home" "$PWD/frozen/home"
}

@test "a drill restores files and compares those that did not change" {
  back_up
  drill
  echo "$output"
  [ "$status" -eq 0 ]
  [[ $output == *"restores: the canary and 3 files, 2 of them compared with the running system" ]]
  # A file that changed since is not the backup's fault, and neither is a missing one.
  echo three >home/alice/letter
  rm home/alice/photo
  drill
  [ "$status" -eq 0 ]
  [[ $output == *"the canary and 3 files, 0 of them compared"* ]]
}

@test "a drill fails for a backup of other content" {
  back_up 'echo spoilt >frozen/home/alice/letter'
  drill
  [ "$status" -eq 1 ]
  [[ $output == *"home/alice/letter in backup "*" differs from "*"home/alice/letter, which has not changed since" ]]
}

@test "a drill fails for a canary that nobody knows" {
  back_up
  sha256sum </dev/null >state/canaries
  drill
  [ "$status" -eq 1 ]
  [[ $output == *"the canary of backup "*" matches none that this host recorded" ]]
}

@test "a drill that cannot be carried out does not blame the backup" {
  back_up
  rm "$store/diffutils/bin/cmp"
  drill
  [ "$status" -eq 2 ]
  [[ $output == *"could not be compared with "*"; this says nothing about the backup" ]]
  [[ $output != *differs* ]]
  mv state/canaries state/kept
  drill
  [ "$status" -eq 2 ]
  [[ $output == *"there is no "*"/state/canaries to compare with"*"; this says nothing about the backup" ]]
  mv state/kept state/canaries
  mv repository elsewhere
  drill
  [ "$status" -eq 2 ]
  [[ $output == *"the backups in the repository could not be listed; this says nothing about the backup" ]]
}

# A system whose parts are links into one of two generations.
generation() {
  mkdir -p "$1"
  local part
  for part in kernel initrd kernel-modules; do
    echo "$1" >"$1-$part"
    ln -sfn "../${2:-$1}-$part" "$1/$part"
  done
}

facts() {
  run_in pantheros-host-facts.service pantheros-host-facts "BOOTED=$1" "CURRENT=$2" "PROFILE=$3" metrics "${@:4}"
}

@test "a host that runs what it booted and would boot" {
  mkdir metrics
  generation one
  facts one one one
  [ "$status" -eq 0 ]
  grep -Fx 'pantheros_reboot_required 0' metrics/pantheros_host.prom
  grep -Fx 'pantheros_running_is_boot_default 1' metrics/pantheros_host.prom
  run ! grep certificate metrics/pantheros_host.prom
}

@test "a new kernel waits for a reboot, a new package does not" {
  mkdir metrics
  generation one
  generation two
  generation three one
  facts one two two
  grep -Fx 'pantheros_reboot_required 1' metrics/pantheros_host.prom
  facts one three three
  grep -Fx 'pantheros_reboot_required 0' metrics/pantheros_host.prom
  facts one three one
  grep -Fx 'pantheros_running_is_boot_default 0' metrics/pantheros_host.prom
}

@test "a host whose profile is missing is an error, and the old facts stay" {
  mkdir metrics
  generation one
  facts one one one
  local before
  before=$(cat metrics/pantheros_host.prom)
  facts one one missing
  [ "$status" -ne 0 ]
  [ "$(cat metrics/pantheros_host.prom)" = "$before" ]
  [ "$(find metrics -name '.*.*' -type f)" = "" ]
}

@test "the end of certificates, and those that cannot be read" {
  mkdir metrics
  generation one
  openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out 'a"b.pem' -days 5 -subj /CN=test 2>/dev/null
  facts one one one 'a"b.pem' missing.pem
  [ "$status" -eq 0 ]
  local end
  end=$(sed -n 's/^pantheros_certificate_expiry_timestamp_seconds{path="a\\"b.pem"} //p' metrics/pantheros_host.prom)
  [ "$end" -gt "$(($(date +%s) + 4 * 86400))" ]
  [ "$end" -lt "$(($(date +%s) + 6 * 86400))" ]
  grep -Fx 'pantheros_certificate_expiry_timestamp_seconds{path="missing.pem"} 0' metrics/pantheros_host.prom
}
