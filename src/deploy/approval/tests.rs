use super::*;
use crate::config::{Action, Scope};
use crate::deploy::plan::{Plan, Risk, Severity, fixture};
use crate::diagnostic::Code;
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
    fn new(channels: &[Channel]) -> Self {
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

    /// Lets these lines say who may sign, and nothing but signatures count.
    fn approvers(&mut self, lines: &[String]) {
        let path = self.scratch.path().join("approvers");
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        self.settings.approvers = Some(path);
        self.settings.approve_by = BTreeSet::from([Channel::Signature]);
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

fn terminal(risks: &[&str]) -> Yes {
    Yes {
        channel: Channel::Terminal,
        by: "alice (uid 1000)".into(),
        named_risks: risks.iter().map(ToString::to_string).collect(),
        signature: None,
    }
}

fn signed(by: &str, signature: String) -> Yes {
    Yes { channel: Channel::Signature, by: by.into(), named_risks: Vec::new(), signature: Some(signature) }
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

const BOTH: [Channel; 2] = [Channel::Elicitation, Channel::Terminal];

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
    assert_eq!((spent.approval().channel(), spent.approval().by()), (Channel::Terminal, "alice (uid 1000)"));
    assert_eq!(spent.stored(), &stored);
    assert!(matches!(approvals.spend(&stored, &call).await, Err(ApprovalError::Spent(_))));
    assert!(matches!(approvals.record(&stored, terminal(&[]), &call).await, Err(ApprovalError::Spent(_))));
    // Nor does it come back with the file it was in.
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
    let asked = Scripted::new(Answer::Given { phrase: "web".into(), risks: String::new(), by: "x".into() });
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
    // The settings changed since: what counts is what they say when it is deployed.
    desk.settings.approve_by = BTreeSet::from([Channel::Elicitation]);
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
async fn a_rejected_plan_cannot_be_approved() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let id = &stored.plan().id;
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    let no = approvals.reject(id, "bob (uid 1001)", "terminal").await.unwrap();
    assert!(matches!(approvals.spend(&stored, &call).await, Err(ApprovalError::Rejected { .. })));
    assert!(matches!(
        approvals.record(&stored, terminal(&[]), &call).await,
        Err(ApprovalError::Rejected { .. })
    ));
    assert!(approvals.recorded(id).unwrap().is_none());
    // Who says no again is told who said it first.
    assert_eq!(approvals.reject(id, "carol (uid 1002)", "terminal").await.unwrap(), no);
    assert_eq!(desk.events(), ["approved", "rejected"]);
    // What can no longer be read can still be rejected, and what never was cannot.
    let broken = desk.plan(fixture(&["web"]));
    fs::write(desk.file(&format!("{}.json", broken.plan().id)), "{").unwrap();
    approvals.reject(&broken.plan().id, "bob", "terminal").await.unwrap();
    let unknown = approvals.reject(&PlanId::random().unwrap(), "bob", "terminal").await;
    assert!(matches!(unknown, Err(ApprovalError::Plan(PlanError::Unknown(_)))));
}

#[tokio::test]
async fn a_no_counts_though_it_cannot_be_logged_and_is_logged_once_it_can() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let approvals = desk.approvals();
    let log = approvals.audit().path();
    for by_form in [false, true] {
        let stored = desk.plan(fixture(&["web"]));
        let id = &stored.plan().id;
        fs::create_dir(&log).unwrap();
        let error = if by_form {
            let no = Scripted::new(Answer::Declined);
            // That it is refused cannot be logged either.
            approvals.obtain(&stored, &no, &asked(), &call).await.unwrap_err()
        } else {
            approvals.reject(id, "bob", "terminal").await.unwrap_err()
        };
        let told = Diagnostic::from(&error);
        assert_eq!(told.code, Code::StateUnusable, "{told}");
        let by = if by_form { "the user of test 1.0" } else { "bob" };
        assert!(told.hint.unwrap().contains(&format!("`pantheros-mcp reject {id}`")));
        assert!(error.to_string().contains(&format!("was rejected by {by} and stays so")), "{error}");
        let refused = approvals.record(&stored, terminal(&[]), &call).await;
        assert!(matches!(refused, Err(ApprovalError::Rejected { .. })), "{refused:?}");
        fs::remove_dir(&log).unwrap();
        for _ in 0..2 {
            approvals.reject(id, "carol", "terminal").await.unwrap();
            assert_eq!(desk.events(), ["rejected"]);
        }
        assert!(fs::read_to_string(&log).unwrap().contains(&format!("\"by\":\"{by}\"")));
        // A yes is not used up where it cannot be logged.
        let stored = desk.plan(fixture(&["db"]));
        let yes = || Scripted::new(given("db", ""));
        fs::remove_file(&log).unwrap();
        fs::create_dir(&log).unwrap();
        approvals.obtain(&stored, &yes(), &asked(), &call).await.unwrap_err();
        fs::remove_dir(&log).unwrap();
        approvals.obtain(&stored, &yes(), &asked(), &call).await.unwrap();
        fs::remove_file(&log).unwrap();
    }
}

#[tokio::test]
async fn a_plan_is_deployed_or_rejected_and_never_both() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (key, public) = desk.key("alice").await;
    desk.approvers(&[format!("alice {public}")]);
    let approvals = desk.approvals();
    let stored = desk.plan(fixture(&["web"]));
    let signature = signature_of(&stored, &key).await;
    approvals.record(&stored, signed("alice", signature.clone()), &call).await.unwrap();
    // The signature is being checked, by a program of its own, when the no comes.
    let id = &stored.plan().id;
    let (spent, rejected) = tokio::join!(approvals.spend(&stored, &call), async {
        approvals.reject(id, "bob", "terminal").await
    });
    assert!(rejected.is_ok(), "{rejected:?}");
    assert!(matches!(spent, Err(ApprovalError::Rejected { by, .. }) if by == "bob"));
    // So it is while an approval is being recorded.
    let other = desk.plan(fixture(&["web"]));
    let id = &other.plan().id;
    let signature = signature_of(&other, &key).await;
    let (recorded, rejected) =
        tokio::join!(approvals.record(&other, signed("alice", signature), &call), async {
            approvals.reject(id, "bob", "terminal").await
        });
    assert!(rejected.is_ok(), "{rejected:?}");
    assert!(matches!(recorded, Err(ApprovalError::Rejected { .. })), "{recorded:?}");
    assert!(approvals.recorded(id).unwrap().is_none());
    // The other way round the no comes too late, and says so.
    let used = desk.plan(fixture(&["web"]));
    let signature = signature_of(&used, &key).await;
    approvals.record(&used, signed("alice", signature), &call).await.unwrap();
    approvals.spend(&used, &call).await.unwrap();
    let late = approvals.reject(&used.plan().id, "bob", "terminal").await.unwrap_err();
    assert!(matches!(late, ApprovalError::TooLate(_)), "{late}");
    assert_eq!(Diagnostic::from(&late).code, Code::ApprovalSpent);
}

