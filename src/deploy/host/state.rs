//! The state of a host: its running system, boot default, failed units and disk space.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::diagnostic::{Code, Diagnostic};
use crate::names::StorePath;
use crate::progress::Call;
use crate::ssh::{RemoteLimits, SshError, SshSession};
use crate::text;

/// One script for all questions, so that the answers describe the same moment.
const SURVEY: &str = include_str!("survey.sh");
/// Most services that are read; a host has some hundred.
const MOST_SERVICES: usize = 5_000;
/// The files of a toplevel that take effect only after a reboot.
pub const PARTS: [&str; 3] = ["kernel", "initrd", "kernel-modules"];

/// A generation of the system profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    pub number: u64,
    /// When it was made, in seconds since 1970.
    pub made: i64,
    /// Its toplevel.
    pub toplevel: StorePath,
    /// The contents of its `nixos-version`; `None` if it has no such file.
    pub nixos_version: Option<String>,
}

/// The disk space of a file system, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Its mount point.
    pub mount: String,
    /// Total size.
    pub size: u64,
    /// Used space.
    pub used: u64,
    /// Space that an unprivileged user can still use.
    pub free: u64,
}

/// The answers of a survey; `None` or empty if the host did not give the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostState {
    /// Its processor architecture (`uname -m`).
    pub machine: Option<String>,
    /// Its host name in the kernel.
    pub host_name: Option<String>,
    /// The ID of its current boot (proc(5), `/proc/sys/kernel/random/boot_id`).
    pub boot_id: Option<String>,
    /// Its machine ID (machine-id(5)).
    pub machine_id: Option<String>,
    /// Seconds since it booted.
    pub uptime: Option<u64>,
    /// The toplevel that runs (`/run/current-system`).
    pub running: Option<StorePath>,
    /// The toplevel that it booted (`/run/booted-system`).
    pub booted: Option<StorePath>,
    /// The toplevel that the system profile points to: the boot default.
    pub configured: Option<StorePath>,
    /// The number of the generation that the system profile points to: the boot default.
    pub boots: Option<u64>,
    /// Whether the booted kernel, initrd or kernel modules differ from those of the running toplevel.
    pub reboot_required: bool,
    /// The store path of each of [`PARTS`] in the booted toplevel.
    pub booted_parts: [Option<String>; 3],
    /// The commit of the running configuration; `None` if the configuration does not record it.
    pub revision: Option<String>,
    /// All generations of the system profile, by number.
    pub generations: Vec<Generation>,
    /// All units that failed, or wait for an automatic restart after a failure; `None` if systemd does not run.
    pub failed_units: Option<Vec<String>>,
    /// The services that are active, were restarted by systemd, or did not end with success, by name.
    pub services: BTreeMap<String, ServiceState>,
    /// The file systems that a deployment writes to.
    pub room: Vec<DiskSpace>,
    /// The host's own address and port of this SSH connection.
    pub server_address: Option<(IpAddr, u16)>,
    /// The network interfaces with that address.
    pub interfaces: Vec<String>,
    /// Fingerprints of the keys in `~/.ssh/authorized_keys` of the user who is logged in.
    pub home_keys: Vec<String>,
    /// Whether its boot loader can start an entry once.
    pub boot_once: bool,
    /// The ID of the deployment that is in progress.
    pub deploying: Option<String>,
}

/// What tells whether a service was restarted or failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceState {
    /// Its `SubState`, such as `running` and `auto-restart`.
    pub sub_state: String,
    /// Its `Result`: `success`, or why it failed last.
    pub result: String,
    /// How often systemd restarted it.
    pub restarts: u64,
    /// Microseconds after the boot when it became active; `None` if it is not active, or of the type `oneshot`.
    pub active_since: Option<u64>,
}

impl ServiceState {
    fn parse(value: &str) -> Option<(String, Self)> {
        let mut words = value.split(' ').map(|word| text::bounded(word, 200));
        let (name, sub_state, result) = (words.next()?, words.next()?, words.next()?);
        let mut number = || words.next()?.parse::<u64>().ok();
        let (restarts, since) = (number()?, number()?);
        Some((
            name,
            Self { sub_state, result, restarts, active_since: Some(since).filter(|since| *since > 0) },
        ))
    }

    /// Whether systemd is about to start it again.
    #[must_use]
    pub fn waits_for_restart(&self) -> bool {
        self.sub_state.starts_with("auto-restart")
    }

    /// Whether it waits for a restart after it ended with success, as one does that does its work again and again.
    #[must_use]
    pub fn ended_well(&self) -> bool {
        self.waits_for_restart() && self.result == "success"
    }
}

/// Why a survey failed.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The host could not be reached, or the script failed.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The output is incomplete, or is not the survey's.
    #[error("{target} returned no complete answer to the survey")]
    NotUnderstood {
        /// The SSH address of the host.
        target: String,
        /// The beginning of the output.
        said: String,
    },
}

