//! What an index has of each package and of each option.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::query::{Query, Rank};
use super::spelling::Spelling;

/// An entry of an index: a package or an option.
pub trait IndexEntry: Clone + Serialize + DeserializeOwned {
    /// The attribute path, or the path of the option.
    fn path(&self) -> &str;
    /// The last part of the path.
    fn leaf(&self) -> &str;
    /// The name of a package.
    fn pname(&self) -> Option<&str>;
    /// The main program of a package.
    fn program(&self) -> Option<&str>;
    /// The version of a package; empty if it has none.
    fn version(&self) -> &str;
    /// Empty if it has none.
    fn description(&self) -> &str;
    /// The name whose spelling is compared for suggestions.
    fn spelling(&self) -> &str;
    /// The part of a name, in lower case, that tells it from others.
    fn telling(name: &str) -> String;
    /// The parts of the path whose spelling is corrected one by one, in lower case.
    fn parts(&self) -> Vec<String>;
    /// How well the entry matches a query. `score` is SQLite's relevance of the words; smaller is better.
    fn rank(&self, query: &Query, score: f64) -> Rank;
    /// How similar the name of an entry is to another one, from 0 to 1, by its path and the name of its package in lower case.
    fn similarity(path: &str, pname: Option<&str>, wanted: &Spelling) -> f64;
}
