//! The approval of plans by a person, with the real program: in a terminal, with real keys, and with several processes
//! at once.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::fleet::{Fleet, below, errors};
use crate::common::plan::{approvals, fleet, key, public, set, settings, stored};
use crate::common::terminal::Terminal;
use pantheros_mcp::testing::audit::{AuditEvent, AuditRecord};
use pantheros_mcp::testing::config::ApprovalMethod;
use pantheros_mcp::testing::deploy::{ApprovalError, Approvals};
use pantheros_mcp::testing::names::PlanId;
use pantheros_mcp::testing::progress::Call;
use serde_json::{Map, Value};

const LIFE: Duration = Duration::from_secs(1_800);

fn output(fleet: &Fleet, arguments: &[&str]) -> Output {
    fleet.command(arguments).stdin(Stdio::null()).output().unwrap()
}

fn in_terminal(fleet: &Fleet, arguments: &[&str]) -> Terminal {
    Terminal::run(&fleet.command(arguments))
}

/// The content of every file in the state folder, to check that nothing changed.
fn state(fleet: &Fleet) -> Vec<(String, Vec<u8>)> {
    let root = settings(fleet).state_folder.unwrap();
    let mut files = Vec::new();
    for folder in [root.clone(), root.join("plans")] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                files.push((format!("{:?}", entry.path()), std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    files.sort();
    files
}

fn spend(approvals: &Approvals, id: &PlanId) -> Result<String, ApprovalError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stored = approvals.plans().load(id)?;
        let spent = approvals.spend(&stored, &Call::unattended()).await?;
        Ok(format!("{} {}", spent.approval().channel(), spent.approval().by()))
    })
}

// ---- in a terminal

#[test]
fn a_person_reads_a_plan_and_approves_it() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web"], &["no_root_key", "wrong_host"], LIFE);
    let id = plan.plan().id.as_str();
    let mut terminal = in_terminal(&fleet, &["approve", id]);
    terminal.shows("switch web to a new system");
    terminal.shows("web (deploy@web.example.org, x86_64-linux)");
    terminal.shows("BLOCKING no_root_key");
    terminal.shows("│ seen");
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    terminal.shows("Type no_root_key");
    terminal.types("no_root_key\n");
    terminal.shows("Type wrong_host");
    terminal.types("wrong_host\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("approved for one deployment"), "{shown}");

    let listed = output(&fleet, &["plans", "--json"]);
    let rows: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(rows[0]["state"], "approved");
    assert!(rows[0]["approved_by"].as_str().unwrap().contains("uid"));
    assert!(spend(&approvals(&fleet), &plan.plan().id).unwrap().starts_with("terminal "));
    let again = output(&fleet, &["approve", id]);
    assert!(errors(&again).contains("deployed before"), "{}", errors(&again));
}

#[test]
fn several_hosts_want_the_end_of_the_plans_name() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web", "mail"], &[], LIFE);
    let mut terminal = in_terminal(&fleet, &["approve", plan.plan().id.as_str()]);
    terminal.shows("the last six characters of the plan's id");
    terminal.types(&format!("{}\n", plan.plan().id.ending()));
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn a_mistype_changes_nothing() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web"], &["no_root_key"], LIFE);
    let before = state(&fleet);
    for typed in
        ["wbe\n", "yes\n", "\n", "WEB\n", "web\nno_root\n", "web\n\n", "\u{4}", "web\n\u{4}", "\u{3}"]
    {
        let mut terminal = in_terminal(&fleet, &["approve", plan.plan().id.as_str()]);
        terminal.shows("Type the host's name");
        terminal.types(typed);
        let (code, shown) = terminal.ends();
        assert_ne!(code, Some(0), "{typed:?}: {shown}");
        assert_eq!(state(&fleet), before, "{typed:?} changed something");
    }
}