#[tokio::test]
async fn a_decision_nobody_can_read_deploys_nothing() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    for text in ["", "{}", "{\"version\":9,\"rejected_by\":\"bob\"}", "{\"version\":1,\"rejected_by\":1}"] {
        fs::write(desk.file(&format!("{}.spent.json", stored.plan().id)), text).unwrap();
        let error = approvals.spend(&stored, &call).await.unwrap_err();
        assert_eq!(Diagnostic::from(&error).code, Code::InvalidApproval, "{text}: {error}");
        assert!(approvals.reject(&stored.plan().id, "bob", "terminal").await.is_err(), "{text}");
    }
}

/// Answers as it was told to, and remembers what it was asked.
struct Scripted {
    answer: Answer,
    asked: Mutex<Vec<Question>>,
}

impl Scripted {
    fn new(answer: Answer) -> Self {
        Self { answer, asked: Mutex::default() }
    }

    fn questions(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

impl Approver for Scripted {
    fn ask<'a>(
        &'a self,
        question: &'a Question,
        _: &'a Call,
    ) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        self.asked.lock().unwrap().push(question.clone());
        Box::pin(std::future::ready(self.answer.clone()))
    }

    fn shows(&self) -> bool {
        self.answer != Answer::Unavailable
    }
}

fn given(phrase: &str, risks: &str) -> Answer {
    Answer::Given { phrase: phrase.into(), risks: risks.into(), by: "somebody at a\nclient".into() }
}

