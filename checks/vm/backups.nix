# Snapshots and restic restore lost files, and the restore drill fails if they would not.
{ self, pkgs, ... }:

pkgs.testers.runNixOSTest {
  name = "backups";

  nodes.machine = {
    imports = [
      self.nixosModules.backups
      self.nixosModules.monitoring
    ];

    environment.systemPackages = [ pkgs.curl ];
    virtualisation = {
      emptyDiskImages = [
        {
          size = 2048;
          driveConfig.deviceExtraOpts.serial = "home";
        }
      ];
      fileSystems."/home" = {
        device = "/dev/disk/by-id/virtio-home";
        fsType = "btrfs";
        autoFormat = true;
      };
    };

    pantheros = {
      monitoring.exporter.enable = true;
      backups = {
        enable = true;
        # The root of a test machine is not on Btrfs.
        snapshots.directory = "/home/.snapshots";
        restic = {
          repositoryFile = "/var/lib/secrets/repository";
          passwordFile = "/var/lib/secrets/password";
          initialize = true;
          paths = [ "/home" ];
          check.readDataSubset = "100%";
        };
      };
    };
  };

  testScript = ''
    textfiles = "/var/lib/prometheus-node-exporter-textfile"


    def run(unit: str) -> None:
        machine.succeed(f"systemctl start {unit}.service")


    def fails(unit: str) -> None:
        machine.fail(f"systemctl start {unit}.service")
        assert machine.succeed(f"systemctl is-failed {unit}.service").strip() == "failed"
        machine.succeed(f"systemctl reset-failed {unit}.service")


    def exported(task: str, success: int) -> None:
        """Checks the result of a task that Prometheus would fetch."""
        sample = f'pantheros_backup_task_success{{task="{task}"}} {success}'
        machine.succeed(f"curl --silent --fail http://127.0.0.1:9100/metrics | grep --fixed-strings '{sample}'")


    def last_success(task: str) -> str:
        return machine.succeed(f"grep --invert-match '#' {textfiles}/pantheros_backup_{task}_last_success.prom")


    machine.wait_for_unit("multi-user.target")
    machine.wait_for_open_port(9100)
    machine.succeed("mkdir --mode=700 --parents /var/lib/secrets")
    machine.succeed("umask 077; echo /var/lib/repository >/var/lib/secrets/repository")
    machine.succeed("umask 077; head --bytes=32 /dev/urandom | base64 >/var/lib/secrets/password")
    machine.succeed("mkdir --parents /home/alice/.cache /home/alice/letters")
    machine.succeed("echo precious >/home/alice/letters/one; echo kept >/home/alice/letters/two")
    machine.succeed("head --bytes=1M /dev/urandom >/home/alice/photo; echo junk >/home/alice/.cache/junk")
    photo = machine.succeed("sha256sum /home/alice/photo")

    with subtest("each task is on a timer"):
        for timer in ["pantheros-snapshots", "restic-backups-pantheros", "restic-backups-pantheros-check", "pantheros-restore-drill"]:
            machine.succeed(f"systemctl is-active {timer}.timer")

    with subtest("a drill before the first backup fails"):
        fails("pantheros-restore-drill")
        exported("restore-drill", 0)

    with subtest("back up"):
        run("pantheros-snapshots")
        exported("snapshots", 1)
        run("restic-backups-pantheros")
        exported("backup", 1)
        machine.fail("test -e /home/.snapshots/restic/home")
        listing = machine.succeed("restic-pantheros ls latest")
        assert "/home/.snapshots/restic/home/alice/letters/one" in listing, listing
        assert ".cache/junk" not in listing, listing

    with subtest("lose, change, and restore"):
        machine.succeed("rm -r /home/alice/photo; echo spoilt >/home/alice/letters/one")
        machine.succeed("grep precious /home/.snapshots/home.*/alice/letters/one")
        machine.succeed("restic-pantheros restore latest:/home/.snapshots/restic/home --target /home")
        machine.succeed("grep precious /home/alice/letters/one; grep kept /home/alice/letters/two")
        assert machine.succeed("sha256sum /home/alice/photo") == photo

    with subtest("the drill and the check pass"):
        run("restic-backups-pantheros")
        run("pantheros-restore-drill")
        exported("restore-drill", 1)
        machine.succeed("journalctl --unit=pantheros-restore-drill | grep 'compared with the running system'")
        machine.succeed("test -z \"$(find /tmp -name restored)\"")
        run("restic-backups-pantheros-check")
        exported("check", 1)
        good = last_success("restore-drill")

    with subtest("a canary that is not the one backed up fails the drill"):
        machine.succeed("cp /var/lib/pantheros-backups/canaries /root/canaries")
        machine.succeed("sha256sum </dev/null >/var/lib/pantheros-backups/canaries")
        fails("pantheros-restore-drill")
        exported("restore-drill", 0)
        assert last_success("restore-drill") == good
        machine.succeed("cp /root/canaries /var/lib/pantheros-backups/canaries")
        run("pantheros-restore-drill")
        exported("restore-drill", 1)

    with subtest("a damaged repository fails drill and check"):
        machine.succeed(
            "find /var/lib/repository/data -type f -exec chmod u+w {} + "
            "-exec sh -c 'for pack; do dd if=/dev/urandom of=\"$pack\" bs=64 seek=1 count=1 conv=notrunc; done' sh {} +"
        )
        machine.succeed("rm -r /var/cache/pantheros-restore-drill /var/cache/restic-backups-pantheros*")
        fails("pantheros-restore-drill")
        exported("restore-drill", 0)
        fails("restic-backups-pantheros-check")
        exported("check", 0)
  '';
}
