//! The answer to whether a name exists: it works, stands for another, was removed, or is missing.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::index::{
    Index, IndexError, OtherState, Package, PackageSets, PackageSource, excess_of, is_meant_by, path_parts,
};
use crate::flake::hosts::HOSTS;
use crate::flake::options::HostOption;
use crate::flake::{AskOptions, Flake, FlakeError, Instantiate, Question};
use crate::names::HostName;
use crate::nix;
use crate::progress::Call;
use crate::text;

mod message;

/// Most names in a message that are evaluated.
const REPLACEMENTS: usize = 3;

/// Whether a name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It exists.
    Works,
    /// It exists for old configurations and stands for another.
    Alias,
    /// It is replaced by an error.
    Removed,
    /// It does not exist.
    Missing,
}

/// A replacement that the message of a removal names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    pub attr: String,
    /// Empty if it has none.
    pub version: String,
}

impl From<&Package> for Replacement {
    fn from(package: &Package) -> Self {
        Self { attr: package.attr.clone(), version: package.version.clone() }
    }
}

/// The answer about one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact {
    pub status: Status,
    /// nixpkgs' or the module's own words about it, or what else is known.
    pub message: Option<String>,
    /// What an alias stands for; `None` if it is not known.
    pub target: Option<String>,
    pub replacements: Vec<Replacement>,
}

impl Exact {
    /// The answer about a name that exists.
    #[must_use]
    pub fn works() -> Self {
        Self::new(Status::Works)
    }

    fn new(status: Status) -> Self {
        Self { status, message: None, target: None, replacements: Vec::new() }
    }

    fn with_message(status: Status, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::new(status) }
    }
}

/// Whether a query may be the name of a package or an option: one word, in which only a part in quotes has other characters.
#[must_use]
pub fn is_name(query: &str) -> bool {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-+'./<>*:@".contains(character);
    let mut quoted = false;
    for character in query.chars() {
        quoted ^= character == '"';
        if !quoted && character != '"' && !plain(character) {
            return false;
        }
    }
    !query.is_empty() && !quoted
}

/// What an index tells of a name.
pub enum PackageVerdict {
    /// The answer.
    Known(Exact),
    /// nixpkgs replaces the attribute at this path by an error with this message; `None` if only evaluating it tells.
    Removed(Vec<String>, Option<String>),
    /// It may be in a set that the index does not have.
    Unindexed(Vec<String>),
}

/// What an index of packages tells of a name.
///
/// # Errors
/// See [`IndexError`].
pub fn package_verdict(index: &Index<Package>, name: &str) -> Result<PackageVerdict, IndexError> {
    if let Some(package) = index.entry(name)? {
        return Ok(PackageVerdict::Known(if package.alias {
            let target = match &package.target {
                Some(target) => Some(target.clone()),
                None => alias_target(index, &package)?,
            };
            Exact { target, ..Exact::new(Status::Alias) }
        } else {
            Exact::new(Status::Works)
        }));
    }
    let path = path_parts(name);
    for length in (1..=path.len()).rev() {
        let above = path.get(..length).unwrap_or_default();
        match index.other(&above.join("."))? {
            Some((OtherState::Removed, message)) => {
                return Ok(PackageVerdict::Removed(above.to_vec(), message));
            }
            Some((OtherState::Plain, _)) if length == path.len() => {
                let message = "this is a function, a value or a set of packages, not a package";
                return Ok(PackageVerdict::Known(Exact::with_message(Status::Works, message)));
            }
            // The index has no package of it, so it was not walked.
            Some((OtherState::Plain, _)) if !index.has_below(&above.join("."))? => {
                return Ok(PackageVerdict::Unindexed(path));
            }
            _ => {}
        }
    }
    Ok(PackageVerdict::Known(Exact::new(Status::Missing)))
}

/// The genuine attribute of the package that an alias has; `None` if none has the same metadata.
fn alias_target(index: &Index<Package>, alias: &Package) -> Result<Option<String>, IndexError> {
    let mut same: Vec<Package> = index
        .named(&alias.pname)?
        .into_iter()
        .filter(|package| !package.alias && package.is_same_package(alias))
        .collect();
    let leaf = |package: &Package| package.attr.rsplit('.').next().unwrap_or_default().to_owned();
    same.sort_by_key(|package| {
        (
            leaf(package) != package.pname,
            package.attr.matches('.').count(),
            package.attr.len(),
            package.attr.clone(),
        )
    });
    Ok(same.into_iter().next().map(|package| package.attr))
}

/// A member of a package set, as the probe `package_index` tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Member {
    Package { package: Box<Package> },
    Set {},
    Thrown {},
    Plain {},
    Missing {},
}