impl From<&SurveyError> for Diagnostic {
    fn from(error: &SurveyError) -> Self {
        match error {
            SurveyError::Ssh(error) => error.into(),
            SurveyError::NotUnderstood { said, .. } => Self::new(Code::RemoteFailed, error.to_string())
                .with_said(said)
                .with_hint("check that the machine runs NixOS and that the user's login shell runs commands"),
        }
    }
}

/// Surveys a host.
///
/// # Errors
/// See [`SurveyError`].
pub async fn survey(session: &SshSession, call: &Call) -> Result<HostState, SurveyError> {
    ask(session, &["sh", "-c", SURVEY], call).await
}

/// Surveys only the identity, the running system, the boot default and the failed units of a host, which is faster.
///
/// # Errors
/// See [`SurveyError`].
pub async fn brief_survey(session: &SshSession, call: &Call) -> Result<HostState, SurveyError> {
    ask(session, &["sh", "-c", SURVEY, "survey", "briefly"], call).await
}

async fn ask(session: &SshSession, argv: &[&str], call: &Call) -> Result<HostState, SurveyError> {
    let output = session.run(argv, RemoteLimits::with_time(Duration::from_secs(60)), call).await?;
    HostState::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| {
        let said = Some(output.text()).filter(|text| !text.is_empty()).unwrap_or_else(|| output.errors());
        SurveyError::NotUnderstood { target: session.target().to_string(), said: text::bounded(&said, 200) }
    })
}

impl HostState {
    /// Parses the survey's output; `None` if it is incomplete.
    fn parse(said: &str) -> Option<Self> {
        let mut state = Self::default();
        let mut parts: [[Option<String>; 2]; 3] = Default::default();
        let (mut complete, mut begun) = (false, false);
        for line in said.lines() {
            // A shell's start-up files may print a greeting first.
            let Some((key, value)) = line.split_once('\t') else { continue };
            let value = text::plain(value);
            let short = || Some(text::bounded(&value, 200));
            let path = || value.parse::<StorePath>().ok();
            match key {
                "version" => begun = value == "1",
                "end" => complete = begun,
                "machine" => state.machine = short(),
                "host_name" => state.host_name = short(),
                "boot_id" => state.boot_id = short(),
                "machine_id" => state.machine_id = short(),
                "uptime" => state.uptime = value.split('.').next().and_then(|seconds| seconds.parse().ok()),
                "running" => state.running = path(),
                "booted" => state.booted = path(),
                "configured" => state.configured = path(),
                "profile" => {
                    state.boots = value
                        .strip_prefix("system-")
                        .and_then(|rest| rest.strip_suffix("-link"))
                        .and_then(|number| number.parse().ok());
                }
                "revision" => state.revision = short(),
                "revision_json" => {
                    let json: Option<serde_json::Value> = serde_json::from_str(&value).ok();
                    state.revision = json
                        .as_ref()
                        .and_then(|json| json["configurationRevision"].as_str())
                        .map(|revision| text::bounded(revision, 200));
                }
                "generation" => state.generations.extend(Generation::parse(&value)),
                "systemd" => state.failed_units = Some(Vec::new()),
                "failed" => {
                    if let Some(units) = &mut state.failed_units {
                        units.push(text::bounded(&value, 200));
                    }
                }
                "service" if state.services.len() < MOST_SERVICES => {
                    state.services.extend(ServiceState::parse(&value));
                }
                "disk" => {
                    if let Some(room) = DiskSpace::parse(&value)
                        && state.room.iter().all(|known| known.mount != room.mount)
                    {
                        state.room.push(room);
                    }
                }
                "connection" => state.server_address = parse_server_address(&value),
                "interface" if state.interfaces.len() < 10 => state.interfaces.extend(short()),
                "home_key" if state.home_keys.len() < 100 => state.home_keys.extend(short()),
                "boot_once" => state.boot_once = true,
                "deploying" => state.deploying = short(),
                _ => {
                    for (index, part) in PARTS.iter().enumerate() {
                        for (side, name) in ["running_", "booted_"].iter().enumerate() {
                            if key.strip_prefix(name) == Some(part)
                                && let Some(place) = parts.get_mut(index).and_then(|pair| pair.get_mut(side))
                            {
                                *place = Some(value.clone());
                            }
                        }
                    }
                }
            }
        }
        if let Some(failed) = &mut state.failed_units {
            let crashed = |service: &ServiceState| service.waits_for_restart() && !service.ended_well();
            let crashed = state.services.iter().filter(|(_, service)| crashed(service)).map(|(name, _)| name);
            failed.extend(crashed.cloned());
            failed.sort();
            failed.dedup();
        }
        state.reboot_required =
            parts.iter().any(|[running, booted]| running.is_some() && booted.is_some() && running != booted);
        state.booted_parts = parts.map(|[_, booted]| booted);
        state.generations.sort_by_key(|generation| generation.number);
        complete.then_some(state)
    }

