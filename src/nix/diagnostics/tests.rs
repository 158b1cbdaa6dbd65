//! Sentences that cannot be provoked everywhere: recorded from a full disk, or from Nix's sources.

use std::path::Path;

use super::{SourceTree, diagnose};
use crate::diagnostic::{Code, Diagnostic};
use crate::nix::log::{ErrorDetail, Event, Level, LogState, TraceFrame};

fn explain(cause: &str, trace: &[&str]) -> Diagnostic {
    let frame = |message: &&str| TraceFrame { message: (*message).to_owned(), position: None };
    let trace = trace.iter().map(frame).collect();
    let detail = Some(Box::new(ErrorDetail { cause: cause.to_owned(), position: None, trace }));
    let mut state = LogState::default();
    state.apply(Event::Message { level: Level::ERROR, text: format!("error: {cause}"), detail });
    let source = SourceTree { folder: Path::new("/nonexistent"), store_path: None, commit: None };
    diagnose(&state, &source).into_iter().next().unwrap()
}

#[test]
fn sentences_are_recognised() {
    for (cause, code, attr) in [
        ("writing to file: No space left on device", Code::OutOfDisk, None),
        (
            "setting journal mode: database or disk is full, database or disk is full (in '/nix/var/nix/db/db.sqlite')",
            Code::OutOfDisk,
            None,
        ),
        (
            "unable to download 'https://example.org/x': HTTP error 404\n\nresponse body:\n\nNot Found",
            Code::NetworkUnreachable,
            Some("https://example.org/x"),
        ),
        (
            "cannot connect to socket at '/nix/var/nix/daemon-socket/socket': Permission denied",
            Code::DaemonUnreachable,
            Some("/nix/var/nix/daemon-socket/socket"),
        ),
        ("Nix daemon disconnected unexpectedly (maybe it crashed?)", Code::DaemonUnreachable, None),
        (
            "cannot find flake 'flake:nixpkgs' in the flake registries",
            Code::MissingInput,
            Some("flake:nixpkgs"),
        ),
        ("cannot update unlocked flake input 'x' in pure mode", Code::LockFileOutdated, Some("x")),
        (
            "opening Git repository \"/srv/fleet\": repository path '/srv/fleet' is not owned by current user",
            Code::NixFailed,
            Some("/srv/fleet"),
        ),
        ("The option `a.b' is used but not defined.", Code::UndefinedOption, Some("a.b")),
        (
            "The option `a.b' in `/x.nix' is already declared in `/y.nix'.",
            Code::ConflictingOptions,
            Some("a.b"),
        ),
        ("\nFailed assertions:\n- one\n- two", Code::AssertionFailed, None),
        ("something new", Code::NixFailed, None),
        ("", Code::NixFailed, None),
    ] {
        let found = explain(cause, &[]);
        assert_eq!((found.code, found.attr.as_deref()), (code, attr), "{found:#?}");
        assert!(!found.message.is_empty());
    }
}

#[test]
fn an_input_is_named_by_its_name() {
    let trace = ["while fetching the input 'github:x/y'", "while updating the flake input 'y'"];
    let found = explain("unable to download 'https://example.org/y': HTTP error 404", &trace);
    assert_eq!((found.code, found.attr.as_deref()), (Code::NetworkUnreachable, Some("y")));
    assert!(found.hint.unwrap().to_string().contains("Nothing is at that address"));
}

#[test]
fn without_an_error_the_last_lines_speak() {
    let mut state = LogState::default();
    let source = SourceTree { folder: Path::new("/nonexistent"), store_path: None, commit: None };
    assert_eq!(diagnose(&state, &source)[0].code, Code::NixFailed);
    state.apply(Event::Plain("terminate called after throwing an instance of 'X'".to_owned()));
    assert!(diagnose(&state, &source)[0].said.as_ref().unwrap().contains("terminate called"));
}

#[test]
fn a_program_that_nix_does_not_find_is_named() {
    // A child process prints the cause as plain text before Nix prints its error (2.26 and 2.34).
    let mut state = LogState::default();
    state.apply(Event::parse(b"\x1b[31;1merror:\x1b[0m Could not find executable '\x1b[35;1mssh\x1b[0m'"));
    state.apply(Event::Message {
        level: Level::ERROR,
        text: "error: failed to start SSH connection to 'web'".to_owned(),
        detail: None,
    });
    let source = SourceTree { folder: Path::new("/nonexistent"), store_path: None, commit: None };
    let found = diagnose(&state, &source).into_iter().next().unwrap();
    assert_eq!((found.code, found.attr.as_deref()), (Code::ProgramUnusable, Some("ssh")), "{found:#?}");
    assert!(found.hint.unwrap().to_string().contains("`ssh` on PATH"));
}
