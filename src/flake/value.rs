//! Any value of the flake: an attribute of its outputs or of a host, and the caller's own function of it.
//!
//! The evaluation is isolated (see `isolation`), since the function and the flake may both try to send what they read away. Secrets
//! are removed before an answer is cached or returned.

mod secrets;
mod tree;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub(super) use self::secrets::Secrets;
use self::tree::Tree;
use super::evaluate::{AskOptions, IsolatedAsk};
use super::hosts::HOSTS;
use super::{Answer, Flake, FlakeError, Instantiate, Question, UnreadPart};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{AttrPath, HostName};
use crate::progress::Call;
use crate::text;

pub use tree::Cut;

/// Most levels of a value that are read.
const DEPTH: usize = 12;
/// Most nodes that are read for one answer, which all its hosts share, and least for one host.
const NODES: (usize, usize) = (1_500, 60);
/// Most bytes of JSON of all values of one answer, and least for one host.
const BYTES: (usize, usize) = (18 * 1024, 400);
/// The attributes of a host that a path can begin with. The first is the one that is meant without it.
const OF_HOSTS: [&str; 3] = ["config", "options", "pkgs"];

/// A question for a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueRequest {
    /// The hosts whose attribute it is; `None` for the flake's own.
    pub hosts: Option<Vec<HostName>>,
    /// The components of the attribute's path. For a host it begins at `config`, unless it begins with `options` or `pkgs`.
    pub attr: Vec<String>,
    /// The text of a Nix function of the attribute.
    pub apply: Option<String>,
    /// Whether the files and lines of attributes are looked up.
    pub positions: bool,
}

/// A value, or what of it can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownValue {
    /// The value. What is no data is a text in `«»`.
    pub value: Value,
    /// What is left out of it.
    pub cuts: Vec<Cut>,
    /// The places of its attributes, by their paths.
    pub positions: BTreeMap<String, String>,
    /// The errors of attributes in it, by their paths.
    pub errors: BTreeMap<String, Diagnostic>,
}

/// A value of one host, or of the flake, or why it has none.
pub type ValueResult = Result<ShownValue, Diagnostic>;

impl Flake {
    /// The values that a request asks for, one for each host, or a single one. Nothing is built, and nothing but the inputs of
    /// the flake is fetched.
    ///
    /// # Errors
    /// See [`FlakeError`]. A value that does not evaluate is an error in the list.
    pub async fn values(&self, request: &ValueRequest, call: &Call) -> Result<Vec<ValueResult>, FlakeError> {
        let question = format!("value {}", json!(request));
        self.remembered(&question, call, |flake| async move { flake.find_values(request, call).await }).await
    }

    async fn find_values(&self, request: &ValueRequest, call: &Call) -> Result<Vec<ValueResult>, FlakeError> {
        call.report_message("locking the flake");
        let isolation = self.isolate(call).await?;
        let targets = request.targets();
        let share = |(all, least): (usize, usize)| (all / targets.len().max(1)).max(least);
        let bytes = share(BYTES);
        let limits =
            json!({"depth": DEPTH, "nodes": share(NODES), "bytes": bytes, "positions": request.positions});
        let questions =
            targets.into_iter().map(|path| Question::new(path, "value").with(limits.clone())).collect();
        let options = AskOptions {
            isolated: Some(IsolatedAsk { isolation: &isolation, own: request.apply.as_deref() }),
            ..AskOptions::new("values", Instantiate::Never)
        };
        let answers = self.ask_with(&options, questions, call).await?.answers;
        let secrets = Secrets::new(&request.attr, request.apply.is_none());
        let mut source = self.source();
        source.store_path = Some(isolation.source.as_str());
        let shown = answers.into_iter().map(|answer| match answer {
            Ok(answer) => {
                let mut shown = show(answer, &secrets, bytes)?;
                shown.positions = source.display_positions(shown.positions);
                Ok(shown)
            }
            Err(error) => {
                let error = if request.apply.is_some() { of_function(error) } else { error };
                Err(secrets::without_secrets(error))
            }
        });
        Ok(shown.collect())
    }
}

impl ValueRequest {
    /// The paths of the attributes in the flake's outputs.
    fn targets(&self) -> Vec<Vec<String>> {
        let Some(hosts) = &self.hosts else { return vec![self.attr.clone()] };
        let begins_there = self.attr.first().is_some_and(|first| OF_HOSTS.contains(&first.as_str()));
        let before = if begins_there { None } else { OF_HOSTS.first() };
        let of = |host: &HostName| {
            let start = [HOSTS, host.as_str()].into_iter().chain(before.copied()).map(str::to_owned);
            start.chain(self.attr.iter().cloned()).collect()
        };
        hosts.iter().map(of).collect()
    }
}

/// The value in the answer of the probe.
fn show(answer: Answer, secrets: &Secrets, bytes: usize) -> ValueResult {
    let tree = Tree::from_probe(answer.value, &answer.unread, secrets)?;
    let mut shown = tree.show(bytes);
    for part in answer.unread {
        shown.errors.insert(path_of(&part), secrets::without_secrets(part.error));
    }
    Ok(shown)
}

/// An error in the caller's function, which is in no file.
fn of_function(error: Diagnostic) -> Diagnostic {
    if error.file.is_some() {
        return error;
    }
    let is_no_function =
        error.said.as_deref().is_some_and(|said| said.contains("call something which is not a function"));
    match error.code {
        Code::SyntaxError => Diagnostic { message: "`apply` is not valid Nix".to_owned(), ..error },
        Code::UndefinedVariable => {
            let name =
                error.attr.as_deref().map_or_else(String::new, |name| format!(" `{}`", text::word(name)));
            error.with_hint(format!(
                "define{name} with `let` in `apply`: only `builtins` is there, without nixpkgs' `lib`"
            ))
        }
        Code::TypeMismatch if is_no_function => error.with_hint(
            "`apply`, or what it calls, is not a function: write one, such as `value: builtins.length value`",
        ),
        _ => error,
    }
}

/// The path of a part below the value. The first step of a part is its level.
fn path_of(part: &UnreadPart) -> String {
    AttrPath::new(part.part.iter().skip(1).map(String::from)).to_string()
}
