//! The parts of an answer of `nix_search`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flake::options::HostOption;
use crate::search::commands::{FoundIn, Provider};
use crate::search::exact::{Exact, Status};
use crate::search::index::{IndexEntry, Package};
use crate::search::overlays::OverlayPackage;
use crate::text;

/// Longest description in a list of results, in characters.
const DESCRIPTION: usize = 100;
/// Longest type or default in a list of results, in characters.
const SHORT: usize = 80;
/// Longest text in a result with all details, in characters.
const LONG: usize = 400;

/// Longest value of an option, in characters; larger ones are not in the index.
const VALUE: usize = 200;
/// The priority of a definition without one (`lib.defaultOverridePriority`).
const PLAIN_PRIORITY: i64 = 100;

/// A package or an option that matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchResult {
    /// Attribute of a package, or path of an option.
    pub attr: String,
    /// Name of a package, if it differs from the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version of a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Type of an option.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Default of an option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Whether the host sets this option: at this path, or at one with a name in the place of `<name>`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub set: bool,
    /// The value that the host sets, as JSON, if it is short and the option is of a simple type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The priority of that definition, if it has one, such as 50 for `mkForce` and 1000 for `mkDefault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Example of an option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Main program of a package, if it differs from the attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What stands in the way: `alias`, `broken`, `insecure`, `removed`, `unfree`, `unsupported`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The package that the host has instead, because of an overlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_host: Option<OnHost>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licences: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Options with the same name, type, description and default in other sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_also: u64,
    /// Files that declare an option, or FILE:LINE of a package.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared_in: Vec<String>,
}

/// A package that a host has because of an overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
// As for `IndexState`.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct OnHost {
    pub version: String,
    /// FILE:LINE of the overlay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defined_at: Option<String>,
}

impl From<&OverlayPackage> for OnHost {
    fn from(package: &OverlayPackage) -> Self {
        Self {
            version: text::plain(&package.package.version),
            defined_at: package.defined_at.as_deref().map(in_source),
        }
    }
}

impl SearchResult {
    /// A package, with all details or as an entry of a list.
    pub(super) fn of_package(package: &Package, detail: bool) -> Self {
        let leaf = package.leaf();
        let plain = |value: &str| text::plain(value);
        let differs = |value: &str| detail || value != leaf;
        let flags = [
            (package.alias, "alias"),
            (package.broken, "broken"),
            (package.insecure, "insecure"),
            (package.unfree, "unfree"),
            (package.unsupported, "unsupported"),
        ];
        let mut result = Self {
            attr: plain(&package.attr),
            name: Some(plain(&package.pname)).filter(|name| !name.is_empty() && differs(name)),
            version: Some(plain(&package.version)).filter(|version| !version.is_empty()),
            description: text::bounded(&plain(&package.description), if detail { LONG } else { DESCRIPTION }),
            program: package.program.as_deref().filter(|program| differs(program)).map(plain),
            flags: flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()).collect(),
            ..Self::default()
        };
        if detail {
            result.licences = package.licences.iter().map(|licence| plain(licence)).collect();
            result.homepage = package.homepage.as_deref().map(plain);
            result.declared_in = package.position.as_deref().map(in_source).into_iter().collect();
        }
        result
    }

    /// An option, with all details or as an entry of a list. `wanted` is the query, which may be a path with the user's names.
    pub(super) fn of_option(option: &HostOption, wanted: &str, detail: bool) -> Self {
        let limit = |short| if detail { LONG } else { short };
        let shown = |value: &Option<String>, short| {
            value.as_deref().map(|value| text::bounded(&text::plain(value), limit(short)))
        };
        let flags = [(option.target.is_some(), "alias"), (option.removed, "removed")];
        let mut result = Self {
            attr: text::plain(&option.path),
            kind: shown(&option.kind, SHORT),
            description: text::bounded(&text::plain(&option.description), limit(DESCRIPTION)),
            default: shown(&option.default, SHORT),
            set: !option.set.is_empty(),
            flags: flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()).collect(),
            ..Self::default()
        };
        if let Some(at) = option.set.iter().find(|at| at.path == option.path || at.path == wanted) {
            result.value = at.value.as_deref().map(|value| text::bounded(&text::plain(value), VALUE));
            result.priority = Some(at.priority).filter(|priority| *priority != PLAIN_PRIORITY);
        }
        if detail {
            result.example = shown(&option.example, LONG);
            result.declared_in = option.declared_in.iter().map(|file| in_source(file)).collect();
        }
        result
    }

    /// The lines for people.
    pub(super) fn render(&self) -> Vec<String> {
        let on_host = self.on_host.as_ref().map(|on_host| {
            let at = on_host.defined_at.as_deref().map(|at| format!(" at {}", text::word(at)));
            format!("on the host {} by an overlay{}", version_word(&on_host.version), at.unwrap_or_default())
        });
        let version = self.version.as_deref().map(text::word).map(str::to_owned);
        let set = self.set.then(|| match &self.value {
            Some(value) => format!("set to {}", text::line(value, 120)),
            None => "set".to_owned(),
        });
        let facts = [version, on_host, set, self.render_flags()];
        let facts: Vec<String> = facts.into_iter().flatten().collect();
        let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join("; ")) };
        let mut lines = vec![format!("• {}{facts}", text::word(&self.attr))];
        let described = [self.kind.as_deref(), Some(self.description.as_str())].into_iter().flatten();
        let described: Vec<&str> = described.filter(|text| !text.is_empty()).collect();
        if !described.is_empty() {
            lines.push(text::fenced(&text::line(&described.join("; "), 160)));
        }
        if !self.also.is_empty() {
            let names = text::words(self.also.iter().map(String::as_str));
            let more =
                if self.more_also > 0 { format!(" and {} more", self.more_also) } else { String::new() };
            lines.push(format!("  the same: {names}{more}"));
        }
        lines
    }

    fn render_flags(&self) -> Option<String> {
        (!self.flags.is_empty()).then(|| text::words(self.flags.iter().map(String::as_str)))
    }
}

