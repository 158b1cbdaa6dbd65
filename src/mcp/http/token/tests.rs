//! The token's sources, the accepted tokens, and changes of the token.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn headers(value: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
}

fn bearer(token: &str) -> HeaderMap {
    headers(&format!("Bearer {token}"))
}

/// A file with a token, and the server's view of it.
fn configured(text: &str) -> (tempfile::TempDir, PathBuf, BearerToken) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    put(&path, text);
    let token = BearerToken::load(TokenSource::Configured(path.clone())).unwrap();
    (folder, path, token)
}

fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn only_the_token_is_taken() {
    let (_folder, _, token) = configured("0123456789abcdef\n");
    assert!(token.check(&headers("Bearer 0123456789abcdef")).is_ok());
    assert!(token.check(&headers("bearer  0123456789abcdef")).is_ok());
    for wrong in [
        "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0",
        "Bearer",
        "Bearer ",
        "0123456789abcdef",
        "Basic 0123456789abcdef",
        "Bearer 0123456789ABCDEF",
    ] {
        assert!(token.check(&headers(wrong)).is_err(), "{wrong}");
    }
    assert!(token.check(&HeaderMap::new()).is_err());
}

#[test]
fn a_weak_token_is_refused() {
    for weak in ["", "\n", "short", "fifteen-letters", "with a space in the middle", "ümlaut-ümlaut-ümlaut"]
    {
        assert!(hash(weak, "here").is_err(), "{weak}");
    }
}

#[test]
fn a_file_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(read(&path, open(&path).unwrap(), None).is_ok(), good, "{mode:o}");
        assert!(read(&path, open(&path).unwrap(), Some(folder.path())).is_ok());
    }
    assert!(read(folder.path(), open(folder.path()).unwrap(), None).is_err());
    assert!(open(&folder.path().join("missing")).is_err());
    // Opening a pipe without a writer would block.
    let pipe = folder.path().join("pipe");
    crate::platform::make_pipe(&pipe);
    assert!(read(&pipe, open(&pipe).unwrap(), None).is_err());
}

#[test]
fn another_token_counts_at_once() {
    let (folder, path, token) = configured("the-first-of-the-tokens\n");
    let first = token.check(&bearer("the-first-of-the-tokens")).unwrap();
    // Written in place, as by an editor, with the same length and at the same time.
    put(&path, "the-other-of-the-tokens\n");
    assert!(token.check(&bearer("the-first-of-the-tokens")).is_err());
    // Within the resolution of the file's times, two writes cannot be distinguished, so the stamp is not used.
    assert!(TokenFileStamp::if_settled(&std::fs::metadata(&path).unwrap()).is_none());
    assert!(first.is_cancelled(), "requests with the old token continue");
    let second = token.check(&bearer("the-other-of-the-tokens")).unwrap();
    // Written again with the same content.
    put(&path, "the-other-of-the-tokens\n");
    assert!(token.check(&bearer("the-other-of-the-tokens")).is_ok() && !second.is_cancelled());
    // Replaced by another file.
    let other = folder.path().join("other");
    put(&other, "a-third-one-of-the-tokens\n");
    std::fs::rename(&other, &path).unwrap();
    assert!(token.check(&bearer("the-other-of-the-tokens")).is_err() && second.is_cancelled());
    assert!(token.check(&bearer("a-third-one-of-the-tokens")).is_ok());
}

#[test]
fn a_token_that_cannot_be_read_lets_nobody_in() {
    type Break = fn(&Path);
    let breaks: [(&str, Break); 4] = [
        ("gone", |path| std::fs::remove_file(path).unwrap()),
        ("empty", |path| put(path, "")),
        ("open", |path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap()),
        ("a folder", |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::create_dir(path).unwrap();
        }),
    ];
    for (what, spoil) in breaks {
        let (_folder, path, token) = configured("0123456789abcdef\n");
        let valid = token.check(&bearer("0123456789abcdef")).unwrap();
        spoil(&path);
        for sent in ["0123456789abcdef", ""] {
            assert!(token.check(&bearer(sent)).is_err(), "{what}");
        }
        assert!(token.check(&HeaderMap::new()).is_err(), "{what}");
        // An open request may be a deployment, so it continues.
        assert!(!valid.is_cancelled(), "{what}");
    }
}

#[test]
fn of_several_that_start_at_once_all_have_one_token() {
    let scratch = tempfile::tempdir().unwrap();
    let source = TokenSource::Made(scratch.path().join("state"));
    let hashes: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> =
            (0..8).map(|_| scope.spawn(|| BearerToken::load(source.clone()).unwrap())).collect();
        starts.into_iter().map(|start| start.join().unwrap().known.into_inner().unwrap().hash).collect()
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    let path = source.path().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let made = std::fs::read_to_string(&path).unwrap();
    assert!(made.len() == 65 && made.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()));
    // The token stays the same until it is rotated.
    BearerToken::load(source.clone()).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), made);
    source.rotate().unwrap();
    assert_ne!(std::fs::read_to_string(&path).unwrap(), made);
    assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_token_of_somebody_else_is_not_changed() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("token");
    put(&path, "0123456789abcdef\n");
    for source in [TokenSource::Environment, TokenSource::Configured(path.clone())] {
        assert!(matches!(source.rotate(), Err(TokenError::NotOurs(_))));
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "0123456789abcdef\n");
}
