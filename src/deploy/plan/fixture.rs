//! Plans for tests.

use super::*;
use crate::canonical::Digest;

/// A plan for tests, made now for these hosts.
pub(crate) fn fixture(hosts: &[&str]) -> Plan {
    let created = Timestamp::now();
    let path = |name: &str| format!("/nix/store/{}-{name}", "0".repeat(32)).parse().unwrap();
    Plan {
        version: PLAN_VERSION,
        id: PlanId::random().unwrap(),
        created,
        expires: created.after(std::time::Duration::from_secs(1_800)),
        action: Action::Switch,
        flake: FlakeSource {
            revision: Some("0a1b2c3d".into()),
            dirty: true,
            dirty_files: vec!["hosts/web.nix".into()],
            dirty_inputs: vec!["modules".into()],
            ..FlakeSource::unknown("/fleet".into())
        },
        requested_by: Requester { client: "test 1.0".into(), user: "alice (uid 1000)".into() },
        hosts: hosts
            .iter()
            .map(|host| HostPlan {
                host: host.parse().unwrap(),
                target: Target {
                    address: format!("{host}.example.org"),
                    user: "deploy".into(),
                    port: Some(22),
                },
                host_keys: vec!["ssh-ed25519 AAAAC3Nza".into()],
                machine_id: "00000000000000000000000000000001".into(),
                boot_id: "00000000-0000-0000-0000-000000000002".into(),
                system: "x86_64-linux".parse().unwrap(),
                toplevel: path("nixos-system-new"),
                current: path("nixos-system-old"),
                profile_generation: Some(41),
                profile_path: Some(path("nixos-system-old")),
                source: SystemSource::New,
                build_on: BuildOn::Local,
                rollback_timeout: 60,
                activation_timeout: 300,
                substitute_on_target: false,
                reboot_on_failure: false,
                boot_once: false,
                settling_seconds: None,
                health_checks: vec![HealthCheck::Tcp(443), HealthCheck::Command(vec!["true".into()])],
                risks: vec![Risk {
                    code: "dirty_flake".into(),
                    severity: Severity::Warning,
                    evidence: "2 files differ from the commit".into(),
                    mend: "commit them".into(),
                    file: None,
                    line: None,
                }],
                diff: Diff {
                    packages: vec![PackageChange {
                        name: "openssh".into(),
                        change: Change::Upgraded,
                        before: vec!["10.0".into()],
                        after: vec!["10.1".into()],
                        delta_bytes: -4_096,
                    }],
                    more_packages: 3,
                    closure_bytes: 1_500_000_000,
                    closure_delta_bytes: 2_000_000,
                    units: Some(UnitChanges {
                        restart: vec!["sshd.service".into()],
                        ..UnitChanges::default()
                    }),
                    effects: Some(Effects {
                        ports: Some(PortChanges { opened: vec!["tcp 443".into()], ..PortChanges::default() }),
                        unknown: vec![UnknownEffect {
                            part: EffectPart::Users,
                            system: ComparedSystem::Before,
                            why: "its activation names no list of users".into(),
                        }],
                        ..Effects::default()
                    }),
                },
                needs_reboot: false,
            })
            .collect(),
        except: Vec::new(),
        unreachable: Vec::new(),
        canary: 1,
        wave: 4,
        reboot: false,
        revert_confirmed: false,
    }
}

impl Plan {
    /// The SHA-256 of its canonical form.
    pub(crate) fn digest(&self) -> Result<Digest, CanonicalError> {
        Ok(Digest::sha256(self.canonical()?.as_bytes()))
    }
}
