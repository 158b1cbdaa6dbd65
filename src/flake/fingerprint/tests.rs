use super::*;
use std::fs;

async fn take(folder: &Path) -> Option<Fingerprint> {
    Fingerprinter::default().take(folder, &[]).await.filter(Fingerprint::is_whole)
}

pub(super) fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_repository_changes_with_what_git_tracks() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    git(folder, &["init", "-q"]);
    fs::write(folder.join("flake.nix"), "{ }").unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "one"]);
    let clean = take(folder).await.unwrap();
    assert_eq!(take(folder).await.unwrap(), clean);

    fs::write(folder.join("untracked.nix"), "{ }").unwrap();
    assert_eq!(take(folder).await.unwrap(), clean, "Nix does not see untracked files");

    fs::write(folder.join("flake.nix"), "{ a = 1; }").unwrap();
    let dirty = take(folder).await.unwrap();
    assert_ne!(dirty, clean);
    fs::write(folder.join("flake.nix"), "{ a = 2; }").unwrap();
    assert_ne!(take(folder).await.unwrap(), dirty, "a second change of a dirty file counts");

    git(folder, &["commit", "-qam", "two"]);
    assert_ne!(take(folder).await.unwrap(), clean);
}

/// A change that is reverted restores the fingerprint, but the flake does not count as untouched.
#[tokio::test]
async fn what_was_taken_back_was_written_all_the_same() {
    let scratch = tempfile::tempdir().unwrap();
    let (plain, tracked) = (scratch.path().join("plain"), scratch.path().join("tracked"));
    for folder in [&plain, &tracked] {
        fs::create_dir_all(folder.join("inner")).unwrap();
        fs::write(folder.join("flake.nix"), "{ }").unwrap();
        fs::write(folder.join("inner/file"), "one").unwrap();
    }
    git(&tracked, &["init", "-q"]);
    git(&tracked, &["add", "."]);
    git(&tracked, &["commit", "-qm", "one"]);
    let attributes = scratch.path().join("attributes");
    fs::write(&attributes, "one").unwrap();
    std::os::unix::fs::symlink(&attributes, tracked.join("inner/.gitattributes")).unwrap();
    let write_file = |file: &Path| {
        // The content and the modification time stay the same, so only ctime shows the write.
        let modified = fs::metadata(file).unwrap().modified().unwrap();
        for text in ["two", "one"] {
            fs::write(file, text).unwrap();
        }
        fs::File::open(file).unwrap().set_modified(modified).unwrap();
    };
    let write = |folder: &Path| write_file(&folder.join("inner/file"));
    let write_attributes = |_: &Path| write_file(&attributes);
    let rename = |folder: &Path| {
        let modified = fs::metadata(folder).unwrap().modified().unwrap();
        for (from, to) in [("inner", "other"), ("other", "inner")] {
            fs::rename(folder.join(from), folder.join(to)).unwrap();
        }
        fs::File::open(folder).unwrap().set_modified(modified).unwrap();
    };
    let rename_whole = |folder: &Path| {
        let other = folder.with_file_name("other");
        fs::rename(folder, &other).unwrap();
        fs::rename(other, folder).unwrap();
    };
    let commit = |folder: &Path| {
        git(folder, &["commit", "-q", "--allow-empty", "-m", "two"]);
        git(folder, &["reset", "-q", "--soft", "HEAD~1"]);
    };
    type Way<'a> = (&'a str, &'a Path, &'a dyn Fn(&Path));
    let ways: [Way<'_>; 8] = [
        ("a file", &plain, &write),
        ("a file that Git tracks", &tracked, &write),
        ("attributes that a link leads to", &tracked, &write_attributes),
        ("a folder", &plain, &rename),
        ("a folder that Git tracks files of", &tracked, &rename),
        ("the whole folder", &plain, &rename_whole),
        ("the whole work tree", &tracked, &rename_whole),
        ("a commit", &tracked, &commit),
    ];
    for (what, folder, way) in ways {
        let before = take(folder).await.unwrap();
        assert!(take(folder).await.unwrap().is_untouched_since(&before), "{what}");
        // The clock of the file system moves in steps.
        let clock = || {
            let file = scratch.path().join("clock");
            fs::write(&file, "").unwrap();
            fs::metadata(&file).unwrap().modified().unwrap()
        };
        let now = clock();
        while clock() == now {}
        way(folder);
        assert!(!take(folder).await.unwrap().is_untouched_since(&before), "{what}");
    }
    // The first file sets both times of the renamed folder to the same value.
    fs::write(tracked.join("inner/first"), "").unwrap();
    let before = take(&tracked).await.unwrap();
    fs::write(tracked.join("inner/untracked"), "").unwrap();
    assert!(take(&tracked).await.unwrap().is_untouched_since(&before), "Nix does not see it");
}

