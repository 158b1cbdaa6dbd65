//! `reject`: reject a plan.

use std::process::ExitCode;

use clap::Args;

use super::{FAILED, OK, exit_with_error, runtime};
use crate::config::Settings;
use crate::deploy::{ApprovalError, Approvals};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;

/// Reject a plan, approved or not
///
/// Nobody can approve or deploy it any more. A plan whose deployment has begun cannot be rejected: use
/// rollback. The rejection is recorded in the audit log.
#[derive(Args, Debug)]
pub struct RejectCommand {
    /// The plan; `pantheros-mcp plans` lists them
    plan_id: PlanId,
}

impl RejectCommand {
    /// Rejects the plan.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => {
                return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
            }
        };
        let rejected = runtime.block_on(async {
            let approvals = Approvals::open(&settings.deploy).map_err(ApprovalError::from)?;
            approvals.reject(&self.plan_id, &crate::user::current(), "terminal").await
        });
        match rejected {
            Ok(rejection) => {
                crate::stderr::print_line(format_args!(
                    "{} was rejected by {} at {}",
                    self.plan_id,
                    rejection.by(),
                    rejection.at()
                ));
                ExitCode::from(OK)
            }
            Err(error) => exit_with_error(&Diagnostic::from(&error), FAILED),
        }
    }
}
