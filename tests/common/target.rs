//! Machines to deploy to. Each has a mount, host name and process namespace of its own, with a real `sshd`.
//!
//! A machine has its own `/nix`, `/run`, `/var/lib` and `/etc`, and shares everything else, including the Nix
//! under test. Its boot loader is the file `/var/lib/bootloader/default` with the path of a system. The fixtures'
//! `switch-to-configuration boot` writes it, and the machine starts that system. A path in `once` beside it takes
//! precedence at one start.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::wait::{look_until, wait_until};

/// A boot loader that can start an entry once.
pub const FAKE_BOOTCTL: &str = include_str!("fake-bootctl.sh");

/// The folders that stand for the disks of a machine.
const DISKS: [&str; 2] = ["nix", "var-lib"];

/// The script of a machine's first process: `sh -c BOOT machine ROOT NAME`.
const BOOT: &str = r#"
set -eu
root=$1
mount --make-rprivate /
mount --bind "$root/nix" /nix
mount --bind "$root/var-lib" /var/lib
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$root/etc,workdir=$root/work" /etc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd
hostname "$2"
# All machines share one kernel, which is never restarted: each start of a machine gets a boot id of its own.
cat /proc/sys/kernel/random/uuid >"$root/boot_id"
mount --bind "$root/boot_id" /proc/sys/kernel/random/boot_id
if [ -e /var/lib/bootloader/default ]; then
  system=$(cat /var/lib/bootloader/default)
  if [ -e /var/lib/bootloader/once ]; then
    system=$(cat /var/lib/bootloader/once)
    rm /var/lib/bootloader/once
  fi
  ln -s "$system" /run/current-system
  ln -s "$system" /run/booted-system
fi
trap 'kill $(jobs -p) 2>/dev/null; exit 0' TERM
/usr/sbin/sshd -D -e -f "$root/sshd_config" 2>>"$root/sshd.log" &
# The first process of a namespace inherits all orphans: it reaps them until it ends.
while :; do wait || :; sleep 0.2; done
"#;

/// Some machines, with the configuration of `ssh` for them.
pub struct Targets {
    // Dropped first: a running machine still writes to its folder.
    machines: Vec<Target>,
    nix: PathBuf,
    scratch: tempfile::TempDir,
}

/// A machine. Dropping it ends everything in it.
pub struct Target {
    /// Its host name, which is also its name in [`Targets::ssh_config`].
    pub name: String,
    /// The port its `sshd` listens on.
    pub port: u16,
    nix: PathBuf,
    root: PathBuf,
    config: PathBuf,
    init: Option<Child>,
}

impl Targets {
    /// Starts a machine for each name, with this Nix.
    pub fn start(nix: &Path, names: &[&str]) -> Self {
        Self::start_with(nix, names, |_| {})
    }

    /// Starts a machine for each name, with the disks of a machine that was [saved](Target::save).
    pub fn restore(nix: &Path, names: &[&str], saved: &Path) -> Self {
        Self::start_with(nix, names, |machine| {
            for disk in DISKS {
                copy_all(&saved.join(disk), &machine.root.join(disk));
            }
        })
    }

    fn start_with(nix: &Path, names: &[&str], prepare: impl Fn(&Target)) -> Self {
        let scratch = tempfile::Builder::new().prefix("pantheros-target-").tempdir().unwrap();
        let mut targets = Self { scratch, nix: nix.to_owned(), machines: Vec::new() };
        key(&targets.scratch.path().join("key"));
        for name in names {
            let machine = targets.machine(name);
            prepare(&machine);
            targets.machines.push(machine);
        }
        targets.write_config();
        for machine in &mut targets.machines {
            machine.start();
        }
        targets
    }

    /// The Nix on the machines.
    pub fn nix(&self) -> &Path {
        &self.nix
    }

    /// The machine of that name.
    pub fn get(&mut self, name: &str) -> &mut Target {
        self.machines.iter_mut().find(|machine| machine.name == name).unwrap()
    }

    /// Each machine's name and the port it listens on.
    pub fn ports(&self) -> impl Iterator<Item = (&str, u16)> {
        self.machines.iter().map(|machine| (machine.name.as_str(), machine.port))
    }

    /// The configuration with which `ssh` reaches all machines.
    pub fn ssh_config(&self) -> PathBuf {
        self.scratch.path().join("ssh_config")
    }

    /// The key that all machines accept.
    pub fn key(&self) -> PathBuf {
        self.scratch.path().join("key")
    }

    /// The file with the host keys of all machines.
    pub fn known_hosts(&self) -> PathBuf {
        self.scratch.path().join("known_hosts")
    }

