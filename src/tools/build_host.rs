//! `build_host`: builds a host's system or another artifact of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{PAGE_BYTES, PageInput};
use super::{Context, Effect, LogRef, Reach, Tool, ToolError};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::hosts::HOSTS;
use crate::names::{AttrPath, HostName, PackagePattern, Rev};
use crate::nix::build::BuildRequest;
use crate::nix::closure::{Closure, Package};
use crate::nix::diagnostics;
use crate::text;

/// The tool `build_host`.
pub struct BuildHost;

/// Maximum number of log lines of a failed build in the answer; the whole log is a resource.
const TAIL_LINES: usize = 30;
/// Maximum number of failed derivations in the answer.
const MAX_FAILURES: usize = 10;
/// Maximum number of built paths, and of fetched paths, in the answer.
const MAX_PATHS: usize = 50;
/// Maximum number of packages in a page.
const USUAL_PACKAGES: usize = 100;
/// Bytes of a page that the other fields may take, most of all built and fetched paths.
const OTHER_BYTES: usize = PAGE_BYTES / 2;

/// What is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// The system.
    #[default]
    Toplevel,
    /// A virtual machine of it.
    Vm,
    /// The script that partitions its disks.
    DiskoScript,
    /// Images of its disks.
    DiskoImage,
}

impl Artifact {
    /// The attribute path below the host (NixOS manual, "system.build"; disko's module).
    fn attributes(self) -> [&'static str; 4] {
        let last = match self {
            Self::Toplevel => "toplevel",
            Self::Vm => "vm",
            Self::DiskoScript => "diskoScript",
            Self::DiskoImage => "diskoImages",
        };
        ["config", "system", "build", last]
    }
}

/// The arguments of `build_host`.
#[derive(Deserialize, JsonSchema)]
pub struct Input {
    host: HostName,
    /// Default: toplevel.
    #[serde(default)]
    artifact: Artifact,
    #[serde(default)]
    dry_run: bool,
    /// Lists those of the closure: a part of names, or a pattern with *.
    #[serde(default)]
    packages: Option<PackagePattern>,
    #[serde(flatten)]
    page: PageInput,
    /// Default: the working tree.
    #[serde(default)]
    rev: Option<Rev>,
}

/// A package of the closure.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ClosurePackage {
    name: String,
    /// Oldest first.
    versions: Vec<String>,
    bytes: u64,
}

/// A derivation that could not be built.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct FailedDerivation {
    drv_path: String,
    reason: String,
    log_tail: String,
    log_uri: String,
}

/// The answer of `build_host`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The commit that `rev` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drv_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closure_bytes: Option<u64>,
    /// Number of paths in the closure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closure_paths: Option<u64>,
    /// Absent if not asked for, or if the store did not tell the closure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packages: Option<Vec<ClosurePackage>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packages_total: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Whether this was a dry run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// Number of derivations that were built; in a dry run, that would be built.
    built: u64,
    /// Number of paths that were fetched; in a dry run, that would be fetched.
    fetched: u64,
    /// Store paths of the first derivations that were built.
    built_paths: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_built_paths: u64,
    fetched_paths: Vec<String>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_fetched_paths: u64,
    /// Download size in bytes; only in a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    download_bytes: Option<u64>,
    failures: Vec<FailedDerivation>,
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    more_failures: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
}

/// The packages of the closure that match the pattern, by name.
fn matching(closure: &Closure, pattern: &PackagePattern) -> Vec<ClosurePackage> {
    let packages = closure.packages().into_iter().filter(|(name, _)| pattern.matches(name));
    let listed = |(name, package): (&str, Package<'_>)| ClosurePackage {
        name: name.to_owned(),
        versions: package.versions.into_iter().map(str::to_owned).collect(),
        bytes: package.bytes,
    };
    packages.map(listed).collect()
}

/// The first [`MAX_PATHS`] of these paths.
fn first_paths(paths: Vec<String>) -> Vec<String> {
    paths.into_iter().take(MAX_PATHS).collect()
}

/// Number of paths that are not in `named`, of `all`.
fn omitted_count(named: &[String], all: u64) -> u64 {
    all.saturating_sub(named.len() as u64)
}

impl Tool for BuildHost {
    const NAME: &'static str = "build_host";
    const TITLE: &'static str = "Build a host";
    const DESCRIPTION: &'static str = "Builds a host's system, VM, disk script or disk image; deploys nothing. `dry_run` only lists \
        what would be fetched and built. Reports path and closure, or the end of each failed build's log.";
    const EFFECT: Effect = Effect::Store;
    const REACH: Reach = Reach::Here;
    type Input = Input;
    type Output = Output;