#[test]
fn an_interrupt_ends_every_question() {
    let fleet = fleet("");
    let signer = key(&fleet, "alice", "correct horse");
    fleet.write_outside("approvers", &format!("alice@example.org {}\n", public(&signer)));
    set(&fleet, "approvers = \"approvers\"\napprove_by = [\"terminal\", \"signature\"]");
    let plan = stored(&fleet, &["web"], &["no_root_key"], LIFE);
    let before = state(&fleet);
    let scratch = fleet.folder().with_file_name("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let ask = |signed: &[&str]| {
        let mut command = fleet.command(&[&["approve", plan.plan().id.as_str()], signed].concat());
        command.env("XDG_RUNTIME_DIR", &scratch);
        let mut terminal = Terminal::run(&command);
        terminal.shows("Type the host's name");
        terminal
    };
    ask(&[]).interrupts();
    let mut terminal = ask(&[]);
    terminal.types("web\n");
    terminal.shows("Type no_root_key");
    terminal.interrupts();
    // `ssh-keygen` prompts with the terminal's echo switched off.
    let mut terminal = ask(&["--sign", signer.to_str().unwrap()]);
    terminal.types("web\n");
    terminal.shows("Type no_root_key");
    terminal.types("no_root_key\n");
    terminal.shows("passphrase");
    assert!(!terminal.echoes());
    terminal.interrupts();
    assert_eq!(state(&fleet), before);
    let left: Vec<_> = std::fs::read_dir(&scratch).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_approval_cannot_be_piped_in() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let id = plan.plan().id.as_str();
    let before = state(&fleet);
    let piped = output(&fleet, &["approve", id]);
    assert_eq!(piped.status.code(), Some(1));
    assert!(errors(&piped).contains("needs a terminal"), "{}", errors(&piped));
    // In a terminal, but with standard input or output redirected.
    for redirection in ["echo web | \"$0\" \"$@\"", "\"$0\" \"$@\" | cat", "\"$0\" \"$@\" < /dev/null"] {
        let whole = fleet.command(&["approve", id]);
        let mut shell = Command::new("sh");
        shell.args(["-c", redirection]).arg(whole.get_program()).args(whole.get_args());
        let (_, shown) = Terminal::run(&shell).ends();
        assert!(shown.contains("needs a terminal"), "{redirection}: {shown}");
    }
    assert_eq!(state(&fleet), before);
}

