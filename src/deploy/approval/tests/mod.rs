mod forms;
mod rejections;
mod signatures;

use super::*;
use crate::config::{Action, SignerScope};
use crate::deploy::plan::{Plan, Requester, Risk, Severity, fixture};
use crate::diagnostic::{Code, Diagnostic};
use crate::process::{Command, Flow};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// A state folder, keys and approvers of its own.
struct Desk {
    scratch: tempfile::TempDir,
    settings: DeploySettings,
}

impl Desk {
    fn new(channels: &[ApprovalMethod]) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let settings = DeploySettings {
            clean: false,
            state_folder: Some(scratch.path().join("state")),
            command: "pantheros-mcp".into(),
            plan_lifetime: Duration::from_secs(1_800),
            approve_by: channels.iter().copied().collect(),
            approve_over_http: false,
            approvers: None,
            scopes: BTreeMap::new(),
            untrusted: None,
        };
        Self { scratch, settings }
    }

    fn approvals(&self) -> Approvals {
        Approvals::open(&self.settings).unwrap()
    }

    fn plan(&self, plan: Plan) -> StoredPlan {
        self.approvals().plans().save(plan).unwrap()
    }

    /// A file in the plans' folder.
    fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join("state/plans").join(name)
    }

    fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.approvals().audit().path()).unwrap_or_default();
        text.lines()
            .map(|line| {
                let entry: Value = serde_json::from_str(line).unwrap();
                entry["event"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// A new key without a passphrase, and its public half.
    async fn key(&self, name: &str) -> (PathBuf, String) {
        let path = self.scratch.path().join(name);
        keygen(&["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"], &[&path]).await;
        let public = fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned();
        (path, public)
    }

    /// Makes these lines the list of approvers, and accepts only signatures.
    fn approvers(&mut self, lines: &[String]) {
        let path = self.scratch.path().join("approvers");
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        self.settings.approvers = Some(path);
        self.settings.approve_by = BTreeSet::from([ApprovalMethod::Signature]);
    }
}

/// Runs the real `ssh-keygen`.
async fn keygen(arguments: &[&str], paths: &[&Path]) {
    let command = Command::new("ssh-keygen").args(arguments).args(paths);
    let finished = command.run(&CancellationToken::new(), |_, _| Flow::Continue).await.unwrap();
    assert!(finished.status.success(), "{arguments:?}");
}

async fn signature_of(stored: &StoredPlan, key: &Path) -> String {
    signature::sign(stored.canonical(), key, &CancellationToken::new()).await.unwrap()
}

fn terminal(risks: &[&str]) -> Consent {
    Consent {
        channel: ApprovalMethod::Terminal,
        by: "alice (uid 1000)".into(),
        named_risks: risks.iter().map(ToString::to_string).collect(),
        signature: None,
    }
}

fn signed(by: &str, signature: String) -> Consent {
    Consent {
        channel: ApprovalMethod::Signature,
        by: by.into(),
        named_risks: Vec::new(),
        signature: Some(signature),
    }
}

fn blocked(hosts: &[&str]) -> Plan {
    let mut plan = fixture(hosts);
    plan.hosts[0].risks.push(Risk {
        code: "no_root_key".into(),
        severity: Severity::Blocking,
        evidence: "nobody has a key".into(),
        mend: "authorize one".into(),
        file: None,
        line: None,
    });
    plan
}

fn asked() -> Requester {
    Requester { client: "test 1.0".into(), user: "alice (uid 1000)".into() }
}

const BOTH: [ApprovalMethod; 2] = [ApprovalMethod::Elicitation, ApprovalMethod::Terminal];

/// Gives the configured answer, and records the questions.
struct Scripted {
    answer: ApprovalAnswer,
    asked: Mutex<Vec<ApprovalRequest>>,
}

impl Scripted {
    fn new(answer: ApprovalAnswer) -> Self {
        Self { answer, asked: Mutex::default() }
    }

    fn questions(&self) -> Vec<ApprovalRequest> {
        self.asked.lock().unwrap().clone()
    }
}

impl Approver for Scripted {
    fn ask<'a>(
        &'a self,
        question: &'a ApprovalRequest,
        _: &'a Call,
    ) -> std::pin::Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>> {
        self.asked.lock().unwrap().push(question.clone());
        Box::pin(std::future::ready(self.answer.clone()))
    }

    fn shows_form(&self) -> bool {
        self.answer != ApprovalAnswer::Unavailable
    }
}

fn given(phrase: &str, risks: &str) -> ApprovalAnswer {
    ApprovalAnswer::Given { phrase: phrase.into(), risks: risks.into(), by: "somebody at a\nclient".into() }
}

#[tokio::test]
async fn an_approval_is_good_for_once() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let id = &stored.plan().id;
    let before = approvals.spend(&stored, &call).await.unwrap_err();
    assert!(matches!(&before, ApprovalError::Required { command: Some(command), .. }
        if *command == format!("pantheros-mcp approve {id}")));
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    let kept = fs::read(desk.file(&format!("{id}.approval.json"))).unwrap();
    assert!(approvals.decision(id).unwrap().is_none());
    let spent = approvals.spend(&stored, &call).await.unwrap();
    assert_eq!(
        (spent.approval().channel(), spent.approval().by()),
        (ApprovalMethod::Terminal, "alice (uid 1000)")
    );
    assert_eq!(spent.stored(), &stored);
    assert!(matches!(approvals.spend(&stored, &call).await, Err(ApprovalError::Spent(_))));
    assert!(matches!(approvals.record(&stored, terminal(&[]), &call).await, Err(ApprovalError::Spent(_))));
    // Restoring the file of the approval does not make the approval valid again.
    fs::write(desk.file(&format!("{id}.approval.json")), kept).unwrap();
    let again = approvals.spend(&stored, &call).await.unwrap_err();
    assert_eq!(Diagnostic::from(&again).code, Code::ApprovalSpent);
    assert_eq!(desk.events(), ["approved"]);
}

