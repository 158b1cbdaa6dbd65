//! Runs Git in the flake's repository, whose configuration is not trusted.
//!
//! The configuration is a file in the repository. A clone does not copy it, but an unpacked archive contains it, and anyone
//! who can write files there can change it. Nix starts no program for a repository. The commands here start none either: no
//! file system monitor, no filter, and no transport, which Git would use to fetch missing objects of a partial clone
//! (git-config(1), gitattributes(5), partial-clone.adoc).
//!
//! Replacement objects (git-replace(1)) are off, because Nix ignores them.

mod submodules;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::fingerprint::index::ObjectId;
use super::fingerprint::repository::{Repository, path_of};
use super::fingerprint::stat::Stat;
use crate::nix::NixError;
use crate::process::{Command, Executable, FinishedProcess, Flow, ProcessError};
use crate::progress::Call;
use crate::text;

/// Time limit of one command.
const TIME: Duration = Duration::from_secs(20);
/// Time limit of all commands for one work tree and its submodules.
const WHOLE: Duration = Duration::from_secs(60);
/// Most files that one `git hash-object` hashes.
const AT_ONCE: usize = 200;
/// Most files that are hashed because Git ignores their changes and their state differs; further ones count as changed.
const HIDDEN: usize = 10_000;
/// Most bytes of standard error that are kept.
const SAID: usize = 2_000;

/// Settings with which Git reports every file that differs from the commit, because Nix reads the file as it is.
const SHOW_ALL: [&str; 5] = [
    "core.fileMode=true",
    "core.symlinks=true",
    "core.trustctime=true",
    "core.checkStat=default",
    "core.ignoreStat=false",
];

/// Prefixes of Git's variables that are passed on: the user's settings. All others would have Git read another repository or
/// print something else (git(1), "ENVIRONMENT VARIABLES").
const KEPT: [&str; 3] = ["GIT_ATTR_NOSYSTEM", "GIT_CONFIG_", "GIT_EXEC_PATH"];
/// Trace outputs of Git. A machine's settings can enable them too; the value 0 overrides that (`api-trace2.adoc`).
const TRACES: [&str; 3] = ["GIT_TRACE2", "GIT_TRACE2_EVENT", "GIT_TRACE2_PERF"];

/// The result of a Git command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GitReply {
    /// It succeeded and printed this.
    Printed(Vec<u8>),
    /// It exited with 1: there is no such object or setting.
    Absent,
    /// It failed and printed this to standard error.
    Failed(String),
}

/// The state of a work tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The commit that is checked out; `None` before the first one.
    pub commit: Option<String>,
    /// The tracked files that differ from it, including those whose changes Git is set to ignore.
    pub changed: Vec<String>,
}

/// The commands for one work tree. They share a deadline and end if the call is cancelled.
struct GitSession<'a> {
    cancel: &'a CancellationToken,
    until: Instant,
    /// The error of the first command that did not run to its end.
    unfinished: OnceLock<ProcessError>,
}

impl GitSession<'_> {
    /// Runs a command; `None` if it did not run to its end, with the error in [`GitSession::unfinished`].
    async fn run(&self, command: Command) -> Option<FinishedProcess> {
        let left = self.until.saturating_duration_since(Instant::now());
        let finished = command.time_limit(left.min(TIME)).run(self.cancel, |_, _| Flow::Continue).await;
        finished.map_err(|error| self.unfinished.get_or_init(|| error)).ok()
    }
}

/// The state of the work tree at `root`, and of its submodules if Nix reads them; `None` if Git fails. Nothing is written.
///
/// # Errors
/// If Git cannot be started, takes too long, or is cancelled.
pub(super) async fn checkout(
    root: &Path,
    with_submodules: bool,
    call: &Call,
) -> Result<Option<Checkout>, NixError> {
    let session =
        GitSession { cancel: &call.cancel, until: Instant::now() + WHOLE, unfinished: OnceLock::new() };
    let checkout = whole_checkout(root, with_submodules, &session).await;
    match session.unfinished.into_inner() {
        Some(error) => Err(error.into()),
        None => Ok(checkout),
    }
}

async fn whole_checkout(root: &Path, with_submodules: bool, session: &GitSession<'_>) -> Option<Checkout> {
    let mut checkout = own_checkout(root, session).await?;
    if with_submodules {
        checkout.changed.extend(submodules::changed(root, session).await?);
        checkout.changed.sort();
        checkout.changed.dedup();
    }
    Some(checkout)
}

/// The state of the work tree at `root` without the content of its submodules.
///
/// A file that differs only by the user's filter or by line ends counts as unchanged.
async fn own_checkout(root: &Path, session: &GitSession<'_>) -> Option<Checkout> {
    let quiet = own_filters(root, session).await?;
    let status = status(root, &quiet, session).await?;
    let mut checkout = Checkout::default();
    let mut records = status.split(|byte| *byte == 0);
    while let Some(record) = records.next() {
        if let Some(commit) = record.strip_prefix(b"# branch.oid ") {
            let commit = std::str::from_utf8(commit).ok()?;
            checkout.commit = (commit != "(initial)").then(|| commit.to_owned());
        }
        let fields = match record.first() {
            Some(b'1') => 8,
            Some(b'2') => {
                // A rename's old name is a record of its own.
                records.next()?;
                9
            }
            Some(b'u') => 10,
            _ => continue,
        };
        let path = record.splitn(fields + 1, |byte| *byte == b' ').nth(fields)?;
        checkout.changed.push(String::from_utf8_lossy(path).into_owned());
    }
    checkout.changed.extend(hidden(root, &quiet, session).await?);
    checkout.changed.sort();
    checkout.changed.dedup();
    Some(checkout)
}

