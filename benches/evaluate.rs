//! Durations of `evaluate` and `explain_option` without a cached answer, each measured in turn with a bare `nix eval` of the same
//! value, in one run; and of a second `explain_option`, which the cache answers.
//!
//! `tools/bench-evaluate` runs this on a flake. Without it, the flake is the one of `tests/fixtures/explain`, which is so small that
//! the start of processes is most of the time.
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

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::fleet::{PROGRAM, nixes};
use common::mcp::Client;
use common::option_fleet::OptionFleet;
use serde_json::{Value, json};

/// Rounds of which the median counts.
const ROUNDS: usize = 7;
/// Calls that the cache answers, of which the median counts.
const CACHED: usize = 51;
/// The limits for hosts of real size: of `evaluate` and of `explain_option` with all losing definitions as multiples of a bare
/// evaluation, and of a cached answer. `explain_option` without losing definitions has the limit of `evaluate`.
const LIMITS: (f64, f64, Duration) = (1.2, 2.0, Duration::from_millis(5));

/// The duration of a command, and the processor time of it and of all that it ran.
#[derive(Clone, Copy)]
struct Taken {
    wall: Duration,
    processor: Duration,
}

/// The processor time of the processes that this one has waited for, and of theirs (proc_pid_stat(5), `cutime` and `cstime`).
fn of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: u64 = [13, 14].iter().map(|field: &usize| fields[*field].parse::<u64>().unwrap()).sum();
    // A tick is a hundredth of a second on every Linux (sysconf(3), `_SC_CLK_TCK`).
    Duration::from_millis(ticks * 10)
}

fn timed(command: &mut Command) -> Taken {
    let (before, start) = (of_children(), Instant::now());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (wall, processor) = (start.elapsed(), of_children() - before);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Taken { wall, processor }
}

/// The ratio of the medians of this part of both.
fn ratio(ours: &[Taken], bare: &[Taken], part: impl Fn(&Taken) -> Duration) -> f64 {
    let median = |taken: &[Taken]| {
        let mut all: Vec<Duration> = taken.iter().map(&part).collect();
        all.sort_unstable();
        all[all.len() / 2].as_secs_f64()
    };
    median(ours) / median(bare)
}

/// A flake, one of its hosts, and options of that host.
struct Subject {
    /// Whether the limits are for it.
    is_real: bool,
    flake: String,
    host: String,
    options: Vec<String>,
}

impl Subject {
    fn bare(&self, nix: &Path, option: &str) -> Command {
        let mut command = Command::new(nix);
        command
            .args(["eval", "--json", "--option", "eval-cache", "false", "--no-update-lock-file"])
            .args(["--extra-experimental-features", "nix-command flakes"])
            .arg(format!("{}#nixosConfigurations.{}.config.{option}", self.flake, self.host));
        command
    }

    /// This program with the settings in a folder.
    fn program(&self, settings: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["--flake", &self.flake]).args(arguments);
        command.env("XDG_CONFIG_HOME", settings).env("XDG_STATE_HOME", settings);
        command
    }

    fn measure(&self, nix: &Path) {
        let scratch = tempfile::tempdir().unwrap();
        let settings = |name: &str, cache: &str| {
            let folder = scratch.path().join(name);
            std::fs::create_dir_all(folder.join("pantheros")).unwrap();
            let text = format!("[nix]\nprogram = {nix:?}\n[cache]\n{cache}\n");
            std::fs::write(folder.join("pantheros/config.toml"), text).unwrap();
            folder
        };
        let cold = settings("cold", "enabled = false");
        let warm = settings("warm", &format!("folder = {:?}", scratch.path().join("answers")));
        for option in &self.options {
            let host = &self.host;
            let evaluate = json!({"host": host, "attr": option}).to_string();
            let explain = json!({"host": host, "option": option});
            let of = |tool: &str, arguments: &str| {
                timed(&mut self.program(&cold, &["call", "--quiet", tool, arguments]))
            };
            // The inputs are fetched, and the files are in memory.
            timed(&mut self.bare(nix, option));
            let (mut bare, mut evaluated, mut explained) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                bare.push(timed(&mut self.bare(nix, option)));
                evaluated.push(of("evaluate", &evaluate));
                explained.push(of("explain_option", &explain.to_string()));
            }
            for (tool, ours, most) in
                [("evaluate", &evaluated, LIMITS.0), ("explain_option", &explained, LIMITS.1)]
            {
                let limit = if self.is_real { format!(" (at most {most})") } else { String::new() };
                println!(
                    "{tool:<15} {option}: {:.2} times the processor time of a bare evaluation, {:.2} times its duration{limit}",
                    ratio(ours, &bare, |taken| taken.processor),
                    ratio(ours, &bare, |taken| taken.wall),
                );
            }
            println!(
                "{:>15} {option}: {:.1?} again, from the cache (at most {:.0?})",
                "",
                self.again(&warm, &explain),
                LIMITS.2
            );
        }
    }

    /// The median duration of a call over MCP that the cache answers.
    fn again(&self, settings: &Path, explain: &Value) -> Duration {
        let mut client = Client::of(self.program(settings, &["serve"]));
        client.initialize("2025-11-25");
        client.notify("notifications/initialized", json!({}));
        let mut call = || {
            let start = Instant::now();
            let answer = client.call("explain_option", explain.clone());
            assert_ne!(answer["result"]["isError"], true, "{answer:#}");
            start.elapsed()
        };
        call();
        let mut all: Vec<Duration> = (0..CACHED).map(|_| call()).collect();
        all.sort_unstable();
        all[CACHED / 2]
    }
}

fn main() {
    let flake = std::env::var("PANTHEROS_EVALUATE_FLAKE").ok();
    for nix in nixes() {
        let version = Command::new(&nix).arg("--version").output().unwrap();
        println!("{}", String::from_utf8_lossy(&version.stdout).trim());
        match &flake {
            Some(flake) => {
                let given = |name: &str| std::env::var(name).expect("run tools/bench-evaluate");
                let options = given("PANTHEROS_EVALUATE_OPTIONS");
                Subject {
                    is_real: true,
                    flake: flake.clone(),
                    host: given("PANTHEROS_EVALUATE_HOST"),
                    options: options.split_whitespace().map(str::to_owned).collect(),
                }
                .measure(&nix);
            }
            None => {
                let made = OptionFleet::new(&nix);
                Subject {
                    is_real: false,
                    flake: made.fleet.folder().display().to_string(),
                    host: "web".to_owned(),
                    options: vec!["services.openssh.settings.PermitRootLogin".to_owned()],
                }
                .measure(&nix);
            }
        }
    }
}
