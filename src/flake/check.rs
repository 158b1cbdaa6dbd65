//! Checks every output of a flake and reports every failure.

mod build;
mod warnings;

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hosts::HOSTS;
use super::outputs::{self, Leaf, ListOptions, OutputKind, Rule, Shape};
use super::{AskOptions, Flake, FlakeError, Instantiate, Question};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{DrvPath, HostName, SystemName};
use crate::progress::Call;

pub use warnings::Warning;
use warnings::WarningCollector;

/// The result of checking an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It evaluates and follows the rule for its kind; if it was built, the build succeeded.
    Ok,
    /// It does not.
    Failed,
    /// It cannot be evaluated without building something first, and `build` was not set.
    NeedsBuild,
    /// It was not checked.
    Skipped,
}

impl Status {
    /// The status of an output with this error.
    pub(super) fn of(error: &Diagnostic) -> Self {
        if error.code == Code::NeedsBuild { Self::NeedsBuild } else { Self::Failed }
    }
}

/// One output and the result of checking it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Its attribute path in the flake.
    pub attr: String,
    /// Its kind.
    pub kind: OutputKind,
    /// The result.
    pub status: Status,
    /// Whether it was built as well.
    #[serde(default, skip_serializing_if = "is_false")]
    pub built: bool,
    /// The store path of its derivation; `None` if it is not a derivation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drv_path: Option<String>,
    /// Why it failed; `None` if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// Why it was skipped or only evaluated; `None` if it was neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The derivation whose build failed, for its log.
    #[serde(skip)]
    pub failed_build: Option<DrvPath>,
    /// The system that the derivation is built on; `None` if it is not a derivation.
    #[serde(skip)]
    pub system: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Output {
    fn new(leaf: &Leaf) -> Self {
        Self {
            attr: leaf.attr(),
            kind: leaf.rule.kind,
            status: Status::Skipped,
            built: false,
            drv_path: None,
            error: None,
            reason: None,
            failed_build: None,
            system: None,
        }
    }

    fn skipped(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    fn failed(self, error: Diagnostic) -> Self {
        Self { status: Status::of(&error), error: Some(error), ..self }
    }

    /// The output with the answer of its probe.
    fn with_answer(self, leaf: &Leaf, answer: Result<Value, Diagnostic>) -> Self {
        let value = match answer {
            Ok(value) => value,
            Err(error) => return self.failed(error),
        };
        if let Some(reason) = value.get("skipped").and_then(Value::as_str) {
            return self.skipped(reason);
        }
        if leaf.rule.shape == Shape::Opaque {
            return self.skipped("it evaluates to a value; Nix has no rules for its content");
        }
        let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
        let (drv_path, system) = (text("drv_path"), text("system"));
        if drv_path.as_ref().is_some_and(|path| path.parse::<DrvPath>().is_err()) {
            let message = "its `drvPath` is not the store path of a derivation";
            return self.failed(Diagnostic::new(Code::TypeMismatch, message).with_attr(leaf.attr()));
        }
        Self { status: Status::Ok, drv_path, system, ..self }
    }
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Every output in scope.
    pub outputs: Vec<Output>,
    /// Warnings of this program, of Nix and of the configuration.
    pub warnings: Vec<Warning>,
    /// Number of different warnings that are not in `warnings`; at most 10 000.
    #[serde(default)]
    pub more_warnings: usize,
}

/// The outputs to check.
#[derive(Clone, Debug, Default)]
pub struct CheckScope {
    /// Check only this host; `None` means every output.
    pub host: Option<HostName>,
    /// Check only outputs of this system; `None` means every system.
    pub system: Option<SystemName>,
    /// Whether checks and hosts are also built.
    pub build: bool,
}

impl Flake {
    /// Evaluates every output in scope separately, and builds checks and hosts if `scope.build` is set.
    ///
    /// # Errors
    /// See [`FlakeError`]. An output that fails is in the result.
    pub async fn check(&self, scope: &CheckScope, call: &Call) -> Result<CheckResult, FlakeError> {
        if scope.build {
            let mut checked = self.check_now(scope, call).await?;
            self.build_outputs(&mut checked.outputs, call).await?;
            return Ok(checked);
        }
        let question = format!("check {:?} {:?}", scope.host, scope.system);
        let find = |flake: Self| async move { flake.check_now(scope, call).await };
        self.remembered(&question, call, find).await
    }

    async fn check_now(&self, scope: &CheckScope, call: &Call) -> Result<CheckResult, FlakeError> {
        let instantiate = if scope.build { Instantiate::Yes } else { Instantiate::Never };
        let collector = WarningCollector::default();
        let leaves = match &scope.host {
            Some(host) => {
                let path = vec![HOSTS.to_owned(), host.to_string()];
                vec![Leaf { path, rule: Rule::of(HOSTS), system: None, error: None }]
            }
            None => {
                let on_warning = |attr: &str, said: &str| collector.add_listing_warning(attr, said);
                self.leaves(|_| true, ListOptions { instantiate, on_warning: &on_warning, call }).await?
            }
        };
        let system = scope.system.as_ref().map(SystemName::as_str);
        let of_other = |leaf: &Leaf| matches!((&leaf.system, system), (Some(of_leaf), Some(wanted)) if of_leaf != wanted);
        let asked = |leaf: &Leaf| leaf.error.is_none() && !leaf.rule.probe.is_empty() && !of_other(leaf);
        let mut checked = CheckResult::default();
        let mut answers = HashMap::new();
        for (jobs, instantiate) in [(false, instantiate), (true, instantiate.for_jobs())] {
            let part: Vec<(usize, &Leaf)> = leaves
                .iter()
                .enumerate()
                .filter(|(_, leaf)| asked(leaf) && (leaf.rule.kind == OutputKind::Job) == jobs)
                .collect();
            let question = |leaf: &Leaf| {
                let question = Question::new(leaf.path.iter().cloned(), leaf.rule.probe);
                match leaf.rule.probe {
                    "host" => question.with(json!({ "system": system })),
                    _ => question,
                }
            };
            let questions = part.iter().map(|(_, leaf)| question(leaf)).collect();
            let on_warning = |index: usize, said: String| {
                if let Some((place, leaf)) = part.get(index) {
                    collector.add_warning(*place, &leaf.attr(), &said);
                }
            };
            let options =
                AskOptions { on_warning: Some(&on_warning), ..AskOptions::new("outputs", instantiate) };
            let round = self.ask_with(&options, questions, call).await?;
            let given = round.answers.into_iter().map(|answer| answer.map(|answer| answer.value));
            answers.extend(part.iter().map(|(place, _)| *place).zip(given));
        }
        if let (Some(host), Some(Err(error))) = (&scope.host, answers.get(&0))
            // Whether the host exists may also need a build.
            && error.code != Code::NeedsBuild
        {
            match self.explain::<()>(host, error.clone(), call).await {
                // The host exists and fails: its output has the error.
                Ok(()) | Err(FlakeError::Evaluation(_)) => {}
                Err(other) => return Err(other),
            }
        }
        for (place, leaf) in leaves.iter().enumerate() {
            if let Some(output) = leaf.path.first()
                && let Some(remark) = outputs::remark(output)
            {
                collector.add_remark(place, output, &remark);
            }
            let answer = answers.remove(&place).unwrap_or(Ok(Value::Null));
            if let Some(remark) = answer.as_ref().ok().and_then(|value| value.get("remark")?.as_str()) {
                collector.add_remark(place, &leaf.attr(), remark);
            }
            let output = Output::new(leaf);
            let mut output = if of_other(leaf) {
                output.skipped("it is for another system")
            } else if let Some(error) = &leaf.error {
                output.failed(error.clone())
            } else if leaf.rule.probe.is_empty() {
                output.skipped("Nix checks only the names of the systems here")
            } else {
                output.with_answer(leaf, answer)
            };
            if scope.build && output.status == Status::NeedsBuild {
                output.status = Status::Failed;
            }
            checked.outputs.push(output);
        }
        (checked.warnings, checked.more_warnings) = collector.into_warnings();
        Ok(checked)
    }
}
