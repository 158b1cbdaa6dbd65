//! The answer about an option.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flake::UnreadPart;
use crate::text;

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file: relative to the flake if it is inside, `<nixpkgs/…>` for a file of nixpkgs.
    pub file: String,
    /// Line in that file, from 1; `None` if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", text::word(&self.file))?;
        self.line.map_or(Ok(()), |line| write!(to, ":{line}"))
    }
}

/// Why the condition around a definition (`mkIf`) does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It is false.
    False,
    /// It throws an error.
    Throws,
}

/// A definition of an option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Definition {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Whether the value comes from it. Several definitions of one priority are merged.
    pub wins: bool,
    /// The lowest number wins: 50 is `mkForce`, 100 none, 1000 `mkDefault`, 1500 the option's default. `None` if it is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The value, shortened; `None` if it is not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `None` if all conditions hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The option further out at which it lost, such as a whole set that another definition replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<String>,
    /// The line of a data file that has this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Place>,
}

impl Definition {
    /// Whether its value is an empty list or set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self.value.as_deref(), Some("[ ]" | "{ }"))
    }
}

/// What is known about an option of a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Explanation {
    /// There is no such option.
    Missing {
        /// Names that exist and are similar.
        nearest: Vec<String>,
        /// The longest part of the path that exists; empty if none does.
        exists: String,
    },
    /// It was removed.
    Removed {
        /// nixpkgs's words.
        said: String,
    },
    /// It exists.
    Option(Box<OptionFacts>),
    /// Options begin with this path.
    Prefix(SetOptions),
}

/// An option, or a part of the value of one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OptionFacts {
    /// Its path.
    pub option: String,
    /// Whether it is an alias of `option`, as `mkRenamedOptionModule` makes them.
    pub renamed: bool,
    /// Whether no module declares it, and it is of the type for undeclared options (`freeformType`).
    pub freeform: bool,
    /// Its value; `None` if it is not set, could not be read, or if the path has a placeholder.
    pub value: Option<String>,
    /// Whether it has a value.
    pub is_set: bool,
    /// Its type in words.
    pub kind: Option<String>,
    /// Its value if nobody sets it; `None` if it has no default.
    pub default: Option<String>,
    /// The expression that the documentation gives for the default.
    pub default_text: Option<String>,
    /// An example.
    pub example: Option<String>,
    /// Where it is declared.
    pub declared: Vec<Place>,
    /// Every definition, those that win first.
    pub definitions: Vec<Definition>,
    /// Whether definitions that do not win could be read.
    pub has_losers: bool,
    /// The parts that could not be read.
    pub unread: Vec<UnreadPart>,
}

/// The options below a prefix that are set.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetOptions {
    /// The prefix.
    pub option: String,
    /// Those that are set, in order.
    pub set: Vec<SetOption>,
    /// Their number, with those beyond the limit.
    pub total: usize,
    /// The names right below the prefix.
    pub names: Vec<String>,
    /// The parts that could not be read.
    pub unread: Vec<UnreadPart>,
}

/// An option that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetOption {
    /// Its path.
    pub option: String,
    /// Its value, shortened; `None` if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The definition that decides, or the first of several.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// Its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Number of further definitions that decide.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub further: u64,
}
