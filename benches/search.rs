//! Durations of `nix_search` over MCP on a flake that pins the real nixpkgs: the first query of a process, and the queries of
//! the relevance set. `tools/bench-search` runs this after it built the indexes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "a benchmark stops where it cannot measure, and prints what it measured"
)]

#[path = "../tests/common/mod.rs"]
#[allow(dead_code, reason = "the benchmark uses a part of what the tests share")]
mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::mcp::Client;
use serde::Deserialize;
use serde_json::{Value, json};

/// Processes whose first query is timed; the median counts.
const PROCESSES: usize = 9;
/// Slowest queries of each round that are named.
const SLOWEST: usize = 3;
/// The limits for the median, the 99th percentile and the first query of a process.
const LIMITS: [Duration; 3] =
    [Duration::from_millis(5), Duration::from_millis(20), Duration::from_millis(30)];

#[derive(Deserialize)]
struct Queries {
    query: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    words: String,
    /// `None` is for both kinds.
    kind: Option<String>,
}

fn server(flake: &str) -> Client {
    let mut command = Command::new(common::fleet::PROGRAM);
    command.args(["--flake", flake, "serve"]);
    let mut client = Client::of(command);
    client.initialize("2025-11-25");
    client.notify("notifications/initialized", json!({}));
    client
}

fn timed(client: &mut Client, arguments: &Value) -> Duration {
    let start = Instant::now();
    let answer = client.call("nix_search", arguments.clone());
    let taken = start.elapsed();
    assert_ne!(answer["isError"], true, "{answer:#}");
    taken
}

fn at(times: &[Duration], share: f64) -> Duration {
    times[((times.len() - 1) as f64 * share).round() as usize]
}

fn main() {
    let flake = std::env::var("PANTHEROS_SEARCH_FLAKE").expect("run tools/bench-search");
    let host = std::env::var("PANTHEROS_SEARCH_HOST").expect("run tools/bench-search");
    let queries: Queries = toml::from_str(include_str!("../tests/search/relevance.toml")).unwrap();
    let mut first: Vec<Duration> =
        (0..PROCESSES).map(|_| timed(&mut server(&flake), &json!({"query": "ripgrep"}))).collect();
    first.sort_unstable();
    println!("first query of a process     {:>8.1?}   at most {:.0?}", at(&first, 0.5), LIMITS[2]);
    let mut client = server(&flake);
    for kind in ["package", "option"] {
        let arguments: Vec<Value> = queries
            .query
            .iter()
            .filter(|query| query.kind.as_deref().unwrap_or("package") == kind)
            .map(|query| match kind {
                "option" => json!({"query": query.words, "kind": kind, "host": host}),
                _ => json!({"query": query.words, "kind": kind}),
            })
            .collect();
        // The messages of removed options and packages are evaluated once, and remembered.
        for round in ["first time", "again"] {
            let mut slowest: Vec<(Duration, &Value)> =
                arguments.iter().map(|arguments| (timed(&mut client, arguments), arguments)).collect();
            slowest.sort_by_key(|(taken, _)| *taken);
            let times: Vec<Duration> = slowest.iter().map(|(taken, _)| *taken).collect();
            println!(
                "{:>3} queries for {kind}s, {round:<10}   median {:>6.1?} (at most {:.0?})   99 % {:>7.1?} (at most {:.0?})   slowest {:>7.1?}",
                times.len(),
                at(&times, 0.5),
                LIMITS[0],
                at(&times, 0.99),
                LIMITS[1],
                at(&times, 1.0),
            );
            for (taken, arguments) in slowest.iter().rev().take(SLOWEST) {
                println!("    {taken:>7.1?}  {}", arguments["query"]);
            }
        }
    }
}
