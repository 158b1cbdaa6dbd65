//! Reads the packages of a pinned nixpkgs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::build::{BuildError, MOST, parse};
use super::database::{IndexWriter, OtherState, package_path};
use super::package::Package;
use super::walk_progress::WalkProgress;
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::{Answer, AskOptions, Flake, FlakeError, Instantiate, OtherFlake, Question, UnreadPart};
use crate::nix;
use crate::progress::{Call, Progress};
use crate::text;

/// Names of a set in one question: few enough that its answer is one line of Nix's log, and a failure costs little time.
const CHUNK: usize = 200;
/// Most names of a set that is read with the names of the set around it. Each round of questions evaluates nixpkgs anew.
const SMALL: usize = 400;
/// Memory of all processes together, in bytes. All of nixpkgs in one process takes about this much.
const MEMORY: u64 = 3 * 1024 * 1024 * 1024;
/// Most rounds of questions, each of which reads the large sets in the ones before, and the names behind a part in which too much
/// failed.
const ROUNDS: usize = 12;

/// The names of a package set.
#[derive(Deserialize)]
struct Names {
    /// The number of names.
    names: u64,
    /// Those that exist without aliases; `None` if that is unknown.
    genuine: Option<BTreeSet<String>>,
}

/// An attribute of a package set.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Entry {
    Package {
        package: Package,
    },
    /// A set of packages with this number of names.
    Set {
        at: Vec<String>,
        names: u64,
    },
    Thrown {
        at: Vec<String>,
    },
    Plain {
        at: Vec<String>,
    },
}

/// What nixpkgs' list of aliases says of a name.
#[derive(Deserialize)]
struct AliasEntry {
    name: String,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Names of a package set that are read with one question.
struct Chunk {
    /// The path of the set.
    path: Vec<String>,
    /// The place of the first name in the set.
    from: u64,
    /// Only the names behind this one are read; empty for all.
    after: String,
}

impl Chunk {
    /// The chunks of a set with this number of names.
    fn all(path: &[String], names: u64) -> impl Iterator<Item = Self> {
        (0..names).step_by(CHUNK).map(|from| Self { path: path.to_vec(), from, after: String::new() })
    }

    /// The names of this chunk behind a part in which too much failed, if the part is a set of its own or the chunk is of the top.
    /// `None` if the names of this very set fail one after the other, because each costs an evaluation.
    fn behind(&self, part: &UnreadPart) -> Option<Self> {
        let name = part.part.first().filter(|_| part.rest)?;
        let is_inside = package_path(part).len() > 1;
        (is_inside || self.path.is_empty()).then(|| Self {
            after: name.to_string(),
            path: self.path.clone(),
            ..*self
        })
    }
}

/// A walk over nixpkgs in chunks, which bound the memory of each process.
pub(super) struct PinnedWalk<'a> {
    flake: &'a Flake,
    other_flake: &'a OtherFlake,
    writer: &'a mut IndexWriter<Package>,
    has_fetched: bool,
    /// The packages that aliases stand for.
    targets: HashMap<String, String>,
}

impl<'a> PinnedWalk<'a> {
    pub(super) fn new(
        flake: &'a Flake,
        other_flake: &'a OtherFlake,
        writer: &'a mut IndexWriter<Package>,
    ) -> Self {
        Self { flake, other_flake, writer, has_fetched: false, targets: HashMap::new() }
    }

