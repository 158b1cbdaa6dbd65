//! The catalogue: one file per tool, one line in `tools!` to add it.
//!
//! The server, the `call` command, the published schemas, README's table and the tests all read [`catalogue`].

mod answer_limit;
mod background;
mod gap;
mod in_force;
mod page;
mod rollouts;
mod services;

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
pub use background::BackgroundTasks;
pub use in_force::SettingsInForce;
pub use page::limit_text;
pub use rollouts::ActiveRollouts;
pub use services::{CallSlot, Context, LogRef, Services};

/// Declares the file of each tool, and lists the tools in this order. `cargo fmt` does not look into it: `rustfmt
/// src/tools/*.rs` does (`tests/structure.rs`).
macro_rules! tools {
    ($($file:ident::$tool:ident),+ $(,)?) => {
        $(mod $file;)+

        /// Every tool there is, in the order it is listed.
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
    build_host::BuildHost,
    list_devshells::ListDevshells,
    inspect_disko::InspectDisko,
    nix_search::NixSearch,
    flake_inputs::FlakeInputs,
    host_status::HostStatus,
    list_generations::ListGenerations,
    plan_deploy::PlanDeploy,
    deploy::Deploy,
    rollback_host::RollbackHost,
}

/// Why a tool gave no output.
///
/// `?` makes one of every error that a [`Diagnostic`] can be made of (`impl From<&MyError> for Diagnostic`), so a tool has
/// an error type of its own without a word here. It is no [`std::error::Error`]: it would be made of itself then.
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
    /// A complaint about an argument.
    pub fn input(argument: &str, message: impl Into<String>) -> Self {
        Diagnostic::new(Code::InvalidInput, message).with_attr(argument).into()
    }
}

/// A tool: what it is called, what it takes and answers, and what it does.
pub trait Tool {
    /// Its name, which is a contract.
    const NAME: &'static str;
    /// Its name for people.
    const TITLE: &'static str;
    /// When to use it, for a model.
    const DESCRIPTION: &'static str;
    /// What a call of it changes at most.
    const EFFECT: Effect;
    /// What a call of it changes that changes least.
    const MIN_EFFECT: Effect = Self::EFFECT;
    /// Whether it reaches hosts, itself or by what it starts. Nothing stands here unless a tool says it.
    const REACH: Reach;
    /// Whether a second call with the same arguments changes nothing more.
    const IDEMPOTENT: bool = true;
    /// How to call it so that it changes less, where that can be.
    const ALTERNATIVE: &'static str = "ask a person to do it, or to start the server without --read-only";
    /// Its arguments.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// Its answer.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send;

    /// What a call with these arguments changes at most.
    fn effect(_: &Self::Input) -> Effect {
        Self::EFFECT
    }

    /// Does it.
    fn run(
        context: &Context,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;

    /// Whether an answer tells of a failure: it is still an answer, and an error as well.
    fn is_failure(_: &Self::Output) -> bool {
        false
    }

    /// What is told of an entry of the answer's lists that has no room in it.
    fn label(_: &Value) -> Option<EntryLabel<'_>> {
        None
    }

    /// The answer as a person would want to read it, short.
    fn render(output: &Self::Output) -> String;
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct ToolOutcome {
    /// The answer, or `{"error": …}`; as the tool's output schema says.
    pub structured: Value,
    /// The same for a person, short.
    pub text: String,
    /// Whether it failed.
    pub failed: bool,
}

impl ToolOutcome {
    /// The outcome of a call that failed before there was an answer.
    #[must_use]
    pub fn failure(error: Diagnostic) -> Self {
        let failure = schema::Failure { error };
        match answer_limit::fit_answer(&failure, |_| None) {
            Ok(FittedAnswer { structured, shorter }) => {
                let text = shorter.unwrap_or(failure).error.to_string();
                Self { structured, text, failed: true }
            }
            // A diagnostic is texts and numbers.
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

/// A tool without its types: what the server and the command line work with.
pub struct ToolEntry {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// When to use it.
    pub description: &'static str,
    /// What a call of it changes at most.
    pub effect: Effect,
    /// What a call of it changes that changes least.
    pub min_effect: Effect,
    /// Whether it reaches hosts.
    pub reach: Reach,
    /// Whether it reaches beyond this machine and the flake's pinned inputs.
    pub open_world: bool,
    /// Whether a second call with the same arguments changes nothing more.
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
            // What is built or put into the store may be fetched from anywhere.
            open_world: matches!(T::REACH, Reach::Hosts) || !matches!(T::EFFECT, Effect::Read),
            idempotent: T::IDEMPOTENT,
            input: schema::of_input::<T::Input>,
            output: schema::of_output::<T::Output>,
            run: |context, arguments| Box::pin(run::<T>(context, arguments)),
        }
    }

    /// The schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> Map<String, Value> {
        (self.input)()
    }

