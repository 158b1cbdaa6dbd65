//! Plans, approvals and deployments of a fleet, as an operator makes them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::fleet::{Answer, Fleet};

/// Makes the only approver of a fleet. Returns the private key.
pub fn approver(fleet: &Fleet) -> PathBuf {
    let signer = super::plan::key(fleet, "signer", "");
    fleet.write_outside("approvers", &format!("tester {}\n", super::plan::public(&signer)));
    signer
}

/// Writes the settings of a fleet, with these lines added to the section `[deploy]`.
pub fn write_settings(fleet: &Fleet, nix: &Path, ssh_config: &Path, deploy: &str) {
    let text = format!(
        "[nix]\nprogram = {nix:?}\n[ssh]\nconfig = {ssh_config:?}\nconnect_seconds = 3\n[deploy]\nstate_folder = \"state\"\n\
         approvers = \"approvers\"\napprove_by = [\"elicitation\", \"terminal\", \"signature\"]\n{deploy}\n",
    );
    fleet.write_outside("pantheros.toml", &text);
}

/// Makes a plan, and returns its id. Fails if there is no plan.
pub fn plan(fleet: &Fleet, arguments: &Value) -> String {
    let answer = fleet.call("plan_deploy", arguments);
    assert_eq!(answer.code, 0, "{:#}", answer.json);
    answer.json["plan_id"].as_str().unwrap().to_owned()
}

/// Approves a plan by signing it.
pub fn approve(fleet: &Fleet, signer: &Path, plan: &str) -> Output {
    fleet.command(&["approve", plan, "--batch", "--sign"]).arg(signer).output().unwrap()
}

/// Makes and approves a plan, and returns its id.
pub fn approved(fleet: &Fleet, signer: &Path, arguments: &Value) -> String {
    let plan = plan(fleet, arguments);
    let approved = approve(fleet, signer, &plan);
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    plan
}

/// Deploys a plan.
pub fn deploy(fleet: &Fleet, plan: &str) -> Answer {
    fleet.call("deploy", &json!({"plan_id": plan}))
}

/// A command that deploys a plan.
pub fn command(fleet: &Fleet, plan: &str) -> Command {
    fleet.command(&["call", "--quiet", "deploy", &json!({"plan_id": plan}).to_string()])
}
