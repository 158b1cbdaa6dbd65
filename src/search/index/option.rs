//! The rank of an option in a search.

use super::entry::IndexEntry;
use super::query::{Query, Rank, path_parts as segments};
use super::spelling::{Spelling, part_similarity};
use super::words::{all_pieces, words};
use crate::flake::options::HostOption;

/// Words in paths of options that do not tell one option from another.
const COMMON: &[&str] = &[
    "services",
    "service",
    "programs",
    "settings",
    "enable",
    "virtualisation",
    "hardware",
    "networking",
    "security",
    "boot",
    "name",
    "config",
    "system",
    "users",
];

/// Whether this is the option that a path with the user's own names means, such as
/// `services.nginx.virtualHosts."example.org".enableACME`.
pub(super) fn is_meant_by(option: &HostOption, wanted: &[String]) -> bool {
    let own = segments(&option.path);
    own.len() == wanted.len() && own.iter().zip(wanted).all(|(own, wanted)| matches(own, wanted))
}

/// Whether a part of a query is this part of a path, or takes the place of a placeholder.
fn matches(own: &str, wanted: &str) -> bool {
    own == wanted || is_placeholder(own)
}

/// Whether a part of a path stands for a name that the user chooses, or for a position in a list.
pub(super) fn is_placeholder(part: &str) -> bool {
    part == "<name>" || part == "*"
}

impl IndexEntry for HostOption {
    fn path(&self) -> &str {
        &self.path
    }

    fn leaf(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    fn pname(&self) -> Option<&str> {
        None
    }

    fn program(&self) -> Option<&str> {
        None
    }

    fn version(&self) -> &str {
        ""
    }

    fn description(&self) -> &str {
        &self.description
    }

    fn spelling(&self) -> &str {
        &self.path
    }

    fn telling(name: &str) -> String {
        let parts = segments(name);
        // A common word that is spelt wrong tells as little.
        let rare: Vec<&str> = telling(&parts)
            .into_iter()
            .filter_map(|at| parts.get(at).map(String::as_str))
            .filter(|part| COMMON.iter().all(|common| part_similarity(part, common) < SAME_PART))
            .collect();
        if rare.is_empty() { name.to_owned() } else { rare.join(" ") }
    }

    fn parts(&self) -> Vec<String> {
        segments(&self.path.to_lowercase())
    }

    fn rank(&self, query: &Query, score: f64) -> Rank {
        let path = self.path.to_lowercase();
        let name_words = words(&self.path);
        let has = |words: &[String], wanted: &str| words.iter().any(|word| word == wanted);
        let is_described = || {
            let described = words(&self.description);
            let is_said = |wanted: &str| has(&described, wanted) || has(&name_words, wanted);
            query.words.iter().all(|word| word.is_held(is_said))
        };
        let name_pieces = all_pieces(&self.path);
        let in_name =
            |whole: bool| query.words.iter().all(|word| word.is_in_name(&name_words, &name_pieces, whole));
        let leaf = self.leaf().to_lowercase();
        let own = segments(&path);
        let enables = own.len() >= 2
            && own.last().is_some_and(|last| last == "enable")
            && own.get(own.len() - 2).is_some_and(|name| *name == query.key || compact(name) == query.joined);
        let tier = match () {
            () if path == query.key || is_meant_by(self, &query.segments) => 0,
            () if enables && own.len() <= 3 => 1,
            () if leaf == query.key || enables || path.ends_with(&format!(".{}", query.key)) => 2,
            () if in_name(true) => 3,
            () if leaf.starts_with(&query.key) => 4,
            () if in_name(false) => 5,
            () if is_described() => 6,
            () => 7,
        };
        let surplus = name_pieces
            .iter()
            .filter(|piece| !query.mentions(piece) && !COMMON.contains(&piece.as_str()))
            .count();
        // An option of what the query is about comes before one that has it as a part.
        let subject =
            telling(&own).first().and_then(|at| own.get(*at)).map(String::as_str).unwrap_or_default();
        let is_about = words(subject).iter().any(|word| query.mentions(word));
        Rank {
            tier,
            elsewhere: false,
            unusable: self.removed || tier < 6 && !is_about,
            alias: self.target.is_some(),
            depth: if tier < 6 { surplus } else { 0 },
            surplus: if tier < 6 { own.len() } else { 0 },
            length: if tier < 6 { self.path.len() } else { 0 },
            score,
        }
    }

    fn similarity(path: &str, _pname: Option<&str>, wanted: &Spelling) -> f64 {
        let own = segments(path);
        let meant = telling(&wanted.parts);
        let mut best = vec![0.0_f64; meant.len()];
        let mut surplus = 0;
        let telling_own = telling(&own);
        for (at, part) in own.iter().enumerate() {
            wanted.with_part(part, |similar| {
                let of_meant =
                    meant.iter().map(|position| similar.get(*position).copied().unwrap_or_default());
                let mut is_like_one = false;
                for (best, similarity) in best.iter_mut().zip(of_meant) {
                    *best = best.max(similarity);
                    is_like_one |= similarity >= SAME_PART;
                }
                surplus += usize::from(!is_like_one && telling_own.contains(&at));
            });
        }
        let meant = best.iter().sum::<f64>() / best.len().max(1) as f64;
        let ends = own.last().and_then(|part| wanted.with_part(part, |similar| similar.last().copied()));
        let begins = own.first().and_then(|part| wanted.with_part(part, |similar| similar.first().copied()));
        MEANT * meant + ENDS * ends.unwrap_or_default() + (1.0 - MEANT - ENDS) * begins.unwrap_or_default()
            - SURPLUS * surplus as f64
    }
}

/// Weight of the parts that tell an option from others in the similarity of two paths.
const MEANT: f64 = 0.6;
/// Weight of the last parts; the rest is that of the first parts.
const ENDS: f64 = 0.3;
/// What each further part takes off the similarity.
const SURPLUS: f64 = 0.05;
/// Least similarity of two parts that mean the same.
const SAME_PART: f64 = 0.6;
/// The positions of the parts of a path that tell it from others; all of them if it has only common ones.
fn telling(path: &[String]) -> Vec<usize> {
    let tells = |part: &String| !COMMON.contains(&part.as_str()) && part != "<name>";
    let telling: Vec<usize> =
        path.iter().enumerate().filter(|(_, part)| tells(part)).map(|(at, _)| at).collect();
    if telling.is_empty() { (0..path.len()).collect() } else { telling }
}

fn compact(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).collect()
}
