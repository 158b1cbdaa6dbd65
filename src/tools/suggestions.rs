//! Names for the errors of any tool, from the search indexes that exist already. None is built for this, and none is waited
//! for.

use std::path::{Component, Path};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diagnostic::{Code, Diagnostic};
use crate::flake::Flake;
use crate::reading;
use crate::search::index::{HostOptionsSource, Index, IndexError, IndexStore, Package, PackageSource, Query};

/// Most names for one error.
const NAMES: usize = 5;
/// Most errors of one answer that get names.
const ERRORS: usize = 16;
/// Largest file of the flake that is read to see whether a name is looked up in `pkgs`.
const FILE: u64 = 1024 * 1024;

/// An error with the names of packages or options that its wrong name may stand for; unchanged if none is known.
pub(super) fn complete(flake: &Flake, error: Diagnostic) -> Diagnostic {
    let found = match names(flake, &error) {
        Ok(found) => found,
        Err(cause) => {
            tracing::debug!(%cause, "a search index gave no suggestions");
            Vec::new()
        }
    };
    if found.is_empty() { error } else { error.with_suggestions(found) }
}

/// An answer whose errors are [completed](complete).
pub(super) fn complete_within<T: Serialize + DeserializeOwned>(flake: &Flake, output: T) -> T {
    // An answer that cannot be written as JSON fails later, with an error.
    let Ok(mut value) = serde_json::to_value(&output) else { return output };
    let mut left = ERRORS;
    if complete_below(flake, &mut value, &mut left) {
        serde_json::from_value(value).unwrap_or(output)
    } else {
        output
    }
}

/// Whether an error in the value was changed.
fn complete_below(flake: &Flake, value: &mut Value, left: &mut usize) -> bool {
    let mut is_changed = false;
    match value {
        Value::Array(items) => {
            for item in items {
                is_changed |= complete_below(flake, item, left);
            }
        }
        Value::Object(fields) => {
            let has = |name: &str| fields.contains_key(name);
            if *left > 0
                && has("suggestions")
                && has("code")
                && has("attr")
                && let Ok(error) = serde_json::from_value::<Diagnostic>(Value::Object(fields.clone()))
                && is_about_a_name(&error)
            {
                *left -= 1;
                let before = error.suggestions.clone();
                let after = complete(flake, error).suggestions;
                if after != before {
                    fields.insert("suggestions".to_owned(), after.into());
                    is_changed = true;
                }
            }
            for field in fields.values_mut() {
                is_changed |= complete_below(flake, field, left);
            }
        }
        _ => {}
    }
    is_changed
}

fn is_about_a_name(error: &Diagnostic) -> bool {
    matches!(error.code, Code::UnknownOption | Code::UndefinedVariable | Code::MissingAttribute)
}

fn names(flake: &Flake, error: &Diagnostic) -> Result<Vec<String>, IndexError> {
    let Some(name) = error.attr.as_deref() else { return Ok(Vec::new()) };
    match error.code {
        Code::UnknownOption if error.said.as_deref().is_some_and(|said| said.contains("does not exist")) => {
            let Some(index) = IndexStore::new(flake).latest::<HostOptionsSource>(flake) else {
                return Ok(Vec::new());
            };
            let near = index.nearest(name, 2 * NAMES)?;
            let right = near.into_iter().filter(|option| !option.removed && option.target.is_none());
            Ok(right.map(|option| option.path).take(NAMES).collect())
        }
        Code::UndefinedVariable | Code::MissingAttribute if is_of_packages(flake, error, name) => {
            match packages(flake) {
                Some(index) => package_names(&index, name),
                None => Ok(Vec::new()),
            }
        }
        _ => Ok(Vec::new()),
    }
}

/// The packages with this main program, then those whose name is similar.
fn package_names(index: &Index<Package>, name: &str) -> Result<Vec<String>, IndexError> {
    let (matches, _) = index.find(&Query::new(name))?;
    let same = matches.into_iter().filter(|known| known.rank.tier <= 1).map(|known| known.entry);
    let mut names: Vec<String> = Vec::new();
    for package in same.chain(index.nearest(name, NAMES)?) {
        let attr = package.target.unwrap_or(package.attr);
        if !names.contains(&attr) && names.len() < NAMES {
            names.push(attr);
        }
    }
    Ok(names)
}

/// The index of the packages that the flake pins, or of those that it pinned before.
fn packages(flake: &Flake) -> Option<Index<Package>> {
    let source = PackageSource::of(flake).ok()?;
    let store = IndexStore::new(flake);
    let pinned = source.fixed_content().and_then(|content| store.open(&source, &content));
    pinned.or_else(|| store.latest::<PackageSource>(flake))
}

/// Whether the file that the error is in looks the name up in `pkgs`: by `with pkgs`, or as `pkgs.NAME` in that line.
fn is_of_packages(flake: &Flake, error: &Diagnostic, name: &str) -> bool {
    let Some(file) = error.file.as_deref().map(Path::new) else { return false };
    if !file.components().all(|part| matches!(part, Component::Normal(_))) {
        return false;
    }
    let Ok(text) = reading::text(&flake.settings().flake.join(file), FILE) else { return false };
    match error.code {
        Code::UndefinedVariable => text.contains("with pkgs"),
        _ => {
            let line = error.line.and_then(|line| usize::try_from(line).ok()?.checked_sub(1));
            let line = line.and_then(|line| text.lines().nth(line)).unwrap_or_default();
            line.contains(&format!("pkgs.{name}")) || line.contains(&format!("pkgs.\"{name}\""))
        }
    }
}