#[tokio::test]
async fn a_form_needs_the_right_words() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let approvals = desk.approvals();
    for (answer, code) in [
        (Answer::Unanswered, Code::ApprovalDeclined),
        (Answer::Stray, Code::InvalidApproval),
        (Answer::Overtaken, Code::InvalidApproval),
        (Answer::Asked, Code::ApprovalRequired),
        (Answer::Unavailable, Code::ApprovalRequired),
        (given("", ""), Code::ApprovalDeclined),
        (given("mail", "no_root_key"), Code::ApprovalDeclined),
        (given("yes", "no_root_key"), Code::ApprovalDeclined),
        (given("WEB", "no_root_key"), Code::ApprovalDeclined),
        (given("web", ""), Code::ApprovalDeclined),
    ] {
        let (scripted, stored) = (Scripted::new(answer.clone()), desk.plan(blocked(&["web"])));
        let error = approvals.obtain(&stored, &scripted, &asked(), &call).await.unwrap_err();
        assert_eq!(Diagnostic::from(&error).code, code, "{answer:?}: {error}");
        assert_eq!(scripted.questions().len(), 1);
        assert!(approvals.decision(&stored.plan().id).unwrap().is_none(), "{answer:?}");
    }
    // All but the one whose answer is still to come.
    assert_eq!(desk.events(), ["refused"; 9]);
    let stored = desk.plan(blocked(&["web"]));
    let scripted = Scripted::new(given(" web ", "no_root_key"));
    let spent = approvals.obtain(&stored, &scripted, &asked(), &call).await.unwrap();
    assert_eq!(spent.approval().channel(), Channel::Elicitation);
    assert_eq!(spent.approval().by(), "somebody at a client");
    let question = &scripted.questions()[0];
    assert!(question.text.contains("BLOCKING no_root_key"));
    assert_eq!(
        (question.phrase.as_str(), question.risks.as_slice()),
        ("web", &["no_root_key".to_owned()][..])
    );
    assert_eq!(&question.plan_digest, stored.digest());
    assert!(matches!(
        approvals.obtain(&stored, &scripted, &asked(), &call).await,
        Err(ApprovalError::Spent(_))
    ));
    assert_eq!(scripted.questions().len(), 1, "a person was asked about a plan that was deployed");
}

#[tokio::test]
async fn a_no_in_a_form_is_kept() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let approvals = desk.approvals();
    let mut short = fixture(&["web"]);
    short.expires = short.created.after(Duration::from_secs(2));
    let stored = desk.plan(short);
    let no = Scripted::new(Answer::Declined);
    let declined = approvals.obtain(&stored, &no, &asked(), &call).await.unwrap_err();
    assert!(
        matches!(&declined, ApprovalError::Rejected { by, .. } if by == "the user of test 1.0"),
        "{declined}"
    );
    assert_eq!(Diagnostic::from(&declined).code, Code::ApprovalDeclined);
    assert_eq!(desk.events(), ["rejected", "refused"]);
    let yes = Scripted::new(given("web", ""));
    for _ in 0..9 {
        let again = approvals.obtain(&stored, &yes, &asked(), &call).await.unwrap_err();
        assert!(matches!(again, ApprovalError::Rejected { .. }), "{again}");
    }
    assert!(matches!(
        approvals.record(&stored, terminal(&[]), &call).await,
        Err(ApprovalError::Rejected { .. })
    ));
    // A plan under another name that does the same is none to be asked about, one that does something else is.
    let same = desk.plan(fixture(&["web"]));
    let error = approvals.obtain(&same, &yes, &asked(), &call).await.unwrap_err();
    let hint = Diagnostic::from(&error).hint.unwrap();
    assert!(hint.contains(stored.plan().id.as_str()) && hint.contains("pantheros-mcp approve"), "{hint}");
    assert!(yes.questions().is_empty());
    let other = desk.plan(Plan { action: Action::Test, ..fixture(&["web"]) });
    approvals.obtain(&other, &yes, &asked(), &call).await.unwrap();
    // A while later the person may have thought again.
    while !stored.plan().is_expired(Timestamp::now()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    approvals.obtain(&same, &yes, &asked(), &call).await.unwrap();
}

#[tokio::test]
async fn a_form_is_shown_twice_at_most() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let stored = desk.plan(fixture(&["web"]));
    for answer in [Answer::Unanswered, given("mail", "")] {
        let scripted = Scripted::new(answer);
        assert!(desk.approvals().obtain(&stored, &scripted, &asked(), &call).await.is_err());
        assert_eq!(scripted.questions().len(), 1);
    }
    let yes = Scripted::new(given("web", ""));
    let error = desk.approvals().obtain(&stored, &yes, &asked(), &call).await.unwrap_err();
    assert!(yes.questions().is_empty(), "a third form was shown");
    let diagnostic = Diagnostic::from(&error);
    assert_eq!(diagnostic.code, Code::ApprovalRequired);
    let hint = diagnostic.hint.unwrap();
    assert!(hint.contains("twice") && hint.contains("pantheros-mcp approve"), "{hint}");
    // The plan waits still: a person approves it in a terminal.
    desk.approvals().record(&stored, terminal(&[]), &call).await.unwrap();
    desk.approvals().obtain(&stored, &yes, &asked(), &call).await.unwrap();
}

