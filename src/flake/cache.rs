//! Answers about an unchanged flake, kept in memory and on disk.
//!
//! A key holds everything an answer depends on, so an entry is right for ever and only ever
//! leaves to make room. Losing the whole folder costs time, never truth.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::config::CacheSettings;

/// Most answers held in memory.
const IN_MEMORY: usize = 64;
/// Largest answer held in memory or on disk, in bytes of JSON.
const LARGEST: usize = 8 * 1024 * 1024;

/// What an answer is filed under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key of everything that decides the answer.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut hash = blake3::Hasher::new();
        for part in parts {
            // The length keeps ["ab", "c"] and ["a", "bc"] apart.
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self(hash.finalize().to_hex().to_string())
    }
}

/// The answers kept.
#[derive(Debug)]
pub struct Cache {
    enabled: bool,
    memory: Mutex<Memory>,
    disk: Option<Disk>,
}

#[derive(Debug, Default)]
struct Memory {
    answers: HashMap<Key, Arc<Value>>,
    oldest_first: VecDeque<Key>,
}

#[derive(Debug)]
struct Disk {
    folder: PathBuf,
    bytes: u64,
}

impl Cache {
    /// A cache in memory, and in a folder where `settings` name one.
    #[must_use]
    pub fn new(settings: &CacheSettings) -> Self {
        let folder = settings.folder.as_ref().filter(|_| settings.enabled);
        Self {
            enabled: settings.enabled,
            memory: Mutex::default(),
            disk: folder.map(|folder| Disk { folder: folder.join("answers"), bytes: settings.bytes }),
        }
    }

    /// Whether anything is kept at all.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// The answer filed under `key`.
    pub fn get(&self, key: &Key) -> Option<Arc<Value>> {
        if let Some(answer) = self.memory().answers.get(key) {
            return Some(Arc::clone(answer));
        }
        let text = fs::read(self.disk.as_ref()?.folder.join(&key.0)).ok()?;
        let answer: Arc<Value> = Arc::new(serde_json::from_slice(&text).ok()?);
        self.memory().put(key.clone(), Arc::clone(&answer));
        Some(answer)
    }

    /// Files an answer. A disk that cannot be written to is no reason to fail a call.
    pub fn put(&self, key: &Key, answer: &Value) {
        let text = answer.to_string();
        if !self.enabled || text.len() > LARGEST {
            return;
        }
        self.memory().put(key.clone(), Arc::new(answer.clone()));
        if let Some(disk) = &self.disk
            && let Err(error) = disk.put(key, &text)
        {
            tracing::warn!(%error, folder = %disk.folder.display(), "the evaluation cache could not be written");
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn put(&mut self, key: Key, answer: Arc<Value>) {
        if self.answers.insert(key.clone(), answer).is_none() {
            self.oldest_first.push_back(key);
        }
        while self.oldest_first.len() > IN_MEMORY {
            if let Some(oldest) = self.oldest_first.pop_front() {
                self.answers.remove(&oldest);
            }
        }
    }
}

impl Disk {
    /// Writes beside and renames, so that nobody ever reads half an answer.
    fn put(&self, key: &Key, text: &str) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        // What a configuration evaluates to is nobody else's business.
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let partial = self.folder.join(format!("{}.{}.partial", key.0, std::process::id()));
        fs::write(&partial, text)?;
        fs::rename(&partial, self.folder.join(&key.0))?;
        self.make_room()
    }

    fn make_room(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut total = 0;
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may be making room too.
            let Ok(data) = entry.metadata() else { continue };
            total += data.len();
            entries.push((data.modified()?, data.len(), entry.path()));
        }
        entries.sort();
        for (_, length, path) in entries {
            if total <= self.bytes {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => total -= length,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn on_disk(folder: &std::path::Path, bytes: u64) -> CacheSettings {
        CacheSettings { enabled: true, folder: Some(folder.to_owned()), bytes }
    }

    #[test]
    fn an_answer_survives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let settings = on_disk(folder.path(), 1 << 20);
        let key = Key::of(&["a", "b"]);
        Cache::new(&settings).put(&key, &json!({"x": 1}));
        let fresh = Cache::new(&settings);
        assert_eq!(fresh.get(&key).as_deref(), Some(&json!({"x": 1})));
        assert_eq!(fresh.get(&Key::of(&["ab"])), None);
    }

    #[test]
    fn the_oldest_make_room() {
        let folder = tempfile::tempdir().unwrap();
        let settings = on_disk(folder.path(), 3_000);
        let cache = Cache::new(&settings);
        for number in 0..20 {
            cache.put(&Key::of(&[&number.to_string()]), &json!("x".repeat(1_000)));
        }
        let kept = fs::read_dir(folder.path().join("answers")).unwrap().count();
        assert!((1..=3).contains(&kept), "{kept} kept");
    }

    #[test]
    fn a_damaged_entry_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let settings = on_disk(folder.path(), 1 << 20);
        let key = Key::of(&["a"]);
        fs::create_dir_all(folder.path().join("answers")).unwrap();
        fs::write(folder.path().join("answers").join(&key.0), "{\"x\":").unwrap();
        assert_eq!(Cache::new(&settings).get(&key), None);
    }

    #[test]
    fn memory_is_bounded() {
        let cache = Cache::new(&CacheSettings { enabled: true, folder: None, bytes: 0 });
        for number in 0..1_000 {
            cache.put(&Key::of(&[&number.to_string()]), &json!(number));
        }
        assert_eq!(cache.memory().answers.len(), IN_MEMORY);
    }
}
