//! The answer about the name of a package.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Exact, Replacement, Status, error_text, message};
use crate::diagnostic::Code;
use crate::flake::{AskOptions, Flake, FlakeError, Instantiate, Question};
use crate::nix;
use crate::progress::Call;
use crate::search::index::{Index, IndexError, OtherState, Package, PackageSets, PackageSource, path_parts};

/// Most names in a message that are evaluated.
const REPLACEMENTS: usize = 3;

/// What an index tells of a name.
pub enum PackageVerdict {
    /// The answer.
    Known(Exact),
    /// nixpkgs replaces the attribute at this path by an error with this message; `None` if only evaluating it tells.
    Removed(Vec<String>, Option<String>),
    /// It may be in a set that the index does not have, or could not be read while the index was built.
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
            Some((OtherState::Plain, _)) if !index.has_below(&above.join(".").to_lowercase())? => {
                return Ok(PackageVerdict::Unindexed(path));
            }
            _ => {}
        }
    }
    if index.is_unread(&path)? {
        return Ok(PackageVerdict::Unindexed(path));
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
    let found: Result<Vec<Member>, String> = flake
        .remembered(&format!("package {:?} {path:?}", source.hash), call, |flake| async move {
            let mut round = flake.ask_with(&options, vec![question], call).await?;
            Ok(match round.answers.pop() {
                Some(Ok(mut answer)) => match answer.unread.pop() {
                    Some(part) => Err(part.error.full_text()),
                    // The set may be no set.
                    None => Ok(serde_json::from_value(answer.value).unwrap_or_default()),
                },
                // The set itself is missing.
                Some(Err(error)) if matches!(error.code, Code::MissingAttribute | Code::UnknownOutput) => {
                    Ok(Vec::new())
                }
                Some(Err(error)) => Err(error.full_text()),
                None => Ok(Vec::new()),
            })
        })
        .await?;
    let members = match found {
        Ok(members) => members,
        Err(error) => return Ok((Exact::with_message(Status::Fails, error), None)),
    };
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
