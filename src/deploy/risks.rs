//! What could go wrong when a system is deployed, by facts before and after; above all, losing the host.

use super::facts::{Facts, User};
use super::host::State;
use super::plan::{HostPlan, Risk, Severity};
use crate::text;

/// What is known when risks are judged.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What the new configuration says.
    pub facts: &'a Facts,
    /// What the configuration that runs said, where that is known.
    pub before: Option<&'a Facts>,
    /// What the machine says.
    pub state: &'a State,
    /// Who logs in to deploy.
    pub user: &'a str,
    /// The port that is used for it.
    pub port: u16,
    /// The fingerprint of the key that let us in, where it is known.
    pub key: Option<&'a str>,
    /// What has to be copied at most, in bytes.
    pub missing_bytes: u64,
    /// The boot devices and files of the new configuration that are not on the machine.
    pub missing_paths: &'a [String],
    /// Whether what forbids switching without a reboot differs (`switch-inhibitors`).
    pub inhibited: bool,
    /// Whether the flake has changes that no commit holds.
    pub dirty: bool,
    /// Whether the machine is started anew.
    pub reboot: bool,
}

fn risk(code: &str, severity: Severity, evidence: impl Into<String>, mend: &str) -> Risk {
    Risk {
        code: code.to_owned(),
        severity,
        evidence: text::bounded(&evidence.into(), 400),
        mend: mend.to_owned(),
    }
}

/// Every risk of `plan`, the worst first.
#[must_use]
pub fn judge(plan: &HostPlan, evidence: Evidence<'_>) -> Vec<Risk> {
    let mut risks = Vec::new();
    the_machine(plan, evidence, &mut risks);
    getting_in(evidence, &mut risks);
    becoming_root(evidence, &mut risks);
    the_disk(evidence, &mut risks);
    the_change(plan, evidence, &mut risks);
    risks.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.code.cmp(&other.code)));
    risks
}

fn the_machine(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let (facts, state) = (evidence.facts, evidence.state);
    for refusal in &facts.refusals {
        risks.push(risk(
            &refusal.code,
            Severity::Blocking,
            refusal.message.clone(),
            "the configuration itself refuses to be deployed: mend it there (pantheros.deploy.refusals)",
        ));
    }
    if let (Some(wanted), Some(found)) = (&facts.host_name, &state.host_name)
        && wanted != found
    {
        risks.push(risk(
            "wrong_host",
            Severity::Blocking,
            format!("the machine that answers calls itself `{found}`; the configuration is for `{wanted}`"),
            "check pantheros.deploy.targetHost; name this risk only where the machine is to be renamed",
        ));
    }
    if let Some(machine) = &state.machine {
        let wanted = plan.system.as_str().split('-').next().unwrap_or_default();
        if wanted != machine {
            risks.push(risk(
                "wrong_architecture",
                Severity::Blocking,
                format!("the machine is {machine}; the system is for {}", plan.system),
                "set nixpkgs.hostPlatform to what the machine is",
            ));
        }
    }
    if let Some(other) = &state.deploying {
        risks.push(risk(
            "deployment_under_way",
            Severity::Blocking,
            format!("{other} is being deployed there"),
            "wait until it is confirmed or undone; host_status tells",
        ));
    }
}

fn getting_in(evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let Some(ssh) = &evidence.facts.ssh else { return };
    let port = evidence.port;
    if !ssh.enable {
        risks.push(risk(
            "ssh_disabled",
            Severity::Blocking,
            "services.openssh.enable is false: nobody could log in any more",
            "enable services.openssh",
        ));
        return;
    }
    if !ssh.ports.contains(&port) {
        risks.push(risk(
            "ssh_moved",
            Severity::Blocking,
            format!("SSH would listen on {:?}, and no longer on {port}, which is used now", ssh.ports),
            "keep the old port until the new one is known to work, and set pantheros.deploy.port",
        ));
    } else if let Some(open) = &evidence.facts.open_ports
        && !open.contains(&port)
    {
        risks.push(risk(
            "ssh_firewalled",
            Severity::Blocking,
            format!("the firewall would let nobody in on port {port}"),
            "add it to networking.firewall.allowedTCPPorts, or leave services.openssh.openFirewall on",
        ));
    }
    if evidence.user == "root" && ssh.root_login.as_deref() == Some("no") {
        risks.push(risk(
            "root_login_refused",
            Severity::Blocking,
            "services.openssh.settings.PermitRootLogin is `no`, and this host is deployed to as root",
            "set pantheros.deploy.user to a user who may become root",
        ));
    }
}

