use super::*;

#[tokio::test]
async fn a_form_needs_the_right_words() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let approvals = desk.approvals();
    for (answer, code) in [
        (ApprovalAnswer::Unanswered, Code::ApprovalDeclined),
        (ApprovalAnswer::Stray, Code::InvalidApproval),
        (ApprovalAnswer::Overtaken, Code::InvalidApproval),
        (ApprovalAnswer::Asked, Code::ApprovalRequired),
        (ApprovalAnswer::Unavailable, Code::ApprovalRequired),
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
    // Every attempt is logged except the one whose answer is still pending.
    assert_eq!(desk.events(), ["refused"; 9]);
    let stored = desk.plan(blocked(&["web"]));
    let scripted = Scripted::new(given(" web ", "no_root_key"));
    let spent = approvals.obtain(&stored, &scripted, &asked(), &call).await.unwrap();
    assert_eq!(spent.approval().channel(), ApprovalMethod::Elicitation);
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
    let no = Scripted::new(ApprovalAnswer::Declined);
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
    // No form is shown for another plan with the same change; a plan with another change gets one.
    let same = desk.plan(fixture(&["web"]));
    let error = approvals.obtain(&same, &yes, &asked(), &call).await.unwrap_err();
    let hint = Diagnostic::from(&error).hint.unwrap().to_string();
    assert!(hint.contains(stored.plan().id.as_str()) && hint.contains("pantheros-mcp approve"), "{hint}");
    assert!(yes.questions().is_empty());
    let other = desk.plan(Plan { action: Action::Test, ..fixture(&["web"]) });
    approvals.obtain(&other, &yes, &asked(), &call).await.unwrap();
    // After the declined plan has expired, a form is shown again.
    while !stored.plan().is_expired(Timestamp::now()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    approvals.obtain(&same, &yes, &asked(), &call).await.unwrap();
}

#[tokio::test]
async fn a_form_is_shown_twice_at_most() {
    let (desk, call) = (Desk::new(&BOTH), Call::unattended());
    let stored = desk.plan(fixture(&["web"]));
    for answer in [ApprovalAnswer::Unanswered, given("mail", "")] {
        let scripted = Scripted::new(answer);
        assert!(desk.approvals().obtain(&stored, &scripted, &asked(), &call).await.is_err());
        assert_eq!(scripted.questions().len(), 1);
    }
    let yes = Scripted::new(given("web", ""));
    let error = desk.approvals().obtain(&stored, &yes, &asked(), &call).await.unwrap_err();
    assert!(yes.questions().is_empty(), "a third form was shown");
    let diagnostic = Diagnostic::from(&error);
    assert_eq!(diagnostic.code, Code::ApprovalRequired);
    let hint = diagnostic.hint.unwrap().to_string();
    assert!(hint.contains("twice") && hint.contains("pantheros-mcp approve"), "{hint}");
    // The plan can still be approved in a terminal.
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
    let (desk, call) = (Desk::new(&[ApprovalMethod::Terminal]), Call::unattended());
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let scripted = Scripted::new(given("web", ""));
    let error = approvals.obtain(&stored, &scripted, &asked(), &call).await.unwrap_err();
    let diagnostic = Diagnostic::from(&error);
    assert_eq!(diagnostic.code, Code::ApprovalRequired);
    let hint = diagnostic.hint.unwrap().to_string();
    assert!(hint.contains(&format!("pantheros-mcp approve {}", stored.plan().id)), "{hint}");
    assert!(scripted.questions().is_empty());
    approvals.record(&stored, terminal(&[]), &call).await.unwrap();
    assert!(approvals.obtain(&stored, &Nobody, &asked(), &call).await.is_ok());
}

/// Alters the plan's file while the person is asked.
struct Altering<'a>(&'a Path, &'a StoredPlan);

impl Approver for Altering<'_> {
    fn ask<'a>(
        &'a self,
        _: &'a ApprovalRequest,
        _: &'a Call,
    ) -> std::pin::Pin<Box<dyn Future<Output = ApprovalAnswer> + Send + 'a>> {
        fs::write(self.0, self.1.canonical().replace("nixos-system-new", "nixos-system-bad")).unwrap();
        Box::pin(std::future::ready(given("web", "")))
    }

    fn shows_form(&self) -> bool {
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
