//! Explains an option of a host: its value, and every definition of it.

mod data;
mod value;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::data::DataFiles;
use super::hosts::HOSTS;
use super::{AskOptions, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName, OptionPath};
use crate::nix::diagnostics::{FlakeFiles, SourceTree};
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
/// Longest value, default or example, in characters.
const VALUE: usize = 1_200;
/// Longest value of a definition, or of an option below a prefix, in characters.
const SHORT_VALUE: usize = 200;
/// Longest description of a type, in characters.
const TYPE: usize = 400;
/// Most names that a missing option may have been meant to be.
const NEAREST: usize = 4;
/// The sets that an option is often written without.
const COMMON_PREFIXES: [&str; 6] = ["services", "programs", "networking", "hardware", "boot", "security"];

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file: relative to the flake if it is inside, `<nixpkgs/…>` for a file of nixpkgs.
    pub file: String,
    /// Line in that file, from 1; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", text::word(&self.file))?;
        self.line.map_or(Ok(()), |line| write!(to, ":{line}"))
    }
}

/// Why the condition around a definition (`mkIf`) does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It is false.
    False,
    /// It throws an error.
    Throws,
}

/// A definition of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Definition {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Whether the value comes from it. Several definitions of one priority are merged.
    pub wins: bool,
    /// The lowest number wins: 50 is `mkForce`, 100 none, 1000 `mkDefault`, 1500 the option's default. `None` if it is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The value, shortened; `None` if it is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `None` if all conditions hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The option further out at which it lost, such as a whole set that another definition replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<String>,
    /// The line of a data file that has this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Place>,
}

/// What is known about an option of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Explanation {
    /// There is no such option.
    Missing {
        /// Names that exist and are similar.
        nearest: Vec<String>,
        /// The longest part of the path that exists; empty if none does.
        exists: String,
    },
    /// It was removed.
    Removed {
        /// nixpkgs's words.
        said: String,
    },
    /// It exists.
    Option(Box<OptionFacts>),
    /// Options begin with this path.
    Prefix(SetOptions),
}

/// An option, or a part of the value of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OptionFacts {
    /// Its path.
    pub option: String,
    /// Whether it is an alias of `option`, as `mkRenamedOptionModule` makes them.
    pub renamed: bool,
    /// Whether no module declares it, and it is of the type for undeclared options (`freeformType`).
    pub freeform: bool,
    /// Its value; `None` if it is not set, could not be read, or if the path has a placeholder.
    pub value: Option<String>,
    /// Whether it has a value.
    pub is_set: bool,
    /// Its type in words.
    pub kind: Option<String>,
    /// Its value if nobody sets it; `None` if it has no default.
    pub default: Option<String>,
    /// The expression that the documentation gives for the default.
    pub default_text: Option<String>,
    /// An example.
    pub example: Option<String>,
    /// Where it is declared.
    pub declared: Vec<Place>,
    /// Every definition, those that win first.
    pub definitions: Vec<Definition>,
    /// Whether definitions that do not win could be read.
    pub has_losers: bool,
    /// The parts that could not be read.
    pub unread: Vec<UnreadPart>,
}

/// The options below a prefix that are set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetOptions {
    /// The prefix.
    pub option: String,
    /// Those that are set, in order.
    pub set: Vec<SetOption>,
    /// Their number, with those beyond the limit.
    pub total: usize,
    /// The names right below the prefix.
    pub names: Vec<String>,
    /// The parts that could not be read.
    pub unread: Vec<UnreadPart>,
}

/// An option that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetOption {
    /// Its path.
    pub option: String,
    /// Its value, shortened; `None` if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The definition that decides, or the first of several.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Number of further definitions that decide.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub further: u64,
}