#[tokio::test]
async fn several_hosts_want_the_end_of_the_plans_name() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web", "mail"])));
    let wrong = Scripted::new(given("web", ""));
    assert!(approvals.obtain(&stored, &wrong, &asked(), &call).await.is_err());
    let right = Scripted::new(given(stored.plan().id.ending(), ""));
    approvals.obtain(&stored, &right, &asked(), &call).await.unwrap();
}

#[tokio::test]
async fn nobody_is_asked_where_forms_do_not_count() {
    let (desk, call) = (Desk::new(&[Channel::Terminal]), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let scripted = Scripted::new(given("web", ""));
    let error = approvals.obtain(&stored, &scripted, &asked(), &call).await.unwrap_err();
    let diagnostic = Diagnostic::from(&error);
    assert_eq!(diagnostic.code, Code::ApprovalRequired);
    let hint = diagnostic.hint.unwrap();
    assert!(hint.contains(&format!("pantheros-mcp approve {}", stored.plan().id)), "{hint}");
    assert!(scripted.questions().is_empty());
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    assert!(approvals.obtain(&stored, &Nobody, &asked(), &call).await.is_ok());
}

/// Alters the plan's file while the person thinks.
struct Altering<'a>(&'a Path, &'a StoredPlan);

impl Approver for Altering<'_> {
    fn ask<'a>(
        &'a self,
        _: &'a Question,
        _: &'a Call,
    ) -> std::pin::Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        fs::write(self.0, self.1.canonical().replace("nixos-system-new", "nixos-system-bad")).unwrap();
        Box::pin(std::future::ready(given("web", "")))
    }

    fn shows(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_plan_altered_while_a_person_thinks_is_not_approved() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let path = desk.file(&format!("{}.json", stored.plan().id));
    let error = approvals.obtain(&stored, &Altering(&path, &stored), &asked(), &call).await.unwrap_err();
    assert!(matches!(error, ApprovalError::OtherPlan(_)), "{error}");
    assert!(approvals.decision(&stored.plan().id).unwrap().is_none());
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
async fn a_signature_approves() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (key, public) = desk.key("alice").await;
    desk.approvers(&[format!("alice@example.org namespaces=\"{}\" {public}", signature::NAMESPACE)]);
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let required = approvals.spend(&stored, &call).await.unwrap_err();
    assert!(Diagnostic::from(&required).hint.unwrap().contains("--sign KEY"));
    let signature = signature_of(&stored, &key).await;
    approvals.record(&stored, signed("alice@example.org", signature.clone()), &call).await.unwrap();
    let spent = approvals.spend(&stored, &call).await.unwrap();
    assert_eq!(spent.approval().by(), "alice@example.org");
    assert_eq!(spent.approval().signature(), Some(signature.as_str()));
    // A terminal's yes and a form's are no signatures.
    let other = desk.plan(fixture(&["web"]));
    assert!(approvals.record(&other, terminal(&[]), &call).await.is_err());
    let form = Scripted::new(given("web", ""));
    assert!(approvals.obtain(&other, &form, &asked(), &call).await.is_err());
    assert!(form.questions().is_empty());
}