/// A package that no index has, with the answer about its name.
///
/// # Errors
/// See [`FlakeError`].
pub async fn look_up_package(
    flake: &Flake,
    source: &PackageSource,
    path: &[String],
    call: &Call,
) -> Result<(Exact, Option<Package>), FlakeError> {
    let missing = || (Exact::new(Status::Missing), None);
    let PackageSets::Pinned(other_flake) = &source.sets else { return Ok(missing()) };
    let Some((leaf, set)) = path.split_last() else { return Ok(missing()) };
    let mut attribute = vec!["legacyPackages".to_owned(), nix::system().to_owned()];
    attribute.extend(set.iter().cloned());
    let question = Question::new(attribute, "package_index").with(json!({ "names": [leaf] }));
    let options =
        AskOptions { other_flake: Some(other_flake), ..AskOptions::new("package", Instantiate::Never) };
    let members: Vec<Member> = flake
        .remembered(&format!("package {:?} {path:?}", source.hash), call, |flake| async move {
            let mut round = flake.ask_with(&options, vec![question], call).await?;
            match round.answers.pop() {
                // The set itself may be missing.
                Some(Ok(answer)) => Ok(serde_json::from_value(answer.value).unwrap_or_default()),
                Some(Err(_)) | None => Ok(Vec::new()),
            }
        })
        .await?;
    Ok(match members.into_iter().next() {
        Some(Member::Package { package }) => {
            let package = Package { attr: path.join("."), ..*package };
            (Exact::new(Status::Works), Some(package))
        }
        Some(Member::Set {} | Member::Plain {}) => {
            let message = "this is a function, a value or a set of packages, not a package";
            (Exact::with_message(Status::Works, message), None)
        }
        Some(Member::Thrown {}) => (
            Exact {
                message: removal_message(flake, source, path, call).await?,
                ..Exact::new(Status::Removed)
            },
            None,
        ),
        Some(Member::Missing {}) | None => missing(),
    })
}

/// nixpkgs' own words about an attribute that it replaces by an error; `None` if it does not fail.
///
/// # Errors
/// See [`FlakeError`].
pub async fn removal_message(
    flake: &Flake,
    source: &PackageSource,
    path: &[String],
    call: &Call,
) -> Result<Option<String>, FlakeError> {
    let PackageSets::Pinned(other_flake) = &source.sets else { return Ok(None) };
    let mut attribute = vec!["legacyPackages".to_owned(), nix::system().to_owned()];
    attribute.extend(path.iter().cloned());
    let options =
        AskOptions { other_flake: Some(other_flake), ..AskOptions::new("package", Instantiate::Never) };
    let question = format!("removal {:?} {path:?}", source.hash);
    error_text(flake, &question, &options, Question::new(attribute, "forced"), call).await
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

/// The text of the error that a question ends with.
async fn error_text(
    flake: &Flake,
    remembered_as: &str,
    options: &AskOptions<'_>,
    question: Question,
    call: &Call,
) -> Result<Option<String>, FlakeError> {
    flake
        .remembered(remembered_as, call, |flake| async move {
            let mut round = flake.ask_with(options, vec![question], call).await?;
            Ok(match round.answers.pop() {
                Some(Err(error)) => Some(error.said.unwrap_or(error.message)),
                Some(Ok(_)) | None => None,
            })
        })
        .await
}

/// The replacements of a package of a set that no index has: the members of the set that the message names.
///
/// # Errors
/// See [`FlakeError`].
pub async fn replacements_in_set(
    flake: &Flake,
    source: &PackageSource,
    path: &[String],
    message: &str,
    call: &Call,
) -> Result<Vec<Package>, FlakeError> {
    let mut found = Vec::new();
    let set = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
    for name in message::named(message, &path.join(".")).into_iter().take(REPLACEMENTS) {
        let inside: Vec<String> = set.iter().cloned().chain([name]).collect();
        found.extend(look_up_package(flake, source, &inside, call).await?.1);
    }
    Ok(found)
}

/// The answer about a removed package with nixpkgs' words: the attributes that they name are looked up in the index.
///
/// # Errors
/// See [`IndexError`].
pub fn removed_package(
    index: &Index<Package>,
    path: &[String],
    message: Option<String>,
) -> Result<Exact, IndexError> {
    let mut replacements = Vec::new();
    if let Some(message) = &message {
        let set = path.get(..path.len().saturating_sub(1)).unwrap_or_default();
        for name in message::named(message, &path.join(".")) {
            let inside = set.iter().map(String::as_str).chain([name.as_str()]).collect::<Vec<_>>().join(".");
            let found = match index.entry(&inside)? {
                Some(package) => Some(package),
                None => index.entry(&name)?,
            };
            if let Some(package) = found.filter(|package| !package.alias) {
                let replacement = Replacement::from(&package);
                if !replacements.contains(&replacement) {
                    replacements.push(replacement);
                }
            }
        }
    }
    Ok(Exact { message, replacements, ..Exact::new(Status::Removed) })
}

/// What an index of options tells of a path, and the option that it is about.
///
/// # Errors
/// See [`IndexError`].
pub fn option_answer(
    index: &Index<HostOption>,
    name: &str,
) -> Result<(Exact, Option<HostOption>), IndexError> {
    let path = path_parts(name);
    let Some(last) = path.last() else { return Ok((Exact::new(Status::Missing), None)) };
    let meant = match index.entry(name)? {
        Some(option) => Some(option),
        None => index.with_placeholder(last)?.into_iter().find(|option| is_meant_by(option, &path)),
    };
    if let Some(option) = meant {
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
    if index.has_below(name)? {
        return Ok((Exact::with_message(Status::Works, "this is a set of options"), None));
    }
    let mut exact = Exact::new(Status::Missing);
    if let Some(above) = option_above(index, &path)? {
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

/// The deepest option that a path lies below.
fn option_above(index: &Index<HostOption>, path: &[String]) -> Result<Option<HostOption>, IndexError> {
    for length in (1..path.len()).rev() {
        let Some(above) = path.get(..length) else { continue };
        let found = match index.entry(&above.join("."))? {
            Some(option) => Some(option),
            None => {
                let last = above.last().map(String::as_str).unwrap_or_default();
                let below = index.with_placeholder(last)?;
                below.into_iter().find(|option| excess_of(option, path) == Some(path.len() - length))
            }
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
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
