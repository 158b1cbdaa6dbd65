//! Waiting for events.

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long a test waits for an event before it fails. A machine may be busy; tests check that the event happens, not
/// when.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until `look` returns a value; `None` after [`PATIENCE`].
pub fn look_until<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    look_within(PATIENCE, look)
}

/// Waits until `look` returns a value; `None` after `limit`.
pub fn look_within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Some(seen);
        }
        if start.elapsed() >= limit {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Waits until `holds` returns true; fails after [`PATIENCE`].
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    assert!(look_until(|| holds().then_some(())).is_some(), "{what}: not within {PATIENCE:?}");
}

/// Waits for the end of a process; `None` if it still runs after [`PATIENCE`].
pub fn wait_for_exit(child: &mut Child) -> Option<ExitStatus> {
    look_until(|| child.try_wait().unwrap())
}
