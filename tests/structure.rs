//! Imports point downwards only, and only one file spawns programs.
use std::path::{Path, PathBuf};

/// The modules from the bottom up; each may use those below it and those beside it that are named.
const LAYERS: &[&[&str]] = &[
    &[
        "text",
        "causes",
        "stderr",
        "names",
        "diagnostic",
        "schema",
        "progress",
        "metrics",
        "policy",
        "time",
        "canonical",
        "user",
        "random",
        "reading",
    ],
    &["process", "scratch", "state"],
    &["ssh"],
    &["config"],
    &["nix"],
    &["disko"],
    &["flake"],
    &["search"],
    &["audit"],
    &["deploy"],
    &["tools"],
    &["mcp"],
    &["cli"],
];

/// What a domain module must never know of.
const DOMAIN: &[&str] =
    &["flake", "disko", "search", "deploy", "audit", "nix", "ssh", "process", "scratch", "state"];
const NOT_FOR_THE_DOMAIN: &[&str] = &["tools", "mcp", "cli", "policy"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The module of this crate a file belongs to, and its text without tests.
fn modules() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&root)
        .into_iter()
        .filter_map(|path| {
            let below = path.strip_prefix(&root).unwrap();
            let first = below.components().next().unwrap().as_os_str().to_str().unwrap();
            let module = first.trim_end_matches(".rs").to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            (!["lib", "main"].contains(&module.as_str())).then_some((module, path, code))
        })
        .collect()
}

/// The modules a text uses.
fn used(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .map(|(at, _)| {
            text[at + "crate::".len()..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("{module} is in no layer: add it to LAYERS"))
}

#[test]
fn imports_point_downwards() {
    for (module, path, text) in modules() {
        for other in used(&text) {
            if LAYERS.iter().any(|layer| layer.contains(&other.as_str())) {
                assert!(
                    layer(&other) <= layer(&module),
                    "{} uses {other}, which is above it",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_domain_knows_nothing_of_the_surface() {
    for (module, path, text) in modules() {
        if DOMAIN.contains(&module.as_str()) {
            for other in used(&text) {
                assert!(!NOT_FOR_THE_DOMAIN.contains(&other.as_str()), "{} uses {other}", path.display());
            }
            assert!(!text.contains("rmcp"), "{} knows MCP", path.display());
        }
    }
}

#[test]
fn only_one_file_spawns() {
    for (_, path, text) in modules() {
        let spawns = text.contains("std::process::Command") || text.contains("tokio::process::Command");
        assert!(!spawns || path.ends_with("src/process.rs"), "{} spawns", path.display());
    }
}

/// A tool that has what reaches hosts at hand says that it reaches them: it is not served to whoever asks.
#[test]
fn tools_that_can_reach_hosts_say_so() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tools");
    let mut declared = [0, 0];
    for path in sources(&folder) {
        let text = std::fs::read_to_string(&path).unwrap();
        if !text.contains("impl Tool for") {
            continue;
        }
        let hosts = text.contains("const REACH: Reach = Reach::Hosts;");
        declared[usize::from(hosts)] += 1;
        let can =
            text.contains("crate::deploy") || text.contains("super::deploy") || text.contains(".hosts.");
        assert!(hosts || !can, "{} can reach hosts and says that it does not", path.display());
    }
    assert!(declared.iter().all(|count| *count >= 5), "{declared:?}");
}

/// Files that read by themselves, each because what it reads is not what somebody else may have put there.
const READERS: &[(&str, &str)] = &[
    ("src/reading.rs", "it is what the others read with"),
    ("src/process/table.rs", "/proc"),
    ("src/process/attend.rs", "the terminal"),
    ("src/metrics.rs", "/proc"),
    ("src/config.rs", "/proc"),
    ("src/scratch.rs", "a folder of its own"),
    ("src/state.rs", "a folder of its own"),
    ("src/cli/question.rs", "the terminal"),
    ("src/cli/approve.rs", "what a person names, who may mean a pipe"),
    ("src/cli/demo.rs", "files it wrote"),
];

#[test]
fn what_anybody_may_have_put_there_is_read_within_bounds() {
    for (_, path, text) in modules() {
        let is_test = path.ends_with("tests.rs") || path.parent().unwrap().ends_with("tests");
        if is_test || READERS.iter().any(|(reader, _)| path.ends_with(reader)) {
            continue;
        }
        for reading in ["fs::read(", "fs::read_to_string(", "File::open("] {
            assert!(!text.contains(reading), "{} has {reading}: use crate::reading", path.display());
        }
    }
}

/// Files that clean a name of others for a field or a line of its own, each for this reason. In a sentence a name is
/// `text::word` or `text::words`, which are an ellipsis where it says anything.
const CLEANERS: &[(&str, &str)] = &[("src/tools/gap.rs", "`attr` is a field of names")];

#[test]
fn names_of_others_are_words_in_what_tools_say() {
    for (_, path, text) in modules() {
        let is_said = path.parent().unwrap().ends_with("src/tools") || path.ends_with("src/flake/select.rs");
        if !is_said || CLEANERS.iter().any(|(cleaner, _)| path.ends_with(cleaner)) {
            continue;
        }
        for cleaning in ["text::joined(", "text::exact(", "text::plain("] {
            assert!(!text.contains(cleaning), "{} has {cleaning}: use text::words", path.display());
        }
    }
}
