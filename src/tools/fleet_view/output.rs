//! The answer of `fleet_view`, and its text.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostic;
use crate::flake::explain::Place;
use crate::flake::select::UnreadHosts;
use crate::flake::view::{HostView, Reach, Row, UnknownPart, View};
use crate::names::HostName;
use crate::text;
use crate::tools::gap::{Gap, Gaps};

/// A row and the hosts that have it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HostRow {
    /// Absent if all have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_hosts: u64,
    #[serde(flatten)]
    pub row: Row,
}

/// What a view does not cover for one reason.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct HostUnknown {
    /// The reason.
    pub note: String,
    pub parts: Vec<UnknownNames>,
}

/// What one definition decides.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct UnknownNames {
    /// Options, units or ports.
    pub names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Absent if all have it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_hosts: u64,
    /// The file and line of the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// A part that a view does not cover, and the hosts that have it.
pub struct UnknownOfHosts {
    pub hosts: Vec<String>,
    pub part: UnknownPart,
}

impl HostUnknown {
    /// The parts by reason, and by the definition that decides.
    pub fn grouped(parts: Vec<UnknownOfHosts>) -> Vec<Self> {
        let mut grouped: Vec<Self> = Vec::new();
        for UnknownOfHosts { hosts, part } in parts {
            let at = grouped.iter().position(|known| known.note == part.note).unwrap_or(grouped.len());
            if at == grouped.len() {
                grouped.push(Self { note: part.note, parts: Vec::new() });
            }
            let Some(of_note) = grouped.get_mut(at).map(|known| &mut known.parts) else { continue };
            let place = part.place.as_ref().map(Place::to_string);
            let same = of_note.iter_mut().find(|known| {
                known.at.is_some()
                    && (&known.at, &known.interface, &known.hosts) == (&place, &part.interface, &hosts)
            });
            match same {
                Some(known) => known.names.push(part.name),
                None => of_note.push(UnknownNames {
                    names: vec![part.name],
                    interface: part.interface,
                    hosts,
                    more_hosts: 0,
                    at: place,
                }),
            }
        }
        grouped
    }
}

/// The answer of `fleet_view`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    pub view: View,
    /// The hosts that were read.
    pub hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_hosts: u64,
    /// Equal rows of several hosts are one.
    pub rows: Vec<HostRow>,
    pub total: usize,
    /// What the view does not cover; only on the first page.
    pub unknown: Vec<HostUnknown>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_unknown: u64,
    /// Hosts that do not evaluate, by cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<UnreadHosts>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_failed: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Gap>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub unread_total: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// The views of several hosts, joined.
#[derive(Default)]
pub struct Joined {
    pub hosts: Vec<String>,
    pub rows: Vec<HostRow>,
    pub unknown: Vec<UnknownOfHosts>,
    pub failed: Vec<UnreadHosts>,
    pub unread: Vec<crate::flake::UnreadPart>,
}

impl Joined {
    /// Adds the view of a host; equal rows are one.
    pub fn add(&mut self, host: &HostName, view: HostView) {
        let host = host.to_string();
        self.hosts.push(host.clone());
        for row in view.rows {
            match self.rows.iter_mut().find(|known| known.row == row) {
                // A host may have a row twice.
                Some(known) if known.hosts.last() == Some(&host) => {}
                Some(known) => known.hosts.push(host.clone()),
                None => self.rows.push(HostRow { hosts: vec![host.clone()], more_hosts: 0, row }),
            }
        }
        for part in view.unknown {
            match self.unknown.iter_mut().find(|known| known.part == part) {
                Some(known) if known.hosts.last() == Some(&host) => {}
                Some(known) => known.hosts.push(host.clone()),
                None => self.unknown.push(UnknownOfHosts { hosts: vec![host.clone()], part }),
            }
        }
        self.unread.extend(view.unread);
    }

    /// Adds a host that does not evaluate.
    pub fn add_failed(&mut self, host: &HostName, error: Diagnostic) {
        let is_same = |known: &Diagnostic| (known.code, known.full_text()) == (error.code, error.full_text());
        match self.failed.iter_mut().find(|known| is_same(&known.error)) {
            Some(known) => known.hosts.push(host.to_string()),
            None => self.failed.push(UnreadHosts { error, hosts: vec![host.to_string()], more_hosts: 0 }),
        }
    }
}

