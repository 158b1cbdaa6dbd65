use super::*;
use std::fs;

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(super) fn git(folder: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "protocol.file.allow=always"];
    run(folder, "git", &[&who, arguments].concat())
}

#[tokio::test]
async fn what_git_was_told_not_to_look_at_is_a_difference() {
    type Change = fn(&Path);
    let cases: [(&str, Change, &[&str]); 11] = [
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
        (
            "another commit in place of this one",
            |folder| {
                let first = git(folder, &["rev-parse", "HEAD"]);
                fs::write(folder.join("a"), "changed").unwrap();
                git(folder, &["commit", "-qam", "two"]);
                git(folder, &["replace", "HEAD", &first]);
                git(folder, &["checkout", "-q", &first, "--", "."]);
            },
            &["a"],
        ),
        (
            "other content in place of this one",
            |folder| {
                fs::write(folder.join("a"), "changed").unwrap();
                git(folder, &["commit", "-qam", "two"]);
                git(folder, &["replace", "HEAD:a", "HEAD~1:a"]);
                fs::write(folder.join("a"), "a").unwrap();
            },
            &["a"],
        ),
        (
            "other parents",
            |folder| {
                let first = git(folder, &["rev-parse", "HEAD"]);
                git(folder, &["commit", "-qm", "two", "--allow-empty"]);
                fs::write(folder.join(".git/info/grafts"), first.clone() + "\n").unwrap();
                fs::write(folder.join(".git/shallow"), first + "\n").unwrap();
                git(folder, &["replace", "--graft", "HEAD"]);
            },
            &[],
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
        let checkout = checkout(&folder, false, &Call::unattended()).await.unwrap().unwrap();
        assert_eq!(checkout.changed, changed, "{what}");
        assert_eq!(checkout.commit.unwrap().len(), 40, "{what}");
    }
}

#[tokio::test]
async fn all_questions_end_with_the_call_and_in_one_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    git(folder, &["init", "-q"]);
    fs::write(folder.join("a"), "a").unwrap();
    git(folder, &["add", "."]);
    let call = Call::unattended();
    assert!(checkout(folder, true, &call).await.unwrap().is_some());
    let late = GitSession { cancel: &call.cancel, until: Instant::now(), unfinished: OnceLock::new() };
    assert_eq!(whole_checkout(folder, true, &late).await, None);
    call.cancel.cancel();
    let error = checkout(folder, true, &call).await.unwrap_err();
    assert!(matches!(error, NixError::Process(ProcessError::Cancelled)), "{error}");
}
