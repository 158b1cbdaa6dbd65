//! Texts of errors: each is printed once, whether its `Display` is printed or its chain of sources, and gives its reader advice
//! that the reader can follow.
use std::error::Error as _;
use std::path::Path;

use pantheros_mcp::testing::state::StateFolder;

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::{Client, STATELESS};

/// `thiserror` takes these for the source of a variant; a field whose text `Display` prints has another name (`cause`).
const SOURCES: [&str; 3] = ["#[from]", "#[source]", " source:"];

fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // Each piece begins with the arguments of an `#[error(…)]` and ends before the next one, or with its enum.
            for variant in
                text.split("#[error(").skip(1).filter(|variant| !variant.starts_with("transparent"))
            {
                let variant = variant.split("\n}\n").next().unwrap_or_default();
                if SOURCES.iter().any(|source| variant.contains(source)) {
                    found.push(format!("{}: {}", path.display(), variant.lines().next().unwrap_or_default()));
                }
            }
        }
    }
}

#[test]
fn no_error_prints_a_text_that_is_also_its_source() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(
        found.is_empty(),
        "print the cause in `Display` and name its field `cause`:\n{}",
        found.join("\n")
    );
}

#[test]
fn a_chain_of_errors_names_the_cause_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = StateFolder::open(&file.join("state")).unwrap_err();
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        chain = format!("{chain}: {error}");
        source = error.source();
    }
    assert_eq!(chain.matches("Not a directory").count(), 1, "{chain}");
}

/// One error, with the words of its reader: commands on a terminal's standard error, tools in JSON.
#[test]
fn a_person_is_advised_to_run_commands_and_json_names_tools() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::demo(&nix);
    let output = fleet.command(&["call", "build_host", "host=nowhere"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("`pantheros-mcp call list_hosts` names all"), "{said}");
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["error"]["hint"].as_str().unwrap().contains("list_hosts names all"), "{answer:#}");

    let mut client = Client::begun(&fleet, &[], STATELESS);
    let answer = client.call("build_host", serde_json::json!({"host": "nowhere"}));
    let text = answer["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("list_hosts names all") && !text.contains("pantheros-mcp call"), "{text}");
}
