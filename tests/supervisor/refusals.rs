//! Deployments that are refused before anything is changed.

use std::os::unix::fs::{PermissionsExt, chown, symlink};

use pantheros_mcp::testing::deploy::SUPERVISOR_SCRIPT;

use crate::supervisor::machine::{DEPLOYMENTS, Machine, NONCE, side_by_side};

/// Asserts that nothing was activated, written or locked.
fn untouched(machine: &mut Machine) {
    assert!(machine.activations().is_empty());
    machine.is_old();
}

fn wrong_specs(machine: &mut Machine) {
    let id = machine.next_id();
    let good = machine.spec(&id);
    let text = |spec: &std::collections::BTreeMap<String, String>| -> String {
        spec.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    };
    let mut specs: Vec<(String, Vec<u8>)> = Vec::new();
    let long = "a".repeat(200);
    for (key, values) in [
        ("version", &["", "2", "01", "1 "][..]),
        ("id", &["", "plan-x", "plan-aaaaaaaaaaaaaaaaaaaaaaaaaz", "../plan-aaaaaaaaaaaaaaaaaaaaaaaaab"]),
        ("action", &["", "Switch", "switch ", "reboot", "switch|boot", "dry_activate"]),
        (
            "toplevel",
            &[
                "",
                "/nix/store",
                "/nix/store/short-name",
                "/nix/store/0123456789abcdfghijklmnpqrsvwxyz",
                "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-",
                "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a/b",
                "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a b",
                "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-$(reboot)",
                "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-a;reboot",
                "/nix/store/../store/89abcdfghijklmnpqrsvwxyz-name",
                "/tmp/0123456789abcdfghijklmnpqrsvwxyz-a",
            ],
        ),
        ("previous", &["", "/etc", "0123456789abcdfghijklmnpqrsvwxyz-a"]),
        (
            "profile",
            &[
                "",
                "/etc/passwd",
                "/nix/var/nix/profiles/",
                "/nix/var/nix/profiles/..",
                "/nix/var/nix/profiles/a/b",
                "/nix/var/nix/profiles/system-profiles/",
                "/nix/var/nix/profiles/system-profiles/a/b",
                "/nix/var/nix/profiles/system x",
            ],
        ),
        (
            "confirm_seconds",
            &["", "-1", "0", "010", "1.5", "x", "86401", "99999999999999999999", "1+1", "a[0]"],
        ),
        ("activation_seconds", &["", "0x10", "1 0", "100000"]),
        ("reboot_on_failure", &["", "yes", "2"]),
        ("nonce", &["", "short", "0123456789abcde!", "01234567 89abcdef", "*************************"]),
        ("allowed_signers", &["relative", "/with space", "/semi;colon", "/new*"]),
        ("unknown", &["1"]),
        ("", &["1"]),
        ("toplevel ", &["1"]),
    ] {
        for value in values {
            let mut spec = good.clone();
            spec.insert(key.to_owned(), (*value).to_owned());
            specs.push((format!("{key}={value}"), text(&spec).into_bytes()));
        }
    }
    let good_text = text(&good);
    for key in good.keys() {
        let mut spec = good.clone();
        spec.remove(key);
        specs.push((format!("without {key}"), text(&spec).into_bytes()));
        specs.push((format!("{key} twice"), format!("{good_text}{key}={}\n", good[key]).into_bytes()));
    }
    for (what, bytes) in [
        ("a zero byte", good_text.replace(NONCE, &format!("{NONCE}\0")).into_bytes()),
        ("a zero byte at the end", format!("{good_text}\0").into_bytes()),
        ("a line too many", format!("{good_text}\n").into_bytes()),
        ("no line break and junk", format!("{good_text}junk").into_bytes()),
        ("CRLF", good_text.replace('\n', "\r\n").into_bytes()),
        ("a nonce too long", good_text.replace(NONCE, &long).into_bytes()),
        ("a path too long", good_text.replace("-second", &format!("-{}", "a".repeat(212))).into_bytes()),
        ("too long", format!("{good_text}allowed_signers=/{}\n", "a".repeat(9000)).into_bytes()),
        ("no UTF-8", [good_text.as_bytes(), b"allowed_signers=/\xff\n"].concat()),
        ("nothing", Vec::new()),
    ] {
        specs.push((what.to_owned(), bytes));
    }
    // Tries all specs over one connection, each in turn in place of the spec.
    let deployment = machine.deployment_of(id, good_text.as_bytes());
    let folder = machine.web().inside(&deployment.folder);
    for (number, (_, bytes)) in specs.iter().enumerate() {
        std::fs::write(folder.join(format!("spec.{number:03}")), bytes).unwrap();
    }
    let codes = machine.sh(&format!(
        "cd {}; for spec in spec.*; do cp $spec spec; sh supervisor begin $PWD 2>error; echo $? $(head -c 200 error); done",
        deployment.folder
    ));
    let codes: Vec<&str> = codes.lines().collect();
    assert_eq!(codes.len(), specs.len(), "{codes:?}");
    for ((what, _), said) in specs.iter().zip(codes) {
        assert!(said.starts_with("65 pantheros: ") && said.contains("/spec: "), "{what}: {said}");
    }
    assert!(!folder.join("state.json").exists());
    untouched(machine);
    // Other commands refuse it, too.
    for command in [&["confirm", NONCE][..], &["cancel"], &["state"], &["supervise"]] {
        deployment.refuses(machine, 65, command);
    }
    // The same spec without a defect.
    std::fs::write(folder.join("spec"), good_text.trim_end()).unwrap();
    deployment.begin_and_wait(machine);
    deployment.gives(machine, 0, &["cancel"]);
}