/// The output of git-status(1) in porcelain format 2: tracked files whose changes Git does not ignore.
async fn status(root: &Path, quiet: &[String], session: &GitSession<'_>) -> Option<Vec<u8>> {
    // `submodules` checks their work trees, which have their own configuration; here only their commits count.
    let command = git(root, quiet).args([
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
        "--ignore-submodules=dirty",
        "-z",
    ]);
    let finished = session.run(command).await?;
    finished.status.success().then_some(finished.stdout)
}

/// The changed files whose changes Git is set to ignore (git-update-index(1), `--skip-worktree` and
/// `--assume-unchanged`).
async fn hidden(root: &Path, quiet: &[String], session: &GitSession<'_>) -> Option<Vec<String>> {
    let folder = root.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let index = Repository::at(&folder)?.index()?;
        let mut changed: Vec<String> = Vec::new();
        let mut touched: Vec<(Vec<u8>, ObjectId)> = Vec::new();
        for entry in index.entries()?.into_iter().filter(|entry| entry.hidden) {
            match Stat::without_following(&folder.join(path_of(&entry.path))).ok() {
                Some(stat) if entry.has_stat(&stat) => {}
                // Only the content must be compared: kind and permissions are those of the index.
                Some(stat) if stat.is_file() && entry.is_mode_of(&stat) && touched.len() < HIDDEN => {
                    touched.push((entry.path.into_owned(), *entry.object));
                }
                _ => changed.push(String::from_utf8_lossy(&entry.path).into_owned()),
            }
        }
        Some((changed, touched))
    });
    let (mut changed, touched) = looked.await.ok()??;
    for some in touched.chunks(AT_ONCE) {
        let paths = some.iter().map(|(path, _)| OsStr::from_bytes(path));
        let command = paths.fold(git(root, quiet).args(["hash-object", "--"]), Command::arg);
        let finished = session.run(command).await?;
        // It stops at the first file that it cannot read, without hashes of the rest.
        if !finished.status.success() {
            return None;
        }
        let reply = String::from_utf8_lossy(&finished.stdout).into_owned();
        let mut reply = reply.lines();
        for (path, object) in some {
            let object: String = object.iter().map(|byte| format!("{byte:02x}")).collect();
            if reply.next() != Some(object.as_str()) {
                changed.push(String::from_utf8_lossy(path).into_owned());
            }
        }
    }
    Some(changed)
}

/// Settings that disable the filters defined in the repository's own configuration. The user's own filters are trusted.
async fn own_filters(root: &Path, session: &GitSession<'_>) -> Option<Vec<String>> {
    let question = ["config", "--show-scope", "--name-only", "-z", "--get-regexp", "^filter\\."];
    let finished = session.run(git(root, &[]).args(question)).await?;
    match finished.status.code() {
        Some(0) => {}
        // There is no such key.
        Some(1) => return Some(Vec::new()),
        _ => return None,
    }
    let mut words = finished.stdout.split(|byte| *byte == 0);
    let mut drivers = Vec::new();
    while let (Some(scope), Some(key)) = (words.next(), words.next()) {
        if !matches!(scope, b"local" | b"worktree") {
            continue;
        }
        let driver = std::str::from_utf8(key).ok()?.strip_prefix("filter.")?.rsplit_once('.')?.0;
        // `-c` splits at the first `=`, so a name with `=` cannot be disabled.
        if driver.contains('=') {
            return None;
        }
        drivers.push(driver.to_owned());
    }
    drivers.sort();
    drivers.dedup();
    let off = ["clean=", "process=", "required=false"];
    Some(drivers.iter().flat_map(|driver| off.map(|setting| format!("filter.{driver}.{setting}"))).collect())
}

/// Runs a Git command that starts no other program.
pub(super) async fn ask(root: &Path, arguments: &[&str], call: &Call) -> Result<GitReply, NixError> {
    let mut said = String::new();
    let command = git(root, &[]).args(arguments);
    let running = command.run(&call.cancel, |line, _| {
        if said.len() < SAID {
            said.push_str(&String::from_utf8_lossy(line));
            said.push('\n');
        }
        Flow::Continue
    });
    match running.await {
        Ok(finished) if finished.status.success() => Ok(GitReply::Printed(finished.stdout)),
        Ok(finished) if finished.status.code() == Some(1) => Ok(GitReply::Absent),
        Ok(_) => Ok(GitReply::Failed(text::plain(&said).trim().to_owned())),
        Err(error) => Err(error.into()),
    }
}

/// A Git command with the settings and the environment that all commands here share.
fn git(root: &Path, quiet: &[String]) -> Command {
    let others = std::env::vars_os().map(|(name, _)| name).filter(|name| is_of_git(name));
    let command = others.fold(Command::new(Executable::Git), Command::without);
    let command = TRACES.into_iter().fold(command, |command, name| command.env(name, "0"));
    command
        .args(["--no-optional-locks", "--no-replace-objects", "--literal-pathspecs"])
        .args(["-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"])
        .args(SHOW_ALL.iter().flat_map(|setting| ["-c", *setting]))
        .args(quiet.iter().flat_map(|setting| ["-c", setting.as_str()]))
        // Nix reads this work tree, and ignores `core.worktree`.
        .arg("--work-tree")
        .arg(root)
        .folder(root)
        .env("LC_ALL", "C")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_TERMINAL_PROMPT", "0")
        .time_limit(TIME)
}

/// Whether an environment variable is one of Git's and is not passed on.
fn is_of_git(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"GIT_") && !KEPT.iter().any(|kept| name.starts_with(kept.as_bytes()))
}

#[cfg(test)]
mod tests;
