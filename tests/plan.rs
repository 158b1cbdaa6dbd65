//! Plans of deployments to real machines: the answers, the risks, and that planning changes nothing.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::faulty::{NO_DAEMON, fake_faulty_nix};
use crate::common::fleet::{Answer, Fleet, error_of, nixes};
use crate::common::mcp::{Client, WITH_HANDSHAKE};
use crate::common::target::Targets;
use serde_json::{Value, json};

/// Two revisions of a fleet. In the second, one package is newer, one is new, one is gone, and a unit has changed.
fn flake(port: u16, key: &str, revision: u32, more: &str) -> String {
    let (nginx, other, unit) = if revision == 1 {
        ("nginx-1.26.0", "old-tool-1.0", "ExecStart=one")
    } else {
        ("nginx-1.28.0", "new-tool-2.0", "ExecStart=two")
    };
    format!(
        r#"{{
  outputs = _:
  let
    build = name: script: derivation {{
      inherit name;
      system = "x86_64-linux";
      builder = "/bin/sh";
      args = [ "-c" "PATH=/bin:/usr/bin; ${{script}}" ];
    }};
    nginx = build "{nginx}" "head -c 100000 /dev/zero >$out";
    other = build "{other}" "head -c 50000 /dev/zero >$out";
    unit = build "unit-nginx.service" "mkdir -p $out; echo '{unit}' >$out/nginx.service";
    kernel = build "linux-6.{revision}" "mkdir -p $out; echo {revision} >$out/kernel";
    toplevel = build "nixos-system-web-25.05" ''
      mkdir -p $out/bin $out/etc/systemd/system
      ln -s ${{kernel}}/kernel $out/kernel
      ln -s ${{unit}}/nginx.service $out/etc/systemd/system/nginx.service
      echo ${{nginx}} ${{other}} >$out/packages
      printf '#!/bin/sh\necho "$1" >>/var/lib/activation.log\n' >$out/bin/switch-to-configuration
      chmod +x $out/bin/switch-to-configuration
    '';
  in {{
    nixosConfigurations.web.config = {{
      networking = {{
        hostName = "web";
        firewall = {{ enable = true; allowedTCPPorts = [ {port} ]; }};
      }};
      services.openssh = {{ enable = true; ports = [ {port} ]; settings.PermitRootLogin = "prohibit-password"; }};
      users.users.root = {{ isNormalUser = false; openssh.authorizedKeys.keys = [ "{key}" ]; }};
      security.sudo.wheelNeedsPassword = false;
      system.build.toplevel = toplevel // {{ type = "derivation"; }};
      pantheros.deploy = {{
        targetHost = "web";
        user = "root";
        port = {port};
        tags = [ "all" ];
        rollbackTimeout = 30;
        healthChecks = [ {{ tcp = {port}; }} {{ command = [ "true" ]; }} ];
      }};
    }} // {{ {more} }};
  }};
}}"#
    )
}

/// A machine that runs the first revision, and the fleet with the second.
struct Site {
    targets: Targets,
    fleet: Fleet,
    key: String,
    first: String,
}