/// A name as a field of an answer has it.
pub(super) fn name(name: &str) -> String {
    text::plain(name)
}

/// A path in a source tree, without the folder of the store that the tree is in.
fn in_source(path: &str) -> String {
    let path = text::plain(path);
    let inside = path.strip_prefix("/nix/store/").and_then(|path| path.split_once('/'));
    inside.map_or(path.clone(), |(_, inside)| inside.to_owned())
}

/// Whether a name exists.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ExactAnswer {
    pub status: Status,
    /// The words of nixpkgs or of the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What an alias stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What the message names instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replacements: Vec<ExactReplacement>,
    /// Packages that have a command of this name, if no package has it as its name or main program. The schema leaves it out to
    /// save bytes: it is rare, and the packages are among the results.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub commands: Vec<CommandAnswer>,
}

/// A package that has a command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CommandAnswer {
    pub attr: String,
    /// The version in the pinned nixpkgs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    pub found_in: FoundIn,
}

/// What the message of a removal names instead.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
// As for `IndexState`.
#[schemars(with = "serde_json::Map<String, serde_json::Value>")]
pub struct ExactReplacement {
    pub attr: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

impl From<&Provider> for CommandAnswer {
    fn from(provider: &Provider) -> Self {
        Self {
            attr: text::plain(&provider.package.attr),
            version: text::plain(&provider.package.version),
            found_in: provider.found_in,
        }
    }
}

impl From<Exact> for ExactAnswer {
    fn from(exact: Exact) -> Self {
        Self {
            status: exact.status,
            message: exact.message.map(|message| text::bounded(text::plain(&message).trim(), LONG)),
            target: exact.target.map(|target| text::plain(&target)),
            replacements: exact
                .replacements
                .into_iter()
                .map(|replacement| ExactReplacement {
                    attr: text::plain(&replacement.attr),
                    version: text::plain(&replacement.version),
                })
                .collect(),
            commands: Vec::new(),
        }
    }
}

impl ExactAnswer {
    pub(super) fn is_missing(&self) -> bool {
        self.status == Status::Missing
    }

    /// Whether something is known of it beside its status.
    pub(super) fn has_message(&self) -> bool {
        self.message.is_some()
    }

    /// The answer about a path if only packages were searched.
    pub(super) fn of_packages_only(self) -> Self {
        if !self.is_missing() {
            return self;
        }
        let message = "no package has this name; if it is an option, search the options of a host";
        Self { message: Some(message.to_owned()), ..self }
    }

    /// Whether the name is that of one package or option, and not of a set of them or of a function. These have a message.
    pub(super) fn is_about_one(&self) -> bool {
        match self.status {
            Status::Works => self.message.is_none(),
            Status::Alias | Status::Removed | Status::Fails => true,
            Status::Missing => false,
        }
    }

    /// The lines for people; none if the name is that of a package or an option.
    pub(super) fn render(&self) -> Vec<String> {
        let mut line = match self.status {
            Status::Works => return self.message.iter().map(|message| text::line(message, LONG)).collect(),
            Status::Alias => "This name is an alias".to_owned(),
            Status::Removed => "This name was removed".to_owned(),
            Status::Missing => "Nothing has exactly this name".to_owned(),
            Status::Fails => "This name does not evaluate".to_owned(),
        };
        if let Some(target) = &self.target {
            line.push_str(&format!(" of {}", text::word(target)));
        }
        if !self.replacements.is_empty() {
            let names = self.replacements.iter().map(|replacement| {
                format!("{} {}", text::word(&replacement.attr), version_word(&replacement.version))
            });
            line.push_str(&format!(
                "; instead: {}",
                names.map(|name| name.trim_end().to_owned()).collect::<Vec<_>>().join(", ")
            ));
        }
        if !self.commands.is_empty() {
            let packages = self.commands.iter().map(|known| {
                let place = super::commands::place(known.found_in);
                format!("{} {} ({place})", text::word(&known.attr), version_word(&known.version))
            });
            line.push_str(&format!("; the command is in {}", packages.collect::<Vec<_>>().join(", ")));
        }
        let mut lines = vec![format!("{line}.")];
        if let Some(message) = &self.message {
            lines.push(text::fenced(&text::line(message, 300)));
        }
        lines
    }
}

fn version_word(version: &str) -> &str {
    if version.is_empty() { "" } else { text::word(version) }
}