#[test]
fn what_cannot_be_approved_says_why() {
    let fleet = fleet("");
    let short = stored(&fleet, &["web"], &[], Duration::from_secs(1));
    std::thread::sleep(Duration::from_millis(1_100));
    let unknown = PlanId::random().unwrap();
    let newer = stored(&fleet, &["web"], &[], LIFE);
    std::fs::write(approvals(&fleet).plans().path(&newer.plan().id), "{\"version\":9}").unwrap();
    for (id, expected, code) in [
        (short.plan().id.as_str(), "expired", 1),
        (unknown.as_str(), "there is no plan-", 1),
        (newer.plan().id.as_str(), "version 9", 1),
        ("plan-../../../../etc/passwd", "is not a plan", 2),
        ("--force", "unexpected argument", 2),
        ("plan-$(touch x)aaaaaaaaaaaaaaaa", "is not a plan", 2),
        ("web", "is not a plan", 2),
        ("", "must not be empty", 2),
    ] {
        let refused = output(&fleet, &["approve", id]);
        let said = errors(&refused);
        assert_eq!(refused.status.code(), Some(code), "{id}: {said}");
        assert!(said.contains(expected), "{id}: {said}");
    }
    set(&fleet, "approve_by = [\"elicitation\"]");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let refused = output(&fleet, &["approve", plan.plan().id.as_str()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(errors(&refused).contains("approve_by"), "{}", errors(&refused));
}

// ---- signed

#[test]
fn a_person_signs_with_a_passphrase() {
    let fleet = fleet("");
    let signer = key(&fleet, "alice", "correct horse");
    fleet.write_outside("approvers", &format!("alice@example.org {}\n", public(&signer)));
    set(&fleet, "approvers = \"approvers\"");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let id = plan.plan().id.as_str();
    // With `approvers` set, an approval in a terminal without a signature does not count.
    let unsigned = output(&fleet, &["approve", id]);
    assert!(errors(&unsigned).contains("--sign"), "{}", errors(&unsigned));

    let mut terminal = in_terminal(&fleet, &["approve", id, "--sign", signer.to_str().unwrap()]);
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    terminal.shows("passphrase");
    terminal.types("wrong\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(approvals(&fleet).recorded(&plan.plan().id).unwrap().is_none());

    let mut terminal = in_terminal(&fleet, &["approve", id, "--sign", signer.to_str().unwrap()]);
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    terminal.shows("passphrase");
    terminal.types("correct horse\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(spend(&approvals(&fleet), &plan.plan().id).unwrap(), "signature alice@example.org");
}

#[test]
fn ci_signs_what_is_in_its_scope() {
    let fleet = fleet("");
    let (ci, stranger) = (key(&fleet, "ci", ""), key(&fleet, "stranger", ""));
    fleet.write_outside("approvers", &format!("ci {}\n", public(&ci)));
    set(&fleet, "approvers = \"approvers\"\n[deploy.scopes.ci]\nhosts = [\"web\"]\nactions = [\"switch\"]");
    let (ci, stranger) = (ci.to_str().unwrap(), stranger.to_str().unwrap());
    let (web, mail) = (stored(&fleet, &["web"], &["late"], LIFE), stored(&fleet, &["mail"], &[], LIFE));
    let approve = |id: &PlanId, more: &[&str]| {
        let arguments = [&["approve", id.as_str(), "--batch"], more].concat();
        let output = output(&fleet, &arguments);
        (output.status.code(), errors(&output))
    };
    let (web_id, mail_id) = (&web.plan().id, &mail.plan().id);
    let (code, said) = approve(mail_id, &["--sign", ci]);
    assert!(code == Some(1) && said.contains("ci may not approve the host mail"), "{said}");
    let (code, said) = approve(web_id, &["--sign", stranger, "--risk", "late"]);
    assert!(code == Some(1) && said.contains("not made by an approver"), "{said}");
    let (code, said) = approve(web_id, &["--sign", ci]);
    assert!(code == Some(1) && said.contains("late"), "{said}");
    let (code, said) = approve(web_id, &["--sign", "/nonexistent", "--risk", "late"]);
    assert!(code == Some(1) && said.contains("no signature"), "{said}");
    assert_eq!(approve(web_id, &[]).0, Some(2), "--batch without --sign");
    assert!(approvals(&fleet).recorded(web_id).unwrap().is_none());
    let (code, said) = approve(web_id, &["--sign", ci, "--risk", "late"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(spend(&approvals(&fleet), web_id).unwrap(), "signature ci");
}

#[test]
fn a_signature_is_made_where_the_key_is() {
    let fleet = fleet("");
    let signer = key(&fleet, "alice", "");
    fleet.write_outside("approvers", &format!("alice {}\n", public(&signer)));
    set(&fleet, "approvers = \"approvers\"\ncommand = \"sudo somewhere-else\"");
    let (plan, other) = (stored(&fleet, &["web"], &["late"], LIFE), stored(&fleet, &["mail"], &[], LIFE));
    let id = plan.plan().id.as_str();
    let sign = |id: &str| {
        let shown = output(&fleet, &["plans", id, "--canonical"]);
        let file = fleet.folder().with_file_name("plan");
        std::fs::write(&file, shown.stdout).unwrap();
        let made = file.with_file_name("plan.sig");
        let _none_yet = std::fs::remove_file(&made);
        let signed = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", "pantheros-deploy", "-f"])
            .args([&signer, &file])
            .status()
            .unwrap();
        assert!(signed.success());
        made
    };
    let approve = |made: &std::path::Path, more: &[&str]| {
        let made = made.to_str().unwrap();
        let output = output(&fleet, &[&["approve", id, "--signature", made], more].concat());
        (output.status.code(), errors(&output))
    };
    let (code, said) = approve(&sign(other.plan().id.as_str()), &["--risk", "late"]);
    assert!(code == Some(1) && said.contains("the signature by alice is not over this plan"), "{said}");
    let (code, said) = approve(&fleet.folder().join("nowhere"), &[]);
    assert!(code == Some(1) && said.contains("nowhere"), "{said}");
    let made = sign(id);
    let (code, said) = approve(&made, &[]);
    assert!(code == Some(1) && said.contains("late"), "{said}");
    // The signature comes from standard input.
    let mut command = fleet.command(&["approve", id, "--signature", "-", "--risk", "late"]);
    let approved = command.stdin(std::fs::File::open(&made).unwrap()).output().unwrap();
    assert_eq!(approved.status.code(), Some(0), "{}", errors(&approved));
    assert_eq!(spend(&approvals(&fleet), &plan.plan().id).unwrap(), "signature alice");
    // The answer names the command by which a person runs the program as the settings give it.
    let refused = output(&fleet, &["call", "deploy", &format!("plan_id={}", other.plan().id)]);
    assert!(errors(&refused).contains("sudo somewhere-else approve plan-"), "{}", errors(&refused));
}

/// Mounts a file over the system settings, for one command and its children.
const WITH_MACHINE_FILE: &str = "mount -t overlay overlay -o \"lowerdir=/etc,upperdir=$1/upper,workdir=$1/work\" /etc && \
    mkdir -p /etc/pantheros && cp -p \"$1/deploy.toml\" /etc/pantheros/deploy.toml && shift && exec \"$@\"";

#[test]
fn the_machine_says_who_may_deploy() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let folder = fleet.folder().with_file_name("machine");
    for part in ["upper", "work"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    let signer = key(&fleet, "alice", "");
    let approvers = folder.join("approvers");
    std::fs::write(&approvers, format!("alice {}\n", public(&signer))).unwrap();
    let state = settings(&fleet).state_folder.unwrap();
    let approve = |text: &str, mode: u32, more: &[&str]| {
        let file = folder.join("deploy.toml");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let command = fleet.command(&[&["approve", plan.plan().id.as_str()], more].concat());
        let outer = ["unshare", "-m", "sh", "-c", WITH_MACHINE_FILE, "sh", folder.to_str().unwrap()];
        let output = below(&outer, &command).stdin(Stdio::null()).output().unwrap();
        (output.status.code(), errors(&output))
    };
    let only_signed = format!("[deploy]\nstate_folder = {state:?}\napprovers = {approvers:?}\n");
    // The settings beside the flake allow the terminal.
    let (code, said) = approve(&only_signed, 0o644, &[]);
    assert!(code == Some(2) && said.contains("do not accept an approval by terminal"), "{said}");
    let (code, said) = approve(&only_signed, 0o644, &["--sign", signer.to_str().unwrap(), "--batch"]);
    assert_eq!(code, Some(0), "{said}");
    for (text, mode, wanted) in [
        (only_signed.as_str(), 0o666, "nobody else may write"),
        ("[ssh]\nprogram = \"ssh\"\n", 0o644, "`ssh` is not allowed in this file"),
        ("[deploy]\napprove = []\n", 0o644, "there is no setting `deploy.approve`"),
        ("nonsense", 0o644, "deploy.toml"),
    ] {
        let (code, said) = approve(text, mode, &[]);
        assert!(code == Some(2) && said.contains(wanted), "{code:?} {said}");
    }
}

#[test]
fn read_only_leaves_nothing_to_approve() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let refused = output(&fleet, &["--read-only", "approve", plan.plan().id.as_str()]);
    assert!(refused.status.code() == Some(2) && errors(&refused).contains("--read-only"), "{refused:?}");
    let shown = output(&fleet, &["--read-only", "plans", plan.plan().id.as_str()]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.contains("check   TCP port 443") && text.contains("/nix/store/"), "{text}");
}

// ---- listing and rejecting

#[test]
fn plans_are_listed_until_they_are_over() {
    let fleet = fleet("");
    let list = |flags: &[&str]| {
        let output = output(&fleet, &[&["plans"], flags].concat());
        assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list(&[]).contains("no plans"));
    let waiting = stored(&fleet, &["web"], &["no_root_key"], LIFE);
    let short = stored(&fleet, &["mail"], &[], Duration::from_secs(1));
    let broken = stored(&fleet, &["db"], &[], LIFE);
    std::fs::write(approvals(&fleet).plans().path(&broken.plan().id), "{").unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    let text = list(&[]);
    assert!(text.contains(waiting.plan().id.as_str()) && text.contains("BLOCKING: no_root_key"), "{text}");
    assert!(text.contains(broken.plan().id.as_str()) && text.contains("cannot be read"), "{text}");
    assert!(!text.contains(short.plan().id.as_str()), "{text}");
    let rows: Value = serde_json::from_str(&list(&["--json", "--all"])).unwrap();
    let mut states: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap()).collect();
    states.sort_unstable();
    assert_eq!(states, ["expired", "unreadable", "waiting"]);

    let rejected = output(&fleet, &["reject", waiting.plan().id.as_str()]);
    assert_eq!(rejected.status.code(), Some(0), "{}", errors(&rejected));
    // A second rejection reports who rejected the plan first.
    let again = output(&fleet, &["reject", waiting.plan().id.as_str()]);
    assert_eq!((again.status.code(), errors(&again)), (Some(0), errors(&rejected)));
    assert_eq!(output(&fleet, &["reject", broken.plan().id.as_str()]).status.code(), Some(0));
    assert!(list(&[]).starts_with("no plan waits; --all shows 3 plans that expired"), "{}", list(&[]));
    let text = list(&["--all"]);
    assert!(text.contains("was rejected by") && text.contains(waiting.plan().id.as_str()), "{text}");
}

#[test]
fn a_no_that_is_typed_rejects() {
    let fleet = fleet("");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let id = plan.plan().id.as_str();
    let mut terminal = in_terminal(&fleet, &["approve", id]);
    terminal.shows("`no` to reject");
    terminal.types("No\n");
    let (code, shown) = terminal.ends();
    assert!(code == Some(1) && shown.contains("was rejected by"), "{code:?}: {shown}");
    let error = spend(&approvals(&fleet), &plan.plan().id).unwrap_err();
    assert!(matches!(error, ApprovalError::Rejected { .. }), "{error}");
    let again = output(&fleet, &["approve", id]);
    assert!(again.status.code() == Some(1) && errors(&again).contains("was rejected by"), "{again:?}");
}

// ---- several processes

/// Set for this program when it is one of several processes of a test.
const TASK: &str = "PANTHEROS_TEST_TASK";
const FOLDER: &str = "PANTHEROS_TEST_STATE";
const COUNT: usize = 25;

/// The task of each process that the tests below start. Without [`TASK`] it does nothing.
#[test]
fn one_of_several_processes() {
    let Ok(task) = std::env::var(TASK) else { return };
    let settings = pantheros_mcp::testing::config::DeploySettings {
        clean: false,
        state_folder: Some(std::env::var_os(FOLDER).unwrap().into()),
        command: "pantheros-mcp".into(),
        plan_lifetime: LIFE,
        approve_by: [ApprovalMethod::Terminal].into(),
        approve_over_http: false,
        approvers: None,
        scopes: std::collections::BTreeMap::new(),
        untrusted: None,
    };
    let approvals = Approvals::open(&settings).unwrap();
    if task == "append" {
        for number in 0..COUNT {
            let details = Map::from_iter([("number".to_owned(), number.into())]);
            let record = AuditRecord {
                event: AuditEvent::HostFinished,
                plan_id: None,
                plan_digest: None,
                host: None,
                client: format!("process {}", std::process::id()),
                user: String::new(),
                details,
            };
            approvals.audit().append_blocking(&record, std::time::Instant::now()).unwrap();
        }
        return;
    }
    match spend(&approvals, &task.parse().unwrap()) {
        Ok(by) => println!("SPENT {by}"),
        Err(ApprovalError::Spent(_)) => println!("LOST"),
        Err(error) => panic!("{error}"),
    }
}

/// Runs a task in `count` processes at once.
fn together(count: usize, fleet: &Fleet, task: &str) -> Vec<Output> {
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "approvals::one_of_several_processes", "--nocapture"])
            .env(TASK, task)
            .env(FOLDER, settings(fleet).state_folder.unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..count).map(|_| start()).collect();
    let outputs: Vec<Output> = children.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    for output in &outputs {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    outputs
}

#[test]
fn of_several_processes_one_spends() {
    let fleet = fleet("");
    for _ in 0..3 {
        let plan = stored(&fleet, &["web"], &[], LIFE);
        let id = &plan.plan().id;
        let mut terminal = in_terminal(&fleet, &["approve", id.as_str()]);
        terminal.shows("Type the host's name");
        terminal.types("web\n");
        assert_eq!(terminal.ends().0, Some(0));
        let outputs = together(6, &fleet, id.as_str());
        let count = |word: &str| {
            outputs.iter().filter(|output| String::from_utf8_lossy(&output.stdout).contains(word)).count()
        };
        assert_eq!((count("SPENT terminal"), count("LOST")), (1, 5));
    }
}

#[test]
fn eight_processes_write_one_log() {
    let fleet = fleet("");
    approvals(&fleet);
    together(8, &fleet, "append");
    let verified = output(&fleet, &["audit", "verify", "--json"]);
    let report: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(report["entries"], 8 * COUNT);

    // `audit verify` on a log that is whole, cut off before a noted hash, torn, and tampered with.
    let last = report["last"].as_str().unwrap();
    let whole = output(&fleet, &["audit", "verify", "--noted", last]);
    assert_eq!(whole.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&whole.stdout).contains(last));
    let path = approvals(&fleet).audit().path();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&path, lines[..100].join("\n") + "\n").unwrap();
    assert_eq!(output(&fleet, &["audit", "verify"]).status.code(), Some(0));
    let cut = output(&fleet, &["audit", "verify", "--noted", last]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&cut.stdout).contains("last entries were removed"));
    std::fs::write(&path, &text[..text.len() - 30]).unwrap();
    let torn = output(&fleet, &["audit", "verify"]);
    assert_eq!(torn.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&torn.stdout).contains("an incomplete entry"));
    std::fs::write(&path, text.replacen("\"number\":7", "\"number\":8", 1)).unwrap();
    let tampered = output(&fleet, &["audit", "verify"]);
    assert_eq!(tampered.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&tampered.stdout).contains("is not valid"));
}