#[tokio::test]
async fn an_approval_ends_with_its_plan() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let approvals = desk.approvals();
    let mut short = fixture(&["web"]);
    short.expires = short.created.after(Duration::from_secs(2));
    let stored = desk.plan(short);
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let late = approvals.spend(&stored, &call).await.unwrap_err();
    assert_eq!(Diagnostic::from(&late).code, Code::PlanExpired);
    let again = approvals.record(&stored, terminal(&[]), &call).await.unwrap_err();
    assert_eq!(Diagnostic::from(&again).code, Code::PlanExpired);
    let asked =
        Scripted::new(ApprovalAnswer::Given { phrase: "web".into(), risks: String::new(), by: "x".into() });
    assert!(approvals.obtain(&stored, &asked, &self::asked(), &call).await.is_err());
    assert!(asked.questions().is_empty(), "a person was asked about a plan that has expired");
}

#[tokio::test]
async fn an_altered_plan_is_not_the_one_approved() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let id = &stored.plan().id;
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    let altered = stored.canonical().replace("nixos-system-new", "nixos-system-bad");
    fs::write(desk.file(&format!("{id}.json")), altered).unwrap();
    let loaded = approvals.plans().load(id).unwrap();
    assert!(matches!(approvals.spend(&loaded, &call).await, Err(ApprovalError::OtherPlan(_))));
    assert!(approvals.decision(id).unwrap().is_none());
}

#[tokio::test]
async fn forged_approvals_do_not_count() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let other = desk.plan(fixture(&["mail"]));
    let id = &stored.plan().id;
    let path = desk.file(&format!("{id}.approval.json"));
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    let good: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let forged = |key: &str, value: Value| {
        let mut forged = good.clone();
        forged[key] = value;
        forged.to_string()
    };
    for (text, code) in [
        (forged("plan_id", other.plan().id.as_str().into()), Code::InvalidApproval),
        (forged("plan_digest", other.digest().as_str().into()), Code::InvalidApproval),
        (forged("plan_digest", "".into()), Code::InvalidApproval),
        (forged("channel", "signature".into()), Code::InvalidApproval),
        (forged("channel", "elicitation".into()), Code::InvalidApproval),
        (forged("channel", "model".into()), Code::InvalidApproval),
        (forged("at", "2001-01-01T00:00:00Z".into()), Code::InvalidApproval),
        (forged("at", "2101-01-01T00:00:00Z".into()), Code::InvalidApproval),
        (forged("version", 2.into()), Code::InvalidApproval),
        (forged("confirm", true.into()), Code::InvalidApproval),
        ("{\"approved\":true}".into(), Code::InvalidApproval),
        (String::new(), Code::InvalidApproval),
        ("x".repeat(1 << 20), Code::StateUnusable),
    ] {
        fs::write(&path, &text).unwrap();
        let error = approvals.spend(&stored, &call).await.unwrap_err();
        assert_eq!(Diagnostic::from(&error).code, code, "{text:.200}: {error}");
    }
    fs::write(&path, good.to_string()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(approvals.spend(&stored, &call).await, Err(ApprovalError::State(_))));
    fs::rename(&path, desk.file("elsewhere")).unwrap();
    symlink(desk.file("elsewhere"), &path).unwrap();
    assert!(matches!(approvals.spend(&stored, &call).await, Err(ApprovalError::State(_))));
    assert!(approvals.decision(id).unwrap().is_none());
}

