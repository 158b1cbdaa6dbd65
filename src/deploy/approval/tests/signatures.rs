use super::*;

#[tokio::test]
async fn a_signature_approves() {
    let (mut desk, call) = (Desk::new(&BOTH), Call::unattended());
    let (key, public) = desk.key("alice").await;
    desk.approvers(&[format!("alice@example.org namespaces=\"{}\" {public}", signature::NAMESPACE)]);
    let (approvals, stored) = (desk.approvals(), desk.plan(fixture(&["web"])));
    let required = approvals.spend(&stored, &call).await.unwrap_err();
    assert!(Diagnostic::from(&required).hint.unwrap().to_string().contains("--sign KEY"));
    let signature = signature_of(&stored, &key).await;
    approvals.record(&stored, signed("alice@example.org", signature.clone()), &call).await.unwrap();
    let spent = approvals.spend(&stored, &call).await.unwrap();
    assert_eq!(spent.approval().by(), "alice@example.org");
    assert_eq!(spent.approval().signature(), Some(signature.as_str()));
    // An approval in a terminal or in a form is not a signature.
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
    // A signature that was valid when it was recorded, by a signer who is no longer accepted when it is used.
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
        SignerScope {
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
    // A pipe would block, and can be read only once.
    crate::platform::make_pipe(&path);
    let error = desk.approvals().spend(&stored, &call).await.unwrap_err();
    assert_eq!(Diagnostic::from(&error).code, Code::InvalidSettings, "{error}");
}
