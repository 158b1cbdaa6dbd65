#!/usr/bin/env bats
# The scripts of the service modules that need no other program than openssl: what needs restic and Btrfs is
# in checks/vm/backups.nix.

bats_require_minimum_version 1.5.0

services=$BATS_TEST_DIRNAME/../../modules/services

# As nixpkgs' writeShellApplication runs it.
run_script() {
  run bash -o errexit -o nounset -o pipefail "$services/$1" "${@:2}"
}

setup() {
  cd "$BATS_TEST_TMPDIR" || return 1
}

need_root() {
  [ "$(id -u)" = 0 ] || skip "only root owns what root owns"
}

@test "1Password's token: missing, empty, no file" {
  run_script secrets/check-token.sh token group
  [ "$status" -eq 78 ]
  [[ $output == *"token does not exist"*"sudo opnix token set"* ]]
  : >token
  run_script secrets/check-token.sh token group
  [ "$status" -eq 78 ]
  [[ $output == *"is empty"* ]]
  run_script secrets/check-token.sh . group
  [ "$status" -eq 78 ]
  [[ $output == *"is no file"* ]]
}

@test "1Password's token: only root and its group may read it" {
  need_root
  echo ops_secret >token
  local mode
  for mode in 600 400 640; do
    chmod "$mode" token
    run_script secrets/check-token.sh token group
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
  for mode in 644 604 660 620 602 650; do
    chmod "$mode" token
    run_script secrets/check-token.sh token group
    [ "$status" -eq 78 ]
    [[ $output == *"has the mode $mode"*revoke* ]]
    [[ $output != *ops_secret* ]]
  done
  chmod 640 token
  chgrp games token
  run_script secrets/check-token.sh token group
  [ "$status" -eq 78 ]
  [[ $output == *"by the group games"* ]]
  run_script secrets/check-token.sh token games
  [ "$status" -eq 0 ]
  chown nobody token
  run_script secrets/check-token.sh token games
  [ "$status" -eq 78 ]
  [[ $output == *"does not belong to root"* ]]
}

@test "a task's metrics: a failure keeps when it last succeeded" {
  mkdir metrics
  SERVICE_RESULT=success run_script backups/report-task.sh check metrics
  [ "$status" -eq 0 ]
  grep -Fx 'pantheros_backup_task_success{task="check"} 1' metrics/pantheros_backup_check.prom
  local good
  good=$(cat metrics/pantheros_backup_check_last_success.prom)
  [[ $good == *'pantheros_backup_task_last_success_timestamp_seconds{task="check"} '[0-9]* ]]
  sleep 1
  SERVICE_RESULT=exit-code run_script backups/report-task.sh check metrics
  [ "$status" -eq 0 ]
  grep -Fx 'pantheros_backup_task_success{task="check"} 0' metrics/pantheros_backup_check.prom
  [ "$(cat metrics/pantheros_backup_check_last_success.prom)" = "$good" ]
  [ "$(find metrics -type f ! -name '*.prom')" = "" ]
  [ "$(find metrics -type f ! -perm 644)" = "" ]
}

@test "a task's metrics: not without a result, not without the folder" {
  mkdir metrics
  run env -u SERVICE_RESULT bash -o errexit -o nounset "$services/backups/report-task.sh" check metrics
  [ "$status" -ne 0 ]
  [ "$(ls -A metrics)" = "" ]
  SERVICE_RESULT=success run_script backups/report-task.sh check missing
  [ "$status" -ne 0 ]
}

@test "every backup has a canary of its own, known by its hash" {
  mkdir state
  local first
  run_script backups/prepare-backup.sh state
  [ "$status" -eq 0 ]
  first=$(sha256sum <state/canary)
  run_script backups/prepare-backup.sh state
  [ "$status" -eq 0 ]
  [ "$(sha256sum <state/canary)" != "$first" ]
  [ "$(cat state/canaries)" = "$first"$'\n'"$(sha256sum <state/canary)" ]
  [ "$(head --lines=1 state/canary)" -ge "$(($(date +%s) - 60))" ]
  [ "$(find state -type f ! -perm 600)" = "" ]
  seq 200 >state/canaries
  run_script backups/prepare-backup.sh state
  [ "$(wc --lines <state/canaries)" -eq 100 ]
  [ "$(tail --lines=1 state/canaries)" = "$(sha256sum <state/canary)" ]
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
  BOOTED=$1 CURRENT=$2 PROFILE=$3 run_script monitoring/host-facts.sh metrics "${@:4}"
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
