use super::super::facts::{Firewall, ListenAddress, OpenPorts, Range, Refusal, Ssh, User, YesNo};
use super::*;
use crate::deploy::host::DiskSpace;
use crate::deploy::plan::{BuildOn, Diff, SystemSource, Target};
use crate::diagnostic::{Code, Diagnostic};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzxSIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAASIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa";

fn facts() -> Facts {
    Facts {
        host_name: Some("web".into()),
        ssh: Some(Ssh { enable: true, ports: vec![22], root_login: Some("no".into()), ..Ssh::default() }),
        firewall: Some(Firewall { everywhere: open(22), ..Firewall::default() }),
        users: Some(vec![User {
            name: "deploy".into(),
            groups: vec!["users".into(), "wheel".into()],
            becomes_root: Some(true),
            keys: vec![KEY.into()],
            more_keys: false,
        }]),
        ..Facts::default()
    }
}

fn listen(address: &str, port: Option<u16>) -> ListenAddress {
    ListenAddress { address: address.into(), port }
}

fn open(port: u16) -> OpenPorts {
    OpenPorts { ports: vec![port], ranges: Vec::new() }
}

fn state() -> HostState {
    HostState {
        machine: Some("x86_64".into()),
        host_name: Some("web".into()),
        server_address: Some(("10.0.0.2".parse().unwrap(), 22)),
        interfaces: vec!["eth0".into()],
        room: vec![DiskSpace { mount: "/".into(), size: 1 << 34, used: 0, free: 1 << 33 }],
        ..HostState::default()
    }
}

fn plan() -> HostPlan {
    let path =
        |hash: char| format!("/nix/store/{}-nixos-system", hash.to_string().repeat(32)).parse().unwrap();
    HostPlan {
        host: "web".parse().unwrap(),
        target: Target { address: "web".into(), user: "deploy".into(), port: Some(22) },
        host_keys: Vec::new(),
        machine_id: String::new(),
        boot_id: String::new(),
        system: "x86_64-linux".parse().unwrap(),
        toplevel: path('a'),
        current: path('b'),
        profile_generation: None,
        profile_path: None,
        source: SystemSource::New,
        build_on: BuildOn::Local,
        rollback_timeout: 60,
        activation_timeout: 600,
        substitute_on_target: false,
        reboot_on_failure: false,
        boot_once: false,
        settling_seconds: None,
        health_checks: Vec::new(),
        risks: Vec::new(),
        diff: Diff::default(),
        needs_reboot: false,
    }
}

