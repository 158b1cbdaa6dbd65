//! `reject`: a person's no.

use std::process::ExitCode;

use clap::Args;

use super::{FAILED, OK, complain, runtime};
use crate::config::Settings;
use crate::deploy::approval::{ApprovalError, Approvals};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::PlanId;

/// Reject a plan, approved or not
///
/// Nobody can approve or deploy it any more. A plan that is deployed, or is being deployed, can no longer
/// be rejected, and this says so: use rollback. The rejection is recorded in the audit log.
#[derive(Args, Debug)]
pub struct Reject {
    /// Which plan; `pantheros-mcp plans` lists them
    plan_id: PlanId,
}

impl Reject {
    /// Rejects it.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let runtime = match runtime() {
            Ok(runtime) => runtime,
            Err(error) => return complain(&Diagnostic::new(Code::Internal, error.to_string()), FAILED),
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
            Err(error) => complain(&Diagnostic::from(&error), FAILED),
        }
    }
}
