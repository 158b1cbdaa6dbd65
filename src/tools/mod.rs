//! The catalogue: one file per tool, one line in `tools!` to add it.
//!
//! The server, the `call` command, the published schemas, README's table and the tests all read [`catalogue`].

mod answer_limit;
mod background;
mod chosen_hosts;
mod difference;
mod gap;
mod in_force;
mod indexes;
mod page;
mod rollouts;
mod services;
mod suggestions;

use std::future::Future;
use std::pin::Pin;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::diagnostic::{Code, Diagnostic};
use crate::progress::Call;
use crate::schema::{self, ArgumentError};
use answer_limit::{EntryLabel, FittedAnswer};

pub use crate::policy::{Effect, Policy, Reach};
pub use page::limit_text;
pub use rollouts::ActiveRollouts;
pub use services::{CallSlot, Context, LogRef, Services};

/// Declares the module of each tool and lists the tools in this order. `cargo fmt` does not format modules that a macro
/// declares; `rustfmt src/tools/*.rs` does, and `tests/structure.rs` checks it.
macro_rules! tools {
    ($($file:ident::$tool:ident),+ $(,)?) => {
        $(mod $file;)+

        /// All tools, in the order of `tools/list`.
        #[must_use]
        pub fn catalogue() -> &'static [ToolEntry] {
            static CATALOGUE: LazyLock<Vec<ToolEntry>> = LazyLock::new(|| vec![$(ToolEntry::from_tool::<$file::$tool>()),+]);
            &CATALOGUE
        }
    };
}

tools! {
    list_hosts::ListHosts,
    flake_check::FlakeCheck,
    nix_search::NixSearch,
    evaluate::Evaluate,
    list_devshells::ListDevshells,
    flake_inputs::FlakeInputs,
    build_host::BuildHost,
    explain_option::ExplainOption,
    fleet_view::FleetView,
    inspect_disko::InspectDisko,
    host_status::HostStatus,
    list_generations::ListGenerations,
    plan_deploy::PlanDeploy,
    deploy::Deploy,
    rollback_host::RollbackHost,
}

/// The error of a tool that returned no output.
///
/// `?` converts every error type that has `impl From<&MyError> for Diagnostic`, so a tool can have its own error type
/// without a change to this file. This type does not implement [`std::error::Error`], because the blanket `From` below would
/// then conflict with `From<T> for T`.
#[derive(Debug)]
pub struct ToolError(Box<Diagnostic>);

impl<E> From<E> for ToolError
where
    E: std::error::Error,
    for<'a> Diagnostic: From<&'a E>,
{
    fn from(error: E) -> Self {
        Self(Box::new(Diagnostic::from(&error)))
    }
}

impl From<Diagnostic> for ToolError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Box::new(diagnostic))
    }
}

impl From<ToolError> for Diagnostic {
    fn from(error: ToolError) -> Self {
        *error.0
    }
}

impl ToolError {
    /// An [`Code::InvalidInput`] error about an argument.
    pub fn input(argument: &str, message: impl Into<String>) -> Self {
        Diagnostic::new(Code::InvalidInput, message).with_attr(argument).into()
    }
}

/// A tool: its name, its arguments and answer, its effects, and its implementation.
pub trait Tool {
    /// The name in `tools/list`; clients depend on it.
    const NAME: &'static str;
    /// The title that clients show to people.
    const TITLE: &'static str;
    /// The description that a model reads to choose a tool.
    const DESCRIPTION: &'static str;
    /// The largest effect that a call can have.
    const EFFECT: Effect;
    /// The smallest effect that a call can have, depending on its arguments.
    const MIN_EFFECT: Effect = Self::EFFECT;
    /// Whether the tool, or a program that it starts, connects to hosts. There is no default: each tool has to declare it.
    const REACH: Reach;
    /// Whether a repeated call with the same arguments has no further effect.
    const IDEMPOTENT: bool = true;
    /// The hint of the error if the policy forbids a call: how to call the tool with a smaller effect, or what else to do.
    const ALTERNATIVE: &'static str = "ask a person to do it, or to start the server without --read-only";
    /// The arguments.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// The answer.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send;

    /// The effect of a call with these arguments.
    fn effect(_: &Self::Input) -> Effect {
        Self::EFFECT
    }
    fn run(
        context: &Context,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;

    /// Whether an answer reports a failure. It is then returned with `isError: true`.
    fn is_failure(_: &Self::Output) -> bool {
        false
    }

    /// The label of a list entry that is left out of an answer that is too large; `None` if such entries are only counted.
    fn label(_: &Value) -> Option<EntryLabel<'_>> {
        None
    }

