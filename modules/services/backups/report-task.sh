# shellcheck shell=bash
# report-backup-task TASK FOLDER: writes the result of the unit that is ending for Prometheus's textfile collector.
# Run from ExecStopPost=, where systemd sets SERVICE_RESULT (systemd.exec(5)).
task=$1
folder=$2
now=$(date +%s)

# Replaces the file atomically, because the collector drops the whole of a half-written file. It reads
# only names that end in .prom.
publish() {
  local temporary
  temporary=$(mktemp "$folder/.$1.XXXXXX")
  cat >"$temporary"
  chmod 0644 "$temporary"
  mv -- "$temporary" "$folder/$1.prom"
}

success=0
if [ "${SERVICE_RESULT:?run this from ExecStopPost=}" = success ]; then
  success=1
  publish "pantheros_backup_${task}_last_success" <<END
# HELP pantheros_backup_task_last_success_timestamp_seconds When the task last succeeded.
# TYPE pantheros_backup_task_last_success_timestamp_seconds gauge
pantheros_backup_task_last_success_timestamp_seconds{task="$task"} $now
END
fi

publish "pantheros_backup_$task" <<END
# HELP pantheros_backup_task_last_run_timestamp_seconds When the task last ended.
# TYPE pantheros_backup_task_last_run_timestamp_seconds gauge
pantheros_backup_task_last_run_timestamp_seconds{task="$task"} $now
# HELP pantheros_backup_task_success Whether the task succeeded when it last ran.
# TYPE pantheros_backup_task_success gauge
pantheros_backup_task_success{task="$task"} $success
END
