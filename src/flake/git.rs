//! Git, asked about the repository a flake lies in, which anybody may have put there.
//!
//! A repository's configuration is a file in it: a clone brings none along, an unpacked archive does, and
//! whoever edits files there can write it. Nix reads repositories by itself and runs nothing for them; what is
//! asked here runs nothing either: no file system monitor, no filter, and no transport, which Git would use to
//! fetch what a partial clone lacks (git-config(1), gitattributes(5), partial-clone.adoc).

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::{Command, Flow};

/// Longest answer.
const TIME: Duration = Duration::from_secs(20);

/// What makes Git look at another repository than the one of the folder, as it is set for hooks
/// (`git rev-parse --local-env-vars`, without what says how to read the configuration).
const ELSEWHERE: [&str; 12] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_WORK_TREE",
];

/// The commit and every tracked file that differs from it (git-status(1), porcelain format 2); `None` where
/// Git does not say. Nothing is written.
pub(super) async fn status(root: &Path) -> Option<Vec<u8>> {
    let mut command = git(root);
    for driver in own_filters(root).await? {
        for (key, value) in [("clean", ""), ("process", ""), ("required", "false")] {
            command = command.args(["-c", &format!("filter.{driver}.{key}={value}")]);
        }
    }
    // The work tree of a submodule has a configuration of its own; its commit is part of this one.
    let finished = command
        .args([
            "status",
            "--porcelain=v2",
            "--branch",
            "--untracked-files=no",
            "--ignore-submodules=dirty",
            "-z",
        ])
        .run(&CancellationToken::new(), |_, _| Flow::Continue)
        .await
        .ok()?;
    finished.status.success().then_some(finished.stdout)
}

/// The filters that the repository's own configuration defines; the user's are the user's word.
async fn own_filters(root: &Path) -> Option<Vec<String>> {
    let finished = git(root)
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
    Some(drivers)
}

fn git(root: &Path) -> Command {
    let command = Command::new("git")
        .args(["--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"])
        .folder(root)
        .env("LC_ALL", "C")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "none")
        .env("GIT_TERMINAL_PROMPT", "0")
        .time_limit(TIME);
    ELSEWHERE.into_iter().fold(command, Command::without)
}
