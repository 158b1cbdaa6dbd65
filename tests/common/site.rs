//! Machines that run the first revision of a fleet, and the fleet with a second revision to deploy.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::deploying;
use super::fleet::{Answer, Fleet};
use super::target::{Target, Targets};
use super::wait::wait_until;

/// A fleet whose facts are in `fleet.json`. Each system refers to a store path for each name in `packages`, and has the files
/// in `etc`, by their paths, and those of a NixOS system in `shape` (`nixos-shape.nix`). `switch-to-configuration ACTION` of a revision first runs
/// `/var/lib/hooks/REVISION-ACTION` of its machine, with which a test can make it fail.
const FLAKE: &str = r#"{
  outputs = _:
  let
    fleet = builtins.fromJSON (builtins.readFile ./fleet.json);
    package = name: derivation {
      inherit name;
      system = "x86_64-linux";
      builder = "/bin/sh";
      args = [ "-c" "echo ${name} >$out" ];
    };
    write = path: text: "mkdir -p $out/etc/${dirOf path} && printf %s ${builtins.toJSON text} >$out/etc/${path}\n";
    etc = fleet.etc or { };
    toplevel = host: config: derivation {
      name = "nixos-system-${host}-${fleet.revision}";
      system = "x86_64-linux";
      builder = "/bin/sh";
      inherit (fleet) bytes;
      packages = map package (fleet.packages or [ ]);
      facts = builtins.toJSON (import ./facts.nix { inherit config; });
      script = ''
        #!/bin/sh
        echo "${fleet.revision} $1" >>/var/lib/activation.log
        out=@out@
        activate() { ln -sfn $out /run/current-system; }
        hook=/var/lib/hooks/${fleet.revision}-$1
        if [ -e "$hook" ]; then . "$hook"; fi
        case $1 in
          test) activate ;;
          boot) echo $out >/var/lib/bootloader/new && mv /var/lib/bootloader/new /var/lib/bootloader/default ;;
          dry-activate) echo "would restart nothing" ;;
        esac
      '';
      reboot = ''
        #!/bin/sh
        echo "$*" >>/var/lib/reboots
        exec sleep 100
      '';
      fake_bootctl = builtins.readFile ./fake-bootctl.sh;
      args = [ "-c" ''
        PATH=/bin:/usr/bin
        mkdir -p $out/bin $out/sw/bin $out/etc/pantheros
        echo "$facts" >$out/etc/pantheros/facts.json
        echo "$script" | sed "s|@out@|$out|" >$out/bin/switch-to-configuration
        echo "$reboot" >$out/sw/bin/reboot
        printf %s "$fake_bootctl" >$out/sw/bin/bootctl
        chmod +x $out/bin/* $out/sw/bin/*
        head -c $bytes /dev/zero >$out/weight
        echo "$packages" >$out/packages
        ${builtins.concatStringsSep "" (map (path: write path etc.${path}) (builtins.attrNames etc))}
        ${import ./nixos-shape.nix (fleet.shape or { })}
      '' ];
    };
    host = name: facts:
    let
      config = {
        networking.hostName = name;
        system.stateVersion = fleet.state;
        system.build.toplevel = toplevel name config // { type = "derivation"; };
        fileSystems = if fleet ? broken then { "/data".device = throw fleet.broken; } else { };
      } // (if facts == null then { } else {
        pantheros.deploy = { targetHost = name; user = "root"; inherit (fleet) tags; } // facts;
      });
    in { inherit config; };
  in {
    nixosConfigurations = builtins.mapAttrs host fleet.hosts;
  };
}"#;

/// Some machines and their fleet.
pub struct Site {
    /// The machines.
    pub targets: Targets,
    /// The flake, and the program that runs on it.
    pub fleet: Fleet,
    /// Each host and its system of the first revision, in the order of the names.
    first: Vec<(String, String)>,
    facts: Value,
    signer: PathBuf,
}

impl Site {
    /// Starts a machine for each name. Each host has `rollbackTimeout = 10` and the options in `deploy`.
    pub fn start(nix: &Path, names: &[&str], deploy: &Value) -> Self {
        let targets = Targets::start(nix, names);
        let mut hosts = serde_json::Map::new();
        for (name, port) in targets.ports() {
            let mut facts = json!({"port": port, "rollbackTimeout": 10, "activationTimeout": 20});
            for (key, value) in deploy.as_object().unwrap() {
                facts[key] = value.clone();
            }
            hosts.insert(name.to_owned(), facts);
        }
        let facts =
            json!({"revision": "1", "bytes": 1000, "state": "25.05", "tags": ["all"], "hosts": hosts});
        let fleet = Fleet::committed(
            nix,
            &[
                ("flake.nix", FLAKE),
                ("fleet.json", &facts.to_string()),
                ("facts.nix", include_str!("../../src/flake/facts.nix")),
                ("nixos-shape.nix", include_str!("nixos-shape.nix")),
                ("fake-bootctl.sh", super::target::FAKE_BOOTCTL),
            ],
        );
        let signer = deploying::approver(&fleet);
        let mut site = Self { targets, fleet, first: Vec::new(), facts, signer };
        site.settings(nix, "");
        site.first = names.iter().map(|name| ((*name).to_owned(), site.toplevel(name))).collect();
        for (name, toplevel) in site.first.clone() {
            let machine = site.targets.get(&name);
            machine.install(nix, &toplevel);
            std::fs::create_dir_all(machine.path("/var/lib/hooks")).unwrap();
        }
        site.revise("2");
        site
    }

    /// Writes the settings, with these lines added to the section `[deploy]`.
    pub fn settings(&self, nix: &Path, deploy: &str) {
        deploying::write_settings(&self.fleet, nix, &self.targets.ssh_config(), deploy);
    }

    /// Runs this shell script before each `ssh`.
    pub fn ssh_after(&self, script: &str) {
        let program = self.fleet.write_outside("ssh", &format!("#!/bin/sh\n{script}\nexec ssh \"$@\"\n"));
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let settings = self.fleet.folder().with_file_name("pantheros.toml");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, text.replace("[ssh]\n", &format!("[ssh]\nprogram = {program:?}\n")))
            .unwrap();
    }

    /// Changes the facts of the hosts, and commits them.
    pub fn change(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.facts);
        self.fleet.write("fleet.json", &self.facts.to_string());
        self.fleet.git(&["commit", "--allow-empty", "-qam", "another revision"]);
    }

    /// Changes the facts of the hosts, and makes the new system of a host its newest generation and boot default. Reboots the
    /// machine.
    pub fn installed(&mut self, host: &str, change: impl FnOnce(&mut Value)) -> String {
        self.change(change);
        let toplevel = self.toplevel(host);
        let nix = self.targets.nix().to_owned();
        self.targets.get(host).install(&nix, &toplevel);
        toplevel
    }

    /// Makes the system of the second revision the second generation of a host, and commits a third revision.
    pub fn second_generation(&mut self, host: &str) -> String {
        let second = self.installed(host, |_| {});
        self.revise("3");
        second
    }

    /// Commits another revision of all hosts.
    pub fn revise(&mut self, revision: &str) {
        self.change(|facts| facts["revision"] = revision.into());
    }

    /// Builds the system of a host from the current flake, and returns its path.
    pub fn toplevel(&self, host: &str) -> String {
        let attr = format!(".#nixosConfigurations.{host}.config.system.build.toplevel");
        let built = self.fleet.by_hand(&["build", "--no-link", "--print-out-paths", &attr]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        String::from_utf8(built.stdout).unwrap().trim().to_owned()
    }

    /// The first system of a host.
    pub fn first(&self, host: &str) -> String {
        self.first.iter().find(|(name, _)| name == host).unwrap().1.clone()
    }

    /// A host's machine.
    pub fn machine(&mut self, host: &str) -> &mut Target {
        self.targets.get(host)
    }

    /// Runs `script` on a machine at the start of the `switch-to-configuration` that `of` names as
    /// `REVISION-ACTION`.
    pub fn hook(&mut self, host: &str, of: &str, script: &str) {
        let path = self.machine(host).path(&format!("/var/lib/hooks/{of}"));
        std::fs::write(path, script).unwrap();
    }

    /// All activations on a host so far, as `REVISION ACTION`.
    pub fn activations(&mut self, host: &str) -> Vec<String> {
        let log = self.machine(host).path("/var/lib/activation.log");
        std::fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Makes a plan, and returns its id. Fails if there is no plan.
    pub fn plan(&self, arguments: &Value) -> String {
        deploying::plan(&self.fleet, arguments)
    }

    /// The private key of the only approver.
    pub fn signer(&self) -> &Path {
        &self.signer
    }

    /// Approves a plan by signing it.
    pub fn approve(&self, plan: &str) -> Output {
        deploying::approve(&self.fleet, &self.signer, plan)
    }

    /// Makes and approves a plan, and returns its id.
    pub fn approved(&self, arguments: &Value) -> String {
        deploying::approved(&self.fleet, &self.signer, arguments)
    }

    /// Deploys a plan.
    pub fn deploy(&self, plan: &str) -> Answer {
        deploying::deploy(&self.fleet, plan)
    }

    /// A command that deploys a plan.
    pub fn deploying(&self, plan: &str) -> Command {
        deploying::command(&self.fleet, plan)
    }

    /// The state of a deployment on a host, as its supervisor wrote it.
    pub fn written(&mut self, host: &str, plan: &str) -> Value {
        let path = self.machine(host).path(&format!("/var/lib/pantheros/deployments/{plan}/state.json"));
        std::fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Waits until the supervisor on a host has written this state.
    pub fn wait_for(&mut self, host: &str, plan: &str, state: &str) {
        wait_until(state, || self.written(host, plan)["state"] == state);
    }

    /// Asserts that the host runs `system`, boots `default`, and that no deployment left anything on it.
    pub fn settled(&mut self, host: &str, system: &str, default: &str) {
        let machine = self.targets.get(host);
        wait_until("nothing is left", || machine.processes_left().is_empty());
        assert_eq!(machine.current_system(), system, "{host} runs another system");
        assert_eq!(machine.profile(), default, "{host} has another profile");
        assert_eq!(machine.boot_default(), default, "{host} boots another system");
        let left = machine.says(&[
            "sh",
            "-c",
            "ls -d /run/pantheros/lock* /run/pantheros/*.json /nix/var/nix/gcroots/pantheros/* 2>/dev/null; true",
        ]);
        assert_eq!(left, "", "{host}");
    }

    /// The events in the audit log. Fails unless `audit verify` succeeds.
    pub fn audited(&self) -> Vec<String> {
        let verified = self.fleet.command(&["audit", "verify"]).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
        let log = self.fleet.folder().with_file_name("state").join("audit.jsonl");
        let events = std::fs::read_to_string(log).unwrap();
        let event =
            |line: &str| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned();
        events.lines().map(event).collect()
    }
}
