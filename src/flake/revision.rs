//! The flake at a commit. A revision is resolved once, and only committed files are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::{LOCK, Lock, LockError};
use super::{Flake, git};
use crate::advice::{Hint, Remedy};
use crate::config::FILE_NAME;
use crate::diagnostic::{Code, Diagnostic};
use crate::names::Rev;
use crate::nix::diagnostics::CommittedFlake;
use crate::nix::{self, NixError};
use crate::progress::Call;
use crate::text;

/// Limits the branches and tags that are compared for similar names.
const NAMES: &str = "--count=5000";
/// Length of a full object id in characters: SHA-1 and SHA-256.
const LENGTHS: [usize; 2] = [40, 64];

/// A commit of the flake's repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its full object id.
    pub id: String,
    /// The revision that was asked for.
    pub asked: Rev,
    /// The flake's folder in the repository, with a slash at its end; empty if it is the root.
    below: String,
    flake: Vec<u8>,
    lock: Option<Vec<u8>>,
}

impl Commit {
    /// The files that identify its copy in the store among those of inputs.
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

/// Why the flake is not available at a revision.
#[derive(Debug, thiserror::Error)]
pub enum RevError {
    /// The flake is in no Git repository.
    #[error("the flake in {} is not in a Git repository, so it has no revision `{rev}`", folder.display())]
    NoRepository {
        /// The flake's folder.
        folder: PathBuf,
        /// The revision.
        rev: Rev,
    },
    /// There is no commit, branch or tag with this name.
    #[error("the repository {} has no commit, branch or tag `{rev}`", root.display())]
    Unknown {
        /// The repository.
        root: PathBuf,
        /// The revision.
        rev: Rev,
        /// Branches and tags with similar names.
        nearest: Vec<String>,
    },
    /// A branch and a tag with this name are different commits.
    #[error("`{0}` is the name of a branch and of a tag, which are different commits")]
    Ambiguous(Rev),
    /// The commit has no `flake.nix` in the flake's present folder.
    #[error("commit {commit} has no {file}")]
    NoFlake {
        /// The commit.
        commit: String,
        /// The path in the commit.
        file: String,
    },
    /// An input is not pinned to one content, so the commit does not determine what is built.
    #[error("flake.lock of commit {0} does not pin every input to one content")]
    Unpinned(String),
    /// An input is replaced by a reference that is not pinned to one content.
    #[error("the input {0} is replaced by a flake that is not pinned to one content")]
    UnpinnedOverride(String),
    /// Its lock file cannot be read.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The settings of hosts in the file beside the flake differ from those in the commit.
    #[error(
        "the settings of hosts in {} differ from those in commit {commit}, so a plan for that commit would contain \
         uncommitted settings", file.display()
    )]
    Settings {
        /// The commit.
        commit: String,
        file: PathBuf,
    },
    /// Git failed.
    #[error("git failed to look up `{rev}`")]
    Git {
        /// The revision.
        rev: Rev,
        /// What it printed to standard error.
        said: String,
    },
    /// The call was cancelled, or Git took too long.
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
                .with_hint(
                Hint::from(Remedy::OmitRev).and_text(", or make the folder a repository (`git init`) and commit the flake"),
            ),
            RevError::Unknown { nearest, .. } => {
                about(Code::InvalidInput).with_suggestions(nearest.clone()).with_hint(
                    "`git branch --all` and `git tag` list the branches and tags; fetch a commit that is only in \
                     another repository, or missing from a shallow clone, with `git fetch`",
                )
            }
            RevError::Ambiguous(rev) => about(Code::InvalidInput)
                .with_suggestions([format!("refs/heads/{rev}"), format!("refs/tags/{rev}")])
                .with_hint("give the full name of the branch or of the tag"),
            RevError::NoFlake { .. } => about(Code::FlakeNotFound)
                .with_hint("name a commit in which the flake is in its present folder"),
            RevError::Unpinned(_) => about(Code::LockFileOutdated).with_hint(
                "commit the source of each such input, lock it again (`nix flake update INPUT`), and commit flake.lock",
            ),
            RevError::UnpinnedOverride(_) => about(Code::InvalidSettings)
                .with_hint("name a commit in the reference of `--override-input`, or leave `rev` out"),
            RevError::Lock(error) => Self::from(error)
                .with_attr("rev")
                .with_hint("name another commit: the lock file of this one cannot be used"),
            RevError::Settings { .. } => about(Code::InvalidSettings).with_hint(
                Remedy::OmitRev
                    .after("commit the file, or ")
                    .and_text("; put settings that are only for this machine into your own settings"),
            ),
            RevError::Git { .. } => about(Code::GitFailed)
                .with_hint("run `git status` in the flake's folder: the repository may be damaged, or may belong to \
                    another user"),
            RevError::Nix(error) => error.into(),
        }
    }
}

