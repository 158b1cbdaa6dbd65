//! A host of a fleet on a machine with a real systemd.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::machine::{Machine, PROGRAMS};
use crate::common::deploying;
use crate::common::fleet::{Answer, Fleet};
use crate::common::programs::Store;
use crate::common::wait::{look_until, wait_until};

/// The name of the host.
pub const HOST: &str = "web";

/// The only host of a fleet, its machine, and the fleet with a second revision to deploy.
pub struct Host {
    pub machine: Machine,
    pub fleet: Fleet,
    /// The system of the first revision.
    pub first: String,
    /// The unit of its sshd.
    pub sshd: Value,
    facts: Value,
    signer: PathBuf,
}

/// A file as nixpkgs renders it, with the programs of the machine.
fn rendered(text: &str) -> String {
    text.replace("/nix/store/unit-script-pantheros-deployments-start/", "@out@/")
        .replace("/nix/store/", PROGRAMS)
}

impl Host {
    /// Starts the machine with the first revision. The host has `rollbackTimeout = 10` and the options in `deploy`.
    pub fn start(nix: &Path, deploy: &Value) -> Self {
        let machine = Machine::new(nix, HOST);
        let store = Store::make(&machine.programs());
        // The Nix under test, which is the only one that the machine has.
        for program in ["nix-env", "nix-store"] {
            let link = store.programs("nix").join(program);
            std::fs::remove_file(&link).unwrap();
            symlink(nix.with_file_name(program), link).unwrap();
        }
        let mut options = json!({"port": 22, "rollbackTimeout": 10, "activationTimeout": 30});
        for (key, value) in deploy.as_object().unwrap() {
            options[key] = value.clone();
        }
        let facts = json!({
            "revision": "1",
            "hosts": {HOST: options},
            "files": {
                "etc/ssh/sshd_config": machine.sshd_config(),
                "bin/pantheros-deployments-start": rendered(include_str!(
                    "../fixtures/units/scripts/unit-script-pantheros-deployments-start"
                )),
            },
            "units": {
                "sshd.service": include_str!("sshd.service"),
                "pantheros-deployments.service":
                    rendered(include_str!("../fixtures/units/pantheros-deployments.service")),
            },
        });
        let fleet = Fleet::committed(
            nix,
            &[
                ("flake.nix", include_str!("flake.nix")),
                ("switch-to-configuration.sh", include_str!("switch-to-configuration.sh")),
                ("activate.sh", include_str!("activate.sh")),
                ("fleet.json", &facts.to_string()),
                ("facts.nix", include_str!("../../src/flake/facts.nix")),
            ],
        );
        let signer = deploying::approver(&fleet);
        let sshd = facts["units"]["sshd.service"].clone();
        let mut host = Self { machine, fleet, first: String::new(), sshd, facts, signer };
        deploying::write_settings(&host.fleet, nix, &host.machine.ssh_config(), "");
        host.first = host.toplevel();
        host.machine.install(&host.first);
        host.machine.switch_on();
        host.change(|facts| facts["revision"] = "2".into());
        host
    }

    /// Changes the facts of the host, and commits them.
    pub fn change(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.facts);
        self.fleet.write("fleet.json", &self.facts.to_string());
        self.fleet.git(&["commit", "--allow-empty", "-qam", "another revision"]);
    }

    /// Adds a unit to the next revision, or changes it.
    pub fn unit(&mut self, name: &str, text: &str) {
        self.change(|facts| facts["units"][name] = text.into());
    }

    /// Builds the system of the current flake, and returns its path.
    pub fn toplevel(&self) -> String {
        let attr = format!(".#nixosConfigurations.{HOST}.config.system.build.toplevel");
        let built = self.fleet.by_hand(&["build", "--no-link", "--print-out-paths", &attr]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        String::from_utf8(built.stdout).unwrap().trim().to_owned()
    }

    /// Plans and approves a deployment of the current flake. Returns the plan's id and a command that deploys it.
    pub fn deploying(&self) -> (String, Command) {
        let plan = deploying::approved(&self.fleet, &self.signer, &json!({"hosts": [HOST]}));
        let command = deploying::command(&self.fleet, &plan);
        (plan, command)
    }

    /// Waits until the supervisor on the machine has written this state of a deployment.
    pub fn wait_for_state(&self, plan: &str, state: &str) {
        let file = format!("/var/lib/pantheros/deployments/{plan}/state.json");
        let wanted = format!("\"{state}\"");
        wait_until(state, || {
            let read = self.machine.look(&["cat", &file]);
            String::from_utf8_lossy(&read.stdout).contains(&wanted)
        });
    }

    /// Plans, approves and deploys the current flake.
    pub fn deploy(&self, arguments: &Value) -> Answer {
        let mut whole = json!({"hosts": [HOST]});
        for (key, value) in arguments.as_object().unwrap() {
            whole[key] = value.clone();
        }
        deploying::deploy(&self.fleet, &deploying::approved(&self.fleet, &self.signer, &whole))
    }

    /// Waits until the machine takes logins and has nothing left of a deployment. Asserts that it boots the system that it runs, and
    /// returns that system.
    pub fn at_rest(&self) -> String {
        self.clean();
        let runs = self.machine.says(&["readlink", "-f", "/run/current-system"]);
        self.settled(&runs, &runs);
        runs
    }

    /// Waits until the machine takes logins and has nothing left of a deployment.
    fn clean(&self) {
        self.machine.wait_for_ssh();
        let left = || {
            let script = [
                "systemctl list-units --all --plain --no-legend 'pantheros-deploy-*'",
                "ls -d /run/pantheros/lock* /run/pantheros/*.json /nix/var/nix/gcroots/pantheros/* 2>/dev/null",
                // The brackets keep this script from finding itself.
                "pgrep -af '[d]eployments/plan-'",
                "true",
            ];
            self.machine.says(&["sh", "-c", &script.join("\n")])
        };
        let mut last = String::new();
        let is_clean = look_until(|| {
            last = left();
            last.is_empty().then_some(())
        });
        assert!(is_clean.is_some(), "left: {last}");
    }

    /// As [`Self::at_rest`], and asserts that the machine runs `system` and boots `default`.
    pub fn settled(&self, system: &str, default: &str) {
        self.clean();
        let says = |argv: &[&str]| self.machine.says(argv);
        assert_eq!(says(&["readlink", "-f", "/run/current-system"]), system, "it runs another system");
        assert_eq!(
            says(&["readlink", "-f", "/nix/var/nix/profiles/system"]),
            default,
            "it has another profile"
        );
        assert_eq!(says(&["cat", "/boot/default"]), default, "it boots another system");
    }

    /// Whether a unit is active.
    pub fn is_active(&self, unit: &str) -> bool {
        self.machine.look(&["systemctl", "--quiet", "is-active", unit]).status.success()
    }

    /// Waits until a unit is active.
    pub fn wait_for_unit(&self, unit: &str) {
        wait_until(unit, || self.is_active(unit));
    }
}
