//! Processes that outlive their parent: what a builder leaves in the background.
//!
//! Linux hands an orphan to its nearest ancestor that asked for them (prctl(2), `PR_SET_CHILD_SUBREAPER`), even one
//! that made a session of its own. Every program we run asks: what it started stays below it while it runs, and can be
//! found when the call is cancelled. So does this process, which gets the rest when that program has ended. A child of
//! ours that we did not start, or have waited for, is therefore a leftover of a program that ended.
//!
//! Not every leftover is to end. The user's configuration may have `git` or `ssh` keep something running for the next
//! time, in other sessions too: a file system monitor, an agent, a shared connection. Those carry the variable [`MARK`],
//! which all we run inherits and no builder gets, because Nix clears its environment.

use std::collections::BTreeSet;
use std::io;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

use super::table::{Process, Table};

/// The variable in the environment of all we run.
const MARK: &str = "PANTHEROS_RUN";
/// How long after the end of a program its leftovers are looked for, together with those of others.
const SOON: Duration = Duration::from_millis(200);
/// How long a killed process is given to be gone before it is looked again.
const PAUSE: Duration = Duration::from_millis(10);
/// Most looks in a row. What starts anew faster than it is killed is left.
const LOOKS: usize = 100;

/// The children of this process.
struct Children {
    /// Whether orphans are ours to end.
    adopted: bool,
    /// Those we started and wait for.
    waited: BTreeSet<i32>,
    /// Whether somebody will look soon.
    due: bool,
}

static CHILDREN: Mutex<Children> =
    Mutex::new(Children { adopted: false, waited: BTreeSet::new(), due: false });

fn children() -> MutexGuard<'static, Children> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What [`MARK`] is set to: nobody else's programs have it. Without random bytes it still tells what we run from what a
/// builder starts.
static RUN: LazyLock<String> = LazyLock::new(|| {
    let random = crate::random::bytes().map(u64::from_ne_bytes).unwrap_or_default();
    format!("{}-{random:016x}", std::process::id())
});

/// Marks what is about to be started as ours.
pub(super) fn mark(builder: &mut Command) {
    builder.env(MARK, &*RUN);
}

/// Makes this process the one that orphans of its programs come to, which [`super::settle`] ends with all else.
///
/// For `main` alone: from then on a child that was not started by this module is taken for an orphan. Where there are
/// children already, somebody has replaced their parent by this program (`exec`), and nothing is adopted, for
/// theirs are not ours. Nor is anything by process 1, which gets the orphans of everybody in its container: they end
/// when it does. Does nothing but on Linux.
pub fn adopt() {
    #[cfg(target_os = "linux")]
    {
        let own = rustix::process::getpid();
        if own.is_init() || Table::read().children(own).next().is_some() {
            return;
        }
        match rustix::process::set_child_subreaper(Some(own)) {
            Ok(()) => children().adopted = true,
            Err(error) => tracing::warn!(%error, "what builders leave in the background will stay"),
        }
    }
}

/// That a child is waited for, until this is dropped.
pub(super) struct Waited(Option<i32>);

impl Drop for Waited {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            children().waited.remove(&id);
        }
    }
}

/// Starts a program, and nobody takes it for an orphan.
pub(super) fn spawn(builder: &mut Command) -> io::Result<(Child, Waited)> {
    // Held over both, or a look in between would find a child that nobody knows.
    let mut children = children();
    let child = builder.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    children.waited.extend(id);
    Ok((child, Waited(id)))
}

/// Has leftovers looked for a little later, as often as programs end.
pub(super) fn sweep_soon() {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let mut children = children();
    if !children.adopted || std::mem::replace(&mut children.due, true) {
        return;
    }
    runtime.spawn(async {
        tokio::time::sleep(SOON).await;
        self::children().due = false;
        sweep().await;
    });
}

/// Ends what programs that have ended left behind.
pub(super) async fn sweep() {
    for _ in 0..LOOKS {
        if !look() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!("processes that a builder left in the background do not end");
}

/// Kills orphans and takes note of the ends of killed ones; whether there were any.
fn look() -> bool {
    let children = children();
    if !children.adopted {
        return false;
    }
    let table = Table::read();
    let own = rustix::process::getpid();
    // As the table says it: 0 where the session's leader is outside of this container, as for a child of ours then.
    let session = table.session(own);
    let mut found = false;
    for child in table.children(own).filter(|child| !children.waited.contains(&child.id)) {
        if child.has_ended() {
            child.reap();
            found = true;
        } else if !is_kept(child, session) {
            child.kill();
            for process in table.descendants(child.id) {
                process.kill();
            }
            found = true;
        }
    }
    found
}

/// Whether an orphan is one that the user's configuration keeps for later; `session` is ours.
fn is_kept(process: &Process, session: Option<i32>) -> bool {
    let ours = format!("{MARK}={}", *RUN);
    // What stayed in our session was meant to end with its program.
    let leads_its_own = Some(process.session) != session;
    leads_its_own && process.environment().split(|byte| *byte == 0).any(|entry| entry == ours.as_bytes())
        || is_shared_connection(process)
}

/// Whether it is an `ssh` that holds a connection for others (ssh_config(5), `ControlPersist`), which writes its title
/// over its environment.
pub(super) fn is_shared_connection(process: &Process) -> bool {
    let title = process.command_line();
    let end = title.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    title.starts_with(b"ssh: ") && title.get(..end).is_some_and(|title| title.ends_with(b" [mux]"))
}
