//! Hostile logs: no input panics or grows the state without bound.

use proptest::prelude::*;

use super::activities::LIVE_LIMIT;
use super::lines::{BUILDS, BYTES};
use super::state::{ERROR_LIMIT, LIST_LIMIT, WARNING_LIMIT};
use super::{ActivityKind, Event, Field, Level, LogState, ResultKind};

fn drv(number: usize) -> String {
    format!("/nix/store/{number:032}-build.drv")
}

fn start(id: u64, kind: ActivityKind, path: String) -> Event {
    let fields = vec![Field::Text(path)];
    Event::Start { id, parent: id, level: Level::INFO, kind, text: "x".repeat(10_000), fields }
}

fn error(text: String) -> Event {
    Event::Message { level: Level::ERROR, text: format!("error: {text}"), detail: None }
}

fn assert_bounded(state: &LogState) {
    assert!(state.activities.live() <= LIVE_LIMIT);
    assert!(state.log_bytes() <= BUILDS * BYTES);
    assert!(state.errors().len() <= ERROR_LIMIT && state.warnings().len() <= WARNING_LIMIT);
    assert!(state.built().len() <= LIST_LIMIT && state.fetched().len() <= LIST_LIMIT);
    assert!(state.dry_run().builds.len() <= super::dry_run::LIST_LIMIT);
    assert!(state.remarks().map(str::len).sum::<usize>() <= 20 * 8_000);
    assert!(state.update().message.len() <= 4_000);
}

#[test]
fn activities_that_never_stop_are_bounded() {
    let mut state = LogState::default();
    for number in 0..5_000_u64 {
        state.apply(start(number, ActivityKind::Other(number), "y".repeat(5_000)));
        let fields = vec![Field::Number(number), Field::Number(u64::MAX)];
        state.apply(Event::Result { id: number, kind: ResultKind::SetExpected, fields });
    }
    assert_bounded(&state);
}

#[test]
fn logs_are_bounded() {
    let mut state = LogState::default();
    for number in 0..500 {
        let id = number as u64;
        state.apply(start(id, ActivityKind::Build, drv(number)));
        for _ in 0..100 {
            let fields = vec![Field::Text("log ".repeat(1_000))];
            state.apply(Event::Result { id, kind: ResultKind::BuildLogLine, fields });
        }
        state.apply(Event::Stop { id });
    }
    assert_bounded(&state);
    assert!(state.log_bytes() > BUILDS * BYTES / 2);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut state = LogState::default();
    state.apply(start(1, ActivityKind::Builds, String::new()));
    state.apply(start(2, ActivityKind::CopyPaths, String::new()));
    for number in 0..10_000 {
        let count = |id, kind| Event::Result { id, kind, fields: vec![Field::Number(number as u64 + 1)] };
        let path = drv(number);
        state.apply(start(3, ActivityKind::Build, path.clone()));
        state.apply(count(1, ResultKind::Progress));
        state.apply(Event::Stop { id: 3 });
        state.apply(start(4, ActivityKind::CopyPath, path.clone()));
        state.apply(Event::Stop { id: 4 });
        state.apply(count(2, ResultKind::Progress));
        state.apply(error(path.clone()));
        state.apply(Event::Message { level: Level::WARNING, text: path.clone(), detail: None });
        state.apply(Event::Plain(path.clone()));
        let heading = "this derivation will be built:".to_owned();
        state.apply(Event::Message { level: Level::INFO, text: heading, detail: None });
        state.apply(Event::Message { level: Level::INFO, text: format!("  {path}"), detail: None });
    }
    assert_bounded(&state);
    assert_eq!((state.built_total(), state.fetched_total(), state.errors_total()), (10_000, 10_000, 10_000));
    assert_eq!(state.built().len(), LIST_LIMIT);
}

