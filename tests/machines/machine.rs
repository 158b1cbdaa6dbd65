//! A machine with a real systemd: `systemd-nspawn` on Debian, with a disk, a store and a network of its own.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::common::wait::{look_until, wait_until};

/// The folder with the files of Debian that `tools/test-machines` makes.
const DEBIAN: &str = "PANTHEROS_TEST_MACHINE_ROOT";

/// Where the kernel has its control groups, or folders with them.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// Where a machine has the programs that nixpkgs renders paths of, such as `/nix/store/coreutils/bin/ls`.
pub const PROGRAMS: &str = "/nix/programs/";

/// A machine. Dropping it ends everything in it.
pub struct Machine {
    name: String,
    /// Its address, and that of this machine on the cable between them.
    address: String,
    gateway: String,
    nix: PathBuf,
    scratch: tempfile::TempDir,
    /// `unshare`, which ends the whole machine if it is killed.
    power: Option<Child>,
}

impl Machine {
    /// A machine with this host name, which is off and has no system.
    pub fn new(nix: &Path, host: &str) -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = std::process::id();
        let name = format!("pm{own}n{number}");
        // Of each test program another network, and of each machine two addresses: 198.18.0.0/15 is for tests (RFC 2544).
        let network = format!("198.{}.{}", 18 + own / 256 % 2, own % 256);
        let machine = Self {
            address: format!("{network}.{}", number % 64 * 4 + 2),
            gateway: format!("{network}.{}", number % 64 * 4 + 1),
            name,
            nix: nix.to_owned(),
            scratch: tempfile::Builder::new().prefix("pantheros-machine-").tempdir().unwrap(),
            power: None,
        };
        machine.furnish(host);
        machine
    }

    /// Makes a system the first generation and the boot default of a machine that is off.
    pub fn install(&self, toplevel: &str) {
        let copied = Command::new(&self.nix)
            .args(["--extra-experimental-features", "nix-command flakes", "copy", "--no-check-sigs", "--to"])
            .arg(format!("local?root={}", self.folder().display()))
            .arg(toplevel)
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let profiles = self.folder().join("nix/var/nix/profiles");
        std::fs::create_dir_all(&profiles).unwrap();
        symlink(toplevel, profiles.join("system-1-link")).unwrap();
        symlink("system-1-link", profiles.join("system")).unwrap();
        std::fs::write(self.disk("/boot/default"), format!("{toplevel}\n")).unwrap();
    }

    fn furnish(&self, host: &str) {
        for folder in [
            "disk/usr/sbin",
            "disk/boot",
            "disk/etc/ssh",
            "disk/root/.ssh",
            "root",
            "work",
            "nix/store",
            "nix/var/nix",
        ] {
            std::fs::create_dir_all(self.folder().join(folder)).unwrap();
        }
        // Debian's /sbin is a link to /usr/sbin.
        for (name, text) in
            [("stage2", include_str!("stage2.sh")), ("bootctl", include_str!("fake-bootctl.sh"))]
        {
            let program = self.disk("/usr/sbin").join(name);
            std::fs::write(&program, text).unwrap();
            std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        }
        std::fs::write(self.disk("/etc/test-network"), format!("{}/30 {}\n", self.address, self.gateway))
            .unwrap();
        std::fs::write(
            self.disk("/etc/nix.conf"),
            "build-users-group =\nsandbox = false\nsubstituters =\nexperimental-features = nix-command flakes\n",
        )
        .unwrap();
        std::fs::write(self.disk("/etc/hostname"), format!("{host}\n")).unwrap();
        key(&self.key());
        key(&self.disk("/etc/ssh/test_host_key"));
        std::fs::copy(self.key().with_extension("pub"), self.disk("/root/.ssh/authorized_keys")).unwrap();
        std::fs::set_permissions(self.disk("/root/.ssh"), PermissionsExt::from_mode(0o700)).unwrap();
        std::fs::write(self.disk("/etc/ssh/sshd_config"), self.sshd_config()).unwrap();
        let public = std::fs::read_to_string(self.disk("/etc/ssh/test_host_key.pub")).unwrap();
        std::fs::write(self.known_hosts(), format!("{} {public}", self.address)).unwrap();
        std::fs::write(
            self.ssh_config(),
            format!(
                "Host *\n  HostName {}\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  \
                 GlobalKnownHostsFile /dev/null\n  HostKeyAlias {}\n",
                self.address,
                self.key().display(),
                self.known_hosts().display(),
                self.address,
            ),
        )
        .unwrap();
    }

    /// The configuration of its `sshd`.
    pub fn sshd_config(&self) -> String {
        format!(
            "HostKey /etc/ssh/test_host_key\nUsePAM yes\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n\
             SetEnv PATH=/run/current-system/sw/bin:{}:/usr/sbin:/usr/bin:/sbin:/bin NIX_CONF_DIR=/etc\n",
            self.nix.parent().unwrap().display()
        )
    }

    fn folder(&self) -> &Path {
        self.scratch.path()
    }

    fn disk(&self, path: &str) -> PathBuf {
        self.folder().join(format!("disk{path}"))
    }

    /// The folder that the machine sees as [`PROGRAMS`].
    pub fn programs(&self) -> PathBuf {
        self.folder().join("nix/programs")
    }

    fn key(&self) -> PathBuf {
        self.folder().join("key")
    }

    fn known_hosts(&self) -> PathBuf {
        self.folder().join("known_hosts")
    }

    /// The configuration with which `ssh` reaches it.
    pub fn ssh_config(&self) -> PathBuf {
        self.folder().join("ssh_config")
    }

    /// The text that the machine printed since it was made.
    pub fn console(&self) -> String {
        let text = std::fs::read(self.folder().join("console")).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Switches it on, and waits until it answers.
    pub fn switch_on(&mut self) {
        assert!(self.power.is_none(), "{} runs already", self.name);
        let debian = std::env::var_os(DEBIAN).expect("run tools/test-machines");
        let console =
            std::fs::File::options().create(true).append(true).open(self.folder().join("console")).unwrap();
        let boot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/machines/boot.sh");
        let prefix = self.nix.parent().and_then(Path::parent).unwrap();
        let child = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh"])
            .arg(boot)
            .arg(self.folder())
            .arg(debian)
            .arg(prefix)
            .args([&self.name, &self.gateway])
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .unwrap();
        self.power = Some(child);
        self.wait_for_ssh();
    }

    /// Waits until its `sshd` takes a login.
    pub fn wait_for_ssh(&self) {
        let mut said = String::new();
        let answered = look_until(|| {
            let answer = self.run(&["true"]);
            said = String::from_utf8_lossy(&answer.stderr).into_owned();
            answer.status.success().then_some(())
        });
        assert!(answered.is_some(), "{} does not answer: {said}\n{}", self.name, self.console());
    }

    /// The step of a deployment in the supervisor's state file; `None` before there is one.
    pub fn step(&self, plan: &str) -> Option<String> {
        let file = format!("/var/lib/pantheros/deployments/{plan}/state.json");
        let state = std::fs::read(self.disk(&file)).ok()?;
        let state: serde_json::Value = serde_json::from_slice(&state).ok()?;
        state["state"].as_str().map(str::to_owned)
    }

    /// Connects its cable, or cuts it.
    pub fn connect(&self, is_connected: bool) {
        let cable = format!("ve-{}", self.name);
        let state = if is_connected { "up" } else { "down" };
        let set = Command::new("ip").args(["link", "set", &cable, state]).output().unwrap();
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }

    /// A power cut: nothing in the machine gets a signal that it can handle.
    pub fn cut_power(&mut self) {
        if let Some(mut power) = self.power.take() {
            power.kill().unwrap();
            power.wait().unwrap();
            let cable = Path::new("/sys/class/net").join(format!("ve-{}", self.name));
            wait_until("the cable to be gone", || !cable.exists());
        }
    }

    /// Runs a program in it over `ssh`.
    pub fn run(&self, argv: &[&str]) -> Output {
        let quoted: Vec<String> =
            argv.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        Command::new("ssh")
            .args(["-o", "ConnectTimeout=5", "-o", "BatchMode=yes", "-F"])
            .arg(self.ssh_config())
            .args([self.name.as_str(), &quoted.join(" ")])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a program in it without `ssh`, and returns its output.
    pub fn look(&self, argv: &[&str]) -> Output {
        let init = self.init().expect("the machine runs");
        Command::new("nsenter")
            .args([
                "--target",
                &init.to_string(),
                "--mount",
                "--uts",
                "--ipc",
                "--net",
                "--pid",
                "--root",
                "--wd=/",
            ])
            .args(argv)
            .env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.nix.parent().unwrap().display()))
            .env("NIX_CONF_DIR", "/etc")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// As [`Self::look`]; fails unless the program succeeds.
    pub fn says(&self, argv: &[&str]) -> String {
        let output = self.look(argv);
        assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The process that is the first one in the machine; `None` while it does not run.
    fn init(&self) -> Option<u32> {
        let power = self.power.as_ref()?.id();
        let mut open = vec![power];
        while let Some(process) = open.pop() {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
            let ids: Vec<&str> = ids.split_whitespace().collect();
            // In the namespaces of this machine, of `unshare`, and of `systemd-nspawn`.
            if ids.len() >= 3 && ids.last() == Some(&"1") {
                return Some(process);
            }
            let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
            open.extend(
                children.unwrap_or_default().split_whitespace().filter_map(|id| id.parse::<u32>().ok()),
            );
        }
        None
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut power) = self.power.take() {
            let _gone = power.kill();
            let _reaped = power.wait();
        }
        // The kernel ends the processes of the namespace a moment after their parent.
        let roots =
            std::fs::read_dir(CONTROL_GROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
        for root in roots.chain([PathBuf::from(CONTROL_GROUPS)]) {
            let group = root.join(&self.name);
            let gone = look_until(|| (!group.exists() || remove_groups(&group).is_ok()).then_some(()));
            assert!(gone.is_some() || std::thread::panicking(), "{} is left", group.display());
        }
    }
}

/// Removes a control group and those in it, once they have no processes.
fn remove_groups(group: &Path) -> std::io::Result<()> {
    for inner in std::fs::read_dir(group)? {
        let inner = inner?;
        if inner.file_type()?.is_dir() {
            remove_groups(&inner.path())?;
        }
    }
    std::fs::remove_dir(group)
}

/// Makes a key pair without a passphrase.
fn key(path: &Path) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
}
