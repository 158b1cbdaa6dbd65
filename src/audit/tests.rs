use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::fs;

fn audit() -> (tempfile::TempDir, AuditLog) {
    let scratch = tempfile::tempdir().unwrap();
    let audit = AuditLog::new(StateFolder::open(scratch.path()).unwrap());
    (scratch, audit)
}

fn record(number: u64) -> AuditRecord {
    let details = json!({"number": number, "note": "token=abcdef"});
    AuditRecord {
        event: AuditEvent::Planned,
        plan_id: Some(PlanId::random().unwrap()),
        plan_digest: Some(Digest::sha256(b"plan")),
        host: Some("web".parse().unwrap()),
        client: "a client".into(),
        user: "alice (uid 1000)".into(),
        details: details.as_object().unwrap().clone(),
    }
}

fn written(count: u64) -> (tempfile::TempDir, AuditLog) {
    let (scratch, audit) = audit();
    for number in 0..count {
        audit.append_blocking(&record(number), Instant::now()).unwrap();
    }
    (scratch, audit)
}

#[test]
fn entries_are_chained() {
    let (_scratch, audit) = audit();
    assert_eq!(audit.verify(None).unwrap(), AuditReport::default());
    let hashes: Vec<Digest> =
        (0..3).map(|number| audit.append_blocking(&record(number), Instant::now()).unwrap()).collect();
    let report = audit.verify(None).unwrap();
    assert_eq!((report.entries, report.last.as_ref(), report.torn_bytes), (3, hashes.last(), 0));
    assert_eq!(audit.verify(Some(&hashes[1])).unwrap().noted, Some(2));
    assert_eq!(audit.verify(Some(&Digest::zero())).unwrap().noted, None);
    assert_eq!(report.broken, None);
    let text = fs::read_to_string(audit.path()).unwrap();
    let entries: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries[0]["previous"], Digest::zero().as_str());
    assert_eq!(entries[1]["previous"], entries[0]["hash"]);
    assert_eq!(entries[2]["seq"], 3);
    assert_eq!(entries[2]["event"], "planned");
    assert!(!text.contains("abcdef"), "{text}");
}

#[test]
fn the_hash_is_what_the_design_says() {
    let (_scratch, audit) = written(1);
    let text = fs::read_to_string(audit.path()).unwrap();
    let mut entry: Value = serde_json::from_str(&text).unwrap();
    let hash = entry.as_object_mut().unwrap().shift_remove("hash").unwrap();
    // By hand: the line without `,"hash":"…"`.
    let without = text.trim_end().replace(&format!("\"hash\":{hash},"), "");
    assert_eq!(hash, Digest::sha256(without.as_bytes()).as_str());
}

