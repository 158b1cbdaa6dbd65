//! How the recorded logs of both versions are understood (`tests/fixtures/logs/README.md`).

use std::path::Path;

use pantheros_mcp::testing::diagnostic::{Code, Diagnostic};
use pantheros_mcp::testing::nix::diagnostics::{SourceTree, build_failures, diagnose};
use pantheros_mcp::testing::nix::log::{ActivityKind, Event, LogState};

const VERSIONS: [&str; 2] = ["2.26", "2.34"];
/// The store path of `tests/fixtures/options` when the logs were recorded.
const COPY: &str = "/nix/store/gmgimqv3f1yg0wrpg4mhm9yw38vis1zk-source";

fn lines(name: &str, version: &str) -> Vec<Vec<u8>> {
    let file = format!("{}/tests/fixtures/logs/{name}-{version}.log", env!("CARGO_MANIFEST_DIR"));
    let log = std::fs::read(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

fn read(name: &str, version: &str) -> LogState {
    let mut state = LogState::default();
    for line in lines(name, version) {
        state.apply(Event::parse(&line));
    }
    state
}

fn explained(name: &str, version: &str) -> Diagnostic {
    let source = SourceTree { folder: Path::new("/home/user/fleet"), store_path: Some(COPY), commit: None };
    let diagnostics = diagnose(&read(name, version), &source);
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    diagnostics.into_iter().next().unwrap()
}

#[test]
fn a_build_is_counted() {
    for version in VERSIONS {
        let state = read("build", version);
        let names: Vec<&str> = state.built().iter().map(|drv| drv.name()).collect();
        assert_eq!(names, ["one", "two", "three"], "{version}");
        assert_eq!(state.dry_run().builds_total, 3);
        assert_eq!(state.counts(ActivityKind::Builds).done, 3);
        assert!(state.errors().is_empty() && state.warnings().is_empty());
        assert!(state.log_tail(&state.built()[0], 10).is_empty(), "the log of a good build is not kept");
    }
}

#[test]
fn progress_is_told_as_it_happens() {
    for version in VERSIONS {
        let mut state = LogState::default();
        let mut said = Vec::new();
        for line in lines("build", version) {
            state.apply(Event::parse(&line));
            let message = state.update().message;
            if said.last() != Some(&message) {
                said.push(message);
            }
        }
        assert!(said.iter().any(|line| line.starts_with("│ evaluating derivation")), "{said:#?}");
        for line in [
            "building one (0/3 built) │ making one",
            "building two (1/3 built) │ buildPhase",
            "building two (1/3 built) │ buildPhase: making two",
            "building three (2/3 built) │ making three",
        ] {
            assert!(said.iter().any(|known| known == line), "{version}: {line} not in {said:#?}");
        }
        let last = state.update();
        assert_eq!((last.done, last.total), (3, Some(3)), "{version}: {last:?}");
    }
}

#[test]
fn fetching_is_counted() {
    for version in VERSIONS {
        let state = read("fetch", version);
        let names: Vec<&str> = state.fetched().iter().map(|path| path.name()).collect();
        assert_eq!(names, ["big-2.0"], "{version}");
        assert!(state.counts(ActivityKind::CopyPath).done > 1_000_000);
        assert!(state.built().is_empty());
        let mut state = LogState::default();
        let mut said = Vec::new();
        for line in lines("fetch", version) {
            state.apply(Event::parse(&line));
            said.push(state.update().message);
        }
        assert!(
            said.iter().any(|line| line.starts_with("fetching big-2.0 (") && line.ends_with(" KiB fetched)")),
            "{version}: {said:#?}"
        );
    }
}

#[test]
fn a_dry_run_is_read() {
    for version in VERSIONS {
        let state = read("fetch-dry-run", version);
        let plan = state.dry_run();
        assert_eq!((plan.builds_total, plan.fetches_total, plan.fetches.len()), (0, 1, 1), "{version}");
        // 2.26 rounds to a hundredth of a MiB.
        assert!((8_900..=10_500).contains(&plan.download_bytes), "{version}: {}", plan.download_bytes);
        assert!((1_020_000..=1_030_000).contains(&plan.unpacked_bytes), "{version}: {}", plan.unpacked_bytes);
        assert!(state.errors().is_empty(), "what a dry run prints at the level of errors is none");
    }
}

#[test]
fn a_build_stopped_by_the_failure_of_another_is_neither_built_nor_failed() {
    for version in VERSIONS {
        let state = read("stopped", version);
        assert!(state.built().is_empty(), "{version}: {:?}", state.built());
        let failures = build_failures(&state);
        let names: Vec<&str> = failures.iter().map(|failure| failure.drv.name()).collect();
        assert_eq!(names, ["quick-failure"], "{version}");
    }
}

#[test]
fn every_failed_build_is_reported_once() {
    for version in VERSIONS {
        let state = read("keep-going", version);
        let mut found: Vec<(String, String, Vec<String>)> = build_failures(&state)
            .into_iter()
            .map(|failure| (failure.drv.name().to_owned(), failure.reason, failure.log_tail))
            .collect();
        found.sort();
        let names: Vec<&str> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["broken", "killed", "no-output", "other"], "{version}");
        assert_eq!(found[0].1, "builder failed with exit code 2", "{version}");
        assert_eq!(found[0].2, ["compiling main.c", "main.c:3: expected ;"], "{version}");
        assert_eq!(found[1].1, "builder failed due to signal 9 (Killed)", "{version}");
        assert!(found[2].1.starts_with("builder failed to produce output path"), "{version}: {found:#?}");
        let source = SourceTree { folder: Path::new("/home/user/fleet"), store_path: None, commit: None };
        let diagnostics = diagnose(&state, &source);
        assert_eq!(diagnostics.len(), 4, "{version}: {diagnostics:#?}");
        assert!(diagnostics.iter().all(|found| found.code == Code::BuilderFailed && found.hint.is_some()));
    }
}

#[test]
fn an_unknown_option_names_its_file_and_its_neighbours() {
    for version in VERSIONS {
        let found = explained("unknown-option", version);
        assert_eq!(found.code, Code::UnknownOption);
        assert_eq!(found.attr.as_deref(), Some("services.web.enabel"));
        assert_eq!(found.file.as_deref(), Some("web.nix"));
        assert_eq!(found.suggestions, ["services.web.enable", "services.web.name", "services.web.port"]);
        assert_eq!(
            found.said.as_deref(),
            Some("The option `services.web.enabel' does not exist:\n- In `web.nix': true"),
            "{version}"
        );
        let files: Vec<&str> = found.trace.iter().filter_map(|frame| frame.file.as_deref()).collect();
        assert_eq!(
            files,
            ["web.nix", "flake.nix", "flake.nix"],
            "{version}: the user's own, and none of nixpkgs"
        );
    }
}

#[test]
fn conflicting_options_name_both_files() {
    for version in VERSIONS {
        let found = explained("conflicting-options", version);
        assert_eq!(found.code, Code::ConflictingOptions);
        assert_eq!(found.attr.as_deref(), Some("services.web.port"));
        assert_eq!(found.file.as_deref(), Some("two.nix"));
        let said = found.said.unwrap();
        assert!(said.contains("- In `two.nix': 8080\n- In `one.nix': 80"), "{said}");
        assert!(found.hint.as_ref().unwrap().to_string().contains("services.web.port = lib.mkForce"));
        assert_eq!(found.trace[1].file.as_deref(), Some("one.nix"));
    }
}

#[test]
fn an_option_without_a_value_is_named() {
    for version in VERSIONS {
        let found = explained("undefined-option", version);
        assert_eq!((found.code, found.attr.as_deref()), (Code::UndefinedOption, Some("services.web.port")));
        assert_eq!((found.file.as_deref(), found.line), (Some("flake.nix"), Some(19)), "{version}");
    }
}

#[test]
fn an_option_of_the_wrong_type_says_what_it_takes() {
    for version in VERSIONS {
        let found = explained("option-type", version);
        assert_eq!((found.code, found.attr.as_deref()), (Code::TypeMismatch, Some("services.web.port")));
        assert_eq!(found.file.as_deref(), Some("wrong.nix"));
        let said = found.said.unwrap();
        assert!(said.contains("16 bit unsigned integer"), "{said}");
        assert!(said.ends_with("- In `wrong.nix': \"eighty\""), "{said}");
    }
}

#[test]
fn an_error_within_a_definition_knows_its_option() {
    for version in VERSIONS {
        let found = explained("value-in-module", version);
        assert_eq!((found.code, found.attr.as_deref()), (Code::TypeMismatch, Some("services.web.name")));
        assert_eq!((found.file.as_deref(), found.line, found.column), (Some("value.nix"), Some(3), Some(23)));
    }
}

#[test]
fn a_module_argument_nobody_passes_is_named() {
    for version in VERSIONS {
        let found = explained("module-argument", version);
        assert_eq!((found.code, found.attr.as_deref()), (Code::ArgumentMismatch, Some("pkg")));
        assert_eq!((found.file.as_deref(), found.line), (Some("argument.nix"), Some(3)), "{version}");
        assert_eq!(found.suggestions, ["pkgs"]);
    }
}

#[test]
fn recursion_through_imports_is_explained() {
    for version in VERSIONS {
        let found = explained("recursion", version);
        assert_eq!((found.code, found.file.as_deref()), (Code::InfiniteRecursion, Some("recursion.nix")));
        assert!(found.said.as_deref().unwrap().contains("`config` in `imports`"), "{found:#?}");
        assert!(found.trace.len() <= pantheros_mcp::testing::diagnostic::TRACE_LIMIT);
    }
}
