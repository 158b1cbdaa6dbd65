//! The score of `nix_search` on the queries of relevance.toml.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// The queries of relevance.toml.
#[derive(Deserialize)]
pub struct Queries {
    query: Vec<Query>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    class: String,
    words: String,
    kind: Option<String>,
    want: Vec<String>,
    status: Option<String>,
    target: Option<String>,
    #[serde(default)]
    replacements: Vec<String>,
    #[serde(default)]
    held_out: bool,
}

impl Queries {
    pub fn read() -> Self {
        toml::from_str(include_str!("relevance.toml")).unwrap()
    }
}

/// Hits among the queries that count.
#[derive(Clone, Copy, Default)]
struct Hits {
    of: usize,
    at_1: usize,
    at_5: usize,
    statuses: usize,
    right_statuses: usize,
}

/// The score of each class, and what was missed.
pub struct Report {
    classes: BTreeMap<(String, bool), Hits>,
    missed: Vec<String>,
    times: Vec<Duration>,
    largest: usize,
}

impl Report {
    /// Asks every query. Misses of held-out queries are counted and not shown, so that nobody tunes the ranking on them.
    pub fn of(queries: &Queries, mut ask: impl FnMut(Value) -> Value, host: &str) -> Self {
        let mut report = Self { classes: BTreeMap::new(), missed: Vec::new(), times: Vec::new(), largest: 0 };
        for query in &queries.query {
            let mut arguments = json!({"query": query.words});
            if let Some(kind) = &query.kind {
                arguments["kind"] = json!(kind);
            }
            if query.kind.as_deref() != Some("package") {
                arguments["host"] = json!(host);
            }
            let begun = Instant::now();
            let answer = ask(arguments);
            report.times.push(begun.elapsed());
            report.largest = report.largest.max(answer.to_string().len());
            report.add(query, &answer);
        }
        report.times.sort();
        report
    }

    fn add(&mut self, query: &Query, answer: &Value) {
        let names = |list: &Value, field: &str| -> Vec<String> {
            let list = list.as_array().cloned().unwrap_or_default();
            list.iter()
                .filter_map(|entry| entry.as_str().or_else(|| entry[field].as_str()).map(str::to_owned))
                .collect()
        };
        let mut found = names(&answer["results"], "attr");
        if found.is_empty() {
            found = names(&answer["suggestions"], "attr");
        }
        let at = found.iter().position(|name| query.want.contains(name));
        let exact = &answer["exact"];
        let hits = self.classes.entry((query.class.clone(), query.held_out)).or_default();
        let mut wrong = Vec::new();
        if !query.want.is_empty() {
            hits.of += 1;
            hits.at_1 += usize::from(at == Some(0));
            hits.at_5 += usize::from(at.is_some_and(|at| at < 5));
            if at != Some(0) {
                let first: Vec<_> = found.iter().take(4).collect();
                wrong.push(format!("wants {:?}, at {at:?} of {first:?}", query.want));
            }
        }
        if let Some(status) = &query.status {
            let mut replacements = names(&exact["replacements"], "attr");
            let mut expected = query.replacements.clone();
            replacements.sort();
            expected.sort();
            let right = exact["status"] == json!(status)
                && exact["target"].as_str() == query.target.as_deref()
                && replacements == expected;
            hits.statuses += 1;
            hits.right_statuses += usize::from(right);
            if !right {
                wrong.push(format!("is {status}, {:?}, {expected:?}, not {exact}", query.target));
            }
        }
        if !query.held_out && !wrong.is_empty() {
            self.missed.push(format!("{} {:?}: {}", query.class, query.words, wrong.join("; ")));
        }
    }

    fn sum(&self, held_out: bool) -> Hits {
        let classes = self.classes.iter().filter(|((_, held), _)| *held == held_out);
        classes.fold(Hits::default(), |sum, (_, hits)| Hits {
            of: sum.of + hits.of,
            at_1: sum.at_1 + hits.at_1,
            at_5: sum.at_5 + hits.at_5,
            statuses: sum.statuses + hits.statuses,
            right_statuses: sum.right_statuses + hits.right_statuses,
        })
    }

    /// The share of queries whose first `most` results (1 or 5) have the right one.
    pub fn share_at(&self, most: usize, held_out: bool) -> f64 {
        let sum = self.sum(held_out);
        (if most == 1 { sum.at_1 } else { sum.at_5 }) as f64 / sum.of as f64
    }

    /// The share of names with the right status, target and replacements.
    pub fn share_of_status(&self, held_out: bool) -> f64 {
        let sum = self.sum(held_out);
        sum.right_statuses as f64 / sum.statuses as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.missed {
            writeln!(to, "missed: {line}")?;
        }
        let row = |to: &mut fmt::Formatter<'_>, name: &str, hits: &Hits| {
            writeln!(
                to,
                "| {name} | {} | {} | {} | {} of {} |",
                hits.of, hits.at_1, hits.at_5, hits.right_statuses, hits.statuses
            )
        };
        writeln!(to, "| class | queries | hit at 1 | hit at 5 | right statuses |")?;
        writeln!(to, "|---|---|---|---|---|")?;
        for ((class, held_out), hits) in &self.classes {
            row(to, &format!("{class}{}", if *held_out { " (held out)" } else { "" }), hits)?;
        }
        row(to, "all, used for tuning", &self.sum(false))?;
        row(to, "all, held out", &self.sum(true))?;
        let time = |share: usize| self.times.get(self.times.len() * share / 100).copied().unwrap_or_default();
        writeln!(
            to,
            "\nmedian {:?}, 99th percentile {:?}, largest answer {} bytes",
            time(50),
            time(99),
            self.largest
        )
    }
}
