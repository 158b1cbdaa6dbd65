//! A host in the answer of `plan_deploy`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::causes::Failing;
use crate::deploy::{Diff, HostPlan, Risk, Severity};
use crate::diagnostic::Diagnostic;
use crate::names::{HostName, StorePath};
use crate::text;
use crate::tools::difference;

/// The plan for one host.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PlannedHost {
    pub(super) host: String,
    pub(super) target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) toplevel: Option<StorePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<StorePath>,
    /// Generation of `current`, if it is also the boot default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<u64>,
    /// Generation of the boot default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) boots: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) diff: Option<Diff>,
    pub(super) risks: Vec<Risk>,
    /// Number of risks left out; blocking ones are kept first.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub(super) more_risks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) needs_reboot: Option<bool>,
    /// Seconds that the new system is watched before it is confirmed; absent if it is looked at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) settling_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Diagnostic>,
}

impl Failing for PlannedHost {
    fn attr(&self) -> Cow<'_, str> {
        (&self.host).into()
    }

    fn words(&self) -> Vec<&str> {
        vec![&self.host]
    }

    fn error(&mut self) -> &mut Option<Diagnostic> {
        &mut self.error
    }
}

impl PlannedHost {
    pub(in crate::tools) fn planned(plan: &HostPlan) -> Self {
        Self {
            host: plan.host.to_string(),
            target: format!("{}@{}", plan.target.user, plan.target.address),
            toplevel: Some(plan.toplevel.clone()),
            current: Some(plan.current.clone()),
            generation: plan.profile_generation.filter(|_| plan.profile_path.as_ref() == Some(&plan.current)),
            boots: plan.profile_generation,
            diff: Some(difference::for_answer(plan.diff.clone())),
            risks: plan.risks.clone(),
            more_risks: 0,
            needs_reboot: Some(plan.needs_reboot),
            settling_seconds: plan.settling_seconds,
            error: None,
        }
    }

    pub(super) fn failed(host: &HostName, error: Diagnostic) -> Self {
        Self {
            host: host.to_string(),
            target: String::new(),
            toplevel: None,
            current: None,
            generation: None,
            boots: None,
            diff: None,
            risks: Vec::new(),
            more_risks: 0,
            needs_reboot: None,
            settling_seconds: None,
            error: Some(error),
        }
    }

    pub(in crate::tools) fn render(&self) -> Vec<String> {
        let mut lines = vec![format!("{} ({})", self.host, self.target)];
        if let Some(diff) = &self.diff {
            lines.extend(difference::render(diff));
        }
        if let Some(seconds) = self.settling_seconds {
            lines.push(format!("  watched for {seconds} s before it is confirmed"));
        }
        for risk in &self.risks {
            let mark = match risk.severity {
                Severity::Blocking => "BLOCKING",
                Severity::Warning => "warning",
                Severity::Note => "note",
            };
            lines.push(format!("  {mark} {}:", text::word(&risk.code)));
            lines.push(text::fenced(&risk.evidence));
            lines.push(format!("    {}", risk.mend));
        }
        if self.more_risks > 0 {
            // Blocking risks come first.
            let are_all_blocking = self.risks.iter().all(|risk| risk.severity == Severity::Blocking);
            let blocking = if are_all_blocking { ", some of which may be BLOCKING" } else { "" };
            lines.push(format!(
                "  {} more risks{blocking}: the person who approves is shown all",
                self.more_risks
            ));
        }
        lines
    }
}
