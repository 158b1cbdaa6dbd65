//! Git, asked about the repository a flake lies in, which anybody may have put there.
//!
//! A repository's configuration is a file in it: a clone brings none along, an unpacked archive does, and
//! whoever edits files there can write it. Nix reads repositories by itself and runs nothing for them; what is
//! asked here runs nothing either: no file system monitor, no filter, and no transport, which Git would use to
//! fetch what a partial clone lacks (git-config(1), gitattributes(5), partial-clone.adoc).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::fingerprint::index::Entry;
use super::fingerprint::repository::{Repository, path_of};
use crate::nix::NixError;
use crate::nix::program::OTHER_REPOSITORY;
use crate::process::{Command, Flow, ProcessError};
use crate::progress::Call;
use crate::text;

/// Longest answer.
const TIME: Duration = Duration::from_secs(20);
/// Most files whose content is asked for at once.
const AT_ONCE: usize = 200;
/// Most files that Git is told not to look at and that were touched: beyond that they are taken for changed.
const HIDDEN: usize = 10_000;
/// Most bytes kept of what Git says besides.
const SAID: usize = 2_000;

/// What hides from Git that a file of the work tree is not the one of the commit: Nix reads it as it is.
const SHOW_ALL: [&str; 5] = [
    "core.fileMode=true",
    "core.symlinks=true",
    "core.trustctime=true",
    "core.checkStat=default",
    "core.ignoreStat=false",
];

/// What is checked out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// The commit; `None` before the first one.
    pub commit: Option<String>,
    /// The tracked files that differ from it, those included that Git was told not to look at.
    pub changed: Vec<String>,
}

/// What is checked out at `root`; `None` where Git does not say. Nothing is written.
///
/// What a filter of the user's or a conversion of line ends makes of a file is the file as it was committed.
pub(super) async fn checkout(root: &Path) -> Option<Checkout> {
    let quiet = own_filters(root).await?;
    let status = status(root, &quiet).await?;
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
    checkout.changed.extend(hidden(root, &quiet).await?);
    checkout.changed.sort();
    checkout.changed.dedup();
    Some(checkout)
}

/// Every tracked file that differs (git-status(1), porcelain format 2), where Git looks at it.
async fn status(root: &Path, quiet: &[String]) -> Option<Vec<u8>> {
    // The work tree of a submodule has a configuration of its own; its commit is part of this one.
    let command = git(root, quiet).args([
        "status",
        "--porcelain=v2",
        "--branch",
        "--untracked-files=no",
        "--ignore-submodules=dirty",
        "-z",
    ]);
    let finished = command.run(&CancellationToken::new(), |_, _| Flow::Continue).await.ok()?;
    finished.status.success().then_some(finished.stdout)
}

/// The files that differ from the index where Git was told not to look (git-update-index(1), `--skip-worktree` and
/// `--assume-unchanged`).
async fn hidden(root: &Path, quiet: &[String]) -> Option<Vec<String>> {
    let folder = root.to_owned();
    let looked = tokio::task::spawn_blocking(move || {
        let (entries, _) = Repository::at(&folder)?.index()?;
        let mut changed: Vec<String> = Vec::new();
        let mut touched: Vec<Entry> = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.hidden) {
            let data = fs::symlink_metadata(folder.join(path_of(&entry.path))).ok();
            match data {
                Some(data) if entry.is_as_seen(&data) => {}
                // Its name stands for what it is: a file with other permissions, or a link, is another one.
                Some(data) if data.is_file() && entry.is_mode_of(&data) && touched.len() < HIDDEN => {
                    touched.push(entry);
                }
                _ => changed.push(String::from_utf8_lossy(&entry.path).into_owned()),
            }
        }
        Some((changed, touched))
    });
    let (mut changed, touched) = looked.await.ok()??;
    for some in touched.chunks(AT_ONCE) {
        let paths = some.iter().map(|entry| std::ffi::OsStr::from_bytes(&entry.path));
        let command = paths.fold(git(root, quiet).args(["hash-object", "--"]), Command::arg);
        let finished = command.run(&CancellationToken::new(), |_, _| Flow::Continue).await.ok()?;
        let told = String::from_utf8_lossy(&finished.stdout).into_owned();
        let mut told = told.lines();
        for entry in some {
            let object: String = entry.object.iter().map(|byte| format!("{byte:02x}")).collect();
            if told.next() != Some(object.as_str()) {
                changed.push(String::from_utf8_lossy(&entry.path).into_owned());
            }
        }
    }
    Some(changed)
}