#[tokio::test]
async fn submodules_that_nix_may_read_leave_it_untold() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    git(folder, &["init", "-q"]);
    fs::write(folder.join("flake.nix"), "{ inputs.self.submodules = true; }").unwrap();
    git(folder, &["add", "."]);
    assert!(take(folder).await.is_some());
    fs::write(folder.join(".gitmodules"), "").unwrap();
    assert!(take(folder).await.is_none());
    fs::write(folder.join("flake.nix"), "{ }").unwrap();
    assert!(take(folder).await.is_some());
}

#[tokio::test]
async fn a_rename_in_the_index_is_understood() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    git(folder, &["init", "-q"]);
    fs::write(folder.join("a.nix"), "{ some = \"content\"; }\n").unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "one"]);
    git(folder, &["mv", "a.nix", "b c.nix"]);
    let renamed = take(folder).await.unwrap();
    fs::write(folder.join("b c.nix"), "{ some = \"others\"; }\n").unwrap();
    assert_ne!(take(folder).await.unwrap(), renamed);
}

#[tokio::test]
async fn a_plain_folder_changes_with_its_files() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("flake.nix"), "{ }").unwrap();
    let before = take(folder).await.unwrap();
    assert_eq!(take(folder).await.unwrap(), before);
    fs::write(folder.join("new.nix"), "{ }").unwrap();
    assert_ne!(take(folder).await.unwrap(), before);
}

/// A repository with two committed files.
fn repository() -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    git(folder, &["init", "-q"]);
    fs::write(folder.join("flake.nix"), "{ }").unwrap();
    fs::create_dir(folder.join("below")).unwrap();
    fs::write(folder.join("below/file"), "").unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "one"]);
    scratch
}

#[tokio::test]
async fn what_never_ends_or_never_begins_leaves_it_untold() {
    let scratch = repository();
    let folder = scratch.path();
    let pipe = scratch.path().join(".git/pipe");
    crate::platform::make_pipe(&pipe);
    // The pipe first: reading the device to its end would fill the memory.
    for target in [pipe.as_path(), Path::new("/dev/zero")] {
        for name in [
            ".gitattributes",
            "below/.gitattributes",
            "flake.lock",
            ".git/info/attributes",
            ".git/config.worktree",
            ".git/packed-refs",
        ] {
            let link = folder.join(name);
            // A branch that is looked up in `packed-refs`.
            if name.ends_with("packed-refs") {
                fs::write(folder.join(".git/HEAD"), "ref: refs/heads/not-begun\n").unwrap();
            }
            std::os::unix::fs::symlink(target, &link).unwrap();
            let taken = tokio::time::timeout(std::time::Duration::from_secs(20), take(folder)).await;
            // Opening the pipe for writing unblocks a reader.
            let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
            let _let_go = rustix::fs::open(&pipe, flags, rustix::fs::Mode::empty());
            assert_eq!(taken.expect(name), None, "{name}");
            fs::remove_file(link).unwrap();
            assert!(take(folder).await.is_some(), "{name}");
        }
    }
}

#[tokio::test]
async fn what_leads_to_nothing_is_empty() {
    let scratch = repository();
    let folder = scratch.path();
    let before = take(folder).await.unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.join(".gitattributes")).unwrap();
    assert_ne!(take(folder).await.unwrap(), before);
}

