//! The flake's lock file: its inputs, the content each is locked to, and which inputs follow others.
//!
//! The format is that of the Nix manual ("nix flake", "Lock files") and of `src/libflake/lockfile.cc`.

mod overrides;
mod reference;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::fingerprint;
use super::fingerprint::repository::is_untracked;
use crate::diagnostic::{Code, Diagnostic};
use crate::{reading, text};

pub use overrides::override_of;
pub use reference::{Reference, shown_reference};

/// The lock file's name, beside `flake.nix`.
pub(super) const LOCK: &str = "flake.lock";
/// Versions of the format that Nix and this module read.
const VERSIONS: RangeInclusive<u64> = 5..=7;
/// Most inputs of a flake, those of its inputs included. Large fleets have some hundred.
const INPUTS: usize = 10_000;
/// Most levels of inputs of inputs.
const STEPS: usize = 64;
/// Most inputs that are looked up to find the one that an input follows. A path may lead through inputs that follow others,
/// so without a limit a small file could take unlimited time.
const LOOKUPS: usize = 256;
/// Longest name of an input, in bytes. A name is repeated in the path of every input below it.
const NAME_BYTES: usize = 128;
/// Longest value of a flake reference, in bytes. Many inputs may share one reference, and the list of inputs repeats
/// it.
const VALUE_BYTES: usize = 4 * 1024;

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read, or is too large.
    #[error("{file} could not be read: {cause}")]
    Unread {
        file: String,
        /// The reason that the system gives.
        cause: io::Error,
    },
    /// It is valid, and has longer texts than this program reads.
    #[error("{file} exceeds a limit of this program: {problem}")]
    TooLong {
        file: String,
        /// The limit that it exceeds.
        problem: String,
    },
    /// It is not a valid lock file.
    #[error("{file} is not a valid lock file: {problem}")]
    Malformed {
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl From<&LockError> for Diagnostic {
    fn from(error: &LockError) -> Self {
        let hint = match error {
            LockError::Unread { .. } => {
                "check its permissions and size, or let Nix write it again (`nix flake lock`)"
            }
            LockError::TooLong { .. } => {
                "use a shorter name or flake reference in flake.nix, and lock it again (`nix flake lock`)"
            }
            LockError::Malformed { .. } => {
                "restore the committed file (`git checkout HEAD -- flake.lock`), or remove it and let Nix write it \
                 again (`nix flake lock`), which updates every input"
            }
        };
        Self::new(Code::LockFileOutdated, error.to_string()).with_hint(hint)
    }
}

/// A lock file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Lock {
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) root: String,
    version: u64,
}

/// An input's content, and its own inputs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Node {
    #[serde(default)]
    pub(super) inputs: BTreeMap<String, Edge>,
    /// Whether it is a flake, and not only files.
    #[serde(default = "yes")]
    pub(super) flake: bool,
    /// The content; `None` for the flake itself.
    pub locked: Option<Reference>,
    /// The reference in `flake.nix`; `None` for the flake itself.
    pub original: Option<Reference>,
    /// The path of the input that a relative path is resolved against.
    pub(super) parent: Option<Vec<String>>,
}

/// An input is a flake unless the lock file says otherwise.
fn yes() -> bool {
    true
}

impl Node {
    /// Whether the lock file pins it to one content. A relative path is a part of another input's content.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.parent.is_some() || self.locked.as_ref().is_none_or(Reference::is_pinned)
    }
}

/// The target of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Edge {
    /// The node with this name.
    Node(String),
    /// The input at this path from the flake; the flake itself if the path is empty.
    Follows(Vec<String>),
}

/// An input of the flake, or of one of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedInput<'a> {
    /// The names of the inputs from the flake to it.
    pub path: Vec<&'a str>,
    /// The path of the input that it follows, from the flake; empty if it follows the flake itself.
    pub follows: Option<&'a [String]>,
    /// Its content, or that of the input it follows; `None` if it follows one that does not exist.
    pub node: Option<&'a Node>,
}

impl Lock {
    /// The lock file in this folder; `None` if there is none.
    ///
    /// # Errors
    /// See [`LockError`].
    pub(super) fn in_folder(folder: &Path) -> Result<Option<Self>, LockError> {
        let path = folder.join(LOCK);
        let file = path.display().to_string();
        match reading::bytes_if_exists(&path, fingerprint::FLAKE) {
            Ok(text) => text.map(|text| Self::parse(&text, file)).transpose(),
            Err(cause) => Err(LockError::Unread { file, cause }),
        }
    }

    /// The lock file in this folder, as Nix sees it; `None` also if Git does not track it.
    ///
    /// # Errors
    /// See [`LockError`].
    pub(super) fn seen_in_folder(folder: &Path) -> Result<Option<Self>, LockError> {
        if is_untracked(folder, LOCK) { Ok(None) } else { Self::in_folder(folder) }
    }

