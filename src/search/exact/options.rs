//! The answer about the path of an option.

use super::{Exact, Replacement, Status, error_text, message};
use crate::flake::hosts::HOSTS;
use crate::flake::options::HostOption;
use crate::flake::{AskOptions, Flake, FlakeError, Instantiate, Question};
use crate::names::HostName;
use crate::progress::Call;
use crate::search::index::{Index, IndexError, path_parts};
use crate::text;

/// What an index of options tells of a path, and the option that it is about.
///
/// # Errors
/// See [`IndexError`].
pub fn option_answer(
    index: &Index<HostOption>,
    name: &str,
) -> Result<(Exact, Option<HostOption>), IndexError> {
    let path = path_parts(name);
    if let Some((_, option)) = index.meant_by(&path)?.into_iter().next() {
        let exact = match &option.target {
            _ if option.removed => Exact::new(Status::Removed),
            Some(target) => {
                let target = existing_target(index, &option, target)?;
                Exact { target: Some(target), ..Exact::new(Status::Alias) }
            }
            None => Exact::new(Status::Works),
        };
        return Ok((exact, Some(option)));
    }
    if index.has_below(&name.to_lowercase())? {
        return Ok((Exact::with_message(Status::Works, "this is a set of options"), None));
    }
    if let Some(above) = index.above(&path)? {
        let depth = path.len().saturating_sub(path_parts(&above.path).len());
        let kind = above.kind.as_deref().unwrap_or_default();
        let shown = text::line(&above.path, 120);
        let of_kind = if kind.is_empty() { String::new() } else { format!(" ({})", text::line(kind, 80)) };
        let exact = if takes_names(kind, depth) {
            Exact::with_message(
                Status::Works,
                format!("this is no option of its own, but a name that the option {shown}{of_kind} takes"),
            )
        } else {
            let message =
                format!("there is no option of this path; it lies below the option {shown}{of_kind}");
            Exact::with_message(Status::Missing, message)
        };
        return Ok((exact, Some(above)));
    }
    let known = (1..path.len()).rev().filter_map(|length| path.get(..length)).map(|part| part.join("."));
    for part in known {
        if index.has_below(&part.to_lowercase())? {
            let message =
                format!("there is no option of this path; {} has other options", text::line(&part, 120));
            return Ok((Exact::with_message(Status::Missing, message), None));
        }
    }
    Ok((Exact::new(Status::Missing), None))
}

/// Whether an option of this type takes any name, `depth` names below its path. The options of a submodule are entries of their
/// own, so what is no entry does not exist there.
fn takes_names(kind: &str, depth: usize) -> bool {
    const ANY: [&str; 6] =
        ["anything", "attribute set", "JSON value", "raw value", "TOML value", "unspecified value"];
    let mut inner = kind.trim_start_matches("null or ").trim_start_matches("lazy ");
    for _ in 0..depth {
        let bare = inner.trim_start_matches('(').trim_end_matches(')');
        let Some(of) =
            ["attribute set of ", "open submodule of "].iter().find_map(|set| bare.strip_prefix(set))
        else {
            return ANY.contains(&bare);
        };
        inner = of.trim_start_matches("null or ").trim_start_matches("lazy ");
    }
    true
}

/// The path of the option that another one stands for. The description of an option in a submodule names its target without
/// the path of the submodule.
fn existing_target(
    index: &Index<HostOption>,
    option: &HostOption,
    target: &str,
) -> Result<String, IndexError> {
    if index.entry(target)?.is_some() {
        return Ok(target.to_owned());
    }
    let own = path_parts(&option.path);
    for length in (1..own.len()).rev() {
        let inside = format!("{}.{target}", own.get(..length).unwrap_or_default().join("."));
        if index.entry(&inside)?.is_some() {
            return Ok(inside);
        }
    }
    Ok(target.to_owned())
}

/// The module's own words about an option that was removed; `None` if the option cannot be asked by its path.
///
/// # Errors
/// See [`FlakeError`].
pub async fn option_removal_message(
    flake: &Flake,
    host: &HostName,
    option: &HostOption,
    call: &Call,
) -> Result<Option<String>, FlakeError> {
    let path = path_parts(&option.path);
    if path.iter().any(|part| part == "<name>" || part == "*") {
        return Ok(None);
    }
    let mut attribute = vec![HOSTS.to_owned(), host.to_string(), "options".to_owned()];
    attribute.extend(path);
    let question = Question::new(attribute, "removal");
    let options = AskOptions::new("option", Instantiate::Never);
    error_text(flake, &format!("removal of option {host} {}", option.path), &options, question, call).await
}

/// The answer about a removed option with its module's words.
///
/// # Errors
/// See [`IndexError`].
pub fn removed_option(
    index: &Index<HostOption>,
    option: &HostOption,
    message: Option<String>,
) -> Result<Exact, IndexError> {
    let mut replacements = Vec::new();
    for name in message.iter().flat_map(|message| message::named(message, &option.path)) {
        if let Some(found) = index.entry(&name)?.filter(|found| !found.removed && found.target.is_none()) {
            let replacement = Replacement { attr: found.path, version: String::new() };
            if !replacements.contains(&replacement) {
                replacements.push(replacement);
            }
        }
    }
    Ok(Exact { message, replacements, ..Exact::new(Status::Removed) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_take_names_and_submodules_do_not() {
        for (kind, depth, takes) in [
            ("attribute set of string", 1, true),
            ("attribute set of string", 2, false),
            ("lazy attribute set of anything", 3, true),
            ("attribute set of (attribute set of string)", 2, true),
            ("open submodule of attribute set of (null or string)", 1, true),
            ("open submodule of (TOML value)", 4, true),
            ("null or (attribute set of string)", 1, true),
            ("attribute set", 2, true),
            ("attribute set of (submodule)", 1, true),
            ("attribute set of (submodule)", 2, false),
            ("submodule", 1, false),
            ("boolean", 1, false),
            ("", 1, false),
        ] {
            assert_eq!(takes_names(kind, depth), takes, "{kind} {depth}");
        }
    }
}
