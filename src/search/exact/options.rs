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
    let mut exact = Exact::new(Status::Missing);
    if let Some(above) = index.above(&path)? {
        let kind = above.kind.as_deref().map(|kind| format!(" ({})", text::line(kind, 80)));
        exact.message = Some(format!(
            "there is no option of this path; it lies below the option {}{}",
            text::line(&above.path, 120),
            kind.unwrap_or_default()
        ));
        return Ok((exact, Some(above)));
    }
    Ok((exact, None))
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
