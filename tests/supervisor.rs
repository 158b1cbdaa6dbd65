//! The supervisor on real machines: whatever goes wrong, a machine ends on the new system or the old.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use common::fleet::{Fleet, nixes, wait_until};
use common::target::{Target, Targets};
use serde_json::Value;

const SUPERVISOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deploy/supervisor.sh");
const DEPLOYMENTS: &str = "/var/lib/pantheros/deployments";
const NONCE: &str = "0123456789abcdefABCDEF";

/// Two systems. What `/var/lib/hooks/NAME-ACTION` says is done first, so that a test can break one.
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
      '';
      reboot = ''
        #!/bin/sh
        # A start of the machine is the test's to do.
        echo "$*" >>/var/lib/reboots
        exec sleep 100
      '';
      args = [ "-c" ''
        /bin/mkdir -p $out/bin $out/sw/bin
        echo "$script" | /bin/sed "s|@out@|$out|" >$out/bin/switch-to-configuration
        echo "$reboot" >$out/sw/bin/reboot
        /bin/chmod +x $out/bin/* $out/sw/bin/*
      '' ];
    } // { type = "derivation"; };
  in {
    first = toplevel "first";
    second = toplevel "second";
  };
}"#;

/// A machine that runs the first system and has the second one in its store.
struct Machine {
    targets: Targets,
    first: String,
    second: String,
    begun: usize,
}

impl Machine {
    fn start(nix: &Path) -> Self {
        let fleet = Fleet::committed(nix, &[("flake.nix", FLAKE)]);
        let build = |name: &str| {
            let built = fleet.by_hand(&["build", "--no-link", "--print-out-paths", &format!(".#{name}")]);
            assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
            String::from_utf8(built.stdout).unwrap().trim().to_owned()
        };
        let (first, second) = (build("first"), build("second"));
        let mut targets = Targets::start(nix, &["web"]);
        let web = targets.get("web");
        web.copy(nix, &second);
        web.install(nix, &first);
        std::fs::create_dir_all(web.path("/var/lib/hooks")).unwrap();
        Self { targets, first, second, begun: 0 }
    }

    fn web(&mut self) -> &mut Target {
        self.targets.get("web")
    }

    /// A deployment of the second system, with these values in place of the usual ones.
    fn deployment(&mut self, given: &[(&str, &str)]) -> Deployment {
        self.begun += 1;
        let id = format!(
            "plan-{}{}",
            "a".repeat(25),
            ["b", "c", "d", "e", "f", "g", "h", "i", "j"][self.begun - 1]
        );
        let mut spec: BTreeMap<&str, &str> = BTreeMap::from([
            ("version", "1"),
            ("id", id.as_str()),
            ("action", "switch"),
            ("toplevel", self.second.as_str()),
            ("previous", self.first.as_str()),
            ("confirm_seconds", "20"),
            ("activation_seconds", "10"),
            ("nonce", NONCE),
        ]);
        spec.extend(given.iter().copied());
        let text: String = spec.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        let folder = format!("{DEPLOYMENTS}/{id}");
        let outside = self.targets.get("web").path(&folder);
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::copy(SUPERVISOR, outside.join("supervisor")).unwrap();
        std::fs::write(outside.join("spec"), text).unwrap();
        Deployment { id, folder }
    }

    /// Breaks a system: `script` runs at the start of its `switch-to-configuration ACTION`.
    fn hook(&mut self, of: &str, script: &str) {
        std::fs::write(self.web().path(&format!("/var/lib/hooks/{of}")), script).unwrap();
    }

    /// What was activated since the last time, as `SYSTEM ACTION`.
    fn activations(&mut self) -> Vec<String> {
        let log = self.web().path("/var/lib/activation.log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        std::fs::write(&log, "").unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Runs `system`, is to run `default` after a start, and nothing of the deployment is left.
    fn settled(&mut self, system: &str, default: &str) {
        let web = self.targets.get("web");
        wait_until("nothing is left", 5.0, || web.processes_left().is_empty());
        assert_eq!(web.current_system(), system);
        assert_eq!(web.profile(), default);
        assert_eq!(web.boot_default(), default);
        let left = web.says(&[
            "sh",
            "-c",
            "ls /run/pantheros /nix/var/nix/gcroots/pantheros; ls /nix/var/nix/profiles",
        ]);
        for word in left.split_whitespace() {
            assert!(
                ["mutex", "per-user", "/run/pantheros:", "/nix/var/nix/gcroots/pantheros:", "system"]
                    .contains(&word)
                    || word.starts_with("system-"),
                "{word} is left: {left}"
            );
        }
    }
}

/// A deployment's folder on the machine.
struct Deployment {
    id: String,
    folder: String,
}

impl Deployment {
    fn run(&self, machine: &mut Machine, words: &[&str]) -> Output {
        let script = format!("{}/supervisor", self.folder);
        let mut argv = vec!["sh", &script, words[0], &self.folder];
        argv.extend(&words[1..]);
        machine.web().run(&argv)
    }

    /// Runs a command that is to end with `code` and print the state.
    fn gives(&self, machine: &mut Machine, code: i32, words: &[&str]) -> Value {
        let output = self.run(machine, words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}{}", self.errors(machine));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{words:?}: {error}: {:?} {errors}", String::from_utf8_lossy(&output.stdout))
        })
    }

    /// Runs a command that is to end with `code` and say why.
    fn refuses(&self, machine: &mut Machine, code: i32, words: &[&str]) -> String {
        let output = self.run(machine, words);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        errors
    }

    fn errors(&self, machine: &mut Machine) -> String {
        std::fs::read_to_string(machine.web().path(&self.folder).join("errors")).unwrap_or_default()
    }

    /// The state as the supervisor wrote it, without asking it.
    fn written(&self, machine: &mut Machine) -> Value {
        let text = std::fs::read(machine.web().path(&self.folder).join("state.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn wait_for(&self, machine: &mut Machine, state: &str) -> Value {
        let start = Instant::now();
        loop {
            let written = self.written(machine);
            if written["state"] == state {
                return written;
            }
            assert!(
                start.elapsed() < Duration::from_secs(15),
                "never {state}: {written:#} {}",
                self.errors(machine)
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn a_confirmed_system_is_kept_and_an_unconfirmed_one_is_not() {
    for nix in nixes() {
        let mut machine = Machine::start(&nix);
        let (first, second) = (machine.first.clone(), machine.second.clone());

        let unconfirmed = machine.deployment(&[("confirm_seconds", "1")]);
        let begun = unconfirmed.gives(&mut machine, 0, &["begin"]);
        assert!(["activating", "waiting"].contains(&begun["state"].as_str().unwrap()), "{begun:#}");
        let waiting = unconfirmed.wait_for(&mut machine, "waiting");
        assert_eq!((&waiting["activation_exit"], &waiting["running"]), (&0.into(), &second.as_str().into()));
        assert_eq!((machine.web().profile(), machine.web().boot_default()), (first.clone(), first.clone()));
        let ended = unconfirmed.wait_for(&mut machine, "rolled_back");
        assert_eq!((&ended["reason"], &ended["rollback_exit"]), (&"not_confirmed".into(), &0.into()));
        machine.settled(&first, &first);
        assert_eq!(machine.activations(), ["second test", "first test"]);

        let confirmed = machine.deployment(&[]);
        confirmed.gives(&mut machine, 0, &["begin"]);
        confirmed.wait_for(&mut machine, "waiting");
        let ended = confirmed.gives(&mut machine, 0, &["confirm", NONCE]);
        assert_eq!(
            (&ended["state"], &ended["profile_generation"]),
            (&"confirmed".into(), &2.into()),
            "{ended:#}"
        );
        machine.settled(&second, &second);
        assert_eq!(machine.activations(), ["second test", "second boot"]);
    }
}