    /// A short text of the answer for people.
    fn render(output: &Self::Output) -> String;
}

/// The result of a call.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    /// The answer or `{"error": …}`, as the tool's output schema describes it.
    pub structured: Value,
    /// A short text of it for people.
    pub text: String,
    /// Whether the call failed.
    pub failed: bool,
}

impl ToolOutcome {
    /// The outcome of a call that failed without an answer.
    #[must_use]
    pub fn failure(error: Diagnostic) -> Self {
        let failure = schema::FailedCall { error };
        match answer_limit::fit_answer(&failure, |_| None) {
            Ok(FittedAnswer { structured, shorter }) => {
                let text = shorter.unwrap_or(failure).error.to_string();
                Self { structured, text, failed: true }
            }
            // Cannot happen: a diagnostic has only texts and numbers.
            Err(error) => Self { structured: Value::Null, text: error.to_string(), failed: true },
        }
    }

    fn from_output<T: Tool>(output: T::Output) -> Self {
        let failed = T::is_failure(&output);
        match answer_limit::fit_answer(&output, T::label) {
            Ok(FittedAnswer { structured, shorter }) => {
                Self { structured, text: T::render(&shorter.unwrap_or(output)), failed }
            }
            Err(error) => Self::failure(Diagnostic::new(Code::Internal, error.to_string())),
        }
    }
}

type ToolFuture<'a> = Pin<Box<dyn Future<Output = Result<ToolOutcome, Vec<ArgumentError>>> + Send + 'a>>;

/// A tool without its type parameters, for the server and the command line.
pub struct ToolEntry {
    /// The name in `tools/list`.
    pub name: &'static str,
    /// The title that clients show to people.
    pub title: &'static str,
    /// The description that a model reads.
    pub description: &'static str,
    /// The largest effect that a call can have.
    pub effect: Effect,
    /// The smallest effect that a call can have.
    pub min_effect: Effect,
    /// Whether it connects to hosts.
    pub reach: Reach,
    /// The hint `openWorldHint`: whether a call may use anything but this machine and the flake's pinned inputs.
    pub open_world: bool,
    /// Whether a repeated call with the same arguments has no further effect.
    pub idempotent: bool,
    input: fn() -> Map<String, Value>,
    output: fn() -> Map<String, Value>,
    run: for<'a> fn(&'a Context, Map<String, Value>) -> ToolFuture<'a>,
}

impl ToolEntry {
    const fn from_tool<T: Tool + 'static>() -> Self {
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            effect: T::EFFECT,
            min_effect: T::MIN_EFFECT,
            reach: T::REACH,
            // A build may fetch from anywhere.
            open_world: matches!(T::REACH, Reach::Hosts) || !matches!(T::EFFECT, Effect::Read),
            idempotent: T::IDEMPOTENT,
            input: schema::of_input::<T::Input>,
            output: schema::of_output::<T::Output>,
            run: |context, arguments| Box::pin(run::<T>(context, arguments)),
        }
    }

    /// The JSON schema of the arguments.
    #[must_use]
    pub fn input_schema(&self) -> Map<String, Value> {
        (self.input)()
    }

    /// The JSON schema of the answer.
    #[must_use]
    pub fn output_schema(&self) -> Map<String, Value> {
        (self.output)()
    }

    /// Why this policy disables the tool; `None` if it is enabled.
    #[must_use]
    pub fn refusal(&self, policy: &Policy) -> Option<&'static str> {
        policy.refusal(self.name, self.min_effect, self.reach)
    }

    /// The largest effect of a call that the policy allows.
    #[must_use]
    pub fn effect_under(&self, policy: &Policy) -> Effect {
        if policy.forbids(self.effect).is_some() { self.min_effect } else { self.effect }
    }

    /// The diagnostic of a call with wrong arguments.
    fn describe_argument_errors(&self, wrong: &[ArgumentError]) -> Diagnostic {
        let mut problems: Vec<&str> =
            wrong.iter().take(MAX_PROBLEMS).map(|wrong| wrong.problem.as_str()).collect();
        let more = format!("and {} more", wrong.len().saturating_sub(MAX_PROBLEMS));
        if wrong.len() > MAX_PROBLEMS {
            problems.push(&more);
        }
        let takes = schema::outline(&self.input_schema());
        let consent = match self.effect {
            Effect::Host => "; no argument can replace the approval of a person",
            Effect::Read | Effect::Store => "",
        };
        let message = format!("{} was called with wrong arguments: {}", self.name, problems.join("; "));
        let mut diagnostic = Diagnostic::new(Code::InvalidInput, message)
            .with_suggestions(wrong.iter().flat_map(|wrong| wrong.nearest.iter().cloned()))
            .with_hint(format!("call it again; it takes {takes}{consent}"));
        diagnostic.attr = wrong.first().map(|wrong| wrong.path.clone()).filter(|path| !path.is_empty());
        diagnostic
    }

    /// Carries out a call. Failures are outcomes, too.
    pub async fn run(&self, context: &Context, arguments: Map<String, Value>) -> ToolOutcome {
        match (self.run)(context, arguments).await {
            Ok(outcome) => outcome,
            Err(wrong) => ToolOutcome::failure(self.describe_argument_errors(&wrong)),
        }
    }
}

