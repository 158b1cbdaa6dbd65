//! The flake as one commit has it: what a revision names, found once, and nothing that is not committed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::{LOCK, Lock, LockError};
use super::{Flake, git};
use crate::config::FILE_NAME;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::Rev;
use crate::nix::diagnostics::CommittedFlake;
use crate::nix::{self, NixError};
use crate::progress::Call;
use crate::text;

/// Most names of branches and tags looked at for near ones.
const NAMES: &str = "--count=5000";
/// Characters of an object's whole name: SHA-1, or SHA-256.
const LENGTHS: [usize; 2] = [40, 64];

/// A commit of the repository the flake lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its whole name.
    pub id: String,
    /// How it was asked for.
    pub asked: Rev,
    /// The flake's folder in it, as a path with a slash at its end; empty where it is the whole.
    below: String,
    flake: Vec<u8>,
    lock: Option<Vec<u8>>,
}

impl Commit {
    /// What tells its copy in the store from those of inputs.
    pub(super) fn committed(&self) -> CommittedFlake<'_> {
        CommittedFlake { subfolder: &self.below, flake: &self.flake, lock: self.lock.as_deref() }
    }

    /// Its flake.nix.
    pub(super) fn flake(&self) -> &[u8] {
        &self.flake
    }

    /// Its lock file; `None` if it has none.
    ///
    /// # Errors
    /// [`LockError::Malformed`].
    pub(super) fn lock(&self) -> Result<Option<Lock>, LockError> {
        let file = format!("{}{LOCK} of commit {}", self.below, self.id);
        self.lock.as_deref().map(|text| Lock::parse(text, file)).transpose()
    }
}

/// Why there is no such state of the flake.
#[derive(Debug, thiserror::Error)]
pub enum RevError {
    /// A folder that no repository holds has no commits.
    #[error("the flake in {} is in no Git repository, so there is no revision `{rev}` of it", folder.display())]
    NoRepository {
        /// The flake's folder.
        folder: PathBuf,
        /// What was asked for.
        rev: Rev,
    },
    /// Nothing has this name.
    #[error("the repository {} has no commit, branch or tag `{rev}`", root.display())]
    Unknown {
        /// The repository.
        root: PathBuf,
        /// What was asked for.
        rev: Rev,
        /// Branches and tags whose names are near it.
        nearest: Vec<String>,
    },
    /// A branch and a tag have this name, and are different commits.
    #[error("`{0}` is a branch and a tag, which are different commits")]
    Ambiguous(Rev),
    /// The commit has no flake where the flake is now.
    #[error("commit {commit} has no {file}")]
    NoFlake {
        /// The commit.
        commit: String,
        /// What is looked for in it.
        file: String,
    },
    /// An input of it is whatever lies somewhere, so the commit does not say what is built.
    #[error("flake.lock of commit {0} does not pin every input to one content")]
    Unpinned(String),
    /// Its lock file does not tell the inputs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Settings beside the flake that are not committed would decide what is done with what is.
    #[error(
        "{} says something about hosts, and is not as in commit {commit}, so a plan of that commit would hold what is not \
         committed", file.display()
    )]
    Settings {
        /// The commit.
        commit: String,
        /// The file.
        file: PathBuf,
    },
    /// Git did not answer.
    #[error("git did not say what `{rev}` is")]
    Git {
        /// What was asked for.
        rev: Rev,
        /// What it said instead.
        said: String,
    },
    /// The call was taken back, or Git took too long.
    #[error(transparent)]
    Nix(#[from] NixError),
}

impl From<&RevError> for Diagnostic {
    fn from(error: &RevError) -> Self {
        let said = match error {
            RevError::Git { said, .. } => said,
            _ => "",
        };
        let about = |code| Self::new(code, error.to_string()).with_said(said).with_attr("rev");
        match error {
            RevError::NoRepository { .. } => about(Code::InvalidInput)
                .with_hint("leave `rev` out, or make it a repository (`git init`) and commit the flake"),
            RevError::Unknown { nearest, .. } => {
                about(Code::InvalidInput).with_suggestions(nearest.clone()).with_hint(
                    "`git branch --all` and `git tag` name what there is; what is elsewhere is fetched first \
                     (`git fetch`), also where a clone is shallow",
                )
            }
            RevError::Ambiguous(rev) => about(Code::InvalidInput)
                .with_suggestions([format!("refs/heads/{rev}"), format!("refs/tags/{rev}")])
                .with_hint("write it out"),
            RevError::NoFlake { .. } => about(Code::FlakeNotFound)
                .with_hint("name a commit that has the flake where it is now"),
            RevError::Unpinned(_) => about(Code::LockFileOutdated).with_hint(
                "commit what such an input points to, lock it anew (`nix flake update INPUT`), and commit flake.lock",
            ),
            RevError::Lock(error) => Self::from(error).with_attr("rev"),
            RevError::Settings { .. } => about(Code::InvalidSettings).with_hint(
                "commit it, or plan without `rev`; what is about this machine alone belongs in your own settings",
            ),
            RevError::Git { .. } => about(Code::GitFailed)
                .with_hint("try `git status` in the flake's folder: the repository may be damaged, or another user's"),
            RevError::Nix(error) => error.into(),
        }
    }
}

/// The repository of a flake, asked for one revision.
struct RevisionLookup<'a> {
    root: &'a Path,
    rev: &'a Rev,
    call: &'a Call,
}

