//! Checking every output of a flake, and reporting every one that fails.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hosts::HOSTS;
use super::outputs::{Kind, Leaf, Rule, Shape};
use super::{Flake, FlakeError, Instantiate, Question, is_lasting};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{DrvPath, HostName, SystemName};
use crate::nix::build::Order;
use crate::nix::diagnostics::{self, BuildFailure, Source};
use crate::progress::Call;

/// How an output fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is as it should be.
    Ok,
    /// It is not.
    Failed,
    /// It was not looked at.
    Skipped,
}

/// One output and how it fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Where it is in the flake.
    pub attr: String,
    /// What it is.
    pub kind: Kind,
    /// How it fared.
    pub status: Status,
    /// The derivation it is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drv_path: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// Why it was skipped, or not built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The derivation whose build failed, for its log.
    #[serde(skip)]
    pub failed_build: Option<DrvPath>,
}

/// What of a flake is to be checked.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Only this host.
    pub host: Option<HostName>,
    /// Only what is for this system.
    pub system: Option<SystemName>,
    /// Whether checks, or the host in scope, are built as well.
    pub build: bool,
}

impl Flake {
    /// Evaluates every output in scope, each on its own.
    ///
    /// # Errors
    /// See [`FlakeError`]; an output that fails is an [`Output`].
    pub async fn check(&self, scope: &Scope, call: &Call) -> Result<Vec<Output>, FlakeError> {
        if scope.build {
            let mut outputs = self.check_now(scope, call).await?;
            self.build_checks(scope, &mut outputs, call).await?;
            return Ok(outputs);
        }
        let lasting =
            |outputs: &Vec<Output>| outputs.iter().all(|output| output.error.as_ref().is_none_or(is_lasting));
        let question = format!("check {:?} {:?}", scope.host, scope.system);
        self.remembered(&question, call, lasting, || self.check_now(scope, call)).await
    }

    async fn check_now(&self, scope: &Scope, call: &Call) -> Result<Vec<Output>, FlakeError> {
        let leaves = match &scope.host {
            Some(host) => {
                let path = vec![HOSTS.to_owned(), host.to_string()];
                vec![Leaf { path, rule: Rule::of(HOSTS), system: None, error: None }]
            }
            None => self.leaves(|_| true, call).await?,
        };
        let system = scope.system.as_ref().map(SystemName::as_str);
        let mut questions = Vec::new();
        let mut planned = Vec::new();
        for leaf in leaves {
            let other = matches!((&leaf.system, system), (Some(of_leaf), Some(wanted)) if of_leaf != wanted);
            if other {
                planned.push((leaf, Some("it is for another system".to_owned())));
            } else if leaf.rule.shape == Shape::Opaque {
                planned.push((leaf, Some("Nix has no rules for this output".to_owned())));
            } else {
                if leaf.error.is_none() {
                    let question = Question::new(leaf.path.iter().cloned(), leaf.rule.probe);
                    questions.push(match leaf.rule.probe {
                        "host" => question.with(json!({ "system": system })),
                        _ => question,
                    });
                }
                planned.push((leaf, None));
            }
        }
        let instantiate = if scope.build { Instantiate::Yes } else { Instantiate::No };
        let answers = self.ask("outputs", questions, instantiate, call).await?;
        if let (Some(host), [Err(error)]) = (&scope.host, answers.as_slice())
            && let Err(unknown @ FlakeError::UnknownHost { .. }) =
                self.explain::<()>(host, error.clone(), call).await
        {
            return Err(unknown);
        }
        let mut answers = answers.into_iter();
        Ok(planned
            .into_iter()
            .map(|(leaf, skipped)| {
                let attr = leaf.attr();
                let kind = leaf.rule.kind;
                let blank = Output {
                    attr,
                    kind,
                    status: Status::Skipped,
                    drv_path: None,
                    error: None,
                    reason: None,
                    failed_build: None,
                };
                if skipped.is_some() {
                    return Output { reason: skipped, ..blank };
                }
                let answer = match leaf.error {
                    Some(error) => Err(error),
                    None => answers.next().unwrap_or(Ok(Value::Null)),
                };
                match answer {
                    Ok(value) => match value.get("skipped").and_then(Value::as_str) {
                        Some(reason) => Output { reason: Some(reason.to_owned()), ..blank },
                        None => Output {
                            status: Status::Ok,
                            drv_path: value.get("drv_path").and_then(Value::as_str).map(str::to_owned),
                            ..blank
                        },
                    },
                    Err(error) => Output { status: Status::Failed, error: Some(error), ..blank },
                }
            })
            .collect())
    }