    async fn run(context: &Context, input: Input) -> Result<Output, ToolError> {
        let call = &context.call;
        if input.dry_run && input.packages.is_some() {
            return Err(ToolError::input("packages", "a dry run makes no closure: call without `dry_run`"));
        }
        let flake = &context.flake().at(input.rev.as_ref(), call).await?;
        let revision = flake.commit_asked_for().map(|commit| commit.id.clone());
        flake.require()?;
        let attr = AttrPath::new([HOSTS, input.host.as_str()].into_iter().chain(input.artifact.attributes()));
        let _turn = flake.wait_for_turn(&format!("build {}#{attr}", flake.reference()), call).await?;
        call.report_message(format!("evaluating {}", input.host));
        let order = BuildRequest {
            installables: &[format!("{}#{attr}", flake.reference())],
            dry_run: input.dry_run,
            time_limit: flake.settings().build_time,
            store: None,
        };
        let (built, run) = flake.build(&order, call).await?;
        let source = flake.source();

        if run.status.success() {
            let first = built.first();
            let out_path = first.and_then(|built| built.out_path.clone());
            let closure = match &out_path {
                Some(path) if !input.dry_run => flake.nix().closure(path, call).await?,
                _ => None,
            };
            let work = if input.dry_run { run.planned_work()? } else { run.completed_work() };
            let (built_paths, fetched_paths) =
                (first_paths(work.built_paths), first_paths(work.fetched_paths));
            let (packages, packages_total, next_cursor) = match (&input.packages, &closure) {
                (Some(pattern), Some(closure)) => {
                    let found = matching(closure, pattern);
                    let total = found.len();
                    let page = input.page.select_beside(found, USUAL_PACKAGES, OTHER_BYTES)?;
                    (Some(page.entries), Some(total), page.next_cursor)
                }
                _ => (None, None, None),
            };
            return Ok(Output {
                revision,
                out_path: out_path.map(String::from),
                drv_path: first.map(|built| built.drv_path.to_string()),
                closure_bytes: closure.as_ref().map(Closure::bytes),
                closure_paths: closure.as_ref().map(Closure::paths),
                packages,
                packages_total,
                next_cursor,
                dry_run: input.dry_run,
                built: work.built,
                fetched: work.fetched,
                more_built_paths: omitted_count(&built_paths, work.built),
                built_paths,
                more_fetched_paths: omitted_count(&fetched_paths, work.fetched),
                fetched_paths,
                download_bytes: work.download_bytes,
                failures: Vec::new(),
                more_failures: 0,
                error: None,
            });
        }

        let failed = diagnostics::build_failures(&run.state);
        let mut errors = diagnostics::diagnose(&run.state, &source);
        let error = if errors.is_empty() {
            Diagnostic::new(Code::NixFailed, "nix build failed without an error message")
        } else {
            errors.remove(0)
        };
        if failed.is_empty() {
            return Ok(flake.explain(&input.host, error, call).await?);
        }
        let more_failures = failed.len().saturating_sub(MAX_FAILURES) as u64;
        let failures = failed
            .into_iter()
            .take(MAX_FAILURES)
            .map(|failure| {
                let seen = run.state.log_tail(&failure.drv, usize::MAX).join("\n");
                context.services.record_failed_build(&failure.drv, seen);
                FailedDerivation {
                    log_tail: run.state.log_tail(&failure.drv, TAIL_LINES).join("\n"),
                    log_uri: LogRef::of(failure.drv.clone()).uri(),
                    drv_path: failure.drv.to_string(),
                    reason: failure.reason,
                }
            })
            .collect();
        let work = run.completed_work();
        let (built_paths, fetched_paths) = (first_paths(work.built_paths), first_paths(work.fetched_paths));
        Ok(Output {
            revision,
            out_path: None,
            drv_path: flake.derivation_of(&attr, call).await.ok().flatten(),
            closure_bytes: None,
            closure_paths: None,
            packages: None,
            packages_total: None,
            next_cursor: None,
            dry_run: input.dry_run,
            built: work.built,
            fetched: work.fetched,
            more_built_paths: omitted_count(&built_paths, work.built),
            built_paths,
            more_fetched_paths: omitted_count(&fetched_paths, work.fetched),
            fetched_paths,
            download_bytes: None,
            failures,
            more_failures,
            error: Some(error),
        })
    }

    fn is_failure(output: &Output) -> bool {
        output.error.is_some()
    }

    fn render(output: &Output) -> String {
        let mut lines = Vec::new();
        if let Some(error) = &output.error {
            lines.push(format!("The build failed: {error}"));
            for failure in &output.failures {
                lines.push(format!("✗ {}", failure.drv_path));
                let tail: Vec<&str> = failure.log_tail.lines().collect();
                let tail = tail.get(tail.len().saturating_sub(10)..).unwrap_or_default();
                lines.push(text::fenced(&format!("{}\n{}", failure.reason, tail.join("\n"))));
                lines.push(format!("  full log: {}", failure.log_uri));
            }
            if output.more_failures > 0 {
                lines.push(format!("✗ and {} more", output.more_failures));
            }
        } else if output.dry_run {
            let download =
                output.download_bytes.map(|bytes| format!(" ({})", text::bytes(bytes))).unwrap_or_default();
            lines.push(format!(
                "Would build {} derivations and fetch {} paths{download}.",
                output.built, output.fetched
            ));
        } else {
            let size = match (output.closure_bytes, output.closure_paths) {
                (Some(bytes), Some(paths)) => format!(", closure {} in {paths} paths", text::bytes(bytes)),
                _ => ", closure not known: the store did not tell it".to_owned(),
            };
            lines
                .push(format!("Built {} derivations, fetched {} paths{size}.", output.built, output.fetched));
        }
        lines.extend(output.revision.as_ref().map(|commit| format!("commit {commit}")));
        lines.extend(output.out_path.clone());
        if let (Some(packages), Some(total)) = (&output.packages, output.packages_total) {
            lines.push(format!("{total} packages match"));
            lines.extend(
                packages.iter().map(|package| format!("  {} {}", package.name, package.versions.join(", "))),
            );
            if output.next_cursor.is_some() {
                lines.push("  … call again with `cursor` for more".to_owned());
            }
        }
        lines.join("\n")
    }
}