impl Output {
    /// The text for people.
    pub fn text(&self) -> String {
        let of = hosts(&self.hosts, self.more_hosts);
        let mut lines = vec![match self.total {
            0 => format!("No rows of {} of {of} are known.", self.view),
            total => format!("{} of {of}: {total} rows", self.view),
        }];
        lines.extend(self.rows.iter().map(HostRow::line));
        if !self.unknown.is_empty() {
            lines.push("not known:".to_owned());
        }
        for unknown in &self.unknown {
            lines.push(format!("? {}:", unknown.note));
            lines.extend(unknown.parts.iter().map(UnknownNames::line));
        }
        if self.more_unknown > 0 {
            lines.push(format!("? and {} more", self.more_unknown));
        }
        for failed in &self.failed {
            lines.push(format!("✗ {}: {}", hosts(&failed.hosts, failed.more_hosts), failed.error));
        }
        if self.more_failed > 0 {
            lines.push(format!("✗ and {} more causes", self.more_failed));
        }
        lines.extend(Gaps::render(&self.unread, self.unread_total));
        if self.next_cursor.is_some() {
            lines.push("… call again with `cursor` for more".to_owned());
        }
        lines.join("\n")
    }
}

fn hosts(names: &[String], more: u64) -> String {
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", text::words(names.iter().map(String::as_str)))
}

/// The hosts of a row before its text; nothing if all asked hosts have it.
fn of_hosts(names: &[String], more: u64) -> String {
    if names.is_empty() { String::new() } else { format!("{}: ", hosts(names, more)) }
}

impl UnknownNames {
    fn line(&self) -> String {
        let place = self.at.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        let on =
            self.interface.as_deref().map(|name| format!(" on {}", text::word(name))).unwrap_or_default();
        let names = text::words(self.names.iter().map(String::as_str));
        format!("  {}{names}{on}{place}", of_hosts(&self.hosts, self.more_hosts))
    }
}

impl HostRow {
    fn line(&self) -> String {
        let row = &self.row;
        // The names of rules and of listeners are those of this program.
        let is_ours = row.value.is_some() || row.port.is_some();
        let name = if is_ours { text::line(&row.name, 80) } else { text::word(&row.name).to_owned() };
        let mut line = format!("• {}{name}", of_hosts(&self.hosts, self.more_hosts));
        if let Some(instance) = &row.instance {
            line.push_str(&format!(" {}", text::word(instance)));
        }
        if let (Some(protocol), Some(port)) = (&row.protocol, row.port) {
            let address = row.address.as_deref().unwrap_or("*");
            line.push_str(&format!(" {} {}:{port}", text::word(protocol), text::word(address)));
        }
        if let Some(reach) = row.reach {
            let interfaces = || text::words(row.interfaces.iter().map(String::as_str));
            line.push_str(&match reach {
                Reach::Everyone => ", reached by everyone".to_owned(),
                Reach::Interfaces => format!(", reached through {}", interfaces()),
                Reach::Machine => ", reached on the machine only".to_owned(),
                Reach::Closed => ", closed by the firewall".to_owned(),
                Reach::Unknown => ", not known who reaches it".to_owned(),
            });
        }
        if let Some(opened) = &row.opened_in {
            line.push_str(&format!(" ({opened})"));
        }
        if let Some(value) = &row.value {
            line.push_str(&format!(" = {}", text::word(value)));
        }
        if let Some(password) = &row.password {
            let keys = row.keys.len() as u64 + row.more_keys;
            line.push_str(&format!(", {keys} keys, password: {}", text::line(password, 40)));
            let login = if row.login.is_empty() { "no login".to_owned() } else { row.login.join(", ") };
            line.push_str(&format!("; {}", text::line(&login, 120)));
            if !row.root.is_empty() {
                line.push_str(&format!("; root: {}", text::line(&row.root.join(", "), 160)));
            }
        }
        if let Some(place) = &row.place {
            line.push_str(&format!("  {place}"));
        }
        line
    }
}
