//! Explains an option of a host: its value, and every definition of it.

mod answer;
mod data;
mod probed;
mod reader;
mod value;

use std::collections::BTreeSet;

use serde_json::json;

pub use self::answer::{Condition, Definition, Explanation, OptionFacts, Place, SetOption, SetOptions};
use self::probed::Probed;
pub(super) use self::probed::ProbedPlace;
pub(super) use self::reader::Places;
use self::reader::Reader;
use super::hosts::HOSTS;
use super::{AskOptions, Flake, FlakeError, Instantiate, Question};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, OptionPath};
use crate::progress::Call;
use crate::text;

/// A Nix function of `explain/`, with the files that it reads options with.
macro_rules! with_library {
    ($file:literal) => {
        concat!(
            "((",
            include_str!($file),
            ") ((",
            include_str!("explain/library.nix"),
            ") { values = (",
            include_str!("explain/values.nix"),
            "); definitions = (",
            include_str!("explain/definitions.nix"),
            "); modules = (",
            include_str!("explain/modules.nix"),
            "); paths = (",
            include_str!("explain/paths.nix"),
            "); set = (",
            include_str!("explain/set.nix"),
            "); places = (",
            include_str!("explain/places.nix"),
            "); }))"
        )
    };
}

pub(super) use with_library;

/// The probe: a function from the readers of parts, its argument and a host.
pub const EXPLAIN: &str = with_library!("explain/explain.nix");

/// Most options listed below a prefix.
const MOST_SET: usize = 1_000;
/// Most names that a missing option may have been meant to be.
const NEAREST: usize = 4;
/// The sets that an option is often written without.
const COMMON_PREFIXES: [&str; 6] = ["services", "programs", "networking", "hardware", "boot", "security"];

impl Flake {
    /// Explains an option of a host.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn explain_option(
        &self,
        host: &HostName,
        option: &OptionPath,
        call: &Call,
    ) -> Result<Explanation, FlakeError> {
        self.remembered(&format!("explain {host} {option}"), call, |flake| async move {
            call.report_message(format!("reading {} of {host}", text::word(&option.to_string())));
            let mut round = flake
                .ask_with(
                    &AskOptions::new("options", Instantiate::No),
                    vec![question(host, option.names(), false)],
                    call,
                )
                .await?;
            // A part may throw because a download failed.
            if round.has_fetched {
                flake.mark_transient();
            }
            let answer = match round.answers.pop() {
                Some(Ok(answer)) => answer,
                Some(Err(diagnostic)) => return flake.explain(host, diagnostic, call).await,
                None => return Err(unreadable("there is no answer")),
            };
            let probed: Probed =
                serde_json::from_value(answer.value).map_err(|error| unreadable(&error.to_string()))?;
            let source = flake.source();
            let reader =
                Reader { places: Places::new(&source, probed.nixpkgs.clone(), flake.input_folders()?), host };
            match probed.kind.as_str() {
                "missing" => {
                    let exists = OptionPath::new(probed.at.clone()).to_string();
                    drop(reader);
                    let nearest = flake.nearest_options(host, option, &probed, call).await?;
                    Ok(Explanation::Missing { nearest, exists })
                }
                "prefix" => Ok(Explanation::Prefix(reader.prefix(probed, answer.unread))),
                _ => Ok(reader.option(probed, answer.unread, source.folder)),
            }
        })
        .await
    }

    /// Options that exist and are similar to one that does not.
    async fn nearest_options(
        &self,
        host: &HostName,
        option: &OptionPath,
        probed: &Probed,
        call: &Call,
    ) -> Result<Vec<String>, FlakeError> {
        let (wrong, rest) = match probed.names.split_first() {
            Some((wrong, rest)) => (wrong.as_str(), rest),
            None => return Ok(Vec::new()),
        };
        let similar = text::nearest(wrong, probed.siblings.iter().map(String::as_str), NEAREST);
        let with = |name: &String| probed.at.iter().chain([name]).cloned().collect::<Vec<_>>();
        let mut tried: Vec<Vec<String>> = Vec::new();
        for name in &similar {
            let short = with(name);
            if !rest.is_empty() {
                tried.push(short.iter().chain(rest).cloned().collect());
            }
            tried.push(short);
        }
        if probed.at.is_empty() {
            let prefixes = COMMON_PREFIXES.iter().filter(|prefix| **prefix != wrong);
            tried.extend(prefixes.map(|prefix| {
                std::iter::once((*prefix).to_owned()).chain(option.names().iter().cloned()).collect()
            }));
        }
        if tried.is_empty() {
            return Ok(Vec::new());
        }
        let questions = tried.iter().map(|path| question(host, path, true)).collect();
        let round = self.ask_with(&AskOptions::new("options", Instantiate::No), questions, call).await?;
        let exists = |answer: &Result<super::Answer, Diagnostic>| {
            answer.as_ref().is_ok_and(|answer| answer.value["kind"] != "missing")
        };
        let found =
            tried.iter().zip(&round.answers).filter(|(_, answer)| exists(answer)).map(|(path, _)| path);
        let mut seen = BTreeSet::new();
        let mut nearest: Vec<String> = Vec::new();
        let mut whole: Vec<&Vec<String>> = found.collect();
        // Those with the rest of the path first.
        whole.sort_by_key(|path| path.len() < option.names().len());
        for path in whole {
            let shown = OptionPath::new(path.iter().cloned()).to_string();
            if seen.insert(shown.clone()) {
                nearest.push(shown);
            }
        }
        nearest.truncate(NEAREST);
        Ok(nearest)
    }
}

fn question(host: &HostName, path: &[String], only_kind: bool) -> Question {
    Question::in_parts([HOSTS, host.as_str()], EXPLAIN)
        .with(json!({ "path": path, "most": MOST_SET, "onlyKind": only_kind }))
        .large()
}

fn unreadable(said: &str) -> FlakeError {
    FlakeError::Evaluation(Box::new(
        Diagnostic::new(Code::TypeMismatch, "the options of the host have unexpected types").with_said(said),
    ))
}
