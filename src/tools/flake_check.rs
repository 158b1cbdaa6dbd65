//! `flake_check`: every output of the flake, and every one that fails.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::PageInput;
use super::{Context, Effect, LogRef, Reach, Tool, ToolError};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::check::{Output as Checked, Scope, Status};
use crate::names::{HostName, SystemName};

/// The tool.
pub struct FlakeCheck;

/// What it takes.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    /// Only this host.
    #[serde(default)]
    host: Option<HostName>,
    /// Only this system, such as x86_64-linux.
    #[serde(default)]
    system: Option<SystemName>,
    /// Also build the checks, or the host.
    #[serde(default)]
    build: bool,
    #[serde(flatten)]
    page: PageInput,
}

/// How many outputs fared how.
#[derive(Serialize, JsonSchema)]
pub struct Counts {
    ok: usize,
    failed: usize,
    skipped: usize,
}

/// What it answers.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    ok: bool,
    /// The failed ones first.
    outputs: Vec<Checked>,
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl Tool for FlakeCheck {
    const NAME: &'static str = "flake_check";
    const TITLE: &'static str = "Check the flake";
    const DESCRIPTION: &'static str = "Evaluates every output of the flake and reports every failure with file, line \
        and cause, failed ones first. Use it after each edit; instant when nothing changed.";
    const EFFECT: Effect = Effect::Read;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        if input.build && context.services.settings.policy.read_only {
            let message = "building checks writes to the store, which --read-only rules out";
            return Err(ToolError::Input(Box::new(
                Diagnostic::new(Code::ToolDisabled, message)
                    .with_attr("build")
                    .with_hint("leave `build` out, or start the server without --read-only"),
            )));
        }
        let scope = Scope { host: input.host, system: input.system, build: input.build };
        let mut outputs = context.flake().check(&scope, &context.call).await?;
        for output in &mut outputs {
            if let (Some(derivation), Some(error)) = (output.failed_build.take(), output.error.as_mut()) {
                context.services.note_log(&derivation);
                error.hint = Some(format!("the whole log is the resource {}", LogRef(derivation).uri()));
            }
        }
        outputs.sort_by_key(|output| match output.status {
            Status::Failed => 0,
            Status::Ok => 1,
            Status::Skipped => 2,
        });
        let count = |status| outputs.iter().filter(|output| output.status == status).count();
        let counts =
            Counts { ok: count(Status::Ok), failed: count(Status::Failed), skipped: count(Status::Skipped) };
        let page = input.page.of(outputs, 100)?;
        Ok(Output { ok: counts.failed == 0, outputs: page.entries, counts, next_cursor: page.next_cursor })
    }

    fn failed(output: &Output) -> bool {
        !output.ok
    }

    fn render(output: &Output) -> String {
        let Counts { ok, failed, skipped } = &output.counts;
        let mut lines = vec![format!("{ok} ok, {failed} failed, {skipped} skipped")];
        for checked in output.outputs.iter().filter(|checked| checked.status == Status::Failed) {
            let error = checked.error.as_ref().map(ToString::to_string).unwrap_or_default();
            lines.push(format!("✗ {}: {error}", checked.attr));
        }
        lines.join("\n")
    }
}
