//! Searches packages of the pinned nixpkgs, or of the flake itself, and options of a host. Never asks a web service.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::flake::options::HostOption;
use crate::flake::{AskOptions, Flake, FlakeError, Instantiate, OtherFlake, Question, UnreadPart};
use crate::names::AttrPath;
use crate::nix::diagnostics;
use crate::progress::Call;
use crate::text;

/// Output limit of `nix search` in bytes: all of nixpkgs is about 30 MiB.
const ANSWER_LIMIT: usize = 128 * 1024 * 1024;
/// The flake outputs that contain packages.
const OUTPUTS: [&str; 2] = ["packages", "legacyPackages"];

/// A package or an option that matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchResult {
    /// Attribute of a package, or name of an option.
    pub attr: String,
    /// Name of a package, or type of an option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Version of a package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its description; empty if it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Default of an option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// The result of a search for packages.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PackageResults {
    /// The matching packages, the best match first.
    pub found: Vec<SearchResult>,
    /// The packages that could not be evaluated.
    pub unread: Vec<UnreadPart>,
}

/// Where to search packages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSource {
    /// The installable for `nix search`.
    pub installable: String,
    /// The flake whose inputs resolve `installable`; `None` if that is a flake reference.
    pub inputs_from: Option<String>,
    /// The revision of the pinned nixpkgs; `None` if the flake does not pin nixpkgs to a commit.
    pub revision: Option<String>,
}

/// An entry of `nix search --json`.
#[derive(Deserialize)]
struct SearchEntry {
    #[serde(default)]
    pname: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    description: String,
}

/// A package in the answer of the probe `packages`.
#[derive(Deserialize)]
struct ProbedPackage {
    attr: String,
    #[serde(default)]
    thrown: bool,
    #[serde(flatten)]
    entry: SearchEntry,
}

/// Where to search the flake's packages: its locked input `nixpkgs`, or the flake itself if it has no such input.
///
/// # Errors
/// If there is no flake, or [`FlakeError::Lock`]: then it is not known what to search.
pub fn package_source(flake: &Flake) -> Result<PackageSource, FlakeError> {
    let reference = flake.reference();
    let lock = flake.lock()?.filter(|lock| lock.has_input("nixpkgs"));
    let Some(lock) = lock else {
        return Ok(PackageSource { installable: reference, inputs_from: None, revision: None });
    };
    let locked = lock.input("nixpkgs").and_then(|node| node.locked.as_ref());
    let revision = locked.and_then(|locked| locked.commit()).map(str::to_owned);
    Ok(PackageSource { installable: "nixpkgs".to_owned(), inputs_from: Some(reference), revision })
}

/// The packages that have every word of `query` in their name, attribute or description, best first.
///
/// # Errors
/// See [`FlakeError`].
pub async fn packages(flake: &Flake, query: &str, call: &Call) -> Result<PackageResults, FlakeError> {
    let source = package_source(flake)?;
    let question = format!("search {source:?} {query:?}");
    let source = &source;
    flake
        .remembered(
            &question,
            call,
            |flake| async move { search_packages(&flake, source, query, call).await },
        )
        .await
}

async fn search_packages(
    flake: &Flake,
    source: &PackageSource,
    query: &str,
    call: &Call,
) -> Result<PackageResults, FlakeError> {
    let search = ["search", "--json", "--no-update-lock-file", "--show-trace"];
    // Nix resolves the input's name by the same lock file.
    let memory = flake.nix_cache().await?;
    // The search builds nothing, whatever nix.conf allows: `read_one_by_one` reads packages that need a build, if
    // allowed.
    let command =
        flake.nix().command(&search).await?.args(["--option", "allow-import-from-derivation", "false"]);
    let mut command = memory.apply_to(command);
    command = command.time_limit(flake.settings().evaluation_time).output_limit(ANSWER_LIMIT);
    if let Some(inputs_from) = &source.inputs_from {
        command = command.args(["--inputs-from", inputs_from.as_str()]);
    }
    command = command.arg("--").arg(&source.installable);
    let words: Vec<String> = query.split_whitespace().map(literal_regex).collect();
    // An empty query matches everything, but Nix requires an expression.
    command = if words.is_empty() { command.arg("^") } else { command.args(words) };
    let run = flake.nix().run(command, call).await?;
    // Nix skips packages that fail to evaluate, also if only a download failed.
    if run.state.has_fetched() {
        flake.mark_transient();
    }
    if !run.status.success() {
        // `nix search` fails without results; here that is an empty list.
        if run.state.errors().iter().any(|error| error.cause.contains("no results for the given search")) {
            return Ok(PackageResults::default());
        }
        let tree = flake.source();
        let first = diagnostics::diagnose(&run.state, &tree).into_iter().next();
        let error =
            first.unwrap_or_else(|| Diagnostic::new(Code::NixFailed, "nix search failed without an error"));
        // `nix search` ends at the first output that does not evaluate.
        if error.is_cacheable() || error.code == Code::NeedsBuild {
            return read_one_by_one(flake, source, query, error, call).await;
        }
        return Err(FlakeError::Evaluation(Box::new(error)));
    }
    let entries: BTreeMap<String, SearchEntry> = serde_json::from_slice(&run.stdout).map_err(|error| {
        crate::nix::NixError::NotUnderstood { what: "the search", said: error.to_string() }
    })?;
    let mut found: Vec<SearchResult> = entries.into_iter().map(package).collect();
    rank(query, &mut found);
    Ok(PackageResults { found, unread: Vec::new() })
}