fn becoming_root(evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let Some(users) = &evidence.facts.users else { return };
    let root_logs_in = evidence.facts.ssh.as_ref().and_then(|ssh| ssh.root_login.as_deref()) != Some("no");
    let administrates = |user: &&User| (user.name == "root" && root_logs_in) || user.wheel;
    if !users.iter().filter(administrates).any(User::has_key) {
        risks.push(risk(
            "no_administrator",
            Severity::Blocking,
            "nobody who may become root would have an SSH key",
            "authorize a key for a user in `wheel`",
        ));
    }
    let Some(user) = users.iter().find(|user| user.name == evidence.user) else {
        risks.push(risk(
            "user_gone",
            Severity::Blocking,
            format!("`{}`, as whom this host is deployed to, would not be there any more", evidence.user),
            "keep the user, or set pantheros.deploy.user to another one first",
        ));
        return;
    };
    match evidence.key.map(|key| (key, user.lets_in(key))) {
        Some((key, Some(false))) => risks.push(risk(
            "key_refused",
            Severity::Blocking,
            format!("`{}` would not be let in with the key in use now, {key}", user.name),
            "authorize this key, or log in with one that stays",
        )),
        Some((_, None)) | None => risks.push(risk(
            "key_unknown",
            Severity::Warning,
            format!("it could not be seen whether `{}` would be let in with the key in use now", user.name),
            "authorize keys by users.users.<name>.openssh.authorizedKeys.keys, which can be evaluated",
        )),
        Some((_, Some(true))) => {}
    }
    if user.name != "root" && (!user.wheel || evidence.facts.sudo_asks == Some(true)) {
        risks.push(risk(
            "sudo_asks",
            Severity::Blocking,
            format!("`{}` could not become root without a password", user.name),
            "put the user into `wheel` and set security.sudo.wheelNeedsPassword = false",
        ));
    }
}

/// Room that is left free beside what is copied: the profile, the boot menu and logs need some.
const SPARE: u64 = 64 * 1024 * 1024;

fn the_disk(evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let store =
        ["/nix", "/"].iter().find_map(|mount| evidence.state.room.iter().find(|room| room.mount == *mount));
    if let Some(store) = store
        && store.free < evidence.missing_bytes.saturating_add(SPARE)
    {
        risks.push(risk(
            "no_room",
            Severity::Blocking,
            format!(
                "{} has {} free, and up to {} have to be copied",
                store.mount,
                indicatif::HumanBytes(store.free),
                indicatif::HumanBytes(evidence.missing_bytes)
            ),
            "collect garbage on the host (nix-collect-garbage -d keeps the running system), or enlarge the disk",
        ));
    }
    for path in evidence.missing_paths {
        let (code, severity, mend) = if evidence.facts.boot_devices.contains(path) {
            (
                "boot_device_missing",
                Severity::Blocking,
                "name the disk the machine starts from, as `ls -l /dev/disk/by-id` shows it",
            )
        } else {
            (
                "token_missing",
                Severity::Warning,
                "put the token there before secrets are needed: sudo opnix token set",
            )
        };
        risks.push(risk(code, severity, format!("{path} is not on the machine"), mend));
    }
}

