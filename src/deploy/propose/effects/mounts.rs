//! File systems and swap, from `/etc/fstab` (fstab(5)).

use std::collections::{BTreeMap, BTreeSet};

use super::listing::{Content, SystemFiles};
use super::{Gaps, finished, named, shown};
use crate::deploy::plan::{EffectPart, ItemChanges};
use crate::redact::REDACTED;

/// An entry of fstab.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    device: String,
    kind: String,
    options: BTreeSet<String>,
}

/// The entries by mount point; swap by its device. Two file systems can be mounted at one point.
type Mounts = BTreeMap<String, Vec<Mount>>;

fn mounts(files: &SystemFiles) -> Result<Mounts, &'static str> {
    match files.content("fstab") {
        Content::Absent => Err("it has no fstab"),
        Content::Unread(why) => Err(why),
        Content::Text(text) => parse(text).ok_or("a line of its fstab is not valid"),
    }
}

fn parse(text: &str) -> Option<Mounts> {
    let mut mounts = Mounts::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut fields = line.split_ascii_whitespace();
        let (device, point, kind) = (unescaped(fields.next()?), unescaped(fields.next()?), fields.next()?);
        let options = fields.next().unwrap_or("defaults").split(',').map(unescaped).collect();
        let point = if kind == "swap" { format!("swap:{device}") } else { point };
        mounts.entry(point).or_default().push(Mount { device, kind: kind.to_owned(), options });
    }
    Some(mounts)
}

/// A field without the escapes of fstab: a backslash and three octal digits for a byte.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| *first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn compare(before: &SystemFiles, after: &SystemFiles, gaps: &mut Gaps) -> Option<ItemChanges> {
    let (before, after) = gaps.both(EffectPart::Mounts, mounts(before), mounts(after))?;
    let mut changes = ItemChanges::default();
    for (point, next) in &after {
        let change = match before.get(point) {
            None => next.iter().map(described).collect(),
            Some(old) if old == next => continue,
            Some(old) => differences(old, next),
        };
        let list = if before.contains_key(point) { &mut changes.changed } else { &mut changes.added };
        list.push(named(point, change));
    }
    changes.removed = before.keys().filter(|point| !after.contains_key(*point)).map(|p| shown(p)).collect();
    finished(changes)
}

/// Device, type and options in one text.
fn described(mount: &Mount) -> String {
    let options: Vec<String> = mount.options.iter().map(|option| shown_option(option)).collect();
    format!("{} {} {}", shown(&mount.device), shown(&mount.kind), options.join(","))
}

/// An option without a password, as mount.cifs(8) takes them.
fn shown_option(option: &str) -> String {
    match option.split_once('=') {
        Some((key @ ("pass" | "password" | "password2"), _)) => format!("{key}={REDACTED}"),
        _ => shown(option),
    }
}

fn differences(old: &[Mount], next: &[Mount]) -> Vec<String> {
    let ([old], [next]) = (old, next) else {
        return next.iter().map(described).collect();
    };
    let mut found = Vec::new();
    for (what, old, next) in [("device", &old.device, &next.device), ("type", &old.kind, &next.kind)] {
        if old != next {
            found.push(format!("{what} {} -> {}", shown(old), shown(next)));
        }
    }
    let removed = old.options.difference(&next.options).map(|option| format!("-{}", shown_option(option)));
    let added = next.options.difference(&old.options).map(|option| format!("+{}", shown_option(option)));
    let options: Vec<String> = removed.chain(added).collect();
    if !options.is_empty() {
        found.push(format!("options {}", options.join(" ")));
    }
    found
}

#[cfg(test)]
mod tests;