    /// Writes the packages. Returns whether Nix fetched something.
    ///
    /// # Errors
    /// See [`BuildError`].
    pub(super) async fn run(mut self, call: &Call) -> Result<bool, BuildError> {
        let root = vec!["legacyPackages".to_owned(), nix::system().to_owned()];
        let options = AskOptions {
            other_flake: Some(self.other_flake),
            memory: Some(MEMORY),
            ..AskOptions::new("parts of nixpkgs", Instantiate::Never)
        };
        let questions = vec![
            Question::new(root.clone(), "package_names"),
            Question::new(root.clone(), "package_aliases"),
        ];
        // Nix fetches nixpkgs itself here, which hides no package.
        let mut answers = self.flake.ask_with(&options, questions, call).await?.answers.into_iter();
        let Names { names, genuine } = match answers.next() {
            Some(Ok(answer)) => parse(answer.value)?,
            Some(Err(error)) => return Err(FlakeError::Evaluation(Box::new(error)).into()),
            None => Names { names: 0, genuine: None },
        };
        match answers.next() {
            Some(Ok(answer)) => self.read_aliases(answer.value)?,
            // Without the list, a search evaluates the name that it is asked for.
            Some(Err(error)) => self.writer.add_unread(&UnreadPart::new(["aliases"], error))?,
            None => {}
        }
        let progress = Arc::new(WalkProgress::new(Arc::clone(&call.progress)));
        let call = &Call { progress: Arc::clone(&progress) as Arc<dyn Progress>, ..call.clone() };
        let mut count = 0;
        let mut chunks: Vec<Chunk> = Chunk::all(&[], names).collect();
        for _ in 0..ROUNDS {
            if chunks.is_empty() {
                break;
            }
            let asked = std::mem::take(&mut chunks);
            let questions: Vec<Question> = asked
                .iter()
                .map(|Chunk { path, from, after }| {
                    let attribute = root.iter().chain(path).cloned();
                    let slice = json!({ "from": from, "most": CHUNK, "small": SMALL, "after": after });
                    Question::new(attribute, "package_index").with(slice).large()
                })
                .collect();
            let parts = questions.len() as u64;
            progress.begin_round(parts);
            let round = self.flake.ask_with(&options, questions, call).await?;
            progress.end_round(parts);
            self.has_fetched |= round.has_fetched;
            for (chunk, answer) in asked.into_iter().zip(round.answers) {
                match answer {
                    Ok(mut answer) => {
                        for part in &mut answer.unread {
                            if let Some(behind) = chunk.behind(part) {
                                // Of a part inside, the rest of its own set stays unread.
                                part.rest = package_path(part).len() > 1;
                                chunks.push(behind);
                            }
                        }
                        count += self.add(&chunk.path, answer, genuine.as_ref(), &mut chunks)?;
                    }
                    Err(error) => self.writer.add_unread(&UnreadPart::new(chunk.path, error))?,
                }
                if count > MOST {
                    return Err(BuildError::TooMany);
                }
            }
        }
        for Chunk { path, after, .. } in chunks {
            let message = format!("not read, because too much in {} failed", text::word(&path.join(".")));
            let part = path.into_iter().chain([after]);
            let error = Diagnostic::new(Code::EvaluationFailed, message);
            self.writer.add_unread(&UnreadPart { rest: true, ..UnreadPart::new(part, error) })?;
        }
        Ok(self.has_fetched)
    }

    fn read_aliases(&mut self, value: serde_json::Value) -> Result<(), BuildError> {
        for AliasEntry { name, target, message } in parse::<Vec<AliasEntry>>(value)? {
            if let Some(target) = target {
                self.targets.insert(name, target);
            } else if let Some(message) = message {
                self.writer.add_other(&name, OtherState::Removed, Some(&message))?;
            }
        }
        Ok(())
    }

    /// Adds the answer about some names of the set at `path`. Those of the sets in it are added to `chunks`. Returns the number of
    /// packages.
    fn add(
        &mut self,
        path: &[String],
        answer: Answer,
        genuine: Option<&BTreeSet<String>>,
        chunks: &mut Vec<Chunk>,
    ) -> Result<u64, BuildError> {
        let below = |at: &[String]| path.iter().chain(at).map(String::as_str).collect::<Vec<_>>().join(".");
        let mut count = 0;
        for entry in parse::<Vec<Entry>>(answer.value)? {
            match entry {
                Entry::Package { package } => {
                    let top = path.first().map_or(package.attr.as_str(), String::as_str);
                    let top = top.split('.').next().unwrap_or_default();
                    let alias = genuine.is_some_and(|genuine| !genuine.contains(top));
                    let attr = below(std::slice::from_ref(&package.attr));
                    count += 1;
                    let target = self.targets.get(&attr).cloned();
                    self.writer.add(&Package { attr, alias, target, ..package })?;
                }
                Entry::Set { at, names } => {
                    self.writer.add_other(&below(&at), OtherState::Plain, None)?;
                    let path: Vec<String> = path.iter().cloned().chain(at).collect();
                    chunks.extend(Chunk::all(&path, names));
                }
                Entry::Thrown { at } => self.writer.add_other(&below(&at), OtherState::Removed, None)?,
                Entry::Plain { at } => self.writer.add_other(&below(&at), OtherState::Plain, None)?,
            }
        }
        for part in answer.unread {
            let part = path.iter().rev().fold(part, |part, name| part.below(name));
            self.writer.add_unread(&part)?;
        }
        Ok(count)
    }
}
