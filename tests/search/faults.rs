//! Faults while an index is built, kept and read.

use serde_json::json;

use super::little::Little;
use crate::common::fleet::{below, errors, nixes};
use crate::common::mcp::Client;
use crate::common::wait::wait_until;

fn has_ripgrep(little: &Little) {
    let answer = little.fleet.call("nix_search", &json!({"query": "ripgrep"}));
    assert_eq!(answer.json["results"][0]["version"], "14.1", "{answer:?}");
}

#[test]
fn a_build_that_is_killed_leaves_nothing_half_done() {
    let little = Little::new(&nixes().pop().unwrap());
    little.hold();
    let mut build = little.fleet.command(&["index"]).spawn().unwrap();
    wait_until("the build to begin", || !little.files(".building").is_empty());
    build.kill().unwrap();
    build.wait().unwrap();
    assert!(little.files(".sqlite").is_empty());
    little.release();
    has_ripgrep(&little);
    assert_eq!((little.files(".building").len(), little.files(".sqlite").len()), (0, 1));
}

#[test]
fn two_processes_build_an_index_once() {
    let little = Little::new(&nixes().pop().unwrap());
    let evaluations = little.fleet.count_evaluations();
    let mut index = little.fleet.command(&["index"]);
    assert!(index.output().unwrap().status.success());
    let alone = evaluations();
    std::fs::remove_file(&little.files(".sqlite")[0]).unwrap();
    let mut both: Vec<_> = (0..2).map(|_| little.fleet.command(&["index"]).spawn().unwrap()).collect();
    for process in &mut both {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(evaluations(), 2 * alone);
}

#[test]
fn a_damaged_index_is_built_again() {
    let little = Little::new(&nixes().pop().unwrap());
    has_ripgrep(&little);
    let file = little.files(".sqlite").remove(0);
    let whole = std::fs::read(&file).unwrap();
    // No database; one that is cut short; one whose tables are overwritten behind the first page.
    let mut overwritten = whole.clone();
    overwritten[16 * 1024..].fill(0xA5);
    for damaged in [b"no database".to_vec(), whole[..whole.len() / 2].to_vec(), overwritten] {
        std::fs::write(&file, damaged).unwrap();
        has_ripgrep(&little);
        has_ripgrep(&little);
        assert_eq!(little.files(".sqlite").len(), 1);
    }
}

/// A server keeps index files open.
#[test]
fn a_file_that_is_damaged_while_a_server_runs_is_built_again() {
    let little = Little::new(&nixes().pop().unwrap());
    let mut client = Client::begun(&little.fleet, &[], "2025-11-25");
    let mut search = || {
        let answer = client.call("nix_search", json!({"query": "ripgrep"}))["result"].clone();
        assert_eq!(answer["structuredContent"]["results"][0]["version"], "14.1", "{answer:#}");
    };
    search();
    search();
    let file = little.files(".sqlite").remove(0);
    std::fs::write(&file, b"no database").unwrap();
    search();
    let rebuilt = std::fs::read(&file).unwrap();
    assert!(rebuilt.starts_with(b"SQLite format 3"), "{} bytes", rebuilt.len());
}

#[test]
fn an_index_of_an_older_version_is_built_again() {
    let little = Little::new(&nixes().pop().unwrap());
    has_ripgrep(&little);
    let file = little.files(".sqlite").remove(0);
    let database = rusqlite::Connection::open(&file).unwrap();
    database.execute_batch("UPDATE facts SET value = '0' WHERE name = 'version'; DROP TABLE words").unwrap();
    drop(database);
    has_ripgrep(&little);
    let database = rusqlite::Connection::open(&file).unwrap();
    let count: i64 = database.query_row("SELECT count(*) FROM words", [], |row| row.get(0)).unwrap();
    assert!(count > 0);
}

#[test]
fn a_search_works_without_a_place_for_the_index_and_says_so() {
    let little = Little::new(&nixes().pop().unwrap());
    let cache = little.fleet.home().join("cache/pantheros/index");
    std::fs::create_dir_all(&cache).unwrap();
    for (fault, mount, message) in [
        ("a full disk", "mount -t tmpfs -o size=32k,mode=700 none \"$0\"", "full"),
        ("a disk that is read-only", "mount -t tmpfs -o ro,mode=700 none \"$0\"", "Read-only"),
    ] {
        let script = format!("{mount} && exec \"$@\"");
        let call = little.fleet.command(&["call", "--quiet", "nix_search", r#"{"query": "ripgrep"}"#]);
        let outer = ["unshare", "-m", "/bin/sh", "-c", &script, cache.to_str().unwrap()];
        let output = below(&outer, &call).output().unwrap();
        let answer: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{fault}: {}", errors(&output)));
        assert_eq!(answer["results"][0]["version"], "14.1", "{fault}: {answer:#}");
        let reason = answer["index"][0]["not_kept"].as_str().unwrap_or_else(|| panic!("{fault}: {answer:#}"));
        assert!(reason.contains(message), "{fault}: {reason}");
    }
    // The folder of the cache is a file.
    std::fs::remove_dir_all(little.fleet.home().join("cache/pantheros")).unwrap();
    std::fs::write(little.fleet.home().join("cache/pantheros"), "").unwrap();
    let answer = little.fleet.call("nix_search", &json!({"query": "ripgrep"}));
    assert_eq!(answer.json["results"][0]["version"], "14.1", "{answer:?}");
    assert!(answer.json["index"][0]["not_kept"].is_string(), "{answer:?}");
}

#[test]
fn old_indexes_are_removed() {
    let little = Little::new(&nixes().pop().unwrap());
    has_ripgrep(&little);
    let file = little.files(".sqlite").remove(0);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(100_000);
    for number in 10..30 {
        let other = file.with_file_name(format!("packages-{number}.sqlite"));
        std::fs::copy(&file, &other).unwrap();
        let time = old - std::time::Duration::from_secs(number);
        std::fs::File::options().append(true).open(&other).unwrap().set_modified(time).unwrap();
    }
    std::fs::remove_file(&file).unwrap();
    // One build was killed long ago, and one may be running.
    for (name, time) in [("packages-abandoned", old), ("packages-running", std::time::SystemTime::now())] {
        let path = file.with_file_name(format!("{name}.building"));
        std::fs::write(&path, "").unwrap();
        std::fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    has_ripgrep(&little);
    assert_eq!(little.files(".building"), [file.with_file_name("packages-running.building")]);
    let kept = little.files(".sqlite");
    assert_eq!(kept.len(), 12, "{kept:?}");
    assert!(kept.contains(&file) && kept.contains(&file.with_file_name("packages-10.sqlite")), "{kept:?}");
}
