//! The lines about the effects of a new system: a label and what is said of it.

use crate::deploy::plan::{
    AuthorizedKey, ComparedSystem, EffectPart, Effects, FileChanges, FirewallChange, ItemChanges, KeyChanges,
    NamedChange, ParamChanges, PortChanges, UnknownEffect,
};

/// How the lines are written.
#[derive(Clone, Copy)]
pub struct EffectStyle {
    /// Maximum number of entries that are named of each list; the rest is counted.
    pub most: usize,
    /// Maximum number of files below `/etc` that are named of each list.
    pub most_files: usize,
    /// Cleans a name or a change for use within a line.
    pub clean: fn(&str) -> String,
}

/// The lines, without those for parts that stay the same.
#[must_use]
pub fn effect_lines(effects: &Effects, style: EffectStyle) -> Vec<(&'static str, String)> {
    let Effects { ports, users, groups, mutable_users, keys, mounts, kernel_params, files, unknown } =
        effects;
    let mut lines = Vec::new();
    lines.extend(ports.as_ref().map(|changes| ("ports", style.ports(changes))));
    lines.extend(users.as_ref().map(|changes| ("users", style.items(changes))));
    lines.extend(groups.as_ref().map(|changes| ("groups", style.items(changes))));
    lines.extend(mutable_users.map(|mutable| {
        let kept = if mutable { "stay" } else { "are removed" };
        ("users", format!("those made on the host {kept} (users.mutableUsers)"))
    }));
    lines.extend(keys.as_ref().map(|changes| ("keys", style.keys(changes))));
    lines.extend(mounts.as_ref().map(|changes| ("mounts", style.items(changes))));
    lines.extend(kernel_params.as_ref().map(|changes| ("kernel", style.params(changes))));
    lines.extend(files.as_ref().map(|changes| ("etc", style.files(changes))));
    lines.extend(unknown.iter().map(|unknown| ("unknown", style.unknown(unknown))));
    lines
}

/// The effects of a host that is shortened: its ports, and numbers of the rest.
#[must_use]
pub fn effect_counts(effects: &Effects, style: EffectStyle) -> Vec<String> {
    let Effects { ports, users, groups, mutable_users: _, keys, mounts, kernel_params, files, unknown } =
        effects;
    let size = |lists: &[usize], more: u64| lists.iter().sum::<usize>() as u64 + more;
    let items = |changes: &Option<ItemChanges>| {
        changes.as_ref().map_or(0, |changes| {
            size(&[changes.added.len(), changes.removed.len(), changes.changed.len()], changes.more)
        })
    };
    let counts = [
        ("users", items(users)),
        ("groups", items(groups)),
        ("keys", keys.as_ref().map_or(0, |keys| size(&[keys.added.len(), keys.removed.len()], keys.more))),
        ("mounts", items(mounts)),
        (
            "kernel parameters",
            kernel_params
                .as_ref()
                .map_or(0, |params| size(&[params.added.len(), params.removed.len()], params.more)),
        ),
        (
            "files below /etc",
            files.as_ref().map_or(0, |files| {
                size(&[files.added.len(), files.removed.len(), files.changed.len()], files.more)
            }),
        ),
        ("unknown effects", unknown.len() as u64),
    ];
    let counted =
        counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{count} {what}"));
    counted.chain(ports.as_ref().map(|changes| style.ports(changes))).collect()
}

impl EffectStyle {
    fn ports(self, changes: &PortChanges) -> String {
        let PortChanges { firewall, opened, closed, kept_open, more } = changes;
        let mut parts = Vec::new();
        match firewall {
            Some(FirewallChange::Disabled) => {
                parts.push("the firewall is DISABLED: no port is closed any more".to_owned());
            }
            Some(FirewallChange::Enabled) if kept_open.is_empty() => {
                parts.push("the firewall is enabled: every port is closed".to_owned());
            }
            Some(FirewallChange::Enabled) => {
                parts.extend(self.names("the firewall is enabled: every port is closed but", kept_open));
            }
            None => {}
        }
        parts.extend(self.names("opens", opened));
        parts.extend(self.names("closes", closed));
        joined(parts, *more)
    }

    fn items(self, changes: &ItemChanges) -> String {
        let ItemChanges { added, removed, changed, more } = changes;
        let mut parts = Vec::new();
        parts.extend(self.changes("adds", added));
        parts.extend(self.names("removes", removed));
        parts.extend(self.changes("changes", changed));
        joined(parts, *more)
    }

    fn keys(self, changes: &KeyChanges) -> String {
        let KeyChanges { added, removed, more } = changes;
        let described = |key: &AuthorizedKey| {
            let options = if key.has_options { "with options" } else { "" };
            let words = [key.user.as_str(), &key.key, &key.comment, options];
            words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<&str>>().join(" ")
        };
        let mut parts = Vec::new();
        for (verb, keys) in [("adds", added), ("removes", removed)] {
            parts.extend(self.names(verb, &keys.iter().map(described).collect::<Vec<_>>()));
        }
        joined(parts, *more)
    }

    fn params(self, changes: &ParamChanges) -> String {
        let ParamChanges { added, removed, reordered, more } = changes;
        let mut parts = Vec::new();
        parts.extend(self.names("adds", added));
        parts.extend(self.names("removes", removed));
        parts.extend(reordered.then(|| "the same parameters in another order".to_owned()));
        joined(parts, *more)
    }

    fn files(self, changes: &FileChanges) -> String {
        let FileChanges { added, removed, changed, rebuilt, more } = changes;
        let files = Self { most: self.most_files, ..self };
        let mut parts = Vec::new();
        for (verb, names) in [("adds", added), ("removes", removed), ("changes", changed)] {
            let verb = format!("{verb} {}:", names.len());
            parts.extend(files.names(&verb, names));
        }
        if *rebuilt > 0 {
            parts.push(format!("{rebuilt} differ only in store paths"));
        }
        joined(parts, *more)
    }

    fn unknown(self, unknown: &UnknownEffect) -> String {
        let part = match unknown.part {
            EffectPart::All => "ports, users, keys, mounts, kernel parameters and files below /etc",
            EffectPart::Ports => "ports",
            EffectPart::Users => "users",
            EffectPart::Keys => "keys",
            EffectPart::Mounts => "mounts",
            EffectPart::KernelParams => "kernel parameters",
            EffectPart::Files => "files below /etc",
        };
        let system = match unknown.system {
            ComparedSystem::Before => "of the current system",
            ComparedSystem::After => "of the new system",
            ComparedSystem::Both => "of both systems",
        };
        format!("{part} {system}: {}", (self.clean)(&unknown.why))
    }

    /// The names after the verb; `None` if there are none.
    fn names(self, verb: &str, names: &[String]) -> Option<String> {
        let mut shown: Vec<String> = names.iter().take(self.most).map(|name| (self.clean)(name)).collect();
        let more = names.len().saturating_sub(self.most);
        if more > 0 {
            shown.push(format!("and {more} more"));
        }
        (!shown.is_empty()).then(|| format!("{verb} {}", shown.join(", ")))
    }

    fn changes(self, verb: &str, changes: &[NamedChange]) -> Option<String> {
        let described = |change: &NamedChange| match change.changes.as_slice() {
            [] => change.name.clone(),
            details => format!("{} ({})", change.name, details.join(", ")),
        };
        self.names(verb, &changes.iter().map(described).collect::<Vec<_>>())
    }
}

fn joined(mut parts: Vec<String>, more: u64) -> String {
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.join("; ")
}