#[test]
fn the_log_of_a_failed_build_outlives_those_of_others() {
    let mut state = LogState::default();
    let line =
        |id| Event::Result { id, kind: ResultKind::BuildLogLine, fields: vec![Field::Text("no".into())] };
    for number in 0..200 {
        let id = number as u64;
        state.apply(start(id, ActivityKind::Build, drv(number)));
        state.apply(line(id));
        if number == 0 {
            state.apply(error(format!("builder for '{}' failed", drv(0))));
        }
    }
    assert_eq!(state.log_tail(&drv(0).parse().unwrap(), 5), ["no"]);
    assert!(state.log_tail(&drv(1).parse().unwrap(), 5).is_empty());
}

#[test]
fn an_error_before_the_log_begins_is_one() {
    let mut state = LogState::default();
    for line in
        ["error: unrecognised flag '--x'", "       and more", "Try 'nix --help' for more information."]
    {
        state.apply(Event::parse(line.as_bytes()));
    }
    assert_eq!(state.errors().len(), 1);
    assert_eq!(state.errors()[0].cause, "unrecognised flag '--x'\nand more");
}

#[test]
fn what_a_configuration_traces_is_no_error() {
    let mut state = LogState::default();
    for text in ["trace: error: no", "trace: warning: old option", "trace: evaluation warning: old option"] {
        state.apply(Event::Message { level: Level::ERROR, text: text.to_owned(), detail: None });
    }
    assert!(state.errors().is_empty());
    assert_eq!(state.warnings(), ["old option"]);
}

#[test]
fn an_error_cut_before_its_cause_says_so() {
    let mut state = LogState::default();
    let line = br#"@nix {"action":"msg","column":2,"file":"x.nix:1:2","level":0,"line":1,"msg":"error:\n   while calling the 'throw' builtin\n"#;
    state.apply(Event::parse(line));
    let error = state.errors().first().unwrap();
    assert!(error.cause.contains("too long"), "{error:?}");
    assert_eq!(error.position.as_ref().map(|position| position.line), Some(1));
}

/// JSON in the shape of Nix's messages, with arbitrary values.
fn event() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just("start".to_owned()),
        Just("stop".to_owned()),
        Just("result".to_owned()),
        Just("msg".to_owned()),
        any::<String>()
    ];
    let value = prop_oneof![
        (0..10_u64).prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
        "(error|warning|trace|Cannot build|builder for|these [0-9]* derivations will be built): ?'[a-z/]*'\n.*"
            .prop_map(serde_json::Value::from),
        (0..10_usize).prop_map(|number| serde_json::Value::from(drv(number))),
    ];
    let kind = prop_oneof![100..113_u64, any::<u64>()];
    let fields = proptest::collection::vec(value.clone(), 0..5);
    (word, 0..10_u64, kind, fields, value, 0..8_u64).prop_map(|(action, id, kind, fields, value, level)| {
        let json = serde_json::json!({
            "action": action, "id": id, "type": kind, "fields": fields, "text": value, "parent": id,
            "level": level, "msg": value, "raw_msg": value, "line": kind, "column": id, "file": value,
            "trace": [{ "raw_msg": value, "file": value, "line": id, "column": id }],
        });
        format!("@nix {json}").into_bytes()
    })
}

proptest! {
    #[test]
    fn no_log_harms(lines in proptest::collection::vec(event(), 0..60)) {
        let mut state = LogState::default();
        for line in &lines {
            state.apply(Event::parse(line));
            let _ = state.update();
        }
        assert_bounded(&state);
        let folder = std::path::Path::new("/nonexistent");
        let source = crate::nix::diagnostics::SourceTree { folder, store_path: None, commit: None };
        let found = crate::nix::diagnostics::diagnose(&state, &source);
        prop_assert!(!found.is_empty());
        for diagnostic in found {
            prop_assert!(diagnostic.trace.len() <= crate::diagnostic::TRACE_LIMIT);
            prop_assert!(diagnostic.message.chars().count() <= crate::diagnostic::MESSAGE_LIMIT);
            prop_assert!(diagnostic.suggestions.len() <= crate::diagnostic::SUGGESTION_LIMIT);
        }
        let _ = crate::nix::diagnostics::build_failures(&state);
    }
}