#[tokio::test]
async fn only_the_channels_that_are_set_count() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let stored = desk.plan(fixture(&["web"]));
    desk.approvals().record(&stored, terminal(&[]), &call).await.unwrap();
    // The settings changed after the approval: those at the time of the deployment apply.
    desk.settings.approve_by = BTreeSet::from([ApprovalMethod::Elicitation]);
    let refused = desk.approvals().spend(&stored, &call).await.unwrap_err();
    assert!(matches!(refused, ApprovalError::ChannelNotAllowed { .. }));
    let other = desk.plan(fixture(&["web"]));
    assert!(desk.approvals().record(&other, terminal(&[]), &call).await.is_err());
}

#[tokio::test]
async fn blocking_risks_have_to_be_named() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(blocked(&["web"])));
    for risks in [&[][..], &["dirty_flake"], &["no_root"], &["NO_ROOT_KEY"]] {
        let error = approvals.record(&stored, terminal(risks), &call).await.unwrap_err();
        assert!(
            matches!(&error, ApprovalError::RisksNotNamed { codes, .. } if codes == &["no_root_key"]),
            "{error}"
        );
    }
    assert!(approvals.recorded(&stored.plan().id).unwrap().is_none());
    approvals.record(&stored, terminal(&["no_root_key"]), &call).await.unwrap();
    assert!(approvals.spend(&stored, &call).await.is_ok());
}

#[test]
fn risks_are_read_as_people_type_them() {
    assert_eq!(named(" b, a\tb,,c "), ["a", "b", "c"]);
    assert!(named(" ").is_empty());
    assert!(named(&"x,".repeat(10_000)).len() <= 256);
}

#[tokio::test]
async fn one_of_many_spends() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    let tries = (0..8).map(|_| approvals.spend(&stored, &call));
    let came = futures::future::join_all(tries).await;
    assert_eq!(came.iter().filter(|came| came.is_ok()).count(), 1);
    assert!(came.iter().flat_map(|came| came.as_ref().err()).all(|e| matches!(e, ApprovalError::Spent(_))));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_approved() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    fs::write(approvals.audit().path(), "not a log\n").unwrap();
    let error = approvals.record(&stored, terminal(&[]), &call).await.unwrap_err();
    assert!(matches!(error, ApprovalError::Audit(_)), "{error}");
    assert!(approvals.recorded(&stored.plan().id).unwrap().is_none());
}

#[test]
fn a_plan_that_is_not_in_the_log_is_not_kept() {
    let desk = Desk::new(&[ApprovalMethod::Terminal]);
    let approvals = desk.approvals();
    let log = approvals.audit().path();
    fs::write(&log, "").unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    let held = fs::OpenOptions::new().append(true).open(&log).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // Queued so long ago that its caller no longer waits.
    let begun = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    let refused = approvals.save(fixture(&["web"]), begun);
    assert!(refused.is_err(), "{refused:?}");
    let kept = approvals.plans().list().unwrap();
    assert!(kept.is_empty(), "{kept:?} can be approved");
    drop(held);
    let stored = approvals.save(fixture(&["web"]), begun).unwrap();
    assert_eq!(approvals.plans().load(&stored.plan().id).unwrap(), stored);
    assert_eq!(desk.events(), ["planned"]);
}
