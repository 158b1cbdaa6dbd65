//! Files that a test writes and people review before they commit them: published contracts, generated documents.

use std::io::Write;
use std::path::{Path, PathBuf};

/// What to do if a file differs from the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Write it. Set by `PANTHEROS_UPDATE_GOLDEN=1`.
    Update,
    /// Write a missing file, and fail if an existing file differs.
    WriteMissing,
    /// Fail if a file is missing or differs. Set by the variable `CI`.
    Demand,
}

/// The mode that the environment sets.
pub fn mode() -> Mode {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match () {
        () if is_set("PANTHEROS_UPDATE_GOLDEN") => Mode::Update,
        () if is_set("CI") => Mode::Demand,
        () => Mode::WriteMissing,
    }
}

/// A path in the repository.
pub fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Compares the file at this path in the repository with its expected text. `tests` selects the tests that write it.
pub fn check(relative: &str, text: &str, tests: &str) {
    match checked(&path(relative), text, mode()) {
        Ok(None) => {}
        // `eprintln!` would not be shown for a test that passes.
        Ok(Some(did)) => {
            let said = format!("{relative} {did}: read it, and commit it\n");
            std::io::stderr().write_all(said.as_bytes()).unwrap();
        }
        Err(wrong) => {
            panic!("{relative} {wrong}\nTo write it anew, and then read what changed:\n  {}", update(tests))
        }
    }
}

/// The command that writes the files of these tests.
pub fn update(tests: &str) -> String {
    format!("PANTHEROS_UPDATE_GOLDEN=1 cargo test --test all {tests}")
}

/// `Ok(None)` if the file matches, `Ok(Some(action))` if it was written, `Err(difference)` otherwise.
pub fn checked(path: &Path, text: &str, mode: Mode) -> Result<Option<&'static str>, String> {
    let there = std::fs::read_to_string(path).ok();
    if there.as_deref() == Some(text) {
        return Ok(None);
    }
    let missing = there.is_none();
    if mode == Mode::Update || missing && mode == Mode::WriteMissing {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return Ok(Some(if missing { "was missing, and was written" } else { "was written anew" }));
    }
    let Some(there) = there else { return Err("is missing, and CI writes none".to_owned()) };
    let differs = |(a, b): (&str, &str)| a != b;
    let ended = std::iter::repeat("(the end)");
    let lines = there.lines().chain(ended.clone()).zip(text.lines().chain(ended));
    let most = there.lines().count().max(text.lines().count());
    let (at, (is, should)) =
        lines.take(most + 1).enumerate().find(|(_, pair)| differs(*pair)).unwrap_or_default();
    Err(format!("is not as the code has it. Line {}:\n  there: {is}\n  in the code: {should}", at + 1))
}

#[test]
fn a_golden_is_written_if_it_is_missing_and_demanded_in_ci() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schemas/tool.json");
    assert!(checked(&file, "one\n", Mode::Demand).unwrap_err().contains("missing"));
    assert!(!file.exists());
    assert!(checked(&file, "one\n", Mode::WriteMissing).unwrap().unwrap().contains("was missing"));
    for mode in [Mode::Demand, Mode::WriteMissing, Mode::Update] {
        assert_eq!(checked(&file, "one\n", mode), Ok(None));
    }
    for mode in [Mode::Demand, Mode::WriteMissing] {
        let wrong = checked(&file, "one\ntwo\n", mode).unwrap_err();
        assert!(wrong.contains("Line 2:\n  there: (the end)\n  in the code: two"), "{wrong}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\n");
    checked(&file, "two\n", Mode::Update).unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two\n");
}
