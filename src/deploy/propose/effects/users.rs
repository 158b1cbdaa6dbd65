//! Declared users and groups, from the file that NixOS's activation or userborn reads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::listing::{Content, SystemFiles};
use super::{Gaps, finished, named, shown};
use crate::deploy::plan::{EffectPart, ItemChanges};

/// `users-groups.json`, or `userborn.json`, which has fewer fields.
#[derive(Debug, Deserialize)]
struct Declared {
    users: Vec<User>,
    groups: Vec<Group>,
    #[serde(rename = "mutableUsers")]
    mutable_users: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct User {
    name: String,
    /// Every other property, such as `uid`, `shell` and `hashedPassword`.
    #[serde(flatten)]
    properties: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Group {
    name: String,
    gid: Option<i64>,
    #[serde(default)]
    members: Vec<String>,
}

/// The properties that are shown, with their names in a change.
const SHOWN: [(&str, &str); 8] = [
    ("uid", "uid"),
    ("group", "group"),
    ("shell", "shell"),
    ("home", "home"),
    ("homeMode", "home mode"),
    ("createHome", "creates home"),
    ("isSystemUser", "system user"),
    ("isNormal", "normal user"),
];
/// The properties of which only the fact that they differ is said.
const HIDDEN: [(&str, &str); 10] = [
    ("password", "password"),
    ("hashedPassword", "password"),
    ("hashedPasswordFile", "password file"),
    ("initialPassword", "initial password"),
    ("initialHashedPassword", "initial password"),
    ("description", "description"),
    ("expires", "expiry"),
    ("autoSubUidGidRange", "subordinate ids"),
    ("subUidRanges", "subordinate ids"),
    ("subGidRanges", "subordinate ids"),
];

/// The users and groups of a system by name.
struct Accounts {
    users: BTreeMap<String, BTreeMap<String, Value>>,
    groups: BTreeMap<String, Group>,
    mutable_users: Option<bool>,
}

impl Accounts {
    fn of(files: &SystemFiles) -> Result<Self, &'static str> {
        let text = match (files.content("userborn"), files.content("users")) {
            (Content::Text(text), _) | (Content::Absent, Content::Text(text)) => text,
            (Content::Unread(why), _) => return Err(why),
            (Content::Absent, _) if files.has_sysusers => {
                return Err("systemd-sysusers makes its users, which is not read");
            }
            (Content::Absent, Content::Unread(why)) => return Err(why),
            (Content::Absent, Content::Absent) => return Err("its activation names no list of users"),
        };
        let declared: Declared =
            serde_json::from_str(text).map_err(|_| "its list of users has an unknown form")?;
        Ok(Self {
            users: declared.users.into_iter().map(|user| (user.name, user.properties)).collect(),
            groups: declared.groups.into_iter().map(|group| (group.name.clone(), group)).collect(),
            mutable_users: declared.mutable_users,
        })
    }

    /// The groups that name the user as a member.
    fn groups_of(&self, user: &str) -> BTreeSet<&str> {
        let has = |group: &&Group| group.members.iter().any(|member| member == user);
        self.groups.values().filter(has).map(|group| group.name.as_str()).collect()
    }

    /// Members of a group that are no declared users.
    fn strangers<'g>(&self, group: &'g Group) -> BTreeSet<&'g str> {
        group.members.iter().map(String::as_str).filter(|member| !self.users.contains_key(*member)).collect()
    }
}

/// The changes to declared accounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AccountChanges {
    pub(super) users: Option<ItemChanges>,
    pub(super) groups: Option<ItemChanges>,
    pub(super) mutable_users: Option<bool>,
}

pub(super) fn compare(before: &SystemFiles, after: &SystemFiles, gaps: &mut Gaps) -> AccountChanges {
    let accounts = gaps.both(EffectPart::Users, Accounts::of(before), Accounts::of(after));
    let Some((before, after)) = accounts else { return AccountChanges::default() };
    let mutable_users =
        after.mutable_users.filter(|next| before.mutable_users.is_some_and(|old| old != *next));
    AccountChanges {
        users: finished(user_changes(&before, &after)),
        groups: finished(group_changes(&before, &after)),
        mutable_users,
    }
}