    fn machine(&self, name: &str) -> Target {
        let root = self.scratch.path().join(name);
        for folder in ["nix/var/nix", "nix/store", "var-lib", "etc", "work", "nix-conf", "home"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        key(&root.join("host_key"));
        std::fs::copy(self.key().with_extension("pub"), root.join("authorized_keys")).unwrap();
        std::fs::write(
            root.join("nix-conf/nix.conf"),
            "build-users-group =\nsandbox = false\nsubstituters =\nexperimental-features = nix-command flakes\n",
        )
        .unwrap();
        let machine_id: String = (0..32).map(|at| format!("{:x}", (name.len() * 7 + at) % 16)).collect();
        std::fs::write(root.join("etc/machine-id"), format!("{machine_id}\n")).unwrap();
        let port = free_port();
        let config = self.ssh_config();
        let machine = Target { name: name.to_owned(), port, nix: self.nix.clone(), root, config, init: None };
        let root = &machine.root;
        let shown = root.display();
        std::fs::write(
            root.join("sshd_config"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host_key\n\
                 AuthorizedKeysFile {shown}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n\
                 PasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n\
                 SetEnv PATH={} NIX_CONF_DIR={shown}/nix-conf HOME={shown}/home\n",
                machine.search_path()
            ),
        )
        .unwrap();
        machine
    }

    fn write_config(&self) {
        let (mut config, mut known) = (String::new(), String::new());
        for machine in &self.machines {
            config
                .push_str(&format!("Host {}\n  HostName 127.0.0.1\n  Port {}\n", machine.name, machine.port));
            let public = std::fs::read_to_string(machine.root.join("host_key.pub")).unwrap();
            known.push_str(&format!("[127.0.0.1]:{} {public}", machine.port));
        }
        config.push_str(&format!(
            "Host *\n  User root\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n",
            self.key().display(),
            self.known_hosts().display()
        ));
        std::fs::write(self.ssh_config(), config).unwrap();
        std::fs::write(self.known_hosts(), known).unwrap();
    }
}

impl Target {
    /// The path on this machine of a path below the machine's `/nix`, `/var/lib` or `/etc`.
    pub fn path(&self, inside: &str) -> PathBuf {
        for (mount, folder) in [("/nix", "nix"), ("/var/lib", "var-lib"), ("/etc", "etc")] {
            if let Some(rest) = inside.strip_prefix(mount) {
                return self.root.join(folder).join(rest.trim_start_matches('/'));
            }
        }
        panic!("{inside} is not the machine's own");
    }

    /// The path on this machine of any path of the running machine, including its later mounts.
    pub fn inside(&self, path: &str) -> PathBuf {
        let init = self.init.as_ref().unwrap_or_else(|| panic!("{} is off", self.name));
        PathBuf::from(format!("/proc/{}/root{path}", init.id()))
    }

    /// The file with the keys that the machine accepts.
    pub fn authorized_keys(&self) -> PathBuf {
        self.root.join("authorized_keys")
    }

    /// How many logins the machine has refused.
    pub fn refused_logins(&self) -> usize {
        let log = std::fs::read_to_string(self.root.join("sshd.log")).unwrap_or_default();
        log.matches("[preauth]").count()
    }

    /// Adds a line to the configuration of its `sshd`, which takes effect at the machine's next start.
    pub fn configure(&self, line: &str) {
        let path = self.root.join("sshd_config");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{line}\n{text}")).unwrap();
    }

    /// Its public host key.
    pub fn host_key(&self) -> String {
        std::fs::read_to_string(self.root.join("host_key.pub")).unwrap()
    }

