//! A machine to deploy to, and a deployment on it.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;

use pantheros_mcp::testing::deploy::SUPERVISOR_SCRIPT;
use serde_json::Value;

use crate::common::fleet::{Fleet, nixes};
use crate::common::programs::Store;
use crate::common::target::{FAKE_BOOTCTL, Target, Targets};
use crate::common::wait::{look_until, wait_until};

/// The unit that runs at the start of a machine with `pantheros.deploy`.
const AT_START: &str = "pantheros-deployments.service";
pub const DEPLOYMENTS: &str = "/var/lib/pantheros/deployments";
pub const NONCE: &str = "0123456789abcdefABCDEF";

/// Two systems. An activation first runs `/var/lib/hooks/NAME-ACTION` and last `/var/lib/hooks/NAME-ACTION-after`, with
/// which a test can make it fail.
const FLAKE: &str = r#"{
  outputs = _:
  let
    toplevel = name: derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "/bin/sh";
      script = ''
        #!/bin/sh
        echo "${name} $1" >>/var/lib/activation.log
        out=@out@
        activate() { ln -sfn $out /run/current-system; }
        hook=/var/lib/hooks/${name}-$1
        if [ -e "$hook" ]; then . "$hook"; fi
        case $1 in
          test) activate ;;
          boot) echo $out >/var/lib/bootloader/new && mv /var/lib/bootloader/new /var/lib/bootloader/default ;;
          dry-activate) echo "would restart nothing" ;;
        esac
        if [ -e "$hook-after" ]; then . "$hook-after"; fi
      '';
      args = [ "-c" ''
        /bin/mkdir -p $out/bin $out/sw/bin
        echo "$script" | /bin/sed "s|@out@|$out|" >$out/bin/switch-to-configuration
        /bin/chmod +x $out/bin/*
      '' ];
    } // { type = "derivation"; };
  in {
    first = toplevel "first";
    second = toplevel "second";
  };
}"#;

/// Only records the call: the test itself reboots the machine.
const FAKE_REBOOT: &str = "#!/bin/sh\necho \"$*\" >>/var/lib/reboots\nexec sleep 100\n";

/// A hook that waits until [`Machine::release`] the first time it runs.
pub const HOLD: &str = "if [ ! -e /var/lib/hooks/held ]; then touch /var/lib/hooks/held; \
                        while [ ! -e /var/lib/hooks/go ]; do sleep 0.05; done; fi";

/// One of the two systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    pub name: &'static str,
    pub path: String,
}

/// The two systems, and the disks of a machine that runs the first, made once for each Nix.
struct Prepared {
    nix: PathBuf,
    old: System,
    new: System,
    disks: PathBuf,
    at_start: Store,
}

impl Prepared {
    fn of(nix: &Path) -> &'static Self {
        static ALL: OnceLock<Vec<Prepared>> = OnceLock::new();
        let all = ALL.get_or_init(|| nixes().into_iter().enumerate().map(Self::make).collect());
        all.iter().find(|prepared| prepared.nix == nix).unwrap()
    }

    fn make((number, nix): (usize, PathBuf)) -> Self {
        let fleet = Fleet::committed(&nix, &[("flake.nix", FLAKE)]);
        let build = |name: &'static str| {
            let built = fleet.by_hand(&["build", "--no-link", "--print-out-paths", &format!(".#{name}")]);
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            System { name, path: String::from_utf8(built.stdout).unwrap().trim().to_owned() }
        };
        let (old, new) = (build("first"), build("second"));
        let mut targets = Targets::start(&nix, &["web"]);
        let web = targets.get("web");
        web.copy(&nix, &new.path);
        web.install(&nix, &old.path);
        std::fs::create_dir_all(web.path("/var/lib/hooks")).unwrap();
        std::fs::create_dir_all(web.path("/var/lib/programs")).unwrap();
        for (name, text) in [("reboot", FAKE_REBOOT), ("bootctl", FAKE_BOOTCTL)] {
            let path = web.path(&format!("/var/lib/programs/{name}"));
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        let disks = PathBuf::from(format!("{}/supervisor-{number}", env!("CARGO_TARGET_TMPDIR")));
        if disks.exists() {
            std::fs::remove_dir_all(&disks).unwrap();
        }
        web.save(&disks);
        let at_start = Store::make(&PathBuf::from(format!("{}/units-{number}", env!("CARGO_TARGET_TMPDIR"))));
        let relink = |package: &str, program: &str, to: &Path| {
            let link = at_start.programs(package).join(program);
            if link.is_symlink() {
                std::fs::remove_file(&link).unwrap();
            }
            symlink(to, link).unwrap();
        };
        // The Nix under test, and stand-ins for programs that would affect the real machine.
        for program in ["nix-env", "nix-store"] {
            relink("nix", program, &nix.with_file_name(program));
        }
        for program in ["reboot", "bootctl"] {
            relink("systemd", program, &Path::new("/var/lib/programs").join(program));
        }
        Self { nix, old, new, disks, at_start }
    }
}

/// A machine that runs the old system and has the new one in its store.
pub struct Machine {
    targets: Targets,
    pub old: System,
    pub new: System,
    at_start: &'static Store,
    begun: usize,
}

impl Machine {
    pub fn start(nix: &Path) -> Self {
        let Prepared { old, new, disks, at_start, .. } = Prepared::of(nix);
        let targets = Targets::restore(nix, &["web"], disks);
        Self { targets, old: old.clone(), new: new.clone(), at_start, begun: 0 }
    }

    pub fn web(&mut self) -> &mut Target {
        self.targets.get("web")
    }

    /// Makes this shell run the supervisor, and no other.
    pub fn use_shell(&mut self, shell: &Path) {
        symlink(shell, self.web().path("/var/lib/programs/sh")).unwrap();
    }

    /// From now on the deployed system is the old one.
    pub fn swap(&mut self) {
        std::mem::swap(&mut self.old, &mut self.new);
    }

    /// Runs a line of shell in it.
    pub fn sh(&mut self, line: &str) -> String {
        self.web().says(&["sh", "-c", line])
    }

    /// Runs the unit that a machine with `pantheros.deploy` runs at its start, with the search path that the unit
    /// declares. The supervisor would extend it, but by nothing on this machine.
    pub fn finish_deployments(&mut self) -> Output {
        let path = self.at_start.search_path(AT_START);
        let start = self.at_start.starts(AT_START);
        let clean = r#"exec env -i PATH="$1" HOME="$HOME" NIX_CONF_DIR="$NIX_CONF_DIR" "$2""#;
        self.web().run(&["sh", "-c", clean, "sh", &path, &start])
    }

    /// An id that no deployment on the machine has.
    pub fn next_id(&mut self) -> String {
        self.begun += 1;
        let letter = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap());
        format!("plan-{}{}{}", "a".repeat(24), letter(self.begun / 26), letter(self.begun))
    }

    /// The default fields of a spec.
    pub fn spec(&mut self, id: &str) -> BTreeMap<String, String> {
        [
            ("version", "1"),
            ("id", id),
            ("action", "switch"),
            ("toplevel", &self.new.path),
            ("previous", &self.old.path),
            ("confirm_seconds", "20"),
            ("activation_seconds", "10"),
            ("nonce", NONCE),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    /// A deployment of the new system. `given` replaces default fields of the spec.
    pub fn deployment(&mut self, given: &[(&str, &str)]) -> Deployment {
        let id = self.next_id();
        let mut spec = self.spec(&id);
        spec.extend(given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let text: String = spec.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        self.deployment_of(id, text.as_bytes())
    }

    /// A deployment with this spec.
    pub fn deployment_of(&mut self, id: String, spec: &[u8]) -> Deployment {
        let folder = format!("{DEPLOYMENTS}/{id}");
        let outside = self.web().inside(&folder);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&outside).unwrap();
        std::fs::write(outside.join("supervisor"), SUPERVISOR_SCRIPT).unwrap();
        std::fs::write(outside.join("spec"), spec).unwrap();
        Deployment { id, folder }
    }

    /// Breaks a system: `script` runs at the start of its `switch-to-configuration ACTION`.
    pub fn hook(&mut self, of: &System, action: &str, script: &str) {
        let hook = format!("/var/lib/hooks/{}-{action}", of.name);
        std::fs::write(self.web().path(&hook), script).unwrap();
    }
    pub fn hook_new(&mut self, action: &str, script: &str) {
        self.hook(&self.new.clone(), action, script);
    }
    pub fn hook_old(&mut self, action: &str, script: &str) {
        self.hook(&self.old.clone(), action, script);
    }
    /// Removes all hooks.
    pub fn unhook(&mut self) {
        let hooks = self.web().path("/var/lib/hooks");
        std::fs::remove_dir_all(&hooks).unwrap();
        std::fs::create_dir(&hooks).unwrap();
    }
    /// Waits until a system is held by [`HOLD`].
    pub fn wait_held(&mut self) {
        let held = self.web().path("/var/lib/hooks/held");
        wait_until("the activation is held", || held.exists());
    }
    /// Releases what [`HOLD`] holds.
    pub fn release(&mut self) {
        std::fs::write(self.web().path("/var/lib/hooks/go"), "").unwrap();
    }

    /// The activations since the last call, as `old test`.
    pub fn activations(&mut self) -> Vec<String> {
        let log = self.web().path("/var/lib/activation.log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        std::fs::write(&log, "").unwrap();
        text.lines()
            .map(|line| {
                let (name, action) = line.split_once(' ').unwrap();
                format!("{} {action}", if name == self.new.name { "new" } else { "old" })
            })
            .collect()
    }

    /// The process of the current deployment in this role, by its number in the machine.
    pub fn part(&mut self, part: &str) -> Option<u32> {
        let text = std::fs::read_to_string(self.web().inside(&format!("/run/pantheros/lock/{part}"))).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    /// Kills processes of the current deployment, all at the same moment.
    pub fn kill(&mut self, parts: &[&str]) {
        let pids: Vec<String> = parts.iter().map(|part| self.part(part).unwrap().to_string()).collect();
        // Stopped first, so that none sees another one die.
        self.sh(&format!("kill -s STOP {0}; kill -s KILL {0}", pids.join(" ")));
    }

    /// Asserts that the old system runs and is the boot default, and that nothing of a deployment is left.
    pub fn is_old(&mut self) {
        let old = self.old.path.clone();
        self.settled(&old, &old);
    }
    /// Asserts that the new system runs and is the boot default, and that nothing of a deployment is left.
    pub fn is_new(&mut self) {
        let new = self.new.path.clone();
        self.settled(&new, &new);
    }
    /// Asserts that `system` runs, that `default` is the profile and the boot default, and that nothing of a deployment
    /// is left.
    pub fn settled(&mut self, system: &str, default: &str) {
        let web = self.targets.get("web");
        let ended = look_until(|| web.processes_left().is_empty().then_some(()));
        assert!(ended.is_some(), "left: {:?}", web.processes_left());
        let facts = web.says(&[
            "sh",
            "-c",
            "readlink -f /run/current-system; readlink -f /nix/var/nix/profiles/system; \
             echo $(cat /var/lib/bootloader/default); mkdir -p /run/pantheros /nix/var/nix/gcroots/pantheros; \
             ls -A /run/pantheros; ls -A /nix/var/nix/gcroots/pantheros; \
             ls -A /nix/var/nix/profiles | grep -v '^system$\\|^system-[0-9]*-link$\\|^per-user$' || :",
        ]);
        let facts: Vec<&str> = facts.lines().filter(|line| *line != "mutex").collect();
        assert_eq!(facts[..3], [system, default, default], "what runs, the profile, the boot default");
        assert_eq!(facts[3..], [""; 0], "what is left");
    }

    /// The generations of the profile, and the current one, as `system-1-link`.
    pub fn generations(&mut self) -> (Vec<String>, String) {
        let all = self.sh("ls /nix/var/nix/profiles | grep '^system-'");
        (all.lines().map(str::to_owned).collect(), self.sh("readlink /nix/var/nix/profiles/system"))
    }
}

/// A deployment's folder on the machine.
pub struct Deployment {
    pub id: String,
    pub folder: String,
}

/// Runs the supervisor with a line as its standard input, which is the first argument.
const THROUGH: &str =
    "PATH=/var/lib/programs:$PATH; export PATH; input=$1; shift; printf '%s\\n' \"$input\" | sh \"$@\"";

impl Deployment {
    pub fn run(&self, machine: &mut Machine, words: &[&str]) -> Output {
        self.run_with(machine, words, "")
    }

    /// Runs a command of the supervisor with this line as its standard input.
    pub fn run_with(&self, machine: &mut Machine, words: &[&str], input: &str) -> Output {
        let script = format!("{}/supervisor", self.folder);
        let mut argv = vec!["sh", "-c", THROUGH, "sh", input, &script, words[0]];
        if !["list", "sweep"].contains(&words[0]) {
            argv.push(&self.folder);
        }
        argv.extend(&words[1..]);
        machine.web().run(&argv)
    }

    /// Runs a command that has to exit with `code` and print the state. Returns the state.
    pub fn gives(&self, machine: &mut Machine, code: i32, words: &[&str]) -> Value {
        let output = self.run(machine, words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{words:?}: {errors}{}{}",
            String::from_utf8_lossy(&output.stdout),
            self.errors(machine)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{words:?}: {error}: {:?} {errors}", String::from_utf8_lossy(&output.stdout))
        })
    }

    /// Runs a command that has to exit with `code` and print the reason.
    pub fn refuses(&self, machine: &mut Machine, code: i32, words: &[&str]) -> String {
        let output = self.run(machine, words);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        errors
    }

    pub fn begin(&self, machine: &mut Machine) {
        self.gives(machine, 0, &["begin"]);
    }

    /// Begins the deployment, and waits until it waits for confirmation.
    pub fn begin_and_wait(&self, machine: &mut Machine) {
        self.begin(machine);
        self.wait_for(machine, "waiting");
    }

    fn errors(&self, machine: &mut Machine) -> String {
        std::fs::read_to_string(machine.web().inside(&format!("{}/errors", self.folder))).unwrap_or_default()
    }

    /// The output of the activations.
    pub fn log(&self, machine: &mut Machine) -> Vec<u8> {
        std::fs::read(machine.web().inside(&format!("{}/log", self.folder))).unwrap()
    }

    /// The state as the supervisor wrote it, without asking it.
    pub fn written(&self, machine: &mut Machine) -> Value {
        let web = machine.web();
        let kept = web.inside(&format!("/run/pantheros/{}.json", self.id));
        let text = std::fs::read(kept)
            .or_else(|_| std::fs::read(web.inside(&format!("{}/state.json", self.folder))));
        serde_json::from_slice(&text.unwrap()).unwrap()
    }

    pub fn wait_for(&self, machine: &mut Machine, state: &str) -> Value {
        let reached = look_until(|| Some(self.written(machine)).filter(|written| written["state"] == state));
        reached
            .unwrap_or_else(|| panic!("never {state}: {:#} {}", self.written(machine), self.errors(machine)))
    }
}

/// Runs each story on a machine of its own, all at the same time. The machines use the Nix programs in turn.
pub fn side_by_side<Story: Fn(&mut Machine) + Sync>(stories: &[(&str, Story)]) {
    let nixes = nixes();
    let told: Vec<(&str, bool)> = std::thread::scope(|scope| {
        let threads: Vec<_> = stories
            .iter()
            .zip(nixes.iter().cycle())
            .map(|((name, story), nix)| (*name, scope.spawn(move || story(&mut Machine::start(nix)))))
            .collect();
        threads.into_iter().map(|(name, thread)| (name, thread.join().is_ok())).collect()
    });
    let failed: Vec<&str> = told.iter().filter(|(_, right)| !right).map(|(name, _)| *name).collect();
    assert!(failed.is_empty(), "{failed:?} failed, for the reasons above");
}