impl Site {
    fn new(nix: &Path) -> Self {
        let mut targets = Targets::start(nix, &["web"]);
        let key = std::fs::read_to_string(targets.key().with_extension("pub")).unwrap().trim().to_owned();
        let port = targets.get("web").port;
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake(port, &key, 1, ""))]);
        fleet.write_outside(
            "pantheros.toml",
            &format!(
                "[nix]\nprogram = {nix:?}\n[ssh]\nconfig = {:?}\nconnect_seconds = 3\n[deploy]\nstate_folder = {:?}\n",
                targets.ssh_config(),
                fleet.folder().with_file_name("state")
            ),
        );
        let built = fleet.by_hand(&[
            "build",
            "--no-link",
            "--print-out-paths",
            ".#nixosConfigurations.web.config.system.build.toplevel",
        ]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let first = String::from_utf8(built.stdout).unwrap().trim().to_owned();
        targets.get("web").install(nix, &first);
        let site = Self { targets, fleet, key, first };
        site.configure(2, "");
        site
    }

    /// Commits this revision, with `more` added to its configuration.
    fn configure(&self, revision: u32, more: &str) {
        let (_, port) = self.targets.ports().next().unwrap();
        self.fleet.write("flake.nix", &flake(port, &self.key, revision, more));
        self.fleet.git(&["add", "."]);
        self.fleet.git(&["commit", "--allow-empty", "-qm", "another revision"]);
    }

    fn plan(&self, arguments: &Value) -> Answer {
        self.fleet.call("plan_deploy", arguments)
    }

    /// The severities and codes of the risks, the worst first.
    fn risks(&self) -> Vec<String> {
        let answer = self.plan(&json!({"hosts": ["web"]}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let risks = answer.json["hosts"][0]["risks"].as_array().unwrap().clone();
        risks
            .iter()
            .map(|risk| format!("{} {}", risk["severity"].as_str().unwrap(), risk["code"].as_str().unwrap()))
            .collect()
    }
}

#[test]
fn a_plan_says_what_would_change_and_changes_nothing() {
    for nix in nixes() {
        let mut site = Site::new(&nix);
        let before = site.targets.get("web").says(&[
            "sh",
            "-c",
            "ls /nix/store /nix/var/nix/profiles; cat /proc/uptime >/dev/null",
        ]);
        let answer = site.plan(&json!({"hosts": ["web"]}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let json = &answer.json;
        let host = &json["hosts"][0];
        assert!(json["plan_id"].as_str().unwrap().starts_with("plan-"), "{json:#}");
        assert_eq!((&json["action"], &json["dirty"]), (&json!("switch"), &json!(false)), "{json:#}");
        assert_eq!(json["revision"].as_str().unwrap().len(), 40, "{json:#}");
        assert_eq!((&host["current"], &host["generation"]), (&json!(site.first), &json!(1)), "{json:#}");
        assert_ne!(host["toplevel"], host["current"]);
        let packages: Vec<Value> = host["diff"]["packages"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|package| package["change"] != "changed")
            .map(|package| json!([package["name"], package["change"], package["before"], package["after"]]))
            .collect();
        for wanted in [
            json!(["nginx", "upgraded", ["1.26.0"], ["1.28.0"]]),
            json!(["new-tool", "added", null, ["2.0"]]),
            json!(["old-tool", "removed", ["1.0"], null]),
            json!(["linux", "upgraded", ["6.1"], ["6.2"]]),
        ] {
            assert!(packages.contains(&wanted), "{wanted}: {packages:#?}");
        }
        assert_eq!(host["diff"]["units"]["restart"], json!(["nginx.service"]), "{json:#}");
        assert_eq!(host["needs_reboot"], true);
        assert_eq!(site.risks(), ["note needs_reboot"]);

        // Nothing of the new system was copied to the machine, and nothing of it ran there.
        let web = site.targets.get("web");
        let after =
            web.says(&["sh", "-c", "ls /nix/store /nix/var/nix/profiles; cat /proc/uptime >/dev/null"]);
        assert_eq!(before, after);
        assert!(!web.path("/var/lib/activation.log").exists());
        assert_eq!(web.current_system(), site.first);

        // The plan is stored, and only its owner can read it.
        let state = site.fleet.folder().with_file_name("state");
        let plans: Vec<_> = std::fs::read_dir(state.join("plans")).unwrap().collect();
        assert_eq!(plans.len(), 2, "one for each call");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

/// The host key of a connection, and the key with which it was authorized, are still known after much traffic.
#[test]
fn a_connection_that_was_used_much_still_binds_its_plans() {
    let nix = nixes().pop().unwrap();
    let site = Site::new(&nix);
    let mut client = Client::begun(&site.fleet, &[], WITH_HANDSHAKE[3]);
    let mut keys = BTreeSet::new();
    for _ in 0..10 {
        let params = json!({"name": "plan_deploy", "arguments": {"hosts": ["web"]}});
        let planned = &client.request("tools/call", params)["result"]["structuredContent"];
        assert_eq!(planned["hosts"][0]["risks"][0]["code"], "needs_reboot", "{planned:#}");
        let file = format!("state/plans/{}.json", planned["plan_id"].as_str().unwrap());
        let text = std::fs::read_to_string(site.fleet.folder().with_file_name(file)).unwrap();
        keys.insert(serde_json::from_str::<Value>(&text).unwrap()["hosts"][0]["host_keys"].to_string());
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys.first().unwrap().contains("SHA256:"), "{keys:?}");
}

/// Facts of another state of the flake do not describe the system that was built from this one.
#[test]
fn a_flake_that_changes_while_it_is_built_makes_no_plan() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::new(&nix);
    let port = site.targets.get("web").port;
    let changed = |tag: &str| flake(port, &site.key, 2, &format!("dirty = \"{tag}\";"));
    site.fleet.write("flake.nix", &changed("before"));
    let mut client = Client::begun(&site.fleet, &[], WITH_HANDSHAKE[3]);
    let id = client.ask("tools/call", json!({"name": "plan_deploy", "arguments": {"hosts": ["web"]}}));
    // The tree is dirty before, and at the same commit afterwards. Until the answer arrives it changes repeatedly, each
    // time atomically.
    let answered = AtomicBool::new(false);
    let (file, aside) = (site.fleet.folder().join("flake.nix"), site.fleet.folder().join("aside"));
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if answered.load(Ordering::SeqCst) {
                    break;
                }
                std::fs::write(&aside, changed(&number.to_string())).unwrap();
                std::fs::rename(&aside, &file).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let answer = client.answer(id).json;
        answered.store(true, Ordering::SeqCst);
        answer
    });
    assert_eq!(answer["result"]["structuredContent"]["error"]["code"], "plan_outdated", "{answer:#}");
}

/// A flake without a fingerprint, which is another one only while its system is built.
#[test]
fn what_is_judged_is_what_is_built_where_no_change_is_told() {
    for nix in nixes() {
        let mut site = Site::new(&nix);
        let port = site.targets.get("web").port;
        let input = site.fleet.write_outside("input", "");
        std::fs::remove_file(&input).unwrap();
        std::fs::create_dir(&input).unwrap();
        let text = format!("{{ outputs = _: {{ }}; }} # {}", input.display());
        std::fs::write(input.join("flake.nix"), format!("{text}\n")).unwrap();
        git(&input, &["init", "-q"]);
        git(&input, &["add", "."]);
        std::fs::create_dir_all(site.fleet.home().join(".config/nix")).unwrap();
        std::fs::write(
            site.fleet.home().join(".config/nix/nix.conf"),
            "experimental-features = nix-command flakes\nallow-dirty-locks = true\n",
        )
        .unwrap();
        let with = |more: &str| {
            let text = flake(port, &site.key, 2, more);
            text.replace(
                "outputs = _:",
                &format!("inputs.i.url = \"git+file://{}\"; outputs = _:", input.display()),
            )
        };
        site.fleet.write("flake.nix", &with(""));
        let locked = site.fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
        site.fleet.git(&["add", "."]);
        site.fleet.git(&["commit", "-qm", "an input with uncommitted changes"]);
        // Dirty before and after, with changes in the same file.
        let (judged, built) =
            (with("judged = true;"), with("system.build.toplevel = other // { type = \"derivation\"; };"));
        site.fleet.write("flake.nix", &judged);
        let plan = || site.plan(&json!({"hosts": ["web"]}));
        let quiet = plan();
        assert_eq!((quiet.code, &quiet.json["dirty_inputs"]), (0, &json!(["i"])), "{:#}", quiet.json);

        let (judged, built) =
            (site.fleet.write_outside("judged", &judged), site.fleet.write_outside("built", &built));
        let file = site.fleet.folder().join("flake.nix");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = build ] || exec {nix:?} \"$@\"\n\
             cp {built:?} {file:?}\n{nix:?} \"$@\"\ncode=$?\ncp {judged:?} {file:?}\nexit $code\n"
        );
        let program = site.fleet.write_outside("nix-that-swaps", &script);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let settings = site.fleet.folder().with_file_name("pantheros.toml");
        let text = std::fs::read_to_string(&settings).unwrap();
        std::fs::write(&settings, text.replace(nix.to_str().unwrap(), program.to_str().unwrap())).unwrap();
        let swapped = plan();
        assert_eq!((swapped.code, swapped.error_code()), (1, "plan_outdated"), "{:#}", swapped.json);
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = std::process::Command::new("git").args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn being_locked_out_is_seen_before_it_happens() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::new(&nix);
    let port = site.targets.get("web").port;
    let users = |keys: &str| format!("users.users.root = {{ openssh.authorizedKeys.keys = [ {keys} ]; }};");
    let other_key =
        "\\\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzxSIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa\\\"";
    let other_key = other_key.replace('\\', "");
    for (more, wanted) in [
        (users(""), "blocking no_administrator"),
        (users(&other_key), "blocking key_refused"),
        ("services.openssh = { enable = false; };".to_owned(), "blocking ssh_disabled"),
        ("services.openssh = { enable = true; ports = [ 2 ]; };".to_owned(), "blocking ssh_moved"),
        (
            "networking = { hostName = \"web\"; firewall = { enable = true; allowedTCPPorts = [ 80 ]; }; };"
                .to_owned(),
            "blocking ssh_firewalled",
        ),
        (
            format!(
                "services.openssh = {{ enable = true; ports = [ {port} ]; settings.PermitRootLogin = \"no\"; }};"
            ),
            "blocking root_login_refused",
        ),
        (
            format!("networking = {{ hostName = \"db\"; firewall.allowedTCPPorts = [ {port} ]; }};"),
            "blocking wrong_host",
        ),
        (
            format!(
                "services.openssh = {{ enable = true; ports = [ {port} ]; settings.AllowUsers = [ \"admin\" ]; }};"
            ),
            "blocking user_not_allowed",
        ),
        (
            format!(
                "services.openssh = {{ enable = true; ports = [ {port} ]; listenAddresses = [ {{ addr = \"192.0.2.1\"; }} ]; }};"
            ),
            "blocking ssh_moved",
        ),
        (
            "fileSystems.\"/data\".device = \"/dev/disk/by-label/not-there\";".to_owned(),
            "blocking file_system_missing",
        ),
        (
            "boot.loader.grub.devices = [ \"/dev/disk/by-id/not-there\" ];".to_owned(),
            "blocking boot_device_missing",
        ),
    ] {
        site.configure(2, &more);
        let risks = site.risks();
        assert!(risks.contains(&wanted.to_owned()), "{more}: {risks:?}");
        assert!(risks[0].starts_with("blocking"), "{risks:?}");
    }
    site.configure(1, "");
    assert_eq!(site.risks(), ["note nothing_changes"]);
    site.fleet.write("flake.nix", &flake(port, &site.key, 2, "dirty = true;"));
    assert!(site.risks().contains(&"note uncommitted_changes".to_owned()));
}

/// A fact that decides a risk and does not evaluate never hides the risk, however it fails.
#[test]
fn what_cannot_be_read_is_a_risk_that_says_so() {
    for nix in nixes() {
        let site = Site::new(&nix);
        let (_, port) = site.targets.ports().next().unwrap();
        let ssh = |more: &str| format!("services.openssh = {{ enable = true; ports = [ {port} ]; {more} }};");
        let unread = |answer: &Answer| -> Vec<(String, String)> {
            let risks =
                answer.json["hosts"][0]["risks"].as_array().unwrap_or_else(|| panic!("{answer:?}")).clone();
            let mut told = Vec::new();
            for risk in risks.iter().filter(|risk| risk["code"] == "facts_unknown") {
                let said = |field: &str| risk[field].as_str().unwrap().to_owned();
                told.push((said("severity"), said("evidence")));
            }
            told
        };
        let part = |more: &str, part: &str, why: &str| {
            site.configure(2, more);
            let answer = site.plan(&json!({"hosts": ["web"]}));
            assert_eq!(answer.code, 0, "{more}: {:#}", answer.json);
            let told = unread(&answer);
            assert_eq!(told.len(), 1, "{more}: {told:?}");
            let (severity, evidence) = &told[0];
            let wanted = if part == "token_file" { "warning" } else { "blocking" };
            assert_eq!(severity, wanted, "{more}");
            assert!(evidence.contains(&format!("`{part}` could not be read")), "{more}: {evidence}");
            assert!(evidence.contains(why), "{more}: {evidence}");
            answer
        };
        for (more, named) in [
            ("fileSystems = FAULT;", "file_systems.mounted"),
            ("fileSystems.\"/data\".device = FAULT;", "file_systems.mounted./data"),
            ("boot.initrd.luks.devices.root.device = FAULT;", "file_systems.unlocked.root"),
            ("boot.loader.grub = FAULT;", "boot_devices"),
            ("security.sudo.extraRules = FAULT;", "sudo"),
            ("users.users.root.openssh.authorizedKeys.keys = FAULT;", "users.root"),
            ("nixpkgs.hostPlatform = FAULT;", "system"),
            ("networking.hostName = FAULT;", "host_name"),
            (
                "system = { stateVersion = FAULT; build.toplevel = toplevel // { type = \"derivation\"; }; };",
                "state_version",
            ),
            ("services.onepassword-secrets = { enable = true; tokenFile = FAULT; };", "token_file"),
        ] {
            part(&more.replace("FAULT", "throw \"not today\""), named, "not today");
        }
        // Errors that `tryEval` does not catch.
        for (fault, why) in
            [("abort \"not today\"", "not today"), ("{ }.nothing", "nothing"), ("1 + \"a\"", "cannot add")]
        {
            let answer = part(
                &format!("fileSystems = {{ a.device = {fault}; b.device = \"/dev/not-there\"; }};"),
                "file_systems.mounted.a",
                why,
            );
            // The others are read all the same.
            assert!(
                answer.json.to_string().contains("/dev/not-there does not exist on the machine"),
                "{answer:?}"
            );
            part(&ssh(&format!("settings.AllowUsers = {fault};")), "ssh.allow_users", why);
        }
        // Options that control the deployment are never guessed.
        for option in ["rollbackTimeout", "refusals", "buildOn"] {
            site.configure(2, &format!("pantheros.deploy = {{ targetHost = \"web\"; port = {port}; user = \"root\"; {option} = throw \"not today\"; }};"));
            let answer = site.plan(&json!({"hosts": ["web"]}));
            assert_eq!((answer.code, answer.error_code()), (1, "throw"), "{option}: {:#}", answer.json);
        }
        for option in ["user", "port", "targetHost"] {
            let others = ["user = \"root\";", &format!("port = {port};"), "targetHost = \"web\";"]
                .into_iter()
                .filter(|said| !said.starts_with(option))
                .collect::<String>();
            site.configure(2, &format!("pantheros.deploy = {{ {others} {option} = throw \"not today\"; }};"));
            let answer = site.plan(&json!({"hosts": ["web"]}));
            assert_eq!((answer.code, answer.error_code()), (1, "throw"), "{option}: {:#}", answer.json);
        }
        site.configure(2, "");
        assert_eq!(unread(&site.plan(&json!({"hosts": ["web"]}))), [], "what is not there is no failure");
    }
}

/// A common way to keep local files out of commits. Nix reads such files as they are.
#[test]
fn what_git_was_told_not_to_look_at_is_planned_as_it_is() {
    for (nix, flag) in nixes().iter().zip(["--skip-worktree", "--assume-unchanged"]) {
        let mut site = Site::new(nix);
        let port = site.targets.get("web").port;
        site.configure(1, "");
        assert_eq!(site.risks(), ["note nothing_changes"]);
        site.fleet.git(&["update-index", flag, "flake.nix"]);
        let nobody = "users.users.root = { openssh.authorizedKeys.keys = [ ]; };";
        site.fleet.write("flake.nix", &flake(port, &site.key, 1, nobody));
        let risks = site.risks();
        for wanted in ["blocking no_administrator", "note uncommitted_changes"] {
            assert!(risks.contains(&wanted.to_owned()), "{flag}: {risks:?}");
        }
    }
}

#[test]
fn what_git_cannot_compare_is_no_answer() {
    let site = Site::new(&nixes()[0]);
    site.fleet.write("other", "one");
    site.fleet.write(".gitattributes", "other filter=x");
    site.configure(2, "");
    site.fleet.git(&["update-index", "--skip-worktree", "other"]);
    let plan = || site.plan(&json!({"hosts": ["web"]}));
    assert_eq!(plan().code, 0);
    // The file has its old content and new times, so Git has to compare it; and the user's filter fails.
    site.fleet.write("other", "one");
    std::fs::write(site.fleet.home().join(".gitconfig"), "[filter \"x\"]\nclean = false\nrequired = true\n")
        .unwrap();
    let answer = plan();
    assert_eq!((answer.code, answer.error_code()), (1, "git_failed"), "{:#}", answer.json);
}

#[test]
fn what_cannot_be_read_of_a_host_is_not_taken_for_none() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::new(&nix);
    let plan = |site: &Site| site.plan(&json!({"hosts": ["web"]}));
    let answer = plan(&site);
    assert_eq!(answer.code, 0, "neither file is there: {:#}", answer.json);
    for file in ["switch-inhibitors", "etc/pantheros/facts.json"] {
        // The path exists, but is a folder and cannot be read.
        let path = format!("{}/{file}", site.first);
        site.targets.get("web").says(&["mkdir", "-p", &path]);
        let answer = plan(&site);
        let error = &answer.json["hosts"][0]["error"];
        assert_eq!((answer.code, &error["code"]), (1, &json!("remote_failed")), "{file}: {:#}", answer.json);
        assert!(error["message"].as_str().unwrap().contains("`cat` on "), "{error:#}");
        assert!(error["said"].as_str().unwrap().contains("Is a directory"), "{error:#}");
        site.targets.get("web").says(&["rmdir", &path]);
    }
}

