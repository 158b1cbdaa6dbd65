//! Authorized keys, from `/etc/ssh/authorized_keys.d` (sshd(8), "AUTHORIZED_KEYS FILE FORMAT").

use std::collections::BTreeMap;

use super::listing::{Content, SystemFiles};
use super::{Gaps, bound, shown};
use crate::deploy::plan::{AuthorizedKey, EffectPart, KeyChanges};
use crate::deploy::propose::facts::fingerprint;

/// Beginnings of the types of keys.
const TYPES: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];

/// The keys of a system: what is shown of each, by user, key and options.
type Keys = BTreeMap<(String, String, String), AuthorizedKey>;

fn keys(files: &SystemFiles) -> Result<Keys, &'static str> {
    if let Some(why) = files.keys_problem {
        return Err(why);
    }
    let mut keys = Keys::new();
    for (user, content) in files.keys() {
        let text = match content {
            Content::Text(text) => text,
            Content::Unread(why) => return Err(why),
            Content::Absent => continue,
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (key, options) = parse(user, line).ok_or("a line with an authorized key is not valid")?;
            keys.insert((user.to_owned(), key.key.clone(), options), key);
        }
    }
    Ok(keys)
}

/// The key of a line, and its options.
fn parse(user: &str, line: &str) -> Option<(AuthorizedKey, String)> {
    let blob = line.split_ascii_whitespace().find(|word| word.starts_with("AAAA"))?;
    let (front, comment) = line.split_once(blob)?;
    let front = front.trim_end();
    let kind = front.split_ascii_whitespace().next_back()?;
    if !TYPES.iter().any(|beginning| kind.starts_with(beginning)) || !is_type(kind) {
        return None;
    }
    let options = front.strip_suffix(kind)?.trim();
    let key = AuthorizedKey {
        user: shown(user),
        key: format!("{kind} {}", fingerprint(line)?),
        comment: shown(comment.trim()),
        has_options: !options.is_empty(),
    };
    Some((key, options.to_owned()))
}

fn is_type(word: &str) -> bool {
    word.len() <= 60 && word.chars().all(|c| c.is_ascii_alphanumeric() || "-@.".contains(c))
}

pub(super) fn compare(before: &SystemFiles, after: &SystemFiles, gaps: &mut Gaps) -> Option<KeyChanges> {
    let (before, after) = gaps.both(EffectPart::Keys, keys(before), keys(after))?;
    let beyond = |these: &Keys, others: &Keys| -> Vec<AuthorizedKey> {
        these.iter().filter(|(id, _)| !others.contains_key(*id)).map(|(_, key)| key.clone()).collect()
    };
    let mut changes = KeyChanges {
        added: beyond(&after, &before),
        removed: beyond(&before, &after),
        ..KeyChanges::default()
    };
    changes.more = bound(&mut changes.added) + bound(&mut changes.removed);
    (changes != KeyChanges::default()).then_some(changes)
}

#[cfg(test)]
mod tests;