    /// Reads the text of `file`.
    ///
    /// # Errors
    /// [`LockError::Malformed`].
    pub(super) fn parse(text: &[u8], file: String) -> Result<Self, LockError> {
        let lock = serde_json::from_slice::<Self>(text).map_err(|error| {
            // The message of serde is not used: it quotes the file, whose text is not trusted.
            format!("line {}, column {} does not have the form that Nix writes", error.line(), error.column())
        });
        let checked = lock.and_then(|lock| {
            if !VERSIONS.contains(&lock.version) {
                let (first, last) = (VERSIONS.start(), VERSIONS.end());
                return Err(format!(
                    "its version is {}; the supported versions are {first} to {last}",
                    lock.version
                ));
            }
            lock.check(&lock.root, 0, &mut 0)?;
            Ok(lock)
        });
        let lock = checked.map_err(|problem| LockError::Malformed { file: file.clone(), problem })?;
        match lock.check_lengths() {
            Ok(()) => Ok(lock),
            Err(problem) => Err(LockError::TooLong { file, problem }),
        }
    }

    /// Requires that every node below this one exists, and that they are a tree of bounded size.
    fn check(&self, name: &str, steps: usize, seen: &mut usize) -> Result<(), String> {
        let Some(node) = self.nodes.get(name) else {
            return Err(format!("it refers to a node {} that it does not have", text::word(name)));
        };
        *seen += node.inputs.len();
        if *seen > INPUTS {
            return Err(format!("it has more than {INPUTS} inputs"));
        }
        if steps > STEPS {
            return Err(format!(
                "its inputs are nested more than {STEPS} levels deep, at {}",
                text::word(name)
            ));
        }
        for edge in node.inputs.values() {
            if let Edge::Node(name) = edge {
                self.check(name, steps + 1, seen)?;
            }
        }
        Ok(())
    }

    /// Requires that texts are short: the list of inputs repeats them.
    fn check_lengths(&self) -> Result<(), String> {
        for node in self.nodes.values() {
            let followed = node.inputs.values().flat_map(|edge| match edge {
                Edge::Node(_) => [].iter(),
                Edge::Follows(path) => path.iter(),
            });
            if node.inputs.keys().chain(followed).any(|name| name.len() > NAME_BYTES) {
                return Err(format!("the name of an input has more than {NAME_BYTES} bytes"));
            }
            if node.inputs.values().any(|edge| matches!(edge, Edge::Follows(path) if path.len() > STEPS)) {
                return Err(format!("an input follows one that is nested more than {STEPS} levels deep"));
            }
            let references = [&node.locked, &node.original].into_iter().flatten();
            if references.map(Reference::longest_value).any(|bytes| bytes > VALUE_BYTES) {
                return Err(format!("a flake reference has a value of more than {VALUE_BYTES} bytes"));
            }
        }
        Ok(())
    }

    /// The flake's inputs, each before its own inputs, in the order of their names.
    #[must_use]
    pub fn inputs(&self) -> Vec<LockedInput<'_>> {
        let mut found = Vec::new();
        if let Some(root) = self.nodes.get(&self.root) {
            self.push_inputs(root, &[], &mut found);
        }
        found
    }

    fn push_inputs<'a>(&'a self, of: &'a Node, path: &[&'a str], found: &mut Vec<LockedInput<'a>>) {
        for (name, edge) in &of.inputs {
            let path = [path, &[name.as_str()]].concat();
            let node = self.node(edge, &mut { LOOKUPS });
            match edge {
                Edge::Follows(follows) => found.push(LockedInput { path, follows: Some(follows), node }),
                Edge::Node(_) => {
                    found.push(LockedInput { path: path.clone(), follows: None, node });
                    if let Some(node) = node {
                        self.push_inputs(node, &path, found);
                    }
                }
            }
        }
    }

    /// The content of the flake's own input of this name; `None` if there is no such input, or it follows one that does
    /// not exist.
    #[must_use]
    pub fn input(&self, name: &str) -> Option<&Node> {
        self.node(self.nodes.get(&self.root)?.inputs.get(name)?, &mut { LOOKUPS })
    }

    /// Whether the flake has an input of its own of this name.
    #[must_use]
    pub fn has_input(&self, name: &str) -> bool {
        self.nodes.get(&self.root).is_some_and(|root| root.inputs.contains_key(name))
    }

    /// The node of an input; `None` if there is none, or it takes more than `left` lookups to find it.
    fn node(&self, edge: &Edge, left: &mut usize) -> Option<&Node> {
        *left = left.checked_sub(1)?;
        let path = match edge {
            Edge::Node(name) => return self.nodes.get(name),
            Edge::Follows(path) => path,
        };
        let root = self.nodes.get(&self.root);
        path.iter().try_fold(root?, |node, name| self.node(node.inputs.get(name)?, left))
    }

    /// The names, in the lock file, of the inputs that are not pinned to one content, in order.
    #[must_use]
    pub fn unpinned(&self) -> Vec<String> {
        let unpinned = self.nodes.iter().filter(|(_, node)| !node.is_pinned());
        unpinned.map(|(name, _)| name.clone()).collect()
    }
}

/// Whether the lock file in this folder pins every input to one content. `false` if the file cannot be read.
pub(super) fn are_inputs_pinned(folder: &Path) -> bool {
    Lock::in_folder(folder).is_ok_and(|lock| lock.is_none_or(|lock| lock.unpinned().is_empty()))
}