/// The answer of the probe.
#[derive(Deserialize)]
struct Probed {
    kind: String,
    #[serde(default)]
    at: Vec<String>,
    #[serde(default)]
    renamed: bool,
    #[serde(default)]
    nixpkgs: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    siblings: Vec<String>,
    #[serde(default)]
    total: usize,
    #[serde(default)]
    set: Vec<ProbedSet>,
    #[serde(default)]
    freeform: bool,
    #[serde(default)]
    has_losers: bool,
    #[serde(default, rename = "type")]
    type_text: Option<String>,
    #[serde(default)]
    declared: Vec<ProbedPlace>,
    #[serde(default)]
    default: Value,
    #[serde(default)]
    has_default: bool,
    #[serde(default)]
    default_text: Value,
    #[serde(default)]
    example: Value,
    #[serde(default)]
    has_example: bool,
    #[serde(default)]
    definitions: Vec<ProbedDefinition>,
    #[serde(default)]
    conditional: Vec<ProbedDefinition>,
    /// Empty if it has none.
    #[serde(default)]
    value: Vec<Value>,
}

#[derive(Clone, Deserialize)]
pub(super) struct ProbedPlace {
    file: String,
    #[serde(default)]
    line: Option<u32>,
}

#[derive(Deserialize)]
struct ProbedDefinition {
    #[serde(flatten)]
    place: ProbedPlace,
    wins: bool,
    #[serde(default)]
    priority: Option<i64>,
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    condition: Option<Condition>,
    #[serde(default)]
    lost_at: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ProbedSet {
    at: Vec<String>,
    #[serde(flatten)]
    place: Option<ProbedPlace>,
    #[serde(default)]
    more: u64,
    #[serde(default)]
    priority: Option<i64>,
    #[serde(default)]
    value: Option<Value>,
}

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
            let reader = Reader { places: Places::new(&source, probed.nixpkgs.clone()), host };
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

/// Names the files of an answer.
pub(super) struct Places<'a> {
    files: FlakeFiles<'a>,
    /// The folder of nixpkgs, with a slash at its end.
    nixpkgs: Option<String>,
}

impl<'a> Places<'a> {
    pub(super) fn new(source: &'a SourceTree<'a>, nixpkgs: Option<String>) -> Self {
        Self { files: FlakeFiles::new(source), nixpkgs }
    }

    pub(super) fn of(&self, place: &ProbedPlace) -> Place {
        let file = match self.files.path_in_flake(&place.file) {
            Some(own) => own,
            None => match self.nixpkgs.as_deref().and_then(|folder| place.file.strip_prefix(folder)) {
                Some(inside) => format!("<nixpkgs/{inside}>"),
                None => self.files.display_name(&place.file),
            },
        };
        Place { file: text::line(&file, 300), line: place.line }
    }
}

/// Turns the answer of the probe into texts.
struct Reader<'a> {
    places: Places<'a>,
    host: &'a HostName,
}

