//! `reject`: a person's no.

use std::process::ExitCode;

use clap::Args;

use super::{FAILED, OK, complain};
use crate::config::Settings;
use crate::deploy::approval::{ApprovalError, Approvals};
use crate::diagnostic::Diagnostic;
use crate::names::PlanId;

/// Take a plan away, approved or not
///
/// Nobody can approve or deploy it any more. A deployment that has begun is not undone by this; use
/// rollback_host. The rejection is recorded in the audit log.
#[derive(Args, Debug)]
pub struct Reject {
    /// Which plan; `pantheros-mcp plans` lists them
    plan_id: PlanId,
}

impl Reject {
    /// Takes it away.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        let rejected = Approvals::open(&settings.deploy)
            .map_err(ApprovalError::from)
            .and_then(|approvals| approvals.reject(&self.plan_id));
        match rejected {
            Ok(()) => {
                eprintln!("rejected {}", self.plan_id);
                ExitCode::from(OK)
            }
            Err(error) => complain(&Diagnostic::from(&error), FAILED),
        }
    }
}