/// The available programs, a tool, a line of the settings for `ssh`, arguments, and the error's code and texts.
type Case<'a> = (&'a [&'a str], &'a str, &'a str, Value, &'a str, [&'a str; 2]);

#[test]
fn a_program_that_is_missing_is_named() {
    let nix = nixes().pop().unwrap();
    let site = Site::new(&nix);
    let settings =
        std::fs::read_to_string(site.fleet.write_outside("unused", "").with_file_name("pantheros.toml"));
    let settings = settings.unwrap();
    let bin = site.fleet.write_outside("unused", "").with_file_name("bin");
    let with = |programs: &[&str]| {
        let _none_yet = std::fs::remove_dir_all(&bin);
        std::fs::create_dir(&bin).unwrap();
        for program in programs {
            let path = std::env::var_os("PATH").unwrap();
            let found =
                std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists());
            std::os::unix::fs::symlink(found.unwrap(), bin.join(program)).unwrap();
        }
    };
    let error = |tool: &str, arguments: &Value| {
        let arguments = arguments.to_string();
        let output =
            site.fleet.command(&["call", "--quiet", tool, &arguments]).env("PATH", &bin).output().unwrap();
        let error = error_of(&output);
        let told = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
        (told("code"), format!("{} ({})", told("message"), told("hint")), error)
    };
    let plan = json!({"hosts": ["web"]});
    let cases: [Case<'_>; 5] = [
        (
            &["git", "sh"],
            "host_status",
            "",
            json!({"host": "web"}),
            "ssh_not_found",
            ["`ssh`", "`ssh.program`"],
        ),
        (
            &["git", "sh", "ssh"],
            "host_status",
            "program = \"/nonexistent/ssh\"\n",
            json!({"host": "web"}),
            "ssh_not_found",
            ["/nonexistent/ssh", "`ssh.program`"],
        ),
        (&["git", "ssh"], "plan_deploy", "", plan.clone(), "program_unusable", ["`sh`", "PATH"]),
        (&["sh", "ssh"], "plan_deploy", "", plan.clone(), "program_unusable", ["`git`", "PATH"]),
        (
            &["sh", "ssh"],
            "plan_deploy",
            "",
            json!({"hosts": ["web"], "rev": "HEAD"}),
            "program_unusable",
            ["`git`", "PATH"],
        ),
    ];
    let mut wrong = Vec::new();
    for (programs, tool, of_ssh, arguments, code, named) in cases {
        with(programs);
        let section = format!("[ssh]\n{of_ssh}");
        site.fleet.write_outside("pantheros.toml", &settings.replace("[ssh]\n", &section));
        let (got, told, error) = error(tool, &arguments);
        if got != code || !named.iter().all(|part| told.contains(part)) {
            wrong.push(format!("{tool} {arguments} with {programs:?}: {error:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_planned_makes_no_plan() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::new(&nix);
    for (arguments, code) in [
        (json!({}), "invalid_input"),
        (json!({"hosts": ["web"], "tag": "all"}), "invalid_input"),
        (json!({"tag": "none"}), "invalid_input"),
        (json!({"hosts": ["wbe"]}), "unknown_host"),
        (json!({"hosts": ["web"], "confirm": true}), "invalid_input"),
        (json!({"hosts": ["web"], "action": "reboot"}), "invalid_input"),
    ] {
        let answer = site.plan(&arguments);
        assert_eq!((answer.code != 0, answer.error_code()), (true, code), "{arguments}: {:#}", answer.json);
        assert!(answer.json.get("plan_id").is_none(), "{:#}", answer.json);
    }
    let answer = site.plan(&json!({"tag": "all", "action": "boot"}));
    assert_eq!((answer.code, &answer.json["action"]), (0, &json!("boot")), "{:#}", answer.json);

    site.targets.get("web").power_off();
    let answer = site.plan(&json!({"hosts": ["web"]}));
    assert_eq!((answer.code, answer.error_code()), (1, "host_unreachable"), "{:#}", answer.json);
    let line = ["--read-only", "call", "plan_deploy", "hosts=[\"web\"]"];
    let refused = site.fleet.command(&line).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--read-only"), "{refused:?}");
}

#[test]
fn what_nix_does_not_say_of_a_system_is_in_no_plan() {
    for nix in nixes() {
        let site = Site::new(&nix);
        let fake = fake_faulty_nix(&site.fleet, &nix, "path-info --recursive", NO_DAEMON);
        let config = site.fleet.folder().with_file_name("pantheros.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace(&format!("{nix:?}"), &format!("{fake:?}"))).unwrap();
        let answer = site.plan(&json!({"hosts": ["web"]}));
        assert_eq!((answer.code, answer.error_code()), (1, "daemon_unreachable"), "{:#}", answer.json);
    }
}

#[test]
fn a_system_can_be_built_where_it_is_to_run() {
    for nix in nixes() {
        let mut site = Site::new(&nix);
        let port = site.targets.get("web").port;
        let deploy = format!(
            "pantheros.deploy = {{ targetHost = \"web\"; user = \"root\"; port = {port}; buildOn = \"target\"; }};"
        );
        site.configure(2, &deploy);
        let answer = site.plan(&json!({"hosts": ["web"]}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let host = &answer.json["hosts"][0];
        let web = site.targets.get("web");
        assert!(web.path(host["toplevel"].as_str().unwrap()).exists(), "{:#}", answer.json);
        assert_eq!(
            (&host["needs_reboot"], &host["diff"]["units"]["restart"]),
            (&json!(true), &json!(["nginx.service"]))
        );
        assert!(!web.path("/var/lib/activation.log").exists());
        assert_eq!((web.current_system(), web.profile()), (site.first.clone(), site.first.clone()));
    }
}