/// Fields of answers whose text was written by builds, hosts and flakes. All other fields hold text of this program, or names
/// and values of a configuration.
pub const FOREIGN_TEXT_FIELDS: &[&str] =
    &["said", "reason", "description", "evidence", "log_tail", "trace", "why"];

/// The field with the number of derivations that were built because an evaluation reads their outputs (import from
/// derivation). Only tools that otherwise build nothing have it. No schema declares it: that would cost some hundred bytes
/// in every `tools/list`, and few callers need it.
const IMPORT_COUNT_FIELD: &str = "built_to_evaluate";

/// Adds the number of derivations that were built during evaluation.
fn with_import_count<T: Tool>(mut outcome: ToolOutcome, call: &Call) -> ToolOutcome {
    let count = call.imported.count();
    if T::EFFECT == Effect::Read
        && count > 0
        && let Value::Object(answer) = &mut outcome.structured
    {
        answer.insert(IMPORT_COUNT_FIELD.to_owned(), count.into());
        let what = if count == 1 { "1 derivation".to_owned() } else { format!("{count} derivations") };
        outcome.text.push_str(&format!("\nNix built {what} for this evaluation, which reads their outputs."));
    }
    outcome
}

/// Maximum number of argument errors that one diagnostic lists.
const MAX_PROBLEMS: usize = 10;

async fn run<T: Tool>(
    context: &Context,
    arguments: Map<String, Value>,
) -> Result<ToolOutcome, Vec<ArgumentError>> {
    let input = schema::arguments::<T::Input>(&schema::of_input::<T::Input>(), arguments)?;
    if let Some(reason) = context.settings().policy.forbids(T::effect(&input)) {
        let message = format!("{} is disabled for these arguments: {reason}", T::NAME);
        let refusal = Diagnostic::new(Code::ToolDisabled, message).with_hint(T::ALTERNATIVE);
        return Ok(ToolOutcome::failure(refusal));
    }
    let result = async {
        context.acquire_slot().await?;
        let output = T::run(context, input).await;
        context.release_slot();
        output
    };
    let outcome = match result.await {
        Ok(output) => ToolOutcome::from_output::<T>(suggestions::complete_within(context.flake(), output)),
        Err(error) => ToolOutcome::failure(suggestions::complete(context.flake(), error.into())),
    };
    Ok(with_import_count::<T>(outcome, &context.call))
}

/// The names of all tools, in the order of the catalogue.
#[must_use]
pub fn names() -> Vec<&'static str> {
    catalogue().iter().map(|tool| tool.name).collect()
}

/// The tool with this name; `None` if there is none.
#[must_use]
pub fn find(name: &str) -> Option<&'static ToolEntry> {
    catalogue().iter().find(|tool| tool.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_plain() {
        let mut seen = HashSet::new();
        for tool in catalogue() {
            assert!(seen.insert(tool.name), "{} is listed twice", tool.name);
            assert!(tool.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
        }
    }

    #[test]
    fn the_least_a_tool_changes_is_no_more_than_the_most() {
        for tool in catalogue() {
            assert!(tool.min_effect <= tool.effect, "{}", tool.name);
        }
    }

    #[test]
    fn every_schema_is_an_object() {
        for tool in catalogue() {
            assert_eq!(tool.input_schema().get("type"), Some(&Value::from("object")), "{}", tool.name);
            assert_eq!(tool.output_schema().get("type"), Some(&Value::from("object")), "{}", tool.name);
        }
    }
}