#[tokio::test]
async fn a_link_counts_as_one_and_its_target_by_what_it_holds() {
    let scratch = repository();
    let folder = scratch.path();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.join("link.nix")).unwrap();
    git(folder, &["add", "."]);
    let before = take(folder).await.unwrap();
    // Nix reads the target path of the link, not the content of the target.
    fs::write(outside.path(), "changed").unwrap();
    assert_eq!(take(folder).await.unwrap(), before);
    // libgit2 follows a link to attributes, even out of the repository.
    std::os::unix::fs::symlink(outside.path(), folder.join(".gitattributes")).unwrap();
    let before = take(folder).await.unwrap();
    fs::write(outside.path(), "* text").unwrap();
    assert_ne!(take(folder).await.unwrap(), before);
}

/// Files are read by their paths below the work tree.
#[tokio::test]
async fn links_on_the_way_to_a_file_are_followed_and_count() {
    let scratch = repository();
    let (folder, kept) = (scratch.path(), scratch.path().join("kept"));
    let link = tempfile::tempdir().unwrap();
    let link = link.path().join("link");
    std::os::unix::fs::symlink(folder, &link).unwrap();
    for folder in [folder, &link] {
        let before = take(folder).await.unwrap();
        fs::rename(folder.join("below"), &kept).unwrap();
        let gone = take(folder).await.unwrap();
        assert_ne!(gone, before);
        std::os::unix::fs::symlink("kept", folder.join("below")).unwrap();
        let linked = take(folder).await.unwrap();
        assert!(linked != before && linked != gone, "Nix sees no file behind a link");
        fs::write(kept.join(".gitattributes"), "* text").unwrap();
        assert_ne!(take(folder).await.unwrap(), linked, "attributes behind a link");
        fs::remove_file(kept.join(".gitattributes")).unwrap();
        fs::remove_file(folder.join("below")).unwrap();
        fs::rename(&kept, folder.join("below")).unwrap();
        assert_eq!(take(folder).await.unwrap(), before);
    }
}

#[tokio::test]
async fn only_an_index_that_is_not_there_is_an_empty_one() {
    let scratch = repository();
    let folder = scratch.path();
    let index = folder.join(".git/index");
    let tracked = take(folder).await.unwrap();
    // Nobody can read a loop of links, not even root. It stands for a folder that this user may not read.
    fs::rename(&index, folder.join(".git/kept")).unwrap();
    std::os::unix::fs::symlink("index", &index).unwrap();
    assert_eq!(take(folder).await, None, "an index that cannot be looked at");
    fs::remove_file(&index).unwrap();
    let none = take(folder).await.unwrap();
    assert_ne!(none, tracked, "no index");
    fs::rename(folder.join(".git/kept"), &index).unwrap();
    assert_eq!(take(folder).await.unwrap(), tracked);
    // The same for a folder in the path of a tracked file.
    fs::rename(folder.join("below"), folder.join("kept")).unwrap();
    std::os::unix::fs::symlink("below", folder.join("below")).unwrap();
    assert_eq!(take(folder).await, None, "a file that cannot be looked at");
}

#[tokio::test]
async fn what_git_includes_counts_however_it_is_written() {
    for line in [
        "path = more # and a comment",
        "path = more;and a comment",
        "path = \"more\" # and a comment",
        "path = mo\\\nre",
        "path=m\"or\"e",
    ] {
        let scratch = repository();
        let folder = scratch.path();
        let config = folder.join(".git/config");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}[include]\n\t{line}\n")).unwrap();
        let before = take(folder).await.unwrap();
        fs::write(folder.join(".git/more"), "[core]\n\tautocrlf = input\n").unwrap();
        assert_eq!(git(folder, &["config", "core.autocrlf"]), "input\n", "Git reads it: {line}");
        assert_ne!(take(folder).await.unwrap(), before, "{line}");
    }
}

#[tokio::test]
async fn files_that_include_each_other_many_times_are_read_once() {
    let scratch = repository();
    let folder = scratch.path();
    for number in 0..8 {
        let next = format!("\tpath = more{}\n", number + 1).repeat(30);
        fs::write(folder.join(format!(".git/more{number}")), format!("[include]\n{next}")).unwrap();
    }
    let config = folder.join(".git/config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[include]\n\tpath = more3\n")).unwrap();
    // 30^5 reads otherwise.
    let taken = tokio::time::timeout(std::time::Duration::from_secs(20), take(folder)).await;
    assert!(taken.expect("it reads on").is_some());
}
