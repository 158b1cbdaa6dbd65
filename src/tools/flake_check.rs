//! `flake_check`: evaluates every output of the flake and reports the failures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{self, PageInput};
use super::{Context, Effect, LogRef, Reach, Tool, ToolError};
use crate::causes::{self, Failing, GroupedEntry};
use crate::diagnostic::Diagnostic;
use crate::flake::check::{CheckResult, CheckScope, Output as CheckedOutput, Status, Warning};
use crate::names::{HostName, Rev, SystemName};
use crate::text;

/// The tool `flake_check`.
pub struct FlakeCheck;

/// The arguments of `flake_check`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    #[serde(default)]
    host: Option<HostName>,
    /// Such as x86_64-linux.
    #[serde(default)]
    system: Option<SystemName>,
    #[serde(default)]
    build: bool,
    /// Default: the working tree.
    #[serde(default)]
    rev: Option<Rev>,
    #[serde(flatten)]
    page: PageInput,
}

/// The answer of `flake_check`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    ok: bool,
    /// The commit that `rev` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    /// Failed outputs first.
    outputs: Vec<GroupedEntry<CheckedOutput>>,
    /// Number of outputs by status; those `built` are also counted as `ok`.
    counts: BTreeMap<String, usize>,
    /// A sentence that says what was evaluated, what was built, and what was not built and why.
    covered: String,
    /// Warnings; only on the first page.
    warnings: Vec<Warning>,
    /// Number of other warnings, each text counted once; at most 10,000.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_warnings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Failing for CheckedOutput {
    fn attr(&self) -> Cow<'_, str> {
        (&self.attr).into()
    }

    fn words(&self) -> Vec<&str> {
        self.attr.split('.').skip(1).map(|word| word.trim_matches('"')).collect()
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

impl Tool for FlakeCheck {
    const NAME: &'static str = "flake_check";
    const TITLE: &'static str = "Check the flake";
    const DESCRIPTION: &'static str = "Evaluates every output of the flake and reports each failure with file, line and cause. \
        `build` also builds checks and hosts.";
    const EFFECT: Effect = Effect::Store;
    const MIN_EFFECT: Effect = Effect::Read;
    const ALTERNATIVE: &'static str = "leave `build` out, or start the server without --read-only";
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    fn effect(input: &Input) -> Effect {
        if input.build { Effect::Store } else { Effect::Read }
    }

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let flake = context.flake().at(input.rev.as_ref(), &context.call).await?;
        let revision = flake.commit_asked_for().map(|commit| commit.id.clone());
        let scope = CheckScope { host: input.host, system: input.system, build: input.build };
        let CheckResult { mut outputs, mut warnings, mut more_warnings } =
            flake.check(&scope, &context.call).await?;
        for output in &mut outputs {
            // Of a whole flake, nobody reads the derivations of what evaluates and was not built.
            if scope.host.is_none() && output.status == Status::Ok && !output.built {
                output.drv_path = None;
            }
            if let (Some(derivation), Some(error)) = (output.failed_build.take(), output.error.as_mut()) {
                context.services.record_failed_build(&derivation, String::new());
                error.hint =
                    Some(format!("the full log is the resource {}", LogRef::of(derivation).uri()).into());
            }
        }
        outputs.sort_by_key(|output| match output.status {
            Status::Failed => 0,
            Status::NeedsBuild => 1,
            Status::Ok => 2,
            Status::Skipped => 3,
        });
        let count = |status| outputs.iter().filter(|output| output.status == status).count();
        let built = outputs.iter().filter(|output| output.built).count();
        let counts: BTreeMap<String, usize> = BTreeMap::from([
            ("ok", count(Status::Ok)),
            ("failed", count(Status::Failed)),
            ("needs_build", count(Status::NeedsBuild)),
            ("skipped", count(Status::Skipped)),
            ("built", built),
        ])
        .into_iter()
        .map(|(state, count)| (state.to_owned(), count))
        .collect();
        let ok = outputs.iter().all(|output| matches!(output.status, Status::Ok | Status::Skipped));
        let covered = describe_coverage(&outputs, scope.build);
        if input.page.cursor.is_some() {
            (warnings, more_warnings) = (Vec::new(), 0);
        }
        let (mut taken, room) = (covered.len(), covered.len() + page::PAGE_BYTES / 3);
        let kept = warnings.iter().take_while(|warning| {
            taken += serde_json::to_string(warning).map_or(0, |json| json.len());
            taken <= room
        });
        let kept = kept.count();
        more_warnings += warnings.len() - kept;
        warnings.truncate(kept);
        let page = input.page.select_beside(causes::group_by_cause(outputs), 100, taken)?;
        Ok(Output {
            ok,
            revision,
            outputs: page.entries,
            counts,
            covered,
            warnings,
            more_warnings,
            next_cursor: page.next_cursor,
        })
    }

    fn is_failure(output: &Output) -> bool {
        !output.ok
    }

    fn render(output: &Output) -> String {
        let count = |name| output.counts.get(name).copied().unwrap_or_default();
        let (ok, failed, skipped) = (count("ok"), count("failed"), count("skipped"));
        let commit = output.revision.as_ref().map(|commit| format!("commit {commit}: ")).unwrap_or_default();
        let mut lines =
            vec![format!("{commit}{ok} ok, {failed} failed, {skipped} skipped: {}", output.covered)];
        if count("needs_build") > 0 {
            let count = count("needs_build");
            lines.push(format!("{count} outputs cannot be evaluated without a build (`build` allows it)"));
        }
        for grouped in &output.outputs {
            if let Some(error) = &grouped.entry.error {
                lines.push(format!("✗ {}: {error}", grouped.named(&grouped.entry.attr)));
            }
        }
        let of_status = |status| {
            let outputs = output.outputs.iter().filter(move |grouped| grouped.entry.status == status);
            text::words(outputs.map(|grouped| grouped.entry.attr.as_str()))
        };
        for (status, title) in [(Status::Ok, "ok"), (Status::Skipped, "skipped")] {
            let names = of_status(status);
            if !names.is_empty() {
                lines.push(format!("{title}: {names}"));
            }
        }
        for warning in &output.warnings {
            let names = text::words(warning.attrs.iter().map(String::as_str));
            let parts = [Some(names), warning.message.clone()];
            let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
            lines.push(format!("! {}", parts.join(": ")));
            lines.extend(warning.said.as_deref().map(text::fenced));
        }
        if output.more_warnings > 0 {
            lines.push(format!("! … and {} more warnings", output.more_warnings));
        }
        if output.next_cursor.is_some() {
            lines.push("… call again with `cursor` for more".to_owned());
        }
        lines.join("\n")
    }
}

/// Maximum number of reasons for not building in the summary.
const MAX_REASONS: usize = 5;

/// A sentence on what was evaluated and built.
fn describe_coverage(outputs: &[CheckedOutput], build: bool) -> String {
    let evaluated = outputs.iter().filter(|output| output.status != Status::Skipped).count();
    if !build {
        return format!("evaluated {evaluated} outputs, built nothing (`build` builds checks and hosts)");
    }
    let built = outputs.iter().filter(|output| output.built).count();
    let mut summary = format!("evaluated {evaluated} outputs, built {built} checks and hosts");
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for output in outputs.iter().filter(|output| output.status == Status::Ok) {
        let Some(reason) = &output.reason else { continue };
        match reasons.iter_mut().find(|(known, _)| known == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    for (reason, count) in reasons.iter().take(MAX_REASONS) {
        summary.push_str(&format!("; {count} {reason}"));
    }
    let rest: usize = reasons.iter().skip(MAX_REASONS).map(|(_, count)| count).sum();
    if rest > 0 {
        summary.push_str(&format!("; {rest} not built for other reasons (see `reason` of each)"));
    }
    summary
}
