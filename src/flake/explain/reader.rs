//! Turns the answer of the probe into texts.

use std::path::Path;

use serde_json::Value;

use super::answer::{Definition, Explanation, OptionFacts, Place, SetOption, SetOptions};
use super::data::{self, DataFiles};
use super::probed::{Probed, ProbedDefinition, ProbedPlace};
use super::value;
use crate::diagnostic::Code;
use crate::flake::UnreadPart;
use crate::flake::hosts::HOSTS;
use crate::names::{AttrPath, HostName, OptionPath};
use crate::nix::diagnostics::{FlakeFiles, SourceTree};
use crate::text;

/// Longest value, default or example, in characters.
const VALUE: usize = 1_200;
/// Longest value of a definition, or of an option below a prefix, in characters.
const SHORT_VALUE: usize = 200;
/// Longest description of a type, in characters.
const TYPE: usize = 400;

/// Names the files of an answer.
pub(in crate::flake) struct Places<'a> {
    files: FlakeFiles<'a>,
    /// The folders of inputs, each with a slash at its end, and the inputs' names.
    inputs: Vec<(String, String)>,
}

impl<'a> Places<'a> {
    /// The places in the flake `source`, whose `inputs` have these folders. `nixpkgs` is the folder of the host's nixpkgs, with
    /// a slash at its end, which has this name whatever the input is called.
    pub(in crate::flake) fn new(
        source: &'a SourceTree<'a>,
        nixpkgs: Option<String>,
        mut inputs: Vec<(String, String)>,
    ) -> Self {
        inputs.splice(0..0, nixpkgs.map(|folder| (folder, "nixpkgs".to_owned())));
        Self { files: FlakeFiles::new(source), inputs }
    }

    pub(in crate::flake) fn of(&self, place: &ProbedPlace) -> Place {
        let of_input = || {
            self.inputs.iter().find_map(|(folder, name)| {
                place.file.strip_prefix(folder.as_str()).map(|inside| format!("<{name}/{inside}>"))
            })
        };
        let own = self.files.path_in_flake(&place.file);
        let file = own.or_else(of_input).unwrap_or_else(|| self.files.display_name(&place.file));
        Place { file: text::line(&file, 300), line: place.line }
    }
}

/// Turns the answer of the probe into texts.
pub(super) struct Reader<'a> {
    pub(super) places: Places<'a>,
    pub(super) host: &'a HostName,
}

impl Reader<'_> {
    pub(super) fn prefix(&self, probed: Probed, mut unread: Vec<UnreadPart>) -> SetOptions {
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

    pub(super) fn option(&self, probed: Probed, mut unread: Vec<UnreadPart>, folder: &Path) -> Explanation {
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
