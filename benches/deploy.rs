//! Durations of deployments: compared with the same steps by hand, after a fault, and on many hosts at once.
//!
//! `tools/bench` runs this as root. The hosts are machines on loopback with a real `sshd` each, as in the tests. An
//! activation takes only the time that the benchmark sets.
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

use std::time::{Duration, Instant};

use common::fleet::nixes;
use common::site::Site;
use serde_json::json;

/// Rounds of each comparison; the median counts.
const ROUNDS: usize = 5;

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The steps of a deployment by hand, one after the other: `nix build`, `nix copy`, and over `ssh` `nix-env --set` and
/// the two steps of `switch-to-configuration switch`.
fn by_hand(site: &mut Site, nix: &std::path::Path, host: &str) {
    let toplevel = site.toplevel(host);
    let machine = site.machine(host);
    machine.copy(nix, &toplevel);
    let program = format!("{toplevel}/bin/switch-to-configuration");
    let set = ["nix-env", "--profile", "/nix/var/nix/profiles/system", "--set", &toplevel];
    for argv in [&set[..], &[&program, "boot"], &[&program, "test"]] {
        assert!(machine.run(argv).status.success());
    }
}

fn overhead() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let (mut hand, mut planned, mut deployed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        site.revise(&format!("hand-{round}"));
        hand.push(timed(|| by_hand(&mut site, &nix, "web")));
        site.revise(&format!("ours-{round}"));
        let mut plan = String::new();
        planned.push(timed(|| plan = site.plan(&json!({"hosts": ["web"]}))));
        assert!(site.approve(&plan).status.success());
        deployed.push(timed(|| assert_eq!(site.deploy(&plan).code, 0)));
    }
    let (hand, planned, deployed) = (middle(hand), middle(planned), middle(deployed));
    println!("one host, by hand                 {hand:>8.2?}   build, copy, set, boot, test");
    println!("one host, plan_deploy             {planned:>8.2?}   build, survey, comparison, risks");
    println!(
        "one host, deploy                  {deployed:>8.2?}   bindings, copy, activation, health, confirmation"
    );
    let over = (planned + deployed).as_secs_f64() - hand.as_secs_f64();
    println!("overhead of both over by hand     {over:>7.2}s   at most 1 s");
}

fn fault() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    // While the new system runs, every login is refused.
    let keys = site.machine("web").authorized_keys();
    let (keys, kept) = (keys.display().to_string(), format!("{}.kept", keys.display()));
    site.hook("web", "2-test", &format!("mv {keys} {kept}"));
    site.hook("web", "1-test", &format!("mv {kept} {keys}"));
    let plan = site.approved(&json!({"hosts": ["web"]}));
    let took = timed(|| assert_eq!(site.deploy(&plan).json["hosts"][0]["state"], "rolled_back"));
    println!("locked out, until it is back      {took:>8.2?}   confirmation timeout 10 s, plus at most 5 s");
}

fn many() {
    let nix = nixes().pop().unwrap();
    let names: Vec<String> = (1..=16).map(|number| format!("web-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut site = Site::start(&nix, &names, &json!({}));
    site.change(|facts| facts["bytes"] = 20_000_000.into());
    for name in &names {
        for revision in ["one", "all"] {
            site.hook(name, &format!("{revision}-test"), "sleep 3");
        }
    }
    let mut deploy = |revision: &str, hosts: &[&str]| {
        site.revise(revision);
        let plan = site.approved(&json!({"hosts": hosts}));
        timed(|| {
            let answer = site.deploy(&plan);
            assert_eq!(answer.code, 0, "{:#}", answer.json);
        })
    };
    let one = deploy("one", &names[..1]);
    let all = deploy("all", &names);
    let ratio = all.as_secs_f64() / one.as_secs_f64();
    println!("one host, activation of 3 s       {one:>8.2?}");
    println!("16 hosts, activation of 3 s       {all:>8.2?}   {ratio:.2} times as long, at most 3");
}

fn main() {
    overhead();
    fault();
    many();
}