impl RevisionLookup<'_> {
    /// What Git prints; `None` where it says no.
    async fn git(&self, arguments: &[&str]) -> Result<Option<Vec<u8>>, RevError> {
        match git::ask(self.root, arguments, self.call).await? {
            git::GitReply::Printed(printed) => Ok(Some(printed)),
            git::GitReply::Absent => Ok(None),
            git::GitReply::Failed(said) => {
                Err(RevError::Git { rev: self.rev.clone(), said: text::bounded(&said, 300) })
            }
        }
    }

    /// The commit that this names.
    async fn commit(&self, name: &str) -> Result<Option<String>, RevError> {
        let wanted = format!("{name}^{{commit}}");
        let printed = self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).await?;
        let id = printed.map(|printed| String::from_utf8_lossy(&printed).trim().to_owned());
        let is_whole = |id: &String| LENGTHS.contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(id.filter(is_whole))
    }

    /// Branches and tags with names near what was asked for.
    async fn nearest(&self) -> Result<Vec<String>, RevError> {
        let arguments =
            ["for-each-ref", NAMES, "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"];
        let printed = self.git(&arguments).await?.unwrap_or_default();
        let names = String::from_utf8_lossy(&printed).into_owned();
        // What no call can name is no suggestion.
        let names = names.lines().filter(|name| name.parse::<Rev>().is_ok());
        Ok(text::nearest(self.rev.as_str(), names, 3))
    }

    /// A file of a commit; `None` where it has none there.
    async fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, RevError> {
        // `cat-file` alone says that there is none in words, as it says all else.
        let listed = self.git(&["ls-tree", "-z", "--full-tree", commit, "--", path]).await?;
        let listed = String::from_utf8_lossy(&listed.unwrap_or_default()).into_owned();
        match listed.split(['\t', ' ']).collect::<Vec<_>>().as_slice() {
            [_, "blob", object, ..] => self.git(&["cat-file", "blob", object]).await,
            _ => Ok(None),
        }
    }
}

impl Flake {
    /// The flake as it is in the commit that `rev` names now; without one, as it lies in its folder.
    ///
    /// # Errors
    /// See [`RevError`].
    pub async fn at(&self, rev: Option<&Rev>, call: &Call) -> Result<Self, RevError> {
        let Some(rev) = rev else { return Ok(self.clone()) };
        let folder = &self.settings().flake;
        let Some(root) = nix::repository_root(folder) else {
            return Err(RevError::NoRepository { folder: folder.clone(), rev: rev.clone() });
        };
        let lookup = RevisionLookup { root, rev, call };
        let Some(id) = lookup.commit(rev.as_str()).await? else {
            let nearest = lookup.nearest().await?;
            return Err(RevError::Unknown { root: root.to_owned(), rev: rev.clone(), nearest });
        };
        let (branch, tag) = (format!("refs/heads/{rev}"), format!("refs/tags/{rev}"));
        if let (Some(branch), Some(tag)) = (lookup.commit(&branch).await?, lookup.commit(&tag).await?)
            && branch != tag
            && !id.starts_with(rev.as_str())
        {
            return Err(RevError::Ambiguous(rev.clone()));
        }
        let below = folder.strip_prefix(root).map(|below| below.to_string_lossy().into_owned());
        let below = below.ok().filter(|below| !below.is_empty()).map(|below| below + "/").unwrap_or_default();
        let file = format!("{below}flake.nix");
        let Some(text) = lookup.file(&id, &file).await? else {
            return Err(RevError::NoFlake { commit: id, file });
        };
        let lock = lookup.file(&id, &format!("{below}{LOCK}")).await?;
        let commit = Commit { id, asked: rev.clone(), below, flake: text, lock };
        if commit.lock()?.is_some_and(|lock| !lock.unpinned().is_empty()) {
            return Err(RevError::Unpinned(commit.id));
        }
        Ok(Self { at: Some(Arc::new(commit)), ..self.clone() })
    }

    /// The commit it is looked at as; `None` where it is as it lies in its folder.
    #[must_use]
    pub fn commit_asked_for(&self) -> Option<&Commit> {
        self.at.as_deref()
    }

    /// Says that what the file beside the flake says about hosts is as committed as the flake that is looked at.
    ///
    /// # Errors
    /// [`RevError::Settings`], and what asking Git gives.
    pub async fn require_committed_hosts(&self, call: &Call) -> Result<(), RevError> {
        let (Some(commit), Some(root)) = (&self.at, nix::repository_root(&self.settings().flake)) else {
            return Ok(());
        };
        let file = self.settings().flake.join(FILE_NAME);
        // What counts is what was read, whatever lies there by now.
        let now = self.settings().flake_settings_text.as_deref().map(str::as_bytes);
        let lookup = RevisionLookup { root, rev: &commit.asked, call };
        let then = lookup.file(&commit.id, &format!("{}{FILE_NAME}", commit.below)).await?;
        if now == then.as_deref() || hosts(now) == hosts(then.as_deref()) {
            return Ok(());
        }
        Err(RevError::Settings { commit: commit.id.clone(), file })
    }
}

/// What a file of settings says about hosts.
fn hosts(text: Option<&[u8]>) -> Option<toml::Value> {
    let text = std::str::from_utf8(text?).ok()?;
    text.parse::<toml::Table>().ok()?.remove("hosts")
}