fn wrong_systems(machine: &mut Machine) {
    let (old, new) = (machine.old.path.clone(), machine.new.path.clone());
    let absent = format!("/nix/store/{}-absent", "0".repeat(32));
    for (given, reason) in [
        (&[("previous", new.as_str()), ("toplevel", &old)][..], "system_changed"),
        (&[("toplevel", &absent)], "system_missing"),
    ] {
        let deployment = machine.deployment(given);
        let refused = deployment.gives(machine, 69, &["begin"]);
        assert_eq!((&refused["state"], &refused["reason"]), (&"refused".into(), &reason.into()));
        untouched(machine);
        // It is over: nothing makes it begin later.
        assert_eq!(deployment.gives(machine, 1, &["begin"])["state"], "refused");
        assert_eq!(deployment.gives(machine, 1, &["confirm", NONCE])["state"], "refused");
        assert_eq!(deployment.gives(machine, 0, &["state"])["state"], "refused");
        untouched(machine);
    }
    // On the disk, but not valid in the store, like an interrupted copy.
    machine.sh(&format!("cp -r {new} /nix/store/{}-torn", "0".repeat(32)));
    let torn = machine.deployment(&[("toplevel", &format!("/nix/store/{}-torn", "0".repeat(32)))]);
    assert_eq!(torn.gives(machine, 69, &["begin"])["reason"], "system_missing");
    // Valid in the store, but not a system.
    let other = machine.sh("echo no system >/var/lib/other; nix-store --add /var/lib/other");
    let other = machine.deployment(&[("toplevel", &other)]);
    assert_eq!(other.gives(machine, 69, &["begin"])["reason"], "system_missing");
    untouched(machine);
}

fn wrong_folders(machine: &mut Machine) {
    let deployment = machine.deployment(&[]);
    let folder = machine.web().inside(&deployment.folder);
    let refused = |machine: &mut Machine, code: i32, folder: &str| {
        let output =
            machine.web().run(&["sh", &format!("{}/supervisor", deployment.folder), "begin", folder]);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{folder}: {errors}");
        assert!(output.stdout.is_empty() && errors.starts_with("pantheros: "), "{folder}: {errors}");
    };
    machine.sh(&format!("cp -r {} /var/lib/{}", deployment.folder, deployment.id));
    for given in [
        format!("/var/lib/{}", deployment.id),
        format!("{DEPLOYMENTS}/../deployments/{}", deployment.id),
        format!("{}/", deployment.folder),
        format!("{DEPLOYMENTS}/plan-{}", "z".repeat(26)),
        format!("{DEPLOYMENTS}/"),
        deployment.id.clone(),
        String::new(),
        "/".to_owned(),
    ] {
        refused(machine, 64, &given);
    }
    let linked = machine.next_id();
    symlink(&deployment.folder, folder.with_file_name(&linked)).unwrap();
    refused(machine, 64, &format!("{DEPLOYMENTS}/{linked}"));

    chown(&folder, Some(65534), None).unwrap();
    refused(machine, 64, &deployment.folder);
    chown(&folder, Some(0), None).unwrap();
    for mode in [0o720, 0o702, 0o777] {
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).unwrap();
        refused(machine, 64, &deployment.folder);
    }
    std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();

    // A spec is refused if it is missing, a symbolic link, or a folder.
    let spec = folder.join("spec");
    std::fs::rename(&spec, folder.join("kept")).unwrap();
    refused(machine, 65, &deployment.folder);
    symlink("kept", &spec).unwrap();
    refused(machine, 65, &deployment.folder);
    std::fs::remove_file(&spec).unwrap();
    std::fs::create_dir(&spec).unwrap();
    refused(machine, 65, &deployment.folder);

    let usage = machine.sh(&format!("sh {}/supervisor 2>&1 || echo $?", deployment.folder));
    assert!(usage.contains("usage: ") && usage.ends_with("64"), "{usage}");
    untouched(machine);
}

/// A machine without `flock`, such as one with BusyBox: nothing holds its lock, so waiting would not help.
fn without_flock(machine: &mut Machine) {
    let deployment = machine.deployment(&[]);
    machine.sh(
        "mkdir /var/lib/few && for program in /usr/bin/* $(command -v nix-env) $(command -v nix-store); do \
         ln -sf $program /var/lib/few/; done; rm /var/lib/few/flock",
    );
    let begin = format!("PATH=/var/lib/few sh {0}/supervisor begin {0} 2>&1 || echo $?", deployment.folder);
    let said = machine.sh(&begin);
    assert!(said.contains("There is no flock") && said.contains("install util-linux"), "{said}");
    assert!(said.ends_with("69"), "{said}");
    let ended = deployment.written(machine);
    assert_eq!((&ended["state"], &ended["reason"]), (&"refused".into(), &"program_missing".into()));
    untouched(machine);
}

/// Other users than root get an error that says so.
fn not_root(machine: &mut Machine) {
    let copy = machine.web().path("/var/lib/supervisor");
    std::fs::write(&copy, SUPERVISOR_SCRIPT).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    let said = machine.sh("setpriv --reuid 65534 --clear-groups sh /var/lib/supervisor list 2>&1 || echo $?");
    assert!(said.contains("only root") && said.ends_with("77"), "{said}");
}

#[test]
fn what_is_wrong_changes_nothing() {
    side_by_side::<fn(&mut Machine)>(&[
        ("wrong specs", wrong_specs),
        ("wrong systems", wrong_systems),
        ("wrong folders", wrong_folders),
        ("without flock", without_flock),
        ("not root", not_root),
    ]);
}
