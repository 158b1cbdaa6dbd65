//! Who reads the hints of this process.

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
    /// The reader of this process's text; a model unless [`write_for`] set another one.
    pub(super) fn current() -> Self {
        if PERSON.load(Ordering::Relaxed) { Self::Person } else { Self::Model }
    }
}

/// Sets the reader of this process's text.
pub fn write_for(reader: Reader) {
    PERSON.store(reader == Reader::Person, Ordering::Relaxed);
}
