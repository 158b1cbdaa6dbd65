use super::*;

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
    // A second rejection returns the first one.
    assert_eq!(approvals.reject(id, "carol (uid 1002)", "terminal").await.unwrap(), no);
    assert_eq!(desk.events(), ["approved", "rejected"]);
    // A plan that cannot be read can be rejected; a plan that never existed cannot.
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
            let no = Scripted::new(ApprovalAnswer::Declined);
            // The refusal cannot be logged either.
            approvals.obtain(&stored, &no, &asked(), &call).await.unwrap_err()
        } else {
            approvals.reject(id, "bob", "terminal").await.unwrap_err()
        };
        let diagnostic = Diagnostic::from(&error);
        assert_eq!(diagnostic.code, Code::StateUnusable, "{diagnostic}");
        let by = if by_form { "the user of test 1.0" } else { "bob" };
        assert!(diagnostic.hint.unwrap().to_string().contains(&format!("`pantheros-mcp reject {id}`")));
        assert!(
            error.to_string().contains(&format!("was rejected by {by} and cannot be deployed")),
            "{error}"
        );
        let refused = approvals.record(&stored, terminal(&[]), &call).await;
        assert!(matches!(refused, Err(ApprovalError::Rejected { .. })), "{refused:?}");
        fs::remove_dir(&log).unwrap();
        for _ in 0..2 {
            approvals.reject(id, "carol", "terminal").await.unwrap();
            assert_eq!(desk.events(), ["rejected"]);
        }
        assert!(fs::read_to_string(&log).unwrap().contains(&format!("\"by\":\"{by}\"")));
        // An approval is not used up if its use cannot be logged.
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
    // The plan is rejected while another program verifies the signature.
    let id = &stored.plan().id;
    let (spent, rejected) = tokio::join!(approvals.spend(&stored, &call), async {
        approvals.reject(id, "bob", "terminal").await
    });
    assert!(rejected.is_ok(), "{rejected:?}");
    assert!(matches!(spent, Err(ApprovalError::Rejected { by, .. }) if by == "bob"));
    // The same while an approval is being recorded.
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
    // A rejection after the approval was used is refused.
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