#[test]
fn tampering_is_told_with_its_place() {
    let (_scratch, audit) = written(6);
    let text = fs::read_to_string(audit.path()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let tampered = |lines: Vec<String>| {
        fs::write(audit.path(), lines.join("\n") + "\n").unwrap();
        audit.verify(None).unwrap().broken.map(|broken| broken.line)
    };
    let all = || lines.iter().map(ToString::to_string).collect::<Vec<String>>();

    let mut altered = all();
    altered[2] = altered[2].replace("alice", "mallory");
    assert_eq!(tampered(altered), Some(3), "an altered entry");
    let mut removed = all();
    removed.remove(2);
    assert_eq!(tampered(removed), Some(3), "a removed entry");
    let mut first = all();
    first.remove(0);
    assert_eq!(tampered(first), Some(1), "the first entry removed");
    let mut swapped = all();
    swapped.swap(1, 2);
    assert_eq!(tampered(swapped), Some(2), "entries swapped");
    let mut twice = all();
    twice.insert(3, lines[2].to_owned());
    assert_eq!(tampered(twice), Some(4), "an entry twice");
    let mut spaced = all();
    spaced[4] = spaced[4].replacen(':', ": ", 1);
    assert_eq!(tampered(spaced), Some(5), "an entry written otherwise");
    let mut empty = all();
    empty[1] = String::new();
    assert_eq!(tampered(empty), Some(2), "an empty line");
    let mut long = all();
    long[3] = "x".repeat(LARGEST_ENTRY + 1);
    assert_eq!(tampered(long), Some(4), "a line without end");
    // An altered entry with a matching hash: the hash in the next entry reveals it.
    let mut forged = all();
    let mut entry: Value = serde_json::from_str(lines[2]).unwrap();
    entry["user"] = "mallory".into();
    entry.as_object_mut().unwrap().shift_remove("hash");
    let hash = Digest::sha256(canonical::form(&entry).unwrap().as_bytes());
    entry["hash"] = hash.to_string().into();
    forged[2] = canonical::form(&entry).unwrap();
    assert_eq!(tampered(forged), Some(4), "a forged entry");
    assert_eq!(tampered(all()), None);
}

#[test]
fn a_torn_entry_is_no_tampering() {
    let (_scratch, audit) = written(3);
    let text = fs::read_to_string(audit.path()).unwrap();
    let third = text.match_indices('\n').nth(1).unwrap().0 + 1;
    for cut in [third + 1, third + 40, text.len() - 3] {
        fs::write(audit.path(), &text[..cut]).unwrap();
        let report = audit.verify(None).unwrap();
        assert_eq!(report.entries, 2);
        assert_eq!(report.broken, None);
        assert_eq!(report.torn_bytes, (cut - third) as u64);
        // The next entry follows the last complete one.
        audit.append_blocking(&record(9), Instant::now()).unwrap();
        let report = audit.verify(None).unwrap();
        assert_eq!((report.entries, report.broken, report.torn_bytes), (3, None, 0));
    }
    // All but the line feed was written.
    fs::write(audit.path(), text.trim_end()).unwrap();
    assert_eq!(audit.verify(None).unwrap().entries, 3);
    audit.append_blocking(&record(9), Instant::now()).unwrap();
    let report = audit.verify(None).unwrap();
    assert_eq!((report.entries, report.broken), (4, None));
}

#[test]
fn nothing_is_added_to_a_broken_end() {
    let (_scratch, audit) = written(2);
    let text = fs::read_to_string(audit.path()).unwrap();
    fs::write(audit.path(), text.replace("alice", "mallory")).unwrap();
    let error = audit.append_blocking(&record(9), Instant::now()).unwrap_err();
    assert!(matches!(error, AuditError::Broken { .. }));
    assert!(Diagnostic::from(&error).hint.unwrap().to_string().contains("audit verify"));
    fs::write(audit.path(), [b'x'; LARGEST_ENTRY + 7]).unwrap();
    assert!(matches!(audit.append_blocking(&record(9), Instant::now()), Err(AuditError::Broken { .. })));
}

#[test]
fn an_entry_is_bounded() {
    let (_scratch, audit) = audit();
    let many: Vec<Value> = (0..2_000).map(|_| Value::from("x".repeat(100))).collect();
    let mut large = record(0);
    large.details.insert("many".into(), many.into());
    assert!(matches!(audit.append_blocking(&large, Instant::now()), Err(AuditError::Unfit(_))));
    let mut long = record(0);
    long.details.insert("text".into(), "x".repeat(1 << 20).into());
    audit.append_blocking(&long, Instant::now()).unwrap();
    assert!(fs::metadata(audit.path()).unwrap().len() < 4_000);
}

#[tokio::test]
async fn entries_of_one_task_stay_in_order() {
    let (_scratch, audit) = audit();
    let appending: Vec<_> = (0..20).map(|number| audit.append(record(number))).collect();
    futures::future::join_all(appending).await.into_iter().for_each(|entry| drop(entry.unwrap()));
    let text = fs::read_to_string(audit.path()).unwrap();
    let numbers =
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["details"]["number"].clone());
    assert_eq!(numbers.collect::<Vec<_>>(), (0..20).map(Value::from).collect::<Vec<_>>());
}

#[test]
fn threads_take_turns() {
    let (_scratch, audit) = audit();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let audit = audit.clone();
            scope.spawn(move || {
                (0..25).for_each(|n| {
                    drop(audit.append_blocking(&record(thread * 100 + n), Instant::now()).unwrap())
                })
            });
        }
    });
    let report = audit.verify(None).unwrap();
    assert_eq!((report.entries, report.broken, report.torn_bytes), (100, None, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        static LOG: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let (_scratch, audit) = written(4);
            fs::read(audit.path()).unwrap()
        });
        let mut bytes = LOG.clone();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let report = verify::check_log(bytes.as_slice(), None).unwrap();
        let before = LOG[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        // Only the last line feed may be missing after a crash.
        prop_assert!(report.broken.is_some() || report.torn_bytes > 0, "byte {}", at);
        prop_assert!(report.entries <= before);
    }
}
