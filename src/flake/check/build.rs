//! Builds the evaluated checks, as `nix flake check` does, and the hosts.

use super::{Output, Status};
use crate::diagnostic::{Code, Diagnostic};
use crate::flake::outputs::OutputKind;
use crate::flake::{Flake, FlakeError};
use crate::nix::build::BuildRequest;
use crate::nix::diagnostics::{self, BuildFailure};
use crate::progress::Call;
use crate::text;

impl Flake {
    /// Builds the checks and hosts that evaluated, and sets the status of each output.
    pub(super) async fn build_outputs(&self, outputs: &mut [Output], call: &Call) -> Result<(), FlakeError> {
        let systems = self.nix.systems(call).await?;
        let mut wanted = Vec::new();
        for output in outputs.iter_mut().filter(|output| output.status == Status::Ok) {
            let Some(path) = output.drv_path.clone() else { continue };
            if !matches!(output.kind, OutputKind::Check | OutputKind::Host | OutputKind::Darwin) {
                output.reason = Some("not built: only checks and hosts are built".to_owned());
                continue;
            }
            match &output.system {
                Some(system) if !systems.contains(system) => {
                    output.reason = Some(format!(
                        "not built: neither this machine nor its builders build for {}",
                        text::word(system)
                    ));
                }
                _ => {
                    wanted.push(format!("{path}^*"));
                    output.built = true;
                }
            }
        }
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(());
        }
        let order = BuildRequest {
            installables: &wanted,
            dry_run: false,
            time_limit: self.settings.build_time,
            store: None,
        };
        // Building a derivation does not read the flake, so Nix needs no separate cache.
        let (_, run) = self.nix.build(&order, &[], None, call).await?;
        if run.status.success() {
            return Ok(());
        }
        let failures = diagnostics::build_failures(&run.state);
        let source = self.source();
        let errors = diagnostics::diagnose(&run.state, &source);
        // A dry run lists what is still missing: derivations that failed, and those that need one that failed.
        let (_, rest) = self.nix.build(&BuildRequest { dry_run: true, ..order }, &[], None, call).await?;
        let rest = rest.planned_work();
        let listed =
            rest.as_ref().is_ok_and(|rest| rest.fetched == 0 && rest.built == rest.built_paths.len() as u64);
        let mut is_explained = false;
        for output in outputs.iter_mut().filter(|output| output.built) {
            let Some(path) = output.drv_path.clone() else { continue };
            let own = failures.iter().find(|failure| failure.drv.as_str() == path);
            let is_left = match &rest {
                _ if own.is_some() => Ok(true),
                Ok(rest) if listed => Ok(rest.built_paths.contains(&path)),
                Ok(_) => {
                    let own = [format!("{path}^*")];
                    let order = BuildRequest { installables: &own, dry_run: true, ..order };
                    let (_, rest) = self.nix.build(&order, &[], None, call).await?;
                    rest.planned_work()
                        .map(|rest| rest.built + rest.fetched > 0)
                        .map_err(|error| (&error).into())
                }
                Err(error) => Err(Diagnostic::from(error)),
            };
            is_explained |= !matches!(is_left, Ok(false));
            match is_left {
                Ok(false) => {}
                Ok(true) => output.fails(
                    build_error(&path, own, failures.first(), errors.first()),
                    own.or(failures.first()),
                ),
                Err(unknown_cause) => output.fails(unknown(&path, errors.first(), unknown_cause), None),
            }
        }
        if !is_explained {
            // Nix reports a failure although every output exists: that is not a success.
            for output in outputs.iter_mut().filter(|output| output.built) {
                let Some(path) = output.drv_path.clone() else { continue };
                output.fails(build_error(&path, None, failures.first(), errors.first()), failures.first());
            }
        }
        Ok(())
    }
}

impl Output {
    /// Marks the output as not built, with the build that failed.
    fn fails(&mut self, error: Diagnostic, build: Option<&BuildFailure>) {
        self.built = false;
        self.status = Status::Failed;
        self.failed_build = build.map(|failure| failure.drv.clone());
        self.error = Some(error);
    }
}

/// The error if a build failed and it is not known whether this derivation was built, because of the error `unknown_cause`.
fn unknown(path: &str, first: Option<&Diagnostic>, unknown_cause: Diagnostic) -> Diagnostic {
    let first = first.filter(|first| first.full_text() != unknown_cause.full_text());
    let said: Vec<&str> =
        first.iter().copied().chain([&unknown_cause]).filter_map(|error| error.said.as_deref()).collect();
    let said = said.join("\n");
    let failed = first.map(|first| format!("the build failed: {}\n", first.message)).unwrap_or_default();
    let message = format!("{failed}it is not known whether this was built: {}", unknown_cause.message);
    Diagnostic { message, ..unknown_cause }.with_said(&said).with_attr(path)
}

/// The error of a derivation that was not built: its own failure, or that of a dependency.
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
            let said = format!("{}\n{}", failure.reason, tail(failure).join("\n"));
            Diagnostic::quoting(Code::BuilderFailed, &said).with_attr(path)
        }
        (None, Some(failure)) => {
            let message = format!("a dependency failed to build: {}", failure.drv);
            Diagnostic::new(Code::BuilderFailed, message).with_said(&failure.reason).with_attr(path)
        }
        (None, None) => first
            .cloned()
            .unwrap_or_else(|| Diagnostic::new(Code::NixFailed, "it was not built, and nix gave no reason")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_tells_why_the_build_failed() {
        let first = Diagnostic::quoting(Code::BuilderFailed, "the end of the log");
        let unknown_cause = || Diagnostic::quoting(Code::NixFailed, "no dry run");
        let error = unknown("/nix/store/x.drv", Some(&first), unknown_cause());
        assert_eq!(error.said.as_deref(), Some("the end of the log\nno dry run"));
        assert!(error.message.contains(&first.message) && error.message.contains(&unknown_cause().message));
        // The same error is reported once.
        let same = unknown("/nix/store/x.drv", Some(&unknown_cause()), unknown_cause());
        assert_eq!(same.said.as_deref(), Some("no dry run"));
        assert!(!same.message.contains("the build failed"), "{}", same.message);
    }
}
