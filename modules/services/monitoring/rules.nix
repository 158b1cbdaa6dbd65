# Alerts that somebody can act on. Each states the problem, the host, and where to look.
{
  # Percentage of a file system that must be free.
  diskFreePercent,
  # Age in hours above which the newest backup is too old.
  backupMaxAgeHours,
  # How long a host may wait for a reboot, in Prometheus's notation.
  rebootGrace,
}:

let
  alert = severity: name: wait: expr: summary: {
    alert = name;
    inherit expr;
    for = wait;
    labels = { inherit severity; };
    annotations = { inherit summary; };
  };
  critical = alert "critical";
  warning = alert "warning";

  # One row for each file system, not for each of its Btrfs subvolumes.
  disks =
    metric:
    ''max by (instance, device, fstype) (${metric}{fstype!~"tmpfs|ramfs|overlay|squashfs|efivarfs"})'';
  lastSuccess = task: ''pantheros_backup_task_last_success_timestamp_seconds{task="${task}"}'';
  age = task: "time() - ${lastSuccess task}";
  hours = number: toString (number * 3600);
in
[
  {
    name = "hosts";
    rules = [
      (critical "HostDown" "3m" ''up{job="node"} == 0''
        "{{ $labels.instance }} does not answer: the host, its exporter or the network is down."
      )
      (warning "HostRestarted" "0m" "time() - node_boot_time_seconds < 600"
        "{{ $labels.instance }} has just booted."
      )
      (warning "MemoryLow" "15m" "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.05"
        "{{ $labels.instance }} has {{ $value | humanizePercentage }} of its memory left."
      )
      (warning "OutOfMemoryKill" "0m" "increase(node_vmstat_oom_kill[15m]) > 0"
        "The kernel of {{ $labels.instance }} killed a process because memory ran out: journalctl -k."
      )
      (warning "RebootNeeded" rebootGrace "pantheros_reboot_required == 1"
        "{{ $labels.instance }} runs another kernel, modules or initrd than its configuration has: reboot it."
      )
      (warning "RunningIsNotBootDefault" "1h" "pantheros_running_is_boot_default == 0"
        "{{ $labels.instance }} runs a configuration that is not its boot default: a deployment was not confirmed, or only tested."
      )
    ];
  }
  {
    name = "disks";
    rules = [
      (critical "DiskAlmostFull" "15m"
        "100 * ${disks "node_filesystem_avail_bytes"} / ${disks "node_filesystem_size_bytes"} < ${toString diskFreePercent}"
        "{{ $labels.device }} on {{ $labels.instance }} has {{ $value | printf \"%.1f\" }} % left: old generations (nix-collect-garbage), snapshots, logs."
      )
      (warning "DiskFilling" "1h" (
        "predict_linear(${disks "node_filesystem_avail_bytes"}[6h:5m], 24 * 3600) < 0 "
        + "and 100 * ${disks "node_filesystem_avail_bytes"} / ${disks "node_filesystem_size_bytes"} < 40"
      ) "{{ $labels.device }} on {{ $labels.instance }} will be full within a day at this rate.")
      (critical "DiskReadOnly" "1m"
        ''node_filesystem_readonly{mountpoint=~"/|/home|/var",fstype!="squashfs"} == 1''
        "{{ $labels.mountpoint }} on {{ $labels.instance }} is read-only: check the kernel log for disk errors."
      )
      (critical "BtrfsErrors" "0m" "increase(node_btrfs_device_errors_total[1h]) > 0"
        "Btrfs on {{ $labels.instance }} counts {{ $labels.type }} errors: btrfs device stats /."
      )
    ];
  }
  {
    name = "units";
    rules = [
      (warning "UnitFailed" "5m" ''node_systemd_unit_state{state="failed"} == 1''
        "{{ $labels.name }} failed on {{ $labels.instance }}: systemctl status {{ $labels.name }}."
      )
      (warning "UnitRestarting" "0m" "increase(node_systemd_service_restart_total[1h]) > 5"
        "{{ $labels.name }} on {{ $labels.instance }} restarted {{ $value | printf \"%.0f\" }} times within an hour."
      )
    ];
  }
  {
    name = "clocks-and-certificates";
    rules = [
      (warning "ClockNotSynchronised" "30m" "node_timex_sync_status == 0"
        "The clock of {{ $labels.instance }} is not synchronized with a time server: timedatectl timesync-status."
      )
      (critical "ClockOff" "10m"
        "abs(node_timex_offset_seconds) > 1 or abs(node_time_seconds - timestamp(node_time_seconds)) > 30"
        "The clock of {{ $labels.instance }} is off by {{ $value | humanizeDuration }}."
      )
      (warning "CertificateExpiring" "1h"
        "pantheros_certificate_expiry_timestamp_seconds - time() < 14 * 86400"
        "{{ $labels.path }} on {{ $labels.instance }} expires in {{ $value | humanizeDuration }}: its renewal fails."
      )
      (critical "CertificateEnds" "10m"
        "pantheros_certificate_expiry_timestamp_seconds - time() < 2 * 86400"
        "{{ $labels.path }} on {{ $labels.instance }} expires in {{ $value | humanizeDuration }}, or cannot be read."
      )
    ];
  }
  {
    name = "backups";
    rules = [
      (warning "BackupTaskFailed" "5m" "pantheros_backup_task_success == 0"
        "{{ $labels.task }} failed on {{ $labels.instance }} when it last ran."
      )
      (critical "BackupTooOld" "15m" "${age "backup"} > ${hours backupMaxAgeHours}"
        "The newest backup of {{ $labels.instance }} is {{ $value | humanizeDuration }} old."
      )
      (critical "BackupNeverMade" "${toString backupMaxAgeHours}h"
        ''node_systemd_unit_state{name="restic-backups-pantheros.timer",state="active"} == 1 unless on (instance) ${lastSuccess "backup"}''
        "{{ $labels.instance }} has a timer for backups, but no backup has succeeded."
      )
      (warning "SnapshotsTooOld" "15m" "${age "snapshots"} > ${hours 26}"
        "The newest snapshot on {{ $labels.instance }} is {{ $value | humanizeDuration }} old."
      )
      (warning "RepositoryCheckTooOld" "15m" "${age "check"} > ${hours (10 * 24)}"
        "The backups of {{ $labels.instance }} were last checked {{ $value | humanizeDuration }} ago."
      )
      (critical "RestoreDrillTooOld" "15m" "${age "restore-drill"} > ${hours (10 * 24)}"
        "The last successful restore drill of {{ $labels.instance }} was {{ $value | humanizeDuration }} ago."
      )
    ];
  }
  {
    name = "monitoring";
    rules = [
      # Always fires. An outside service that watches the monitoring host notices when it stops.
      (alert "none" "Watchdog" "0m" "vector(1)" "Alerts are delivered.")
      (warning "MetricsOfHostMissing" "30m"
        ''time() - node_textfile_mtime_seconds{file=~".*/pantheros_host\\.prom"} > 1800 or node_textfile_scrape_error == 1''
        "Facts about {{ $labels.instance }} are not updated: systemctl status pantheros-host-facts."
      )
      (critical "NotificationsFailing" "15m" "rate(alertmanager_notifications_failed_total[5m]) > 0"
        "Alerts cannot be sent through {{ $labels.integration }}."
      )
      (warning "AlertmanagerUnreachable" "5m"
        "prometheus_notifications_alertmanagers_discovered < 1 or rate(prometheus_notifications_errors_total[5m]) > 0"
        "Prometheus cannot send its alerts to Alertmanager."
      )
    ];
  }
]