/// Settings that take away the filters that the repository's own configuration defines; the user's are the user's word.
async fn own_filters(root: &Path) -> Option<Vec<String>> {
    let finished = git(root, &[])
        .args(["config", "--show-scope", "--name-only", "-z", "--get-regexp", "^filter\\."])
        .run(&CancellationToken::new(), |_, _| Flow::Continue)
        .await
        .ok()?;
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
        // `-c` takes a name up to the first `=`: of one that has one nothing could be said.
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

/// What Git prints when it is asked this, which runs no program; what it says where it fails.
pub(super) async fn ask(
    root: &Path,
    arguments: &[&str],
    call: &Call,
) -> Result<Result<Vec<u8>, String>, NixError> {
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
        Ok(finished) if finished.status.success() => Ok(Ok(finished.stdout)),
        Ok(_) => Ok(Err(text::plain(&said).trim().to_owned())),
        Err(ProcessError::NotFound { .. }) => Ok(Err("there is no `git` on PATH".to_owned())),
        Err(error) => Err(error.into()),
    }
}

fn git(root: &Path, quiet: &[String]) -> Command {
    let command = Command::new("git")
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"])
        .args(SHOW_ALL.iter().flat_map(|setting| ["-c", *setting]))
        .args(quiet.iter().flat_map(|setting| ["-c", setting.as_str()]))
        // Nix reads this one, whatever `core.worktree` says.
        .arg("--work-tree")
        .arg(root)
        .folder(root)
        .env("LC_ALL", "C")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_TERMINAL_PROMPT", "0")
        .time_limit(TIME);
    OTHER_REPOSITORY.into_iter().fold(command, Command::without)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(folder: &Path, program: &str, arguments: &[&str]) {
        let status =
            std::process::Command::new(program).args(arguments).current_dir(folder).status().unwrap();
        assert!(status.success(), "{program} {arguments:?}");
    }

    fn git(folder: &Path, arguments: &[&str]) {
        let who = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        run(folder, "git", &[&who, arguments].concat());
    }

    #[tokio::test]
    async fn what_git_was_told_not_to_look_at_is_a_difference() {
        type Change = fn(&Path);
        let cases: [(&str, Change, &[&str]); 8] = [
            ("nothing", |_| {}, &[]),
            (
                "touched",
                |folder| {
                    git(folder, &["update-index", "--skip-worktree", "a"]);
                    git(folder, &["update-index", "--assume-unchanged", "b"]);
                    run(folder, "touch", &["-d", "2001-01-01", "a", "b"]);
                },
                &[],
            ),
            (
                "other contents",
                |folder| {
                    git(folder, &["update-index", "--skip-worktree", "a"]);
                    git(folder, &["update-index", "--assume-unchanged", "b"]);
                    fs::write(folder.join("a"), "changed").unwrap();
                    fs::write(folder.join("b"), "changed").unwrap();
                },
                &["a", "b"],
            ),
            (
                "removed",
                |folder| {
                    git(folder, &["update-index", "--skip-worktree", "a"]);
                    fs::remove_file(folder.join("a")).unwrap();
                },
                &["a"],
            ),
            (
                "another kind",
                |folder| {
                    git(folder, &["update-index", "--assume-unchanged", "link"]);
                    fs::remove_file(folder.join("link")).unwrap();
                    fs::write(folder.join("link"), "a").unwrap();
                },
                &["link"],
            ),
            (
                "permissions",
                |folder| {
                    git(folder, &["config", "core.fileMode", "false"]);
                    run(folder, "chmod", &["+x", "a"]);
                },
                &["a"],
            ),
            (
                "hidden permissions",
                |folder| {
                    git(folder, &["update-index", "--skip-worktree", "a"]);
                    run(folder, "chmod", &["+x", "a"]);
                },
                &["a"],
            ),
            (
                "another work tree",
                |folder| {
                    let other = folder.with_file_name("other");
                    run(folder, "cp", &["-r", ".", other.to_str().unwrap()]);
                    git(folder, &["config", "core.worktree", other.to_str().unwrap()]);
                    fs::write(folder.join("a"), "changed").unwrap();
                },
                &["a"],
            ),
        ];
        for (what, change, changed) in cases {
            let scratch = tempfile::tempdir().unwrap();
            let folder = scratch.path().join("repository");
            fs::create_dir(&folder).unwrap();
            git(&folder, &["init", "-q"]);
            fs::write(folder.join("a"), "a").unwrap();
            fs::write(folder.join("b"), "b").unwrap();
            std::os::unix::fs::symlink("a", folder.join("link")).unwrap();
            git(&folder, &["add", "."]);
            git(&folder, &["commit", "-qm", "one"]);
            change(&folder);
            let checkout = checkout(&folder).await.unwrap();
            assert_eq!(checkout.changed, changed, "{what}");
            assert_eq!(checkout.commit.unwrap().len(), 40, "{what}");
        }
    }
}
