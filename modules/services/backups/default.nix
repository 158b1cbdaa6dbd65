# Backups that are tested: local Btrfs snapshots to undo mistakes, restic against the loss of the
# machine, and a drill that restores from the repository and compares.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.backups;

  report = pkgs.writeShellApplication {
    name = "report-backup-task";
    text = builtins.readFile ./report-task.sh;
  };
in
{
  imports = [
    ./snapshots.nix
    ./restic.nix
    ./restore-drill.nix
  ];

  options.pantheros.backups = {
    enable = lib.mkEnableOption "backups of this host: Btrfs snapshots, restic and a restore drill";

    metricsDirectory = mkOption {
      type = types.path;
      default =
        config.pantheros.monitoring.exporter.textfileDirectory
          or "/var/lib/prometheus-node-exporter-textfile";
      defaultText = lib.literalExpression "config.pantheros.monitoring.exporter.textfileDirectory";
      description = ''
        Folder for the textfile collector of Prometheus's node exporter. For each task (`snapshots`,
        `backup`, `check`, `restore-drill`) it contains `pantheros_backup_task_success` (1 or 0),
        `pantheros_backup_task_last_run_timestamp_seconds` and
        `pantheros_backup_task_last_success_timestamp_seconds`, which a failure leaves unchanged.
      '';
    };

    reportTask = mkOption {
      type = types.functionTo types.str;
      internal = true;
      readOnly = true;
      description = "Command line for `ExecStopPost=` that writes a task's metrics from the unit's result.";
    };
  };

  config.pantheros.backups.reportTask =
    task: "${lib.getExe report} ${task} ${lib.escapeShellArg cfg.metricsDirectory}";

  config.systemd.tmpfiles.settings = lib.mkIf cfg.enable {
    # Under the same name as in pantheros.monitoring, so that the folder is declared once.
    "10-pantheros-textfiles".${cfg.metricsDirectory}.d = {
      mode = "0755";
      user = "root";
      group = "root";
    };
  };
}
