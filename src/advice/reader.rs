//! Who reads the hints of this process.
//!
//! A hint that was read back from JSON has the words for a model: of an error from the cache, and of an answer that was
//! shortened.

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a person reads them. `fmt` passes no context to a `Display`, and one process serves one kind of reader.
static PERSON: AtomicBool = AtomicBool::new(false);

/// Who reads a hint, which decides its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A model, which calls tools. JSON is always written for it, since answers are stored and passed on as JSON.
    Model,
    /// A person at a terminal, who runs commands.
    Person,
}

impl Reader {
    /// The reader of this process's text; a model unless [`set_reader`] set another one.
    pub(super) fn current() -> Self {
        if PERSON.load(Ordering::Relaxed) { Self::Person } else { Self::Model }
    }
}

/// Sets the reader of this process's text.
pub fn set_reader(reader: Reader) {
    PERSON.store(reader == Reader::Person, Ordering::Relaxed);
}