    /// Gives it another host key, as a new installation does; returns the old one.
    pub fn renew_host_key(&mut self) -> String {
        let old = self.host_key();
        for name in ["host_key", "host_key.pub"] {
            std::fs::remove_file(self.root.join(name)).unwrap();
        }
        key(&self.root.join("host_key"));
        self.power_off();
        self.switch_on();
        // `ssh` refuses the new key, so it cannot tell whether the machine is up.
        wait_until(&format!("{} to take connections", self.name), || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        old
    }

    /// Switches the machine on, and waits until it answers.
    pub fn start(&mut self) {
        self.switch_on();
        let mut said = String::new();
        let answered = look_until(|| {
            let answer = self.run(&["true"]);
            said = String::from_utf8_lossy(&answer.stderr).into_owned();
            answer.status.success().then_some(())
        });
        let log = || std::fs::read_to_string(self.root.join("sshd.log")).unwrap_or_default();
        assert!(answered.is_some(), "{} does not answer: {said}\n{}", self.name, log());
    }

    fn switch_on(&mut self) {
        assert!(self.init.is_none(), "{} runs already", self.name);
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", BOOT, "machine"])
            .arg(&self.root)
            .arg(&self.name)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        self.init = Some(command.spawn().unwrap());
    }

    /// Switches the machine off without a shutdown.
    pub fn power_off(&mut self) {
        if let Some(mut init) = self.init.take() {
            init.kill().unwrap();
            init.wait().unwrap();
            // The kernel ends the processes of the namespace a moment after their parent.
            wait_until(&format!("{} to take no connections", self.name), || {
                TcpStream::connect(("127.0.0.1", self.port)).is_err()
            });
        }
    }

    /// Switches it off and copies its disks to a folder, for [`Targets::restore`].
    pub fn save(&mut self, to: &Path) {
        self.power_off();
        for disk in DISKS {
            let saved = to.join(disk);
            std::fs::create_dir_all(&saved).unwrap();
            copy_all(&self.root.join(disk), &saved);
        }
    }

    /// Switches it off and on again.
    pub fn reboot(&mut self) {
        self.power_off();
        self.start();
    }

    /// Runs a program in it, over `ssh`.
    pub fn run(&self, argv: &[&str]) -> Output {
        let quoted: Vec<String> =
            argv.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
        Command::new("ssh")
            .args(["-o", "ConnectTimeout=5", "-o", "BatchMode=yes", "-F"])
            .arg(&self.config)
            .arg(&self.name)
            .arg(quoted.join(" "))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a program in the machine without `ssh`, and returns its output. Fails unless the program succeeds.
    pub fn says(&self, argv: &[&str]) -> String {
        let init = self.init.as_ref().unwrap_or_else(|| panic!("{} is off", self.name)).id();
        let children = std::fs::read_to_string(format!("/proc/{init}/task/{init}/children")).unwrap();
        let output = Command::new("nsenter")
            .args(["--mount", "--uts", "--pid", "--wd=/", "--target", children.trim()])
            .args(argv)
            .env("PATH", self.search_path())
            .env("NIX_CONF_DIR", self.root.join("nix-conf"))
            .env("HOME", self.root.join("home"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The search path in the machine.
    fn search_path(&self) -> String {
        format!(
            "/run/current-system/sw/bin:{}:/usr/bin:/bin:/usr/sbin:/sbin",
            self.nix.parent().unwrap().display()
        )
    }

    /// Copies a closure to the machine.
    pub fn copy(&self, nix: &Path, toplevel: &str) {
        let copied = Command::new(nix)
            .args(["--extra-experimental-features", "nix-command flakes", "copy", "--no-check-sigs", "--to"])
            .arg(format!("ssh-ng://{}", self.name))
            .arg(toplevel)
            .env("NIX_SSHOPTS", format!("-F {}", self.config.display()))
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    }

    /// Installs its first system: copies the closure, makes it a generation and the boot default, and reboots.
    pub fn install(&mut self, nix: &Path, toplevel: &str) {
        self.copy(nix, toplevel);
        self.says(&["nix-env", "--profile", "/nix/var/nix/profiles/system", "--set", toplevel]);
        self.says(&["mkdir", "-p", "/var/lib/bootloader"]);
        std::fs::write(self.path("/var/lib/bootloader/default"), toplevel).unwrap();
        self.reboot();
    }

    /// The running system.
    pub fn current_system(&self) -> String {
        self.says(&["readlink", "-f", "/run/current-system"])
    }

    /// The boot default.
    pub fn boot_default(&self) -> String {
        std::fs::read_to_string(self.path("/var/lib/bootloader/default")).unwrap().trim().to_owned()
    }

    /// The command lines of all processes in the machine, except its first process and `sshd`.
    pub fn processes_left(&self) -> Vec<String> {
        let namespace = |pid: &str, of: &str| std::fs::read_link(format!("/proc/{pid}/ns/{of}")).ok();
        let Some(init) = &self.init else { return Vec::new() };
        let own = namespace(&init.id().to_string(), "pid_for_children").unwrap();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|pid| namespace(pid, "pid").as_ref() == Some(&own))
            .filter_map(|pid| std::fs::read(format!("/proc/{pid}/cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " ").trim().to_owned())
            .filter(|line| !line.is_empty() && !line.contains("sshd") && line != "sleep 0.2")
            .collect()
    }

    /// The system of the newest generation.
    pub fn profile(&self) -> String {
        self.says(&["readlink", "-f", "/nix/var/nix/profiles/system"])
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if let Some(mut init) = self.init.take() {
            let _gone = init.kill();
            let _reaped = init.wait();
        }
    }
}

/// Copies the content of a folder into another, with its attributes.
fn copy_all(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success());
}

/// A free port below 32768, where the ports of outgoing connections begin: no connection gets it while its machine is
/// off.
fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(61).wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(number % 22_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Makes a key pair without a passphrase.
fn key(path: &Path) {
    let made =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status().unwrap();
    assert!(made.success());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
