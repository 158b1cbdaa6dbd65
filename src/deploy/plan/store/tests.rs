use super::*;
use crate::deploy::plan::{Risk, Severity, fixture};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn plans() -> (tempfile::TempDir, Plans) {
    let scratch = tempfile::tempdir().unwrap();
    let plans = Plans { folder: StateFolder::open(scratch.path()).unwrap().folder(FOLDER).unwrap() };
    (scratch, plans)
}

#[test]
fn a_plan_is_read_back_as_it_was_stored() {
    let (_scratch, plans) = plans();
    let stored = plans.save(fixture(&["web", "mail"])).unwrap();
    let id = stored.plan().id.clone();
    assert_eq!(plans.load(&id).unwrap(), stored);
    assert_eq!(fs::read_to_string(plans.path(&id)).unwrap(), stored.canonical());
    assert_eq!(fs::metadata(plans.path(&id)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(stored.digest(), &stored.plan().digest().unwrap());
    assert_eq!(plans.list().unwrap().len(), 1);
    assert!(plans.save(stored.plan().clone()).is_err(), "a plan was stored over another");
    let unknown = PlanId::random().unwrap();
    assert!(matches!(plans.load(&unknown), Err(PlanError::Unknown(id)) if id == unknown));
}

#[test]
fn whatever_is_altered_is_noticed() {
    let (_scratch, plans) = plans();
    let stored = plans.save(fixture(&["web"])).unwrap();
    let id = &stored.plan().id;
    let text = stored.canonical();
    let spaced = text.replacen(':', ": ", 1);
    let longer = text.replacen("{\"action\"", "{\"a\":1,\"action\"", 1);
    let line = format!("{text}\n");
    let twice = text.replacen("\"canary\":1", "\"canary\":9,\"canary\":1", 1);
    let other_id = text.replace(id.as_str(), PlanId::random().unwrap().as_str());
    for altered in [spaced, longer, line, twice, other_id, String::new(), "{}".to_owned(), "[1".to_owned()] {
        assert_ne!(altered, text);
        fs::write(plans.path(id), altered.as_bytes()).unwrap();
        assert!(matches!(plans.load(id), Err(PlanError::Damaged { .. })), "{altered} was taken");
    }
    // An altered plan in canonical form is another plan, with another digest.
    fs::write(plans.path(id), text.replacen("\"canary\":1", "\"canary\":2", 1)).unwrap();
    assert_ne!(plans.load(id).unwrap().digest(), stored.digest());
}

#[test]
fn every_field_counts() {
    let plan = fixture(&["web"]);
    let digest = plan.digest().unwrap();
    let value = serde_json::to_value(&plan).unwrap();
    let mut paths = Vec::new();
    leaves(&value, String::new(), &mut paths);
    assert!(paths.len() > 40, "{paths:?}");
    for path in paths {
        let mut other = value.clone();
        let leaf = other.pointer_mut(&path).unwrap();
        *leaf = match leaf {
            serde_json::Value::Bool(given) => (!*given).into(),
            serde_json::Value::Number(given) => (given.as_i64().unwrap() + 1).into(),
            serde_json::Value::String(given) => format!("{given}x").into(),
            other => panic!("{path} is {other}"),
        };
        let form = crate::canonical::form(&other).unwrap();
        assert_ne!(Digest::sha256(form.as_bytes()), digest, "{path} is not in the digest");
    }
}

fn leaves(value: &serde_json::Value, path: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| leaves(value, format!("{path}/{key}"), found));
        }
        serde_json::Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| leaves(value, format!("{path}/{index}"), found));
        }
        _ => found.push(path),
    }
}

#[test]
fn a_plan_of_another_version_says_so() {
    let (_scratch, plans) = plans();
    let stored = plans.save(fixture(&["web"])).unwrap();
    let id = &stored.plan().id;
    for (version, hint) in [
        (PLAN_VERSION + 1, "the newer version of pantheros-mcp"),
        (OLDEST_PLAN_VERSION - 1, "made by an older version of this program"),
        (1, "made by an older version of this program"),
    ] {
        fs::write(plans.path(id), format!("{{\"version\":{version},\"new\":[]}}")).unwrap();
        let error = plans.load(id).unwrap_err();
        let diagnostic = Diagnostic::from(&error);
        assert!(matches!(error, PlanError::OtherVersion { .. }), "{error}");
        assert_eq!(diagnostic.code, Code::InvalidPlan);
        assert!(diagnostic.message.contains(&format!("version {version}")), "{diagnostic}");
        assert!(diagnostic.hint.unwrap().to_string().contains(hint), "{version}");
    }
    fs::write(plans.path(id), "{\"version\":0}").unwrap();
    assert!(matches!(plans.load(id), Err(PlanError::Damaged { .. })));
    assert!(plans.list().unwrap()[0].plan.is_err());
}