impl Reader<'_> {
    fn prefix(&self, probed: Probed, mut unread: Vec<UnreadPart>) -> SetOptions {
        self.set_attributes(&probed.at, &mut unread);
        let set = probed.set.into_iter().map(|row| SetOption {
            value: row
                .value
                .map(|shown| value::render(&shown, row.at.last().map_or("", String::as_str), SHORT_VALUE)),
            option: path_text(&row.at),
            place: row.place.as_ref().map(|place| self.places.of(place)),
            priority: row.priority,
            further: row.more,
        });
        SetOptions {
            set: set.collect(),
            option: path_text(&probed.at),
            total: probed.total,
            names: probed.names.iter().map(|name| path_text(std::slice::from_ref(name))).collect(),
            unread,
        }
    }

    fn option(&self, probed: Probed, mut unread: Vec<UnreadPart>, folder: &Path) -> Explanation {
        let removed = unread.iter().find(|part| {
            part.covers(["value"])
                && part.error.code == Code::UnknownOption
                && part.error.said.as_deref().is_some_and(|said| said.contains("been removed"))
        });
        if let Some(removed) = removed {
            return Explanation::Removed { said: removed.error.said.clone().unwrap_or_default() };
        }
        self.set_attributes(&probed.at, &mut unread);
        let name = probed.at.last().cloned().unwrap_or_default();
        let show = |shown: &Value, length: usize| value::render(shown, &name, length);
        let is_read = |part: &str| !unread.iter().any(|unread| unread.covers([part]));
        let declared: Vec<Place> = probed.declared.iter().map(|place| self.places.of(place)).collect();
        let default = (probed.has_default && is_read("default")).then(|| show(&probed.default, VALUE));
        let mut losers: Vec<&ProbedDefinition> = probed.conditional.iter().collect();
        // Those without a value are in modules of nixpkgs that are not in use.
        losers.sort_by_key(|loser| (loser.value.is_none(), loser.condition.is_some(), loser.priority));
        let mut data = None;
        let mut definitions: Vec<Definition> = probed
            .definitions
            .iter()
            .chain(losers)
            .map(|found| Definition {
                place: self.places.of(&found.place),
                wins: found.wins,
                priority: found.priority,
                value: found.value.as_ref().map(|shown| show(shown, SHORT_VALUE)),
                condition: found.condition,
                lost_at: found.lost_at.as_deref().map(path_text),
                data: self.data_place(found, &probed.at, folder, &mut data),
            })
            .collect();
        let shown = probed.value.first().filter(|shown| !value::is_unset(shown));
        let is_decided = probed.definitions.iter().any(|found| found.wins);
        if probed.has_default
            && probed.has_losers
            && !is_decided
            && shown.is_some()
            && let Some(place) = declared.first()
        {
            definitions.insert(
                0,
                Definition {
                    place: place.clone(),
                    wins: true,
                    priority: Some(1500),
                    value: Some(show(&probed.default, SHORT_VALUE)).filter(|_| default.is_some()),
                    condition: None,
                    lost_at: None,
                    data: None,
                },
            );
        }
        let text_of =
            |shown: &Value| Some(shown).filter(|shown| !shown.is_null()).map(|shown| show(shown, VALUE));
        Explanation::Option(Box::new(OptionFacts {
            option: path_text(&probed.at),
            renamed: probed.renamed,
            freeform: probed.freeform,
            value: shown.map(|shown| show(shown, VALUE)),
            is_set: shown.is_some() || !is_read("value"),
            kind: probed
                .type_text
                .as_deref()
                .map(|said| text::line(said, TYPE))
                .filter(|said| !said.is_empty()),
            default,
            default_text: text_of(&probed.default_text),
            example: (probed.has_example && is_read("example")).then(|| show(&probed.example, VALUE)),
            declared,
            definitions,
            has_losers: probed.has_losers,
            unread,
        }))
    }

    /// The line of a data file from which a definition in a file of the flake reads its value.
    fn data_place(
        &self,
        found: &ProbedDefinition,
        option: &[String],
        folder: &Path,
        files: &mut Option<DataFiles>,
    ) -> Option<Place> {
        let own = self.places.files.path_in_flake(&found.place.file)?;
        let known = value::plain(found.value.as_ref()?)?;
        let written =
            found.place.line.map(|line| data::lines_of(&folder.join(&own), line)).unwrap_or_default();
        let files = files.get_or_insert_with(|| DataFiles::below(folder));
        files.find(self.host.as_str(), option, &known, &written)
    }

    /// Names the option in the errors of its parts.
    fn set_attributes(&self, at: &[String], unread: &mut [UnreadPart]) {
        for part in unread {
            let path = [HOSTS, self.host.as_str(), "config"]
                .map(str::to_owned)
                .into_iter()
                .chain(at.iter().cloned());
            part.error.attr.get_or_insert_with(|| AttrPath::new(path).to_string());
        }
    }
}

fn path_text(names: &[String]) -> String {
    text::line(&OptionPath::new(names.iter().cloned()).to_string(), 400)
}