/// Looks a revision up in the flake's repository.
struct RevisionLookup<'a> {
    root: &'a Path,
    rev: &'a Rev,
    call: &'a Call,
}

impl RevisionLookup<'_> {
    /// Runs Git and returns its output; `None` if it exits with 1.
    async fn git(&self, arguments: &[&str]) -> Result<Option<Vec<u8>>, RevError> {
        match git::ask(self.root, arguments, self.call).await? {
            git::GitReply::Printed(printed) => Ok(Some(printed)),
            git::GitReply::Absent => Ok(None),
            git::GitReply::Failed(said) => {
                Err(RevError::Git { rev: self.rev.clone(), said: text::bounded(&said, 300) })
            }
        }
    }

    /// The full id of the commit with this name; `None` if there is none.
    async fn commit(&self, name: &str) -> Result<Option<String>, RevError> {
        let wanted = format!("{name}^{{commit}}");
        let printed = self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).await?;
        let id = printed.map(|printed| String::from_utf8_lossy(&printed).trim().to_owned());
        let is_whole = |id: &String| LENGTHS.contains(&id.len()) && id.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(id.filter(is_whole))
    }

    /// Branches and tags with similar names.
    async fn nearest(&self) -> Result<Vec<String>, RevError> {
        let arguments =
            ["for-each-ref", NAMES, "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"];
        let printed = self.git(&arguments).await?.unwrap_or_default();
        let names = String::from_utf8_lossy(&printed).into_owned();
        // Names that are no valid `Rev` cannot be asked for.
        let names = names.lines().filter(|name| name.parse::<Rev>().is_ok());
        Ok(text::nearest(self.rev.as_str(), names, 3))
    }

    /// The content of a file in a commit; `None` if the commit has no such file.
    async fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, RevError> {
        // `cat-file` alone reports a missing file only in its message, as any other failure.
        let listed = self.git(&["ls-tree", "-z", "--full-tree", commit, "--", path]).await?;
        let listed = String::from_utf8_lossy(&listed.unwrap_or_default()).into_owned();
        match listed.split(['\t', ' ']).collect::<Vec<_>>().as_slice() {
            [_, "blob", object, ..] => self.git(&["cat-file", "blob", object]).await,
            _ => Ok(None),
        }
    }
}

impl Flake {
    /// The flake at the commit that `rev` names now; without `rev`, the flake as it is in its folder.
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
        if let Some(name) = self.unpinned_overrides().next() {
            return Err(RevError::UnpinnedOverride(name));
        }
        Ok(Self { at: Some(Arc::new(commit)), ..self.clone() })
    }

    /// The commit of a flake from [`Flake::at`]; `None` for the flake as it is in its folder.
    #[must_use]
    pub fn commit_asked_for(&self) -> Option<&Commit> {
        self.at.as_deref()
    }

    /// Requires that the file beside the flake has the same settings of hosts as in the commit.
    ///
    /// # Errors
    /// [`RevError::Settings`], and those of running Git.
    pub async fn require_committed_hosts(&self, call: &Call) -> Result<(), RevError> {
        let (Some(commit), Some(root)) = (&self.at, nix::repository_root(&self.settings().flake)) else {
            return Ok(());
        };
        let file = self.settings().flake.join(FILE_NAME);
        // The text that the settings were read from, not the current file, which may have changed since.
        let now = self.settings().flake_settings_text.as_deref().map(str::as_bytes);
        let lookup = RevisionLookup { root, rev: &commit.asked, call };
        let then = lookup.file(&commit.id, &format!("{}{FILE_NAME}", commit.below)).await?;
        if now == then.as_deref() || hosts(now) == hosts(then.as_deref()) {
            return Ok(());
        }
        Err(RevError::Settings { commit: commit.id.clone(), file })
    }
}

/// The table `hosts` of a settings file; `None` if it has none or is malformed.
fn hosts(text: Option<&[u8]>) -> Option<toml::Value> {
    let text = std::str::from_utf8(text?).ok()?;
    text.parse::<toml::Table>().ok()?.remove("hosts")
}