#[tokio::test]
async fn signatures_that_do_not_count() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let ((key, public), (stranger, _)) = (desk.key("alice").await, desk.key("mallory").await);
    desk.approvers(&[format!("alice {public}")]);
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let other = desk.plan(fixture(&["web"]));
    let good = signature_of(&stored, &key).await;
    let of_stranger = signature_of(&stored, &stranger).await;
    let of_other = signature_of(&other, &key).await;
    let of_namespace = {
        let file = desk.scratch.path().join("message");
        fs::write(&file, stored.canonical()).unwrap();
        keygen(&["-q", "-Y", "sign", "-n", "git", "-f"], &[&key, &file]).await;
        fs::read_to_string(file.with_extension("sig")).unwrap()
    };
    let altered = {
        let at = good.len() / 2;
        let replaced = if good.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{replaced}{}", &good[..at], &good[at + 1..])
    };
    for (name, by, signature) in [
        ("by a stranger", "alice", of_stranger),
        ("of another plan", "alice", of_other),
        ("in another namespace", "alice", of_namespace),
        ("altered", "alice", altered),
        ("empty", "alice", String::new()),
        ("no signature", "alice", "yes".to_owned()),
        ("under another name", "bob", good.clone()),
    ] {
        let error = approvals.record(&stored, signed(by, signature), &call).await.unwrap_err();
        assert_eq!(Diagnostic::from(&error).code, Code::InvalidApproval, "{name}: {error}");
        assert!(approvals.recorded(&stored.plan().id).unwrap().is_none(), "{name}");
    }
    // One that counted when it was given, by somebody who may no longer sign when it is used.
    approvals.record(&stored, signed("alice", good), &call).await.unwrap();
    desk.approvers(&["# nobody".to_owned()]);
    assert!(matches!(desk.approvals().spend(&stored, &call).await, Err(ApprovalError::Signature(_))));
    assert!(approvals.decision(&stored.plan().id).unwrap().is_none());
}

#[tokio::test]
async fn a_signer_may_only_approve_what_is_theirs() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let ((ci, ci_public), (alice, alice_public)) = (desk.key("ci").await, desk.key("alice").await);
    desk.approvers(&[format!("ci {ci_public}"), format!("alice {alice_public}")]);
    desk.settings.scopes.insert(
        "ci".into(),
        Scope {
            hosts: Some(BTreeSet::from(["web".parse().unwrap()])),
            actions: Some(BTreeSet::from([Action::Test, Action::Boot])),
        },
    );
    let approvals = desk.approvals();
    let plan = |hosts: &[&str], action| desk.plan(Plan { action, ..fixture(hosts) });
    for (key, by, stored, allowed) in [
        (&ci, "ci", plan(&["web"], Action::Test), true),
        (&ci, "ci", plan(&["web"], Action::Switch), false),
        (&ci, "ci", plan(&["mail"], Action::Test), false),
        (&ci, "ci", plan(&["web", "mail"], Action::Boot), false),
        (&alice, "alice", plan(&["web", "mail"], Action::Switch), true),
    ] {
        let signature = signature_of(&stored, key).await;
        let recorded = approvals.record(&stored, signed(by, signature), &call).await;
        assert_eq!(recorded.is_ok(), allowed, "{by}: {recorded:?}");
        if let Err(error) = recorded {
            assert!(error.to_string().contains("ci may not approve"), "{error}");
        }
    }
}

#[tokio::test]
async fn approvers_have_names_and_files_of_their_own() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (key, public) = desk.key("alice").await;
    let stored = desk.plan(fixture(&["web"]));
    let signature = signature_of(&stored, &key).await;
    for (line, by) in [
        (format!("*@example.org {public}"), "x@example.org"),
        (format!("alice namespaces=\"git\" {public}"), "alice"),
        (format!("alice valid-before=\"20200101\" {public}"), "alice"),
    ] {
        desk.approvers(std::slice::from_ref(&line));
        let error = desk.approvals().record(&stored, signed(by, signature.clone()), &call).await.unwrap_err();
        assert_eq!(Diagnostic::from(&error).code, Code::InvalidApproval, "{line}: {error}");
    }
    desk.approvers(&[format!("alice,ops {public}")]);
    desk.approvals().record(&stored, signed("alice", signature.clone()), &call).await.unwrap();
    let path = desk.settings.approvers.clone().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let error = desk.approvals().spend(&stored, &call).await.unwrap_err();
    assert_eq!(Diagnostic::from(&error).code, Code::InvalidSettings, "{error}");
    fs::remove_file(&path).unwrap();
    assert!(desk.approvals().spend(&stored, &call).await.is_err());
    // A pipe would be waited for, and could be read once.
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let error = desk.approvals().spend(&stored, &call).await.unwrap_err();
    assert_eq!(Diagnostic::from(&error).code, Code::InvalidSettings, "{error}");
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
    let desk = Desk::new(&[Channel::Terminal]);
    let approvals = desk.approvals();
    let log = approvals.audit().path();
    fs::write(&log, "").unwrap();
    fs::set_permissions(&log, fs::Permissions::from_mode(0o600)).unwrap();
    let held = fs::OpenOptions::new().append(true).open(&log).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    // Handed over so long ago that nobody waits any more.
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
