//! Views of a host: what many options make together, each row with the place that decides.

mod access;
mod ports;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::ports::{Firewall, Listener};
use super::explain::{Place, Places, ProbedPlace, with_library};
use super::hosts::HOSTS;
use super::{AskOptions, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;
use crate::text;

/// The probe, a function from the readers of parts, its argument and a host.
pub(super) const VIEW: &str = concat!(
    "(",
    with_library!("view/view.nix"),
    " { ports = (",
    include_str!("view/ports.nix"),
    "); services = (",
    include_str!("view/services.nix"),
    "); access = (",
    include_str!("view/access.nix"),
    "); })"
);

/// The services whose ports are known.
pub const SERVICES: &str = include_str!("view/services.json");

/// Longest text in a row, in characters.
const TEXT: usize = 200;

/// What a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Who can reach what.
    Ports,
    /// What is enabled.
    Services,
    /// Who can log in and become root.
    Access,
}

impl Row {
    /// The order of rows in an answer: by reach, and what the flake decides before what nixpkgs decides.
    #[must_use]
    pub fn rank(&self) -> (Option<Reach>, bool) {
        let is_foreign = self.place.as_ref().is_none_or(|place| place.file.starts_with('<'));
        (self.reach, is_foreign && self.reach.is_none() && self.value.is_none() && self.password.is_none())
    }
}

impl fmt::Display for View {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Ports => "ports",
            Self::Services => "services",
            Self::Access => "access",
        })
    }
}

/// Who reaches a listener, the widest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Everyone who reaches the machine.
    Everyone,
    /// It is not known.
    Unknown,
    /// Only through some interfaces.
    Interfaces,
    /// The firewall opens no interface for it.
    Closed,
    /// Only programs on the machine.
    Machine,
}

/// A row of a view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The service, user or rule.
    pub name: String,
    /// One of several of its kind, such as a virtual host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// `tcp` or `udp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Where it listens; absent if on every address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who reaches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// The interfaces through which it is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
    /// The file and line of the definition that opens the firewall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_in: Option<String>,
    /// The fingerprints and comments of a user's SSH keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Number of keys that `keys` leaves out, and of files with keys.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_keys: u64,
    /// Whether a user has a password, and from where; never the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// How a user becomes root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root: Vec<String>,
    /// The ways in which a user can log in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub login: Vec<String>,
    /// The value of a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The definition that decides.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// What a view does not cover.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnknownPart {
    /// The option, unit or port.
    pub name: String,
    /// The interface, if it is a port that is open on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Why it is not covered.
    pub note: String,
    /// The definition that decides.
    #[serde(flatten)]
    pub place: Option<Place>,
}

/// A view of a host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostView {
    /// Its rows.
    pub rows: Vec<Row>,
    /// What it does not cover.
    pub unknown: Vec<UnknownPart>,
    /// The parts that could not be read.
    pub unread: Vec<UnreadPart>,
}

/// The answer of the probe.
#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    nixpkgs: Option<String>,
    #[serde(default)]
    firewall: Option<Firewall>,
    #[serde(default)]
    rows: Vec<Option<ProbedRow>>,
    #[serde(default)]
    unknown: Vec<Option<ProbedUnknown>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ProbedRow {
    Listener(Listener),
    User(access::User),
    Rule {
        rule: String,
        value: String,
        #[serde(flatten)]
        place: Option<ProbedPlace>,
    },
    Service {
        service: String,
        #[serde(flatten)]
        place: Option<ProbedPlace>,
    },
}

#[derive(Deserialize)]
struct ProbedUnknown {
    what: String,
    why: Why,
    #[serde(flatten)]
    place: Option<ProbedPlace>,
}

/// Why something is not known.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Why {
    Absent,
    Accounts,
    Container,
    Keys,
    Rules,
    Service,
    Unit,
}

impl Why {
    fn note(self) -> &'static str {
        match self {
            Self::Absent => "this configuration has no such options",
            Self::Accounts => "accounts come from outside of the configuration",
            Self::Container => "a container may publish ports past the firewall",
            Self::Keys => "keys come from a program or an authority",
            Self::Rules => "rules in text are not read",
            Self::Service => "its ports are not known",
            Self::Unit => "this unit may listen",
        }
    }
}

impl Flake {
    /// A view of a host.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn view(&self, host: &HostName, view: View, call: &Call) -> Result<HostView, FlakeError> {
        self.remembered(&format!("view {view} {host}"), call, |flake| async move {
            call.report_message(format!("reading the {view} of {host}"));
            let known: Value = serde_json::from_str(SERVICES).unwrap_or_default();
            let question = Question::in_parts([HOSTS, host.as_str()], VIEW)
                .with(json!({ "view": view, "known": known }))
                .large();
            let options = AskOptions::new("hosts", Instantiate::No);
            let mut round = flake.ask_with(&options, vec![question], call).await?;
            // A part may throw because a download failed.
            if round.has_fetched {
                flake.mark_transient();
            }
            let answer = match round.answers.pop() {
                Some(Ok(answer)) => answer,
                Some(Err(diagnostic)) => return flake.explain(host, diagnostic, call).await,
                None => return Ok(HostView::default()),
            };
            let probed: Probed = serde_json::from_value(answer.value).map_err(|error| {
                let message = format!("the {view} of the host have unexpected types");
                FlakeError::Evaluation(Box::new(
                    Diagnostic::new(Code::TypeMismatch, message).with_said(&error.to_string()),
                ))
            })?;
            let mut unread = answer.unread;
            for part in &mut unread {
                let attr = AttrPath::new([HOSTS, host.as_str(), "config"]).to_string();
                part.error.attr.get_or_insert(attr);
            }
            let source = flake.source();
            let places = Places::new(&source, probed.nixpkgs.clone(), flake.input_folders()?);
            Ok(HostView { unread, ..read(probed, &places) })
        })
        .await
    }
}

fn read(probed: Probed, places: &Places<'_>) -> HostView {
    let place = |place: Option<ProbedPlace>| place.as_ref().map(|place| places.of(place));
    let has_rules = probed.unknown.iter().flatten().any(|unknown| unknown.why == Why::Rules);
    let mut unknown: Vec<UnknownPart> = Vec::new();
    let mut listeners: Vec<Listener> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let sshd = access::Sshd::of(probed.rows.iter().flatten());
    for row in probed.rows.into_iter().flatten() {
        match row {
            ProbedRow::Listener(listener) => {
                rows.push(ports::row(&listener, probed.firewall.as_ref(), has_rules, places));
                listeners.push(listener);
            }
            ProbedRow::User(user) => rows.push(user.row(&sshd, places)),
            ProbedRow::Rule { rule, value, place: at } => rows.push(Row {
                name: short(&rule),
                value: Some(short(&value)),
                place: place(at),
                ..Row::default()
            }),
            ProbedRow::Service { service, place: at } => {
                rows.push(Row { name: short(&service), place: place(at), ..Row::default() });
            }
        }
    }
    if let Some(firewall) = &probed.firewall {
        unknown.extend(ports::open_without_listener(firewall, &listeners, places));
    }
    unknown.extend(probed.unknown.into_iter().flatten().map(|unknown| UnknownPart {
        name: short(&unknown.what),
        interface: None,
        note: unknown.why.note().to_owned(),
        place: place(unknown.place),
    }));
    HostView { rows, unknown, unread: Vec::new() }
}

fn short(said: &str) -> String {
    text::line(&crate::redact::redacted(said), TEXT)
}