    /// The schema of its answer.
    #[must_use]
    pub fn output_schema(&self) -> Map<String, Value> {
        (self.output)()
    }

    /// Why it is not there, or `None` where it is.
    #[must_use]
    pub fn refusal(&self, policy: &Policy) -> Option<&'static str> {
        policy.refusal(self.name, self.min_effect, self.reach)
    }

    /// What a call of it changes at most that the policy lets through.
    #[must_use]
    pub fn effect_under(&self, policy: &Policy) -> Effect {
        if policy.forbids(self.effect).is_some() { self.min_effect } else { self.effect }
    }

    /// What to say of a call that it cannot take.
    fn describe_argument_errors(&self, wrong: &[ArgumentError]) -> Diagnostic {
        let mut problems: Vec<&str> =
            wrong.iter().take(MAX_PROBLEMS).map(|wrong| wrong.problem.as_str()).collect();
        let more = format!("and {} more", wrong.len().saturating_sub(MAX_PROBLEMS));
        if wrong.len() > MAX_PROBLEMS {
            problems.push(&more);
        }
        let takes = schema::outline(&self.input_schema());
        let consent = match self.effect {
            Effect::Host => "; no argument is a person's approval, which comes from the person alone",
            Effect::Read | Effect::Store => "",
        };
        let message = format!("{} was called wrongly: {}", self.name, problems.join("; "));
        let mut diagnostic = Diagnostic::new(Code::InvalidInput, message)
            .with_suggestions(wrong.iter().flat_map(|wrong| wrong.nearest.iter().cloned()))
            .with_hint(format!("call it again; it takes {takes}{consent}"));
        diagnostic.attr = wrong.first().map(|wrong| wrong.path.clone()).filter(|path| !path.is_empty());
        diagnostic
    }

    /// Runs it. Every failure is an outcome.
    pub async fn run(&self, context: &Context, arguments: Map<String, Value>) -> ToolOutcome {
        match (self.run)(context, arguments).await {
            Ok(outcome) => outcome,
            Err(wrong) => ToolOutcome::failure(self.describe_argument_errors(&wrong)),
        }
    }
}

/// Fields of answers that hold text which builds, hosts and flakes wrote. Beside them only names and values of a
/// configuration do.
pub const FOREIGN_TEXT_FIELDS: &[&str] =
    &["said", "reason", "description", "evidence", "log_tail", "trace", "why"];

/// The field of an answer that says how many derivations were built because an evaluation reads what they make. Tools
/// that build anyway say what they built. No schema names it: it would cost every list of tools some hundred bytes, and is
/// of use to few.
const IMPORT_COUNT_FIELD: &str = "built_to_evaluate";

/// With what was built on the way to it.
fn with_import_count<T: Tool>(mut outcome: ToolOutcome, call: &Call) -> ToolOutcome {
    let count = call.imported.count();
    if T::EFFECT == Effect::Read
        && count > 0
        && let Value::Object(answer) = &mut outcome.structured
    {
        answer.insert(IMPORT_COUNT_FIELD.to_owned(), count.into());
        let what = if count == 1 { "1 derivation".to_owned() } else { format!("{count} derivations") };
        outcome.text.push_str(&format!("\nNix built {what} to evaluate this, which reads what they make."));
    }
    outcome
}

/// Most things told that are wrong with one call.
const MAX_PROBLEMS: usize = 10;

async fn run<T: Tool>(
    context: &Context,
    arguments: Map<String, Value>,
) -> Result<ToolOutcome, Vec<ArgumentError>> {
    let input = schema::arguments::<T::Input>(&schema::of_input::<T::Input>(), arguments)?;
    if let Some(reason) = context.settings().policy.forbids(T::effect(&input)) {
        let message = format!("{} with these arguments is switched off: {reason}", T::NAME);
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
        Ok(output) => ToolOutcome::from_output::<T>(output),
        Err(error) => ToolOutcome::failure(error.into()),
    };
    Ok(with_import_count::<T>(outcome, &context.call))
}

/// The names of all tools.
#[must_use]
pub fn names() -> Vec<&'static str> {
    catalogue().iter().map(|tool| tool.name).collect()
}

/// The tool of that name.
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
            assert!(seen.insert(tool.name), "{} is there twice", tool.name);
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