fn user_changes(before: &Accounts, after: &Accounts) -> ItemChanges {
    let mut changes = ItemChanges::default();
    for (name, properties) in &after.users {
        let groups = after.groups_of(name);
        match before.users.get(name) {
            None => changes.added.push(named(name, properties_of_added(properties, &groups))),
            Some(old) => {
                let mut found = property_changes(old, properties);
                found.extend(set_changes("groups", &before.groups_of(name), &groups));
                if !found.is_empty() {
                    changes.changed.push(named(name, found));
                }
            }
        }
    }
    let removed = before.users.keys().filter(|name| !after.users.contains_key(*name));
    changes.removed = removed.map(|name| shown(name)).collect();
    changes
}

fn group_changes(before: &Accounts, after: &Accounts) -> ItemChanges {
    let mut changes = ItemChanges::default();
    for (name, group) in &after.groups {
        let strangers = after.strangers(group);
        let Some(old) = before.groups.get(name) else {
            let mut found: Vec<String> = group.gid.map(|gid| format!("gid {gid}")).into_iter().collect();
            found.extend(set_changes("members", &BTreeSet::new(), &strangers));
            changes.added.push(named(name, found));
            continue;
        };
        let mut found = Vec::new();
        if old.gid != group.gid {
            found.push(format!("gid {} -> {}", number(old.gid), number(group.gid)));
        }
        found.extend(set_changes("members", &before.strangers(old), &strangers));
        if !found.is_empty() {
            changes.changed.push(named(name, found));
        }
    }
    let removed = before.groups.keys().filter(|name| !after.groups.contains_key(*name));
    changes.removed = removed.map(|name| shown(name)).collect();
    changes
}

fn number(id: Option<i64>) -> String {
    id.map_or_else(|| "automatic".to_owned(), |id| id.to_string())
}

/// What a person has to know of a new user.
fn properties_of_added(properties: &BTreeMap<String, Value>, groups: &BTreeSet<&str>) -> Vec<String> {
    let text = |key: &str| properties.get(key).filter(|value| !value.is_null()).map(text_of);
    let mut found = Vec::new();
    for key in ["uid", "group", "shell"] {
        found.extend(text(key).map(|value| format!("{key} {value}")));
    }
    if !groups.is_empty() {
        let names: Vec<String> = groups.iter().map(|name| shown(name)).collect();
        found.push(format!("groups {}", names.join(" ")));
    }
    for (key, name) in HIDDEN.iter().filter(|(_, name)| name.contains("password")) {
        let said = format!("{name} set");
        if text(key).is_some() && !found.contains(&said) {
            found.push(said);
        }
    }
    found
}

fn property_changes(old: &BTreeMap<String, Value>, next: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    // A field that only one of the two forms of the file has says nothing about a change.
    let pair = |key: &str| Some((old.get(key)?, next.get(key)?)).filter(|(old, next)| old != next);
    for (key, name) in SHOWN {
        found.extend(pair(key).map(|(old, next)| format!("{name} {} -> {}", text_of(old), text_of(next))));
    }
    for (key, name) in HIDDEN {
        let said = format!("{name} changed");
        if pair(key).is_some() && !found.contains(&said) {
            found.push(said);
        }
    }
    found
}

/// A value of the file as one word.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "automatic".to_owned(),
        Value::String(text) => shown(text),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => shown(&value.to_string()),
    }
}

fn set_changes(what: &str, old: &BTreeSet<&str>, next: &BTreeSet<&str>) -> Option<String> {
    let removed = old.difference(next).map(|name| format!("-{}", shown(name)));
    let names: Vec<String> =
        removed.chain(next.difference(old).map(|name| format!("+{}", shown(name)))).collect();
    (!names.is_empty()).then(|| format!("{what} {}", names.join(" ")))
}

#[cfg(test)]
mod tests;