fn the_change(plan: &HostPlan, evidence: Evidence<'_>, risks: &mut Vec<Risk>) {
    let state_version = |facts: &Facts| facts.state_version.clone();
    if let (Some(before), Some(after)) =
        (evidence.before.and_then(state_version), state_version(evidence.facts))
        && before != after
    {
        risks.push(risk(
            "state_version_changed",
            Severity::Blocking,
            format!("system.stateVersion goes from {before} to {after}: services would take their data for another version's"),
            "set it back; it says when the host was installed, not which NixOS it runs",
        ));
    }
    if plan.toplevel == plan.current {
        risks.push(risk(
            "nothing_changes",
            Severity::Note,
            "the machine runs this very system",
            "nothing to do",
        ));
    }
    if evidence.inhibited {
        risks.push(risk(
            "switch_inhibited",
            Severity::Warning,
            "what must not change while the system runs does change (switch-inhibitors): switching refuses",
            "plan the action `boot`, and reboot",
        ));
    }
    if evidence.reboot && !plan.boot_once {
        risks.push(risk(
            "boots_for_good",
            Severity::Blocking,
            "the boot loader cannot start an entry once: a system that does not come up has to be left by hand, in its menu",
            "use systemd-boot, or have the machine's console at hand",
        ));
    }
    if plan.needs_reboot && !evidence.reboot {
        risks.push(risk(
            "needs_reboot",
            Severity::Note,
            "kernel, initial RAM disk or modules differ from those the machine started with",
            "reboot when it suits",
        ));
    }
    if evidence.dirty {
        risks.push(risk(
            "uncommitted_changes",
            Severity::Note,
            "the flake has changes that no commit holds",
            "commit them, so that what runs can be found again",
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Refusal, Ssh};
    use super::super::host::Room;
    use super::super::plan::{BuildOn, Diff, SystemSource, Target};
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzxSIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa";

    fn facts() -> Facts {
        Facts {
            host_name: Some("web".into()),
            ssh: Some(Ssh { enable: true, ports: vec![22], root_login: Some("no".into()) }),
            open_ports: Some(vec![22]),
            users: Some(vec![User {
                name: "deploy".into(),
                wheel: true,
                keys: vec![KEY.into()],
                more_keys: false,
            }]),
            sudo_asks: Some(false),
            ..Facts::default()
        }
    }

    fn state() -> State {
        State {
            machine: Some("x86_64".into()),
            host_name: Some("web".into()),
            room: vec![Room { mount: "/".into(), size: 1 << 34, used: 0, free: 1 << 33 }],
            ..State::default()
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
            health_checks: Vec::new(),
            risks: Vec::new(),
            diff: Diff::default(),
            needs_reboot: false,
        }
    }

    fn judged(facts: &Facts, state: &State, change: impl FnOnce(&mut Evidence<'_>)) -> Vec<String> {
        let key = super::super::facts::fingerprint(KEY);
        let mut evidence = Evidence {
            facts,
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
        };
        change(&mut evidence);
        judge(&plan(), evidence)
            .into_iter()
            .map(|risk| format!("{:?} {}", risk.severity, risk.code))
            .collect()
    }

    #[test]
    fn a_sound_plan_has_no_risk() {
        assert_eq!(judged(&facts(), &state(), |_| {}), [""; 0]);
    }

    #[test]
    fn every_way_to_be_locked_out_blocks() {
        type Breaking = fn(&mut Facts);
        let ways: [(&str, Breaking); 10] = [
            ("ssh_disabled", |facts| facts.ssh.as_mut().unwrap().enable = false),
            ("ssh_moved", |facts| facts.ssh.as_mut().unwrap().ports = vec![2222]),
            ("ssh_firewalled", |facts| facts.open_ports = Some(vec![80])),
            ("no_administrator", |facts| facts.users.as_mut().unwrap()[0].keys.clear()),
            ("key_refused", |facts| {
                facts.users.as_mut().unwrap()[0].keys =
                    vec![KEY.replace("AAAAC3NzaC1lZDI1NTE5AAAAIKzx", "AAAAC3NzaC1lZDI1NTE5AAAAIAAA")];
            }),
            ("user_gone", |facts| facts.users.as_mut().unwrap()[0].name = "admin".into()),
            ("sudo_asks", |facts| facts.sudo_asks = Some(true)),
            ("sudo_asks", |facts| facts.users.as_mut().unwrap()[0].wheel = false),
            ("wrong_host", |facts| facts.host_name = Some("db".into())),
            ("no_authorized_keys", |facts| {
                facts.refusals = vec![Refusal { code: "no_authorized_keys".into(), message: "none".into() }];
            }),
        ];
        for (code, breaking) in ways {
            let mut facts = facts();
            breaking(&mut facts);
            let found = judged(&facts, &state(), |_| {});
            assert!(found.contains(&format!("Blocking {code}")), "{code}: {found:?}");
        }
    }

    #[test]
    fn what_the_machine_lacks_is_told() {
        assert_eq!(
            judged(&facts(), &state(), |evidence| evidence.missing_bytes = 1 << 40),
            ["Blocking no_room"]
        );
        let mut with_disk = facts();
        with_disk.boot_devices = vec!["/dev/sdz".into()];
        let missing: &'static [String] = vec!["/dev/sdz".to_owned(), "/etc/opnix-token".to_owned()].leak();
        let found = judged(&with_disk, &state(), |evidence| evidence.missing_paths = missing);
        assert_eq!(found, ["Blocking boot_device_missing", "Warning token_missing"]);
        let other = State { machine: Some("aarch64".into()), ..state() };
        assert_eq!(judged(&facts(), &other, |_| {}), ["Blocking wrong_architecture"]);
        let root = judged(&facts(), &state(), |evidence| evidence.user = "root");
        assert!(root.contains(&"Blocking root_login_refused".to_owned()), "{root:?}");
    }

    #[test]
    fn a_start_that_cannot_be_taken_back_blocks() {
        assert_eq!(
            judged(&facts(), &state(), |evidence| evidence.reboot = true),
            ["Blocking boots_for_good"]
        );
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
        assert_eq!(judged(&Facts::default(), &State::default(), |_| {}), [""; 0]);
        assert_eq!(judged(&facts(), &state(), |evidence| evidence.key = None), ["Warning key_unknown"]);
    }
}
