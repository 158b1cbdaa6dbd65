//! `plans`: list or show plans.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::{FAILED, OK, exit_with_error};
use crate::config::{Action, Settings};
use crate::deploy::{Approvals, Decision, ListedPlan, StoredPlan, show};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::{HostName, PlanId};
use crate::time::Timestamp;

/// Show the plans that wait for an approval
///
/// A plan is a proposed deployment. It changes nothing before a person approves it. Each line has
/// the plan's id, its action and hosts, and the time until it expires:
///
///   pantheros-mcp plans PLAN_ID     show the whole plan
///   pantheros-mcp approve PLAN_ID   show it and approve it
///   pantheros-mcp reject PLAN_ID    reject it: nobody can deploy it any more
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub struct PlansCommand {
    /// Show only this plan, in full
    plan_id: Option<PlanId>,
    /// Include plans that expired, were deployed or were rejected
    #[arg(long, conflicts_with = "plan_id")]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print exactly the bytes that a signature of this plan covers
    #[arg(long, requires = "plan_id", conflicts_with = "json")]
    canonical: bool,
}

/// The state of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum PlanState {
    Waiting,
    Approved,
    Deployed,
    Rejected,
    Expired,
    Unreadable,
}

#[derive(Serialize)]
struct PlanRow {
    plan_id: PlanId,
    state: PlanState,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    hosts: Vec<HostName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved_by: Option<String>,
    blocking_risks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Diagnostic>,
    #[serde(skip)]
    text: String,
}

impl PlansCommand {
    /// Prints the plans.
    pub fn run(&self, settings: &Settings) -> ExitCode {
        if let Some(id) = &self.plan_id {
            return self.print_plan(id, settings);
        }
        let (approvals, listed) = match Approvals::open(&settings.deploy)
            .and_then(|approvals| approvals.plans().list().map(|listed| (approvals, listed)))
        {
            Ok(found) => found,
            Err(error) => return exit_with_error(&Diagnostic::from(&error), FAILED),
        };
        let now = Timestamp::now();
        let mut rows: Vec<PlanRow> = listed.into_iter().map(|listed| row(&approvals, listed, now)).collect();
        let total = rows.len();
        rows.retain(|row| {
            self.all || !matches!(row.state, PlanState::Expired | PlanState::Deployed | PlanState::Rejected)
        });
        let text = if self.json {
            match serde_json::to_string_pretty(&rows) {
                Ok(text) => text + "\n",
                Err(error) => {
                    return exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED);
                }
            }
        } else if rows.is_empty() {
            match total {
                0 => "there are no plans; `pantheros-mcp deploy --dry-run` makes one\n".to_owned(),
                over => format!(
                    "no plan waits; --all shows {over} plans that expired, were deployed or were rejected\n"
                ),
            }
        } else {
            rows.iter().map(|row| format!("{}\n", row.text)).collect()
        };
        print(&text)
    }

    fn print_plan(&self, id: &PlanId, settings: &Settings) -> ExitCode {
        let stored = match Approvals::open(&settings.deploy).and_then(|approvals| approvals.plans().load(id))
        {
            Ok(stored) => stored,
            Err(error) => return exit_with_error(&Diagnostic::from(&error), FAILED),
        };
        if self.canonical {
            return print(stored.canonical());
        }
        if !self.json {
            return print(&format!("{}\n", show::whole(stored.plan(), Timestamp::now())));
        }
        match serde_json::to_string_pretty(stored.plan()) {
            Ok(text) => print(&(text + "\n")),
            Err(error) => exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED),
        }
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::from(OK),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(OK),
        Err(error) => exit_with_error(&Diagnostic::new(Code::Internal, error.to_string()), FAILED),
    }
}

fn row(approvals: &Approvals, listed: ListedPlan, now: Timestamp) -> PlanRow {
    match listed.plan {
        Ok(stored) => readable_row(approvals, &stored, now),
        Err(error) => {
            let error = Diagnostic::from(&error);
            let rejected = matches!(approvals.decision(&listed.id), Ok(Some(Decision::Rejected(_))));
            PlanRow {
                text: if rejected {
                    format!("{}  was rejected, and cannot be read: {}", listed.id, error.message)
                } else {
                    format!("{}  cannot be read: {}", listed.id, error.message)
                },
                plan_id: listed.id,
                state: if rejected { PlanState::Rejected } else { PlanState::Unreadable },
                action: None,
                hosts: Vec::new(),
                created: None,
                expires: None,
                approved_by: None,
                blocking_risks: Vec::new(),
                error: Some(error),
            }
        }
    }
}

fn readable_row(approvals: &Approvals, stored: &StoredPlan, now: Timestamp) -> PlanRow {
    let plan = stored.plan();
    let (decided, recorded) = (approvals.decision(&plan.id), approvals.recorded(&plan.id));
    let mut error = None;
    let approval = recorded
        .inspect_err(|problem| error = Some(Diagnostic::from(problem)))
        .unwrap_or_default()
        .filter(|approval| approval.is_of(stored));
    let decided = decided.inspect_err(|problem| error = Some(Diagnostic::from(problem)));
    let state = match &decided {
        Ok(Some(Decision::Spent(_))) => PlanState::Deployed,
        Ok(Some(Decision::Rejected(_))) => PlanState::Rejected,
        // A plan whose decision cannot be read cannot be deployed either.
        Err(_) => PlanState::Unreadable,
        Ok(None) if plan.is_expired(now) => PlanState::Expired,
        Ok(None) if approval.is_some() => PlanState::Approved,
        Ok(None) => PlanState::Waiting,
    };
    let progress = match (state, &approval) {
        (PlanState::Approved, Some(approval)) => {
            format!("approved by {}, expires {}", approval.by(), show::left(plan, now))
        }
        (PlanState::Waiting, _) => format!("waits for an approval, expires {}", show::left(plan, now)),
        (PlanState::Deployed, _) => "was deployed".to_owned(),
        (PlanState::Rejected, _) => match decided {
            Ok(Some(Decision::Rejected(no))) => format!("was rejected by {}", no.by()),
            _ => "was rejected".to_owned(),
        },
        (PlanState::Expired, _) => "has expired".to_owned(),
        _ => "cannot be read".to_owned(),
    };
    let blocking_risks: Vec<String> = plan.blocking_risks().into_iter().map(str::to_owned).collect();
    let risks = if blocking_risks.is_empty() {
        String::new()
    } else {
        format!("; BLOCKING: {}", blocking_risks.join(", "))
    };
    PlanRow {
        plan_id: plan.id.clone(),
        state,
        action: Some(plan.action),
        hosts: plan.hosts.iter().map(|host| host.host.clone()).collect(),
        created: Some(plan.created),
        expires: Some(plan.expires),
        approved_by: approval.map(|approval| approval.by().to_owned()),
        blocking_risks,
        error,
        text: format!("{}  {}; {progress}{risks}", plan.id, show::headline(plan)),
    }
}
