//! The cache of answers about a flake, in memory and on disk.
//!
//! A key covers everything that an answer depends on, so an entry never becomes wrong and is removed only to make room. The
//! folder may be deleted at any time.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::CacheSettings;
use crate::state::{StateError, StateFolder};

/// Most bytes in memory. Entries are JSON text, because parsed values take four times as much. Entries that do not fit are read
/// from the disk, which takes little time beside parsing.
const IN_MEMORY: usize = 16 * 1024 * 1024;
/// Most bytes that an entry takes besides its answer: its key, twice, and its slots in the two maps.
const OVERHEAD: usize = 512;
/// Largest answer that is cached, in bytes of JSON.
const LARGEST: usize = 16 * 1024 * 1024;
/// Most answers on disk; each is a file.
const ON_DISK: usize = 10_000;
/// Size of a block on most file systems, in bytes: a file takes whole blocks.
const BLOCK: u64 = 4096;
/// The folder is scanned after one part in this many of its limit has been written, and a scan frees the same part.
const PART: u64 = 16;

/// The key of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    name: String,
    state: blake3::Hash,
}

impl CacheKey {
    /// Makes the key of an answer from everything that it depends on. `state` is the fingerprint of the flake.
    #[must_use]
    pub fn of(state: &str, parts: &[&str]) -> Self {
        let mut hash = blake3::Hasher::new();
        for part in parts.iter().chain([&state]) {
            // The length distinguishes ["ab", "c"] from ["a", "bc"].
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        Self { name: hash.finalize().to_hex().to_string(), state: blake3::hash(state.as_bytes()) }
    }

    /// The key in hexadecimal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// The cache of answers.
#[derive(Debug)]
pub struct AnswerCache {
    enabled: bool,
    memory: Mutex<MemoryStore>,
    disk: Option<Arc<DiskStore>>,
}

/// Answers in memory as JSON text, whose size is known.
#[derive(Debug)]
struct MemoryStore {
    answers: HashMap<CacheKey, (Arc<[u8]>, u64)>,
    /// Keys by the count of `uses` at their last use.
    by_use: BTreeMap<u64, CacheKey>,
    uses: u64,
    bytes: usize,
    budget: usize,
}

#[derive(Debug)]
struct DiskStore {
    /// The folder of the settings.
    place: PathBuf,
    /// The folder of the answers in it, opened at the first use; `None` if it cannot be used or trusted.
    folder: OnceLock<Option<StateFolder>>,
    bytes: u64,
    entries: usize,
    written: Mutex<WritesSinceScan>,
}

/// Writes since the last scan of the folder.
#[derive(Debug, Default)]
struct WritesSinceScan {
    /// Whether this process has scanned the folder.
    looked: bool,
    bytes: u64,
    entries: usize,
}

impl AnswerCache {
    /// A cache in memory, and also on disk if `settings` have a folder.
    #[must_use]
    pub fn new(settings: &CacheSettings) -> Self {
        let place = settings.folder.clone().filter(|_| settings.enabled);
        Self {
            enabled: settings.enabled,
            memory: Mutex::new(MemoryStore::new(IN_MEMORY)),
            disk: place.map(|place| Arc::new(DiskStore::new(place, settings.bytes, ON_DISK))),
        }
    }

    /// Whether the settings enable the cache.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Returns the answer with this key; `None` if there is none, or if it has another type, as one from another build of the
    /// same version may.
    pub fn get<T: DeserializeOwned>(&self, key: &CacheKey) -> Option<T> {
        let known = self.memory().get(key);
        let text = match known {
            Some(text) => text,
            None => {
                let text: Arc<[u8]> = self.disk.as_ref()?.get(key)?.into();
                self.memory().put(key, Arc::clone(&text));
                text
            }
        };
        serde_json::from_slice(&text).ok()
    }

    /// Adds an answer. A failure to write it to disk is logged and does not fail the call.
    pub fn put<T: Serialize>(&self, key: &CacheKey, answer: &T) {
        if !self.enabled {
            return;
        }
        let mut size = ByteCounter(0);
        if serde_json::to_writer(&mut size, answer).is_err() || size.0 > LARGEST {
            return;
        }
        // With the exact capacity, the buffer is never copied to grow.
        let mut text = Vec::with_capacity(size.0);
        if serde_json::to_writer(&mut text, answer).is_err() {
            return;
        }
        if let Some(disk) = &self.disk
            && let Err(error) = disk.put(key, &text)
        {
            tracing::warn!(%error, folder = %disk.place.display(), "the evaluation cache could not be written");
        }
        self.memory().put(key, text.into());
    }

    fn memory(&self) -> MutexGuard<'_, MemoryStore> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the bytes that are written to it.
struct ByteCounter(usize);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MemoryStore {
    fn new(budget: usize) -> Self {
        Self { answers: HashMap::new(), by_use: BTreeMap::new(), uses: 0, bytes: 0, budget }
    }

    fn get(&mut self, key: &CacheKey) -> Option<Arc<[u8]>> {
        let (answer, used) = self.answers.get_mut(key)?;
        self.uses += 1;
        self.by_use.remove(used);
        self.by_use.insert(self.uses, key.clone());
        *used = self.uses;
        Some(Arc::clone(answer))
    }

    fn put(&mut self, key: &CacheKey, answer: Arc<[u8]>) {
        if let Some((_, used)) = self.answers.get(key) {
            self.remove(*used);
        }
        self.uses += 1;
        self.bytes += answer.len() + OVERHEAD;
        self.by_use.insert(self.uses, key.clone());
        self.answers.insert(key.clone(), (answer, self.uses));
        if self.bytes > self.budget {
            self.make_room(key);
        }
    }

    /// Removes answers until the rest fit: first those about other states of the flake than `newest`, and of them the least
    /// recently used.
    fn make_room(&mut self, newest: &CacheKey) {
        let (same, other): (Vec<_>, Vec<_>) =
            self.by_use.iter().partition(|(_, key)| key.state == newest.state);
        let order: Vec<u64> = other.into_iter().chain(same).map(|(used, _)| *used).collect();
        for used in order {
            if self.bytes <= self.budget {
                break;
            }
            self.remove(used);
        }
    }

    fn remove(&mut self, used: u64) {
        let removed = self.by_use.remove(&used).and_then(|key| self.answers.remove(&key));
        self.bytes -= removed.map_or(0, |(answer, _)| answer.len() + OVERHEAD);
    }
}

impl DiskStore {
    fn new(place: PathBuf, bytes: u64, entries: usize) -> Self {
        Self { place, folder: OnceLock::new(), bytes, entries, written: Mutex::default() }
    }

    /// The folder of the answers. It must belong to the user and be writable by nobody else, because its content is trusted.
    fn folder(&self) -> Option<&StateFolder> {
        let open = || StateFolder::open(&self.place)?.folder("answers");
        self.folder
            .get_or_init(|| {
                open()
                    .inspect_err(|error| {
                        tracing::warn!("the evaluation cache on disk is not used: {error}");
                    })
                    .ok()
            })
            .as_ref()
    }

    fn get(&self, key: &CacheKey) -> Option<Vec<u8>> {
        match self.folder()?.read(&key.name, LARGEST as u64) {
            Ok(text) => text,
            Err(error) => {
                tracing::warn!("an entry of the evaluation cache is not used: {error}");
                None
            }
        }
    }

    fn put(self: &Arc<Self>, key: &CacheKey, text: &[u8]) -> Result<(), StateError> {
        let Some(folder) = self.folder() else { return Ok(()) };
        folder.replace_without_sync(&key.name, text)?;
        if !self.is_scan_due(text.len() as u64) {
            return Ok(());
        }
        let (this, folder) = (Arc::clone(self), folder.clone());
        let look = move || {
            if let Err(error) = this.make_room(&folder) {
                tracing::warn!(%error, folder = %this.place.display(), "the evaluation cache could not be cleaned and may grow");
            }
        };
        // Scanning thousands of files would block the thread that serves all calls.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(look)),
            Err(_) => look(),
        }
        Ok(())
    }

    /// Counts a write. Returns whether so much was written that the folder must be scanned.
    fn is_scan_due(&self, length: u64) -> bool {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.bytes += length.next_multiple_of(BLOCK);
        written.entries += 1;
        let is_much =
            written.bytes > self.bytes / PART || written.entries as u64 > self.entries as u64 / PART;
        if written.looked && !is_much {
            return false;
        }
        *written = WritesSinceScan { looked: true, ..WritesSinceScan::default() };
        true
    }

    /// Removes the oldest answers if there are too many or they take too many bytes, until one part in [`PART`] is free.
    fn make_room(&self, folder: &StateFolder) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut total = 0;
        for entry in fs::read_dir(folder.path())? {
            let entry = entry?;
            // Another process may be making room too.
            let Ok(data) = entry.metadata() else { continue };
            let taken = data.len().next_multiple_of(BLOCK);
            total += taken;
            entries.push((data.modified()?, taken, entry.path()));
        }
        if total <= self.bytes && entries.len() <= self.entries {
            return Ok(());
        }
        let (bytes, most) = (self.bytes - self.bytes / PART, self.entries - self.entries / PART as usize);
        entries.sort();
        let mut count = entries.len();
        for (_, taken, path) in entries {
            if total <= bytes && count <= most {
                break;
            }
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => (total, count) = (total - taken, count - 1),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