    /// The number of the generation that runs; `None` if no generation has the running toplevel.
    ///
    /// If several generations have it, returns the boot default if that is one of them, otherwise the newest.
    #[must_use]
    pub fn runs(&self) -> Option<u64> {
        let running = self.running.as_ref()?;
        if self.boots.is_some() && self.configured.as_ref() == Some(running) {
            return self.boots;
        }
        self.generations.iter().rev().find(|known| known.toplevel == *running).map(|known| known.number)
    }
}

/// The server's address and port from `SSH_CONNECTION` (ssh(1)), whose first two words are the client's.
fn parse_server_address(value: &str) -> Option<(IpAddr, u16)> {
    let mut words = value.split(' ').skip(2);
    // A link-local address may name its interface.
    let address = words.next()?.split('%').next()?.parse().ok()?;
    Some((address, words.next()?.parse().ok()?))
}

impl Generation {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.splitn(4, ' ');
        Some(Self {
            number: words.next()?.parse().ok()?,
            made: words.next()?.parse().ok()?,
            toplevel: words.next()?.parse().ok()?,
            nixos_version: words.next().filter(|version| !version.is_empty()).map(|v| text::bounded(v, 100)),
        })
    }
}

impl DiskSpace {
    fn parse(value: &str) -> Option<Self> {
        let mut words = value.rsplitn(4, ' ');
        let mut bytes = || words.next()?.parse::<u64>().ok()?.checked_mul(1024);
        let (free, used, size) = (bytes()?, bytes()?, bytes()?);
        Some(Self { mount: text::bounded(words.next()?, 200), size, used, free })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Welcome!\nversion\t1\nmachine\tx86_64\nhost_name\tweb\nuptime\t12345.67 1\n\
        running\t/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web-25.05\nprofile\tsystem-42-link\n\
        running_kernel\t/nix/store/b/bzImage\nbooted_kernel\t/nix/store/a/bzImage\nsystemd\tyes\nfailed\tnginx.service\n\
        service\tpoll.service auto-restart success 3 0\nservice\tcrash.service auto-restart exit-code 3 0\n\
        service\tsshd.service running success 0 4711\n\
        generation\t42 1700000000 /nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web-25.05 25.05 (Warbler)\n\
        generation\t7 1600000000 /nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web-25.05 \n\
        disk\t/ 1000 600 400\ndisk\t/ 1000 600 400\nconnection\t192.0.2.1 5000 fe80::1%eth0 22\n\
        interface\teth0\nhome_key\tSHA256:abc\nend\tyes\n";

    #[test]
    fn an_answer_is_read() {
        let state = HostState::parse(SAID).unwrap();
        assert_eq!(state.host_name.as_deref(), Some("web"));
        assert_eq!(state.boots, Some(42));
        assert_eq!(state.uptime, Some(12_345));
        assert!(state.reboot_required);
        // A service that ended with success and is started again did not fail.
        assert_eq!(state.failed_units, Some(vec!["crash.service".to_owned(), "nginx.service".to_owned()]));
        assert_eq!(
            state.services["sshd.service"],
            ServiceState {
                sub_state: "running".into(),
                result: "success".into(),
                restarts: 0,
                active_since: Some(4_711)
            }
        );
        assert_eq!(state.services["poll.service"].restarts, 3);
        assert_eq!(state.generations.iter().map(|generation| generation.number).collect::<Vec<_>>(), [7, 42]);
        assert_eq!(state.generations[1].nixos_version.as_deref(), Some("25.05 (Warbler)"));
        assert_eq!(state.server_address, Some(("fe80::1".parse().unwrap(), 22)));
        assert_eq!(
            (&state.interfaces[..], &state.home_keys[..]),
            (&["eth0".into()][..], &["SHA256:abc".into()][..])
        );
        assert_eq!(
            state.room,
            [DiskSpace { mount: "/".into(), size: 1_024_000, used: 614_400, free: 409_600 }]
        );
    }

    #[test]
    fn long_lists_are_kept_whole() {
        let units: String = (0..300).map(|unit| format!("failed\tu{unit}.service\n")).collect();
        let path = "/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-nixos-system-web-25.05";
        let generations: String =
            (1..=700).map(|number| format!("generation\t{number} 1700000000 {path} \n")).collect();
        let state =
            HostState::parse(&format!("version\t1\nsystemd\tyes\n{units}{generations}end\tyes\n")).unwrap();
        assert_eq!((state.failed_units.unwrap().len(), state.generations.len()), (300, 700));
    }

    #[test]
    fn half_an_answer_is_none() {
        assert_eq!(HostState::parse(SAID.strip_suffix("end\tyes\n").unwrap()), None);
        assert_eq!(HostState::parse("command not found"), None);
        assert_eq!(HostState::parse("version\t2\nend\tyes\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn nothing_a_machine_says_makes_it_panic(said in proptest::prelude::any::<String>()) {
            let _ = HostState::parse(&format!("version\t1\n{said}\nend\tyes\n"));
            let _ = Generation::parse(&said);
            let _ = DiskSpace::parse(&said);
            let _ = ServiceState::parse(&said);
        }
    }
}
