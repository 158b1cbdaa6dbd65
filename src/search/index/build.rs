//! Evaluates packages and options, and writes them to an index.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::json;

use super::database::{IndexError, IndexWriter};
use super::option::{is_meant_by, is_placeholder};
use super::package::Package;
use super::query::path_parts;
use super::walk::PinnedWalk;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::options::{HostOption, SetAt};
use crate::flake::set_values::SetValue;
use crate::flake::{Answer, AskOptions, Flake, FlakeError, Instantiate, OtherFlake, Question, UnreadPart};
use crate::names::{AttrPath, HostName, OptionPath};
use crate::nix;
use crate::progress::Call;
use crate::text;

/// Most packages. nixpkgs has about 130,000.
pub(super) const MOST: u64 = 1_000_000;
/// Most places of one option that are kept, such as virtual hosts that set the same option.
const PLACES: usize = 8;
/// The outputs of a flake that contain packages.
const OUTPUTS: [&str; 2] = ["packages", "legacyPackages"];

/// Why an index was not built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The packages or options could not be evaluated.
    #[error(transparent)]
    Flake(#[from] FlakeError),
    /// The index could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The flake has more packages than an index takes.
    #[error("the flake has more than {MOST} packages")]
    TooMany,
}

/// The packages to index.
#[derive(Clone, Debug)]
pub enum PackageSets {
    /// `legacyPackages` of another flake, with names that nixpkgs replaces by errors.
    Pinned(OtherFlake),
    /// The packages of the flake of the settings.
    Own,
}

/// A package in the answer of the probe `packages`.
#[derive(Deserialize)]
struct OwnPackage {
    #[serde(default)]
    thrown: bool,
    #[serde(flatten)]
    package: Package,
}

/// Writes these packages to an index. Returns whether Nix fetched something: a package may be missing because a download
/// failed.
///
/// # Errors
/// See [`BuildError`]. A package that cannot be read is noted in the index.
pub(super) async fn write_packages(
    writer: &mut IndexWriter<Package>,
    flake: &Flake,
    sets: &PackageSets,
    call: &Call,
) -> Result<bool, BuildError> {
    match sets {
        PackageSets::Pinned(other_flake) => PinnedWalk::new(flake, other_flake, writer).run(call).await,
        PackageSets::Own => write_own(writer, flake, call).await,
    }
}

/// Writes a host's options to an index. Returns as [`write_packages`].
///
/// # Errors
/// See [`BuildError`].
pub(super) async fn write_options(
    writer: &mut IndexWriter<HostOption>,
    flake: &Flake,
    host: &HostName,
    call: &Call,
) -> Result<bool, BuildError> {
    // An index without values is kept: whether one can be read says nothing about the options.
    let for_values = flake.watching_failures();
    // The values need the configuration, which takes longer than the options.
    let (mut found, values) = tokio::try_join!(flake.options(host, call), for_values.set_values(host, call))?;
    note_values(&mut found.options, values.set);
    for option in &found.options {
        writer.add(option)?;
    }
    for part in found.unread.iter().chain(&values.unread) {
        writer.add_unread(part)?;
    }
    Ok(found.has_fetched)
}

/// Notes in each option where the host sets it.
fn note_values(options: &mut [HostOption], values: Vec<SetValue>) {
    let mut by_path = HashMap::new();
    let mut with_placeholder: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, option) in options.iter().enumerate() {
        let parts = path_parts(&option.path);
        if parts.iter().any(|part| is_placeholder(part))
            && let Some(last) = parts.last()
        {
            with_placeholder.entry(last.clone()).or_default().push(index);
        }
        by_path.insert(parts, index);
    }
    for SetValue { at, priority, value } in values {
        let last = at.last().map(String::as_str).unwrap_or_default();
        // Of an option that is itself chosen by name, such as `environment.variables.<name>`, the last part is the placeholder.
        let similar =
            ["<name>", "*", last].into_iter().filter_map(|last| with_placeholder.get(last)).flatten();
        let found = by_path
            .get(&at)
            .or_else(|| {
                similar
                    .into_iter()
                    .find(|index| options.get(**index).is_some_and(|option| is_meant_by(option, &at)))
            })
            .copied();
        if let Some(option) = found.and_then(|index| options.get_mut(index))
            && option.set.len() < PLACES
        {
            option.set.push(SetAt { path: OptionPath::new(at).to_string(), priority, value });
        }
    }
}

/// Writes the packages of the flake itself. There are few, and none of them fails on purpose.
async fn write_own(
    writer: &mut IndexWriter<Package>,
    flake: &Flake,
    call: &Call,
) -> Result<bool, BuildError> {
    let mut known = BTreeSet::new();
    let mut has_fetched = false;
    // A question for each output, so that too many failures in one leave the other complete.
    for output in OUTPUTS {
        let argument = json!({ "output": output, "system": nix::system() });
        let question = Question::new::<&str>([], "packages").with(argument).large();
        let options = AskOptions::new("flake", Instantiate::No);
        let mut round = flake.ask_with(&options, vec![question], call).await?;
        has_fetched |= round.has_fetched;
        let answer = match round.answers.pop() {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Err(FlakeError::Evaluation(Box::new(error)).into()),
            None => Answer::default(),
        };
        for mut part in answer.unread {
            part.error.attr.get_or_insert_with(|| AttrPath::new(&part.part).to_string());
            writer.add_unread(&part)?;
        }
        for OwnPackage { thrown, package } in parse::<Vec<OwnPackage>>(answer.value)? {
            if thrown {
                writer.add_unread(&thrown_package(package.attr))?;
            } else if known.insert(package.attr.clone()) {
                writer.add(&package)?;
            } else {
                // Nix takes the attribute of the first output, so this one needs its whole path.
                let attr = format!("{output}.{}.{}", nix::system(), package.attr);
                writer.add(&Package { attr, ..package })?;
            }
        }
    }
    Ok(has_fetched)
}

/// The error of a package that throws. `tryEval` catches it without its message.
pub fn thrown_package(attr: String) -> UnreadPart {
    let message = format!("{} throws an error, fails an assertion, or is not a package", text::word(&attr));
    UnreadPart::new([attr.clone()], Diagnostic::new(Code::Throw, message).with_attr(attr))
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, FlakeError> {
    serde_json::from_value(value).map_err(|error| {
        FlakeError::Evaluation(Box::new(
            Diagnostic::new(Code::TypeMismatch, "the packages have unexpected types")
                .with_said(&error.to_string()),
        ))
    })
}
