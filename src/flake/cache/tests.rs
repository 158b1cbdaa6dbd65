use super::*;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn on_disk(folder: &std::path::Path, bytes: u64) -> CacheSettings {
    CacheSettings { enabled: true, folder: Some(folder.to_owned()), bytes }
}

fn lookup(cache: &AnswerCache, key: &CacheKey) -> Option<Value> {
    cache.get(key)
}

#[test]
fn an_answer_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let settings = on_disk(folder.path(), 1 << 20);
    let key = CacheKey::of("now", &["a", "b"]);
    AnswerCache::new(&settings).put(&key, &json!({"x": 1}));
    let fresh = AnswerCache::new(&settings);
    assert_eq!(lookup(&fresh, &key), Some(json!({"x": 1})));
    assert_eq!(lookup(&fresh, &CacheKey::of("now", &["ab"])), None);
}

#[test]
fn the_oldest_make_room() {
    let folder = tempfile::tempdir().unwrap();
    let settings = on_disk(folder.path(), 3 * BLOCK);
    let cache = AnswerCache::new(&settings);
    for number in 0..20 {
        cache.put(&CacheKey::of("now", &[&number.to_string()]), &json!("x".repeat(1_000)));
    }
    let kept = fs::read_dir(folder.path().join("answers")).unwrap().count();
    assert!((1..=3).contains(&kept), "{kept} kept");
}

#[test]
fn small_answers_are_bounded_in_number_and_seldom_counted() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(DiskStore::new(folder.path().to_owned(), 1 << 30, 64));
    let put = |number: usize| disk.put(&CacheKey::of("now", &[&number.to_string()]), b"1").unwrap();
    let count = || fs::read_dir(folder.path().join("answers")).unwrap().count();
    put(0);
    // Files of other processes are noticed only after a sixteenth of the limit was written here.
    for number in 0..100 {
        fs::write(folder.path().join("answers").join(format!("other-{number}")), "1").unwrap();
    }
    for number in 1..=4 {
        put(number);
        assert_eq!(count(), 101 + number);
    }
    put(5);
    assert_eq!(count(), 60, "a sixteenth is free");
    for number in 6..500 {
        put(number);
        assert!(count() <= 64 + 4, "{}", count());
    }
}

#[test]
fn a_damaged_entry_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let settings = on_disk(folder.path(), 1 << 20);
    let key = CacheKey::of("now", &["a"]);
    AnswerCache::new(&settings).put(&key, &json!(1));
    fs::write(folder.path().join("answers").join(&key.name), "{\"x\":").unwrap();
    assert_eq!(lookup(&AnswerCache::new(&settings), &key), None);
}

#[test]
fn what_others_can_write_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = on_disk(folder.path(), 1 << 20);
    let key = CacheKey::of("now", &["a"]);
    AnswerCache::new(&settings).put(&key, &json!("mine"));
    let answers = folder.path().join("answers");
    let allow = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, mode, back) in
        [(folder.path(), 0o777, 0o700), (&answers, 0o770, 0o700), (&answers.join(&key.name), 0o666, 0o600)]
    {
        allow(path, mode);
        assert_eq!(lookup(&AnswerCache::new(&settings), &key), None, "{} {mode:o}", path.display());
        allow(path, back);
    }
    assert_eq!(lookup(&AnswerCache::new(&settings), &key), Some(json!("mine")));
    let outside = folder.path().join("outside");
    fs::rename(&answers, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &answers).unwrap();
    let elsewhere = AnswerCache::new(&settings);
    assert_eq!(lookup(&elsewhere, &key), None, "a link was followed");
    // The cache in memory still works.
    elsewhere.put(&key, &json!("again"));
    assert_eq!(lookup(&elsewhere, &key), Some(json!("again")));
    assert_eq!(fs::read(outside.join(&key.name)).unwrap(), b"\"mine\"");
}

#[test]
fn memory_is_bounded_in_bytes() {
    let mut memory = MemoryStore::new(100_000);
    let key = |number: usize| CacheKey::of("now", &[&number.to_string()]);
    for number in 0..1_000 {
        memory.put(&key(number), vec![b'x'; 900].into());
        // An answer that is used again and again stays.
        assert!(memory.get(&key(0)).is_some(), "{number}");
        let held: usize = memory.answers.values().map(|(answer, _)| answer.len() + OVERHEAD).sum();
        assert_eq!((held, memory.by_use.len()), (memory.bytes, memory.answers.len()));
        assert!(memory.bytes <= 100_000);
    }
    assert!(memory.bytes > 98_000, "{}", memory.bytes);
    // An answer that is stored again is counted once.
    let before = memory.bytes;
    memory.put(&key(999), vec![b'y'; 900].into());
    assert_eq!(memory.bytes, before);
    assert_eq!(memory.get(&key(999)).unwrap().first(), Some(&b'y'));
    memory.put(&key(0), vec![b'x'; 200_000].into());
    assert_eq!((memory.bytes, memory.answers.len()), (0, 0), "one that is larger than all there is room for");
}

#[test]
fn older_states_of_the_flake_make_room_first() {
    let mut memory = MemoryStore::new(10_000);
    let key = |state: &str, number: usize| CacheKey::of(state, &[&number.to_string()]);
    for number in 0..3 {
        memory.put(&key("new", number), vec![0; 1_500].into());
    }
    memory.put(&key("old", 0), vec![0; 1_500].into());
    assert!(memory.get(&key("old", 0)).is_some());
    memory.put(&key("new", 3), vec![0; 1_500].into());
    assert!(memory.get(&key("old", 0)).is_none());
    assert!((0..4).all(|number| memory.get(&key("new", number)).is_some()));
}