fn judged(facts: &Facts, state: &HostState, change: impl FnOnce(&mut Evidence<'_>)) -> Vec<String> {
    let key = super::super::facts::fingerprint(KEY);
    let mut evidence = Evidence {
        facts,
        unread_place: &[],
        before: None,
        state,
        user: "deploy",
        port: 22,
        key: key.as_deref(),
        missing_bytes: 1 << 20,
        missing_paths: &[],
        inhibited: false,
        dirty: false,
        reboot: false,
        raised_from: None,
    };
    change(&mut evidence);
    assess(&plan(), evidence).into_iter().map(|risk| format!("{:?} {}", risk.severity, risk.code)).collect()
}

#[test]
fn a_sound_plan_has_no_risk() {
    assert_eq!(judged(&facts(), &state(), |_| {}), [""; 0]);
}

#[test]
fn every_way_to_be_locked_out_blocks() {
    type Breaking = fn(&mut Facts);
    fn ssh(facts: &mut Facts) -> &mut Ssh {
        facts.ssh.as_mut().unwrap()
    }
    fn user(facts: &mut Facts) -> &mut User {
        &mut facts.users.as_mut().unwrap()[0]
    }
    let ways: [(&str, Breaking); 22] = [
        ("ssh_disabled", |facts| ssh(facts).enable = false),
        ("ssh_moved", |facts| ssh(facts).ports = vec![2222]),
        ("ssh_moved", |facts| ssh(facts).listens = vec![listen("192.0.2.1", None)]),
        ("ssh_moved", |facts| ssh(facts).listens = vec![listen("0.0.0.0", Some(2222))]),
        ("ssh_firewalled", |facts| facts.firewall.as_mut().unwrap().everywhere = open(80)),
        ("ssh_firewalled", |facts| {
            let firewall = facts.firewall.as_mut().unwrap();
            firewall.everywhere = open(80);
            firewall.interfaces.insert("wg0".into(), open(22));
            firewall.trusted = vec!["lo".into()];
        }),
        ("key_not_enough", |facts| ssh(facts).public_keys = Some(YesNo::Bool(false))),
        ("key_not_enough", |facts| ssh(facts).public_keys = Some(YesNo::Text("no".into()))),
        ("key_not_enough", |facts| {
            ssh(facts).methods = Some(vec!["publickey,keyboard-interactive".into()]);
        }),
        ("user_not_allowed", |facts| ssh(facts).allow_users = Some(vec!["admin".into(), "dep".into()])),
        ("user_not_allowed", |facts| ssh(facts).deny_users = Some(vec!["d*y".into()])),
        ("user_not_allowed", |facts| ssh(facts).allow_groups = Some(vec!["ssh".into()])),
        ("user_not_allowed", |facts| ssh(facts).deny_groups = Some(vec!["whee?".into()])),
        ("no_administrator", |facts| user(facts).keys.clear()),
        ("no_administrator", |facts| {
            *user(facts) =
                User { groups: vec!["users".into()], becomes_root: Some(false), ..user(facts).clone() };
        }),
        ("key_refused", |facts| user(facts).keys = vec![OTHER.into()]),
        // A key in the home folder counts if sshd reads that file, and if it is the key in use.
        ("key_refused", |facts| {
            ssh(facts).home_keys = true;
            user(facts).keys = vec![OTHER.into()];
        }),
        ("user_gone", |facts| user(facts).name = "admin".into()),
        ("sudo_asks", |facts| user(facts).becomes_root = Some(false)),
        ("wrong_host", |facts| facts.host_name = Some("db".into())),
        ("no_authorized_keys", |facts| {
            facts.refusals = vec![Refusal { code: "no_authorized_keys".into(), message: "none".into() }];
        }),
        ("root_login_refused", |facts| {
            ssh(facts).root_login = Some("forced-commands-only".into());
            user(facts).name = "root".into();
        }),
    ];
    for (code, breaking) in ways {
        let mut facts = facts();
        breaking(&mut facts);
        let name = if code == "root_login_refused" { "root" } else { "deploy" };
        let found = judged(&facts, &state(), |evidence| evidence.user = name);
        assert!(found.contains(&format!("Blocking {code}")), "{code}: {found:?}");
    }
}

#[test]
fn what_lets_us_in_another_way_is_no_risk() {
    type Changing = fn(&mut Ssh, &mut Firewall, &mut User, &mut HostState);
    let ways: [(&[&str], Changing); 13] = [
        // Address translation changed the port.
        (&[], |ssh, firewall, _, state| {
            state.server_address = Some(("10.0.0.2".parse().unwrap(), 2022));
            ssh.ports = vec![2022];
            firewall.everywhere = open(2022);
        }),
        (&[], |ssh, _, _, _| ssh.listens = vec![listen("10.0.0.2", None), listen("192.0.2.1", None)]),
        (&[], |ssh, _, _, _| ssh.listens = vec![listen("[::]", Some(22))]),
        (&[], |_, firewall, _, _| {
            firewall.everywhere = OpenPorts { ports: Vec::new(), ranges: vec![Range { from: 20, to: 22 }] };
        }),
        (&[], |_, firewall, _, _| {
            *firewall = Firewall { trusted: vec!["eth0".into()], ..Firewall::default() };
        }),
        (&[], |_, firewall, _, _| {
            let interfaces = [("eth0".to_owned(), open(22))].into();
            *firewall = Firewall { interfaces, ..Firewall::default() };
        }),
        (&["Warning ssh_firewalled"], |_, firewall, _, _| {
            *firewall = Firewall { rules: true, ..Firewall::default() };
        }),
        (&["Warning ssh_firewalled"], |_, firewall, _, state| {
            *firewall = Firewall { trusted: vec!["tailscale0".into()], ..Firewall::default() };
            state.interfaces.clear();
        }),
        (&[], |ssh, _, user, state| {
            ssh.home_keys = true;
            user.keys.clear();
            state.home_keys.extend(super::super::facts::fingerprint(KEY));
        }),
        (&["Warning key_unknown"], |ssh, _, user, _| {
            ssh.other_keys = true;
            user.keys.clear();
        }),
        (&[], |ssh, _, _, _| {
            ssh.methods = Some(vec!["publickey".into(), "password".into()]);
            ssh.allow_users = Some(vec!["dep*@192.0.2.*".into()]);
            ssh.deny_users = Some(vec!["deploy@198.51.100.1".into()]);
            ssh.allow_groups = Some(vec!["whee?".into()]);
            ssh.public_keys = Some(YesNo::Bool(true));
        }),
        // A rule of sudo for this user.
        (&[], |_, _, user, _| user.groups = vec!["users".into()]),
        (&["Warning sudo_asks"], |_, _, user, _| user.becomes_root = None),
    ];
    for (number, (wanted, changing)) in ways.into_iter().enumerate() {
        let (mut facts, mut state) = (facts(), state());
        let Facts { ssh: Some(ssh), firewall: Some(firewall), users: Some(users), .. } = &mut facts else {
            unreachable!()
        };
        changing(ssh, firewall, &mut users[0], &mut state);
        assert_eq!(judged(&facts, &state, |_| {}), wanted, "{number}");
    }
    let unnamed = Facts { host_name: Some(String::new()), ..facts() };
    assert_eq!(judged(&unnamed, &state(), |_| {}), [""; 0]);
}

#[test]
fn what_the_machine_lacks_is_told() {
    assert_eq!(judged(&facts(), &state(), |evidence| evidence.missing_bytes = 1 << 40), ["Blocking no_room"]);
    let mut with_disk = facts();
    with_disk.boot_devices = vec!["/dev/sdz".into()];
    with_disk.file_systems = vec!["/dev/disk/by-label/data".into()];
    let missing = ["/dev/sdz", "/dev/disk/by-label/data", "/etc/opnix-token"].map(str::to_owned);
    let missing: &'static [String] = missing.to_vec().leak();
    let found = judged(&with_disk, &state(), |evidence| evidence.missing_paths = missing);
    assert_eq!(
        found,
        ["Blocking boot_device_missing", "Blocking file_system_missing", "Warning token_missing"]
    );
    let other = HostState { machine: Some("aarch64".into()), ..state() };
    assert_eq!(judged(&facts(), &other, |_| {}), ["Blocking wrong_architecture"]);
    let root = judged(&facts(), &state(), |evidence| evidence.user = "root");
    assert!(root.contains(&"Blocking root_login_refused".to_owned()), "{root:?}");
}

#[test]
fn a_start_that_cannot_be_taken_back_blocks() {
    assert_eq!(judged(&facts(), &state(), |evidence| evidence.reboot = true), ["Blocking boots_for_good"]);
}

#[test]
fn a_changed_state_version_blocks() {
    let of = |version: &str| Facts { state_version: Some(version.into()), ..facts() };
    let (old, new): (&'static Facts, _) = (Box::leak(Box::new(of("25.05"))), of("26.11"));
    let found = judged(&new, &state(), |evidence| evidence.before = Some(old));
    assert_eq!(found, ["Blocking state_version_changed"]);
    assert_eq!(judged(old, &state(), |evidence| evidence.before = Some(old)), [""; 0]);
}

#[test]
fn what_is_not_known_is_no_verdict() {
    assert_eq!(judged(&Facts::default(), &HostState::default(), |_| {}), [""; 0]);
    assert_eq!(judged(&facts(), &state(), |evidence| evidence.key = None), ["Warning key_unknown"]);
}

#[test]
fn what_could_not_be_read_is_never_taken_for_absent() {
    let part = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for (unread, wanted) in [
        (part(&["file_systems", "mounted", "/data"]), ["Blocking facts_unknown"]),
        (part(&["ssh", "allow_users"]), ["Blocking facts_unknown"]),
        (part(&["what", "a", "newer", "one", "says"]), ["Blocking facts_unknown"]),
        (part(&["token_file"]), ["Warning facts_unknown"]),
    ] {
        let lacking = Facts { unread: vec![unread], ..facts() };
        assert_eq!(judged(&lacking, &state(), |_| {}), wanted);
    }
    // Only the name of an unreadable user is known, so no risk about its keys and groups is reported.
    let mut lacking = facts();
    let ssh = lacking.ssh.as_mut().unwrap();
    ssh.allow_groups = Some(vec!["admins".into()]);
    lacking.users = Some(vec![User { name: "deploy".into(), more_keys: true, ..User::default() }]);
    lacking.unread = vec![part(&["users", "deploy"])];
    assert_eq!(judged(&lacking, &state(), |_| {}), ["Blocking facts_unknown"]);

    let before: &'static Facts =
        Box::leak(Box::new(Facts { unread: vec![part(&["state_version"])], ..facts() }));
    let found = judged(&facts(), &state(), |evidence| evidence.before = Some(before));
    assert_eq!(found, ["Warning facts_unknown"]);
    let error = Diagnostic::new(Code::Throw, "not today");
    for (name, wanted) in [("port", &["Warning facts_unknown"][..]), ("host_name", &[])] {
        let unread: &'static [UnreadPart] = vec![UnreadPart::new([name], error.clone())].leak();
        assert_eq!(judged(&facts(), &state(), |evidence| evidence.unread_place = unread), wanted);
    }
}