/// Searches without `nix search`, which ended with `error` at a single output.
async fn read_one_by_one(
    flake: &Flake,
    source: &PackageSource,
    query: &str,
    error: Diagnostic,
    call: &Call,
) -> Result<PackageResults, FlakeError> {
    call.report_message("reading the packages one by one");
    let other_flake =
        OtherFlake { reference: source.installable.clone(), inputs_from: source.inputs_from.clone() };
    let options = AskOptions { other_flake: Some(&other_flake), ..AskOptions::new("flake", Instantiate::No) };
    let (mut probed, mut unread) = (Vec::new(), Vec::new());
    // A question for each output, so that too many failures in one leave the other complete.
    for output in OUTPUTS {
        let argument = serde_json::json!({ "output": output, "system": crate::nix::system() });
        let question = Question::new::<&str>([], "packages").with(argument).large();
        let mut round = flake.ask_with(&options, vec![question], call).await?;
        if round.has_fetched {
            flake.mark_transient();
        }
        let answer = match round.answers.pop() {
            Some(Ok(answer)) => answer,
            Some(Err(error)) => return Err(FlakeError::Evaluation(Box::new(error))),
            None => return Err(FlakeError::Evaluation(Box::new(error))),
        };
        probed.extend(serde_json::from_value::<Vec<ProbedPackage>>(answer.value).map_err(|error| {
            crate::nix::NixError::NotUnderstood { what: "the list of packages", said: error.to_string() }
        })?);
        unread.extend(answer.unread);
    }
    let (thrown, probed): (Vec<_>, Vec<_>) = probed.into_iter().partition(|probed| probed.thrown);
    for part in &mut unread {
        part.error.attr.get_or_insert_with(|| AttrPath::new(&part.part).to_string());
    }
    unread.extend(thrown.into_iter().map(|probed| {
        let error = Diagnostic::new(
            Code::Throw,
            format!("{} throws an error, fails an assertion, or is not a package", text::word(&probed.attr)),
        )
        .with_attr(probed.attr.clone());
        UnreadPart::new([probed.attr], error)
    }));
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<SearchResult> = probed
        .into_iter()
        .filter(|probed| {
            let texts = [&probed.attr, &probed.entry.pname, &probed.entry.description]
                .map(|text| text.to_lowercase());
            words.iter().all(|word| texts.iter().any(|text| text.contains(word.as_str())))
        })
        .map(|probed| package((probed.attr, probed.entry)))
        .collect();
    rank(query, &mut found);
    Ok(PackageResults { found, unread })
}

fn package((attr, entry): (String, SearchEntry)) -> SearchResult {
    let non_empty = |text: String| (!text.is_empty()).then(|| text::plain(&text));
    SearchResult {
        attr: text::plain(&attr),
        name: non_empty(entry.pname),
        version: non_empty(entry.version),
        description: text::bounded(&text::plain(&entry.description), 300),
        default: None,
    }
}

/// The options that have every word of `query` in their name or description, best first.
#[must_use]
pub fn options(all: &[HostOption], query: &str) -> Vec<SearchResult> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<SearchResult> = all
        .iter()
        .map(|option| SearchResult {
            attr: text::plain(&option.name),
            name: option.kind.as_deref().map(text::plain),
            version: None,
            description: text::bounded(&text::plain(&option.description), 300),
            default: option.default.as_deref().map(text::plain),
        })
        .filter(|option| {
            let (name, description) = (option.attr.to_lowercase(), option.description.to_lowercase());
            words.iter().all(|word| name.contains(word.as_str()) || description.contains(word.as_str()))
        })
        .collect();
    rank(query, &mut found);
    found
}

/// Exact names first, then names that begin with the query, then names that contain it.
fn rank(query: &str, found: &mut [SearchResult]) {
    let query = query.trim().to_lowercase();
    let score = |found: &SearchResult| {
        let last = found.attr.rsplit('.').next().unwrap_or_default().to_lowercase();
        let name = found.name.as_deref().unwrap_or_default().to_lowercase();
        let attr = found.attr.to_lowercase();
        match () {
            () if last == query || name == query || attr == query => 0,
            () if last.starts_with(&query) || name.starts_with(&query) => 1,
            () if last.contains(&query) || name.contains(&query) => 2,
            () if attr.contains(&query) => 3,
            () => 4,
        }
    };
    // `default` and other aliases come after the attribute with the package's own name.
    let alias = |found: &SearchResult| found.name.as_deref().is_some_and(|name| !found.attr.ends_with(name));
    found.sort_by_cached_key(|found| (score(found), alias(found), found.attr.len(), found.attr.clone()));
}

/// A regular expression that matches the word literally, such as `c++`.
fn literal_regex(word: &str) -> String {
    let mut expression = String::with_capacity(word.len());
    for character in word.chars() {
        if r"\^$.|?*+()[]{}".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_literally() {
        assert_eq!(literal_regex("c++"), r"c\+\+");
        assert_eq!(literal_regex("a.b"), r"a\.b");
    }

    #[test]
    fn exact_names_come_first() {
        let found = |attr: &str| SearchResult {
            attr: attr.into(),
            name: None,
            version: None,
            description: String::new(),
            default: None,
        };
        let mut all = vec![found("x.y.git-extras"), found("x.y.legit"), found("x.y.git")];
        rank("git", &mut all);
        let order: Vec<_> = all.iter().map(|found| found.attr.as_str()).collect();
        assert_eq!(order, ["x.y.git", "x.y.git-extras", "x.y.legit"]);
    }

    #[test]
    fn every_word_counts_for_options() {
        let option = |name: &str, description: &str| HostOption {
            name: name.into(),
            kind: None,
            description: description.into(),
            default: None,
        };
        let all = vec![
            option("services.openssh.enable", "Whether to enable the OpenSSH daemon."),
            option("services.openssh.ports", "Ports."),
            option("programs.git.enable", "Whether to enable Git."),
        ];
        let found = options(&all, "openssh enable");
        assert_eq!(found.len(), 1);
    }
}
