//! The changed files in submodules.
//!
//! If the flake's own files differ from the commit, Nix reads the work tree of every path in `.gitmodules`, tracked or not, and
//! of their submodules (`getAccessorFromWorkdir`, `git.cc`). Each has its own repository and configuration. If only submodules
//! differ, Nix 2.34 reads the commit; their changes are reported all the same, because any other change makes them count.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use super::{GitSession, git, own_checkout};
use crate::flake::fingerprint::repository::Repository;

/// Most submodules that are checked, nested ones included; further ones count as changed.
const MOST: usize = 100;
/// The mode of a submodule in the index.
const LINK: u32 = 0o160_000;

/// The changed files in the submodules of the work tree at `root`, as paths from there; `None` if Git fails.
///
/// A submodule that is not in the index counts as changed itself. A submodule at another commit than the index has is found
/// by the check of `root`.
pub(super) async fn changed(root: &Path, session: &GitSession<'_>) -> Option<Vec<String>> {
    let mut changed = Vec::new();
    let mut seen = BTreeSet::from([root.canonicalize().ok()?]);
    let mut waiting = vec![(root.to_owned(), String::new())];
    while let Some((tree, above)) = waiting.pop() {
        let named = named(&tree, session).await?;
        if named.is_empty() {
            continue;
        }
        let links = links(&tree).await?;
        for path in named {
            let folder = tree.join(&path);
            // Nothing is checked out there.
            if !folder.join(".git").exists() {
                continue;
            }
            let name = format!("{above}{path}");
            // A symbolic link may make it contain itself.
            let is_new = seen.insert(folder.canonicalize().ok()?);
            let is_one_too_many = seen.len() > MOST;
            if is_one_too_many || !links.contains(path.as_bytes()) {
                changed.push(name.clone());
            }
            if is_new && !is_one_too_many {
                let files = own_checkout(&folder, session).await?.changed;
                changed.extend(files.into_iter().map(|file| format!("{name}/{file}")));
                waiting.push((folder, name + "/"));
            }
        }
    }
    Some(changed)
}

/// The folders that `.gitmodules` of this work tree names (gitmodules(5)).
async fn named(tree: &Path, session: &GitSession<'_>) -> Option<BTreeSet<String>> {
    let file = tree.join(".gitmodules");
    if !file.is_file() {
        return Some(BTreeSet::new());
    }
    let command = git(tree, &[]).args(["config", "--no-includes", "-z", "--file"]).arg(file);
    let finished = session.run(command.args(["--get-regexp", r"^submodule\..*\.path$"])).await?;
    match finished.status.code() {
        Some(0) => {}
        // There is no such key.
        Some(1) => return Some(BTreeSet::new()),
        _ => return None,
    }
    let records = finished.stdout.split(|byte| *byte == 0);
    let paths = records.filter_map(|record| {
        let at = record.iter().position(|byte| *byte == b'\n')?;
        std::str::from_utf8(record.get(at + 1..)?).ok()
    });
    let is_below = |path: &&str| {
        !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
    };
    Some(paths.filter(is_below).map(|path| path.trim_end_matches('/').to_owned()).collect())
}

/// The submodules that the index of this work tree has.
async fn links(tree: &Path) -> Option<BTreeSet<Vec<u8>>> {
    let tree = tree.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let index = Repository::at(&tree)?.index()?;
        let links = index.entries()?.into_iter().filter(|entry| entry.mode == LINK);
        Some(links.map(|entry| entry.path.into_owned()).collect())
    });
    read.await.ok()?
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::checkout;
    use super::super::tests::git;
    use crate::progress::Call;

    fn repository(folder: &std::path::Path) {
        fs::create_dir(folder).unwrap();
        git(folder, &["init", "-q"]);
        fs::write(folder.join("a"), "a").unwrap();
        git(folder, &["add", "."]);
        git(folder, &["commit", "-qm", "one"]);
    }

    #[tokio::test]
    async fn what_differs_in_submodules_is_a_difference() {
        let scratch = tempfile::tempdir().unwrap();
        let [inner, middle, outer] = ["inner", "middle", "outer"].map(|name| scratch.path().join(name));
        for folder in [&inner, &middle, &outer] {
            repository(folder);
        }
        git(&middle, &["submodule", "add", "-q", inner.to_str().unwrap(), "in ner"]);
        git(&middle, &["commit", "-qm", "inner"]);
        git(&outer, &["submodule", "add", "-q", middle.to_str().unwrap(), "x/middle"]);
        git(&outer, &["submodule", "update", "-q", "--init", "--recursive"]);
        git(&outer, &["commit", "-qm", "middle"]);
        let changed = async || checkout(&outer, true, &Call::unattended()).await.unwrap().unwrap().changed;
        assert_eq!(changed().await, [""; 0]);

        fs::write(outer.join("a"), "changed").unwrap();
        fs::write(outer.join("x/middle/a"), "changed").unwrap();
        fs::write(outer.join("x/middle/in ner/a"), "changed").unwrap();
        fs::write(outer.join("x/middle/untracked"), "").unwrap();
        assert_eq!(changed().await, ["a", "x/middle/a", "x/middle/in ner/a"]);
        assert_eq!(checkout(&outer, false, &Call::unattended()).await.unwrap().unwrap().changed, ["a"]);

        // Git is told to ignore changes of the file, or of the whole submodule.
        git(&outer.join("x/middle"), &["update-index", "--assume-unchanged", "a"]);
        git(&outer, &["config", "submodule.x/middle.ignore", "all"]);
        git(&outer, &["config", "diff.ignoreSubmodules", "all"]);
        assert_eq!(changed().await, ["a", "x/middle/a", "x/middle/in ner/a"]);
        git(&outer.join("x/middle"), &["update-index", "--no-assume-unchanged", "a"]);

        // The submodule has another commit than the recorded one.
        git(&outer, &["checkout", "-q", "a"]);
        git(&outer.join("x/middle/in ner"), &["checkout", "-q", "a"]);
        git(&outer.join("x/middle"), &["commit", "-qam", "two"]);
        assert_eq!(changed().await, ["x/middle"]);
        git(&outer, &["config", "submodule.x/middle.ignore", "none"]);
        git(&outer, &["config", "diff.ignoreSubmodules", "none"]);
        git(&outer, &["commit", "-qam", "two"]);
        assert_eq!(changed().await, [""; 0]);
    }

    /// Nix reads every path in `.gitmodules`, even if Git does not track it.
    #[tokio::test]
    async fn a_submodule_that_no_commit_has_is_a_difference() {
        let scratch = tempfile::tempdir().unwrap();
        let outer = scratch.path().join("outer");
        repository(&outer);
        repository(&outer.join("beside"));
        let name = |path: &str| {
            let text = format!("[submodule \"x\"]\n\tpath = {path}\n\turl = ./x\n");
            fs::write(outer.join(".gitmodules"), text).unwrap();
        };
        name("beside");
        assert_eq!(checkout(&outer, true, &Call::unattended()).await.unwrap().unwrap().changed, ["beside"]);
        for nothing in [".", "..", "", "/", "none"] {
            name(nothing);
            assert_eq!(
                checkout(&outer, true, &Call::unattended()).await.unwrap().unwrap().changed,
                [""; 0],
                "{nothing}"
            );
        }
        // A submodule that contains itself does not cause a loop.
        std::os::unix::fs::symlink("..", outer.join("beside/up")).unwrap();
        name("beside/up");
        assert_eq!(
            checkout(&outer, true, &Call::unattended()).await.unwrap().unwrap().changed,
            ["beside/up"]
        );
    }
}