#[test]
fn links_and_files_of_others_are_no_plans() {
    let (scratch, plans) = plans();
    let stored = plans.save(fixture(&["web"])).unwrap();
    let id = &stored.plan().id;
    let elsewhere = scratch.path().join("elsewhere.json");
    fs::rename(plans.path(id), &elsewhere).unwrap();
    symlink(&elsewhere, plans.path(id)).unwrap();
    assert!(matches!(plans.load(id), Err(PlanError::State(_))));
    fs::remove_file(plans.path(id)).unwrap();
    fs::copy(&elsewhere, plans.path(id)).unwrap();
    fs::set_permissions(plans.path(id), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(plans.load(id), Err(PlanError::State(_))));
    // Other files are neither listed nor changed.
    let strange = plans.folder.path().join("notes.json");
    fs::write(&strange, "mine").unwrap();
    assert_eq!(plans.list().unwrap().len(), 1);
    plans.sweep(SystemTime::now() + KEPT * 2).unwrap();
    assert!(strange.exists());
    assert!(plans.list().unwrap().is_empty());
    assert!(elsewhere.exists());
}

#[test]
fn the_old_are_swept_together() {
    let (_scratch, plans) = plans();
    let old = plans.save(fixture(&["web"])).unwrap();
    let used = plans.save(fixture(&["mail"])).unwrap();
    let past = SystemTime::now() - KEPT - Duration::from_secs(60);
    let age = |name: &str| {
        let path = plans.folder.path().join(name);
        fs::File::open(path).unwrap().set_modified(past).unwrap();
    };
    let (old_id, used_id) = (&old.plan().id, &used.plan().id);
    plans.folder.replace(&format!("{old_id}{SPENT}"), b"{}").unwrap();
    plans.folder.replace(&format!("{used_id}{SPENT}"), b"{}").unwrap();
    let (form, declined) = (format!("{old_id}{}", FORMS[0]), format!("{DECLINED}0.json"));
    for name in [".partial-x", &form, &declined] {
        plans.folder.replace(name, b"{}").unwrap();
        age(name);
    }
    for name in [format!("{old_id}.json"), format!("{old_id}{SPENT}"), format!("{used_id}.json")] {
        age(&name);
    }
    plans.sweep(SystemTime::now()).unwrap();
    let left: Vec<String> = plans.folder.entries().unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(left, [format!("{used_id}.json"), format!("{used_id}{SPENT}")]);
}

#[test]
fn what_is_no_plan_is_not_stored() {
    let (_scratch, plans) = plans();
    let none = Plan { hosts: Vec::new(), ..fixture(&["web"]) };
    let twice = fixture(&["web", "web"]);
    let future = Plan { version: PLAN_VERSION + 1, ..fixture(&["web"]) };
    let mut settling = fixture(&["web"]);
    settling.hosts[0].settling_seconds = Some(60);
    let left_out = Plan { except: vec!["web".parse().unwrap()], ..fixture(&["web"]) };
    let mut over = fixture(&["web"]);
    over.expires = over.created;
    let mut code = fixture(&["web"]);
    let risk = |code: &str| Risk {
        code: code.to_owned(),
        severity: Severity::Note,
        evidence: String::new(),
        mend: String::new(),
        file: None,
        line: None,
    };
    code.hosts[0].risks = vec![risk("no key\u{1b}[2J")];
    for plan in [none, twice, future, settling, left_out, over, code] {
        assert!(matches!(plans.save(plan), Err(PlanError::Unfit(_))));
    }
    let mut large = fixture(&["web"]);
    large.hosts[0].diff.closure_bytes = u64::MAX;
    assert!(matches!(plans.save(large), Err(PlanError::Canonical(_))));
    assert!(plans.list().unwrap().is_empty());
}

#[test]
fn expiry_counts_from_both_sides() {
    let (_scratch, plans) = plans();
    let stored = plans.save(fixture(&["web"])).unwrap();
    let created = stored.plan().created;
    assert!(stored.require_current(created).is_ok());
    assert!(stored.require_current(created.after(Duration::from_secs(1_799))).is_ok());
    let late = stored.require_current(created.after(Duration::from_secs(1_800))).unwrap_err();
    assert_eq!(Diagnostic::from(&late).code, Code::PlanExpired);
    let earlier: Timestamp = "2000-01-01T00:00:00Z".parse().unwrap();
    assert!(stored.require_current(earlier).is_err(), "the clock was set back");
}