    /// Builds what evaluated, and says of each what became of it.
    async fn build_checks(
        &self,
        scope: &Scope,
        outputs: &mut [Output],
        call: &Call,
    ) -> Result<(), FlakeError> {
        let here = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let system = scope.system.as_ref().map_or(here.as_str(), SystemName::as_str);
        let wanted = |output: &Output| match &scope.host {
            Some(_) => output.kind == Kind::Host,
            None => output.kind == Kind::Check,
        };
        let mut ordered = Vec::new();
        for output in outputs.iter_mut().filter(|output| output.status == Status::Ok && wanted(output)) {
            let for_here = scope.host.is_some() || output.attr.split('.').nth(1) == Some(system);
            if for_here {
                ordered.extend(output.drv_path.as_ref().map(|path| format!("{path}^*")));
            } else {
                output.reason = Some(format!("evaluated only: it is built on its own system, not on {here}"));
            }
        }
        if ordered.is_empty() {
            return Ok(());
        }
        let order = Order {
            installables: &ordered,
            dry_run: false,
            time_limit: self.settings.build_time,
            store: None,
        };
        let (_, run) = self.nix.build(&order, call).await?;
        if run.status.success() {
            return Ok(());
        }
        let failures = diagnostics::failures(&run.state);
        let source = Source { folder: &self.settings.flake, store_path: None };
        let errors = diagnostics::diagnose(&run.state, &source);
        // What would still have to be built is what failed, itself or through something it needs.
        let order = Order { dry_run: true, ..order };
        let (_, rest) = self.nix.build(&order, call).await?;
        let unbuilt = rest.planned().built_paths;
        for output in outputs.iter_mut().filter(|output| output.status == Status::Ok && wanted(output)) {
            let Some(path) = output.drv_path.clone().filter(|path| unbuilt.contains(path)) else { continue };
            let own = failures.iter().find(|failure| failure.drv.as_str() == path);
            output.status = Status::Failed;
            output.failed_build = own.or(failures.first()).map(|failure| failure.drv.clone());
            output.error = Some(build_error(&path, own, failures.first(), errors.first()));
        }
        Ok(())
    }
}

/// Why a derivation was not built: by its own fault, or that of something it needs.
fn build_error(
    path: &str,
    own: Option<&BuildFailure>,
    other: Option<&BuildFailure>,
    first: Option<&Diagnostic>,
) -> Diagnostic {
    let tail =
        |failure: &BuildFailure| failure.log_tail.iter().rev().take(10).rev().cloned().collect::<Vec<_>>();
    match (own, other) {
        (Some(failure), _) => {
            let message = format!("{}\n{}", failure.reason, tail(failure).join("\n"));
            Diagnostic::new(Code::BuilderFailed, message.trim_end()).with_attr(path)
        }
        (None, Some(failure)) => {
            let message = format!("something it needs failed: {}: {}", failure.drv, failure.reason);
            Diagnostic::new(Code::BuilderFailed, message).with_attr(path)
        }
        (None, None) => first
            .cloned()
            .unwrap_or_else(|| Diagnostic::new(Code::NixFailed, "it was not built, and nix did not say why")),
    }
}
