//! Ends orphans: processes that a builder left in the background.
//!
//! Linux gives an orphan to its nearest ancestor that is a subreaper (prctl(2), `PR_SET_CHILD_SUBREAPER`), even if the orphan
//! made its own session. Every program we run is one: its descendants stay below it while it runs, and are found if the call
//! is cancelled. This process is one too, and gets the orphans of a program that has ended. A child of this process that it
//! neither started nor waits for is therefore an orphan.
//!
//! Some orphans must stay. The user's configuration may have `git` or `ssh` keep a process for the next command: a file
//! system monitor, an agent, a shared connection. Those have the environment variable [`MARK`]: every program we run
//! inherits it, and a builder does not, because Nix clears its environment.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::platform;

use super::table::{Process, ProcessTable};

/// The environment variable that marks every program we run.
const MARK: &str = "PANTHEROS_RUN";
/// Time between the end of a program and the search for its orphans; programs that end meanwhile share the search.
const SOON: Duration = Duration::from_millis(200);
/// Time between two searches.
const PAUSE: Duration = Duration::from_millis(10);
/// Most searches in a row: processes that restart faster than they are killed are left running.
const LOOKS: usize = 100;
/// Most kills of one process. One that is still there then belongs to another user, or waits for a disk.
const KILLS: usize = 20;

/// The children of this process.
struct Children {
    /// Whether this process is a subreaper, so that it may end orphans.
    adopted: bool,
    /// The ids of children that this process started and waits for.
    waited: BTreeSet<i32>,
    /// Whether a search is scheduled.
    due: bool,
    /// Kills of the orphans that are still there.
    killed: KillCounts,
}

static CHILDREN: Mutex<Children> = Mutex::new(Children {
    adopted: false,
    waited: BTreeSet::new(),
    due: false,
    killed: KillCounts(Vec::new()),
});

/// The number of kills for each process that was killed and has not ended.
struct KillCounts(Vec<(Process, usize)>);

impl KillCounts {
    /// Forgets all processes but these.
    fn keep(&mut self, there: &[&Process]) {
        self.0.retain(|(known, _)| there.contains(&known));
    }

    /// Counts a kill. Returns whether the process has been killed less than [`KILLS`] times.
    fn count(&mut self, process: &Process) -> bool {
        let Some((_, kills)) = self.0.iter_mut().find(|(known, _)| known == process) else {
            self.0.push((process.clone(), 1));
            return true;
        };
        if *kills >= KILLS {
            return false;
        }
        *kills += 1;
        if *kills == KILLS {
            tracing::warn!(id = process.id, "a process that a builder left in the background does not end");
        }
        true
    }
}

fn children() -> MutexGuard<'static, Children> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// File name of the program that may hold shared connections.
const SSH: &str = "ssh";
/// The `ssh` programs that were started by a path, such as one from the settings.
static NAMED_SSH: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn named_ssh() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    NAMED_SSH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Device and inode of every file that was an `ssh` on `PATH`, or one started by a path, since this process began. An upgrade
/// replaces the file, and a shared connection of the older one must stay.
static SEEN_SSH: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// Adds the current `ssh` programs to [`SEEN_SSH`] and returns it.
fn seen_ssh() -> MutexGuard<'static, BTreeSet<(u64, u64)>> {
    let now: Vec<_> = ssh_programs().filter_map(|path| Some(identity(&fs::metadata(path).ok()?))).collect();
    let mut seen = SEEN_SSH.lock().unwrap_or_else(PoisonError::into_inner);
    seen.extend(now);
    seen
}

fn identity(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// The value of [`MARK`], unique to this process. Without random bytes, it still separates the programs that we run from
/// the processes of a builder.
static RUN: LazyLock<String> = LazyLock::new(|| {
    let random = crate::random::bytes().map(u64::from_ne_bytes).unwrap_or_default();
    format!("{}-{random:016x}", std::process::id())
});

/// Sets [`MARK`] for a program that is about to start.
pub(super) fn set_mark(builder: &mut Command) {
    builder.env(MARK, &*RUN);
}

/// Makes this process a subreaper: it gets the orphans of its programs and ends them.
///
/// Only `main` may call this, because every child that this module did not start is then an orphan. It does nothing if this
/// process already has children: its program was then replaced by this one (`exec`), and the children are not ours. It does
/// nothing in process 1 either, which gets all orphans of its container; they end with it. Linux only.
pub fn adopt_orphans() {
    if !platform::CAN_ADOPT_ORPHANS {
        return;
    }
    if !ProcessTable::is_available() {
        tracing::warn!(
            "/proc is missing or shows other processes: processes that builders leave in the background are not found, \
             and remain until this program's container ends"
        );
        return;
    }
    let own = rustix::process::getpid();
    if own.is_init() || ProcessTable::read().children(own).next().is_some() {
        return;
    }
    match platform::adopt_orphans() {
        Ok(()) => children().adopted = true,
        Err(error) => tracing::warn!(%error, "processes that builders leave in the background will remain"),
    }
}

/// Registers a child as waited for, until this is dropped.
pub(super) struct WaitedChild(Option<i32>);

impl Drop for WaitedChild {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            children().waited.remove(&id);
        }
    }
}

/// Starts a program and registers it, so that it is not ended as an orphan.
pub(super) fn spawn(builder: &mut Command) -> io::Result<(Child, WaitedChild)> {
    let program = Path::new(builder.as_std().get_program());
    if program.components().count() > 1 && program.file_name().is_some_and(|name| name == SSH) {
        named_ssh().insert(program.to_owned());
    }
    // The program may start the current `ssh`.
    drop(seen_ssh());
    // Locked over both steps: a search in between would find an unregistered child.
    let mut children = children();
    let child = builder.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    children.waited.extend(id);
    Ok((child, WaitedChild(id)))
}

/// Schedules [`end_orphans`], unless it is scheduled already.
pub(super) fn end_orphans_soon() {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let mut children = children();
    if !children.adopted || std::mem::replace(&mut children.due, true) {
        return;
    }
    runtime.spawn(async {
        tokio::time::sleep(SOON).await;
        self::children().due = false;
        end_orphans().await;
    });
}

/// Ends the orphans of programs that have ended.
pub(super) async fn end_orphans() {
    for _ in 0..LOOKS {
        // This reads the whole process table.
        if !tokio::task::spawn_blocking(end_orphans_once).await.unwrap_or_default() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!("processes that a builder left in the background restart as fast as they are ended");
}

/// Kills orphans and reaps those that have ended. Returns whether another search is needed.
fn end_orphans_once() -> bool {
    let mut children = children();
    if !children.adopted {
        return false;
    }
    let table = ProcessTable::read();
    let own = rustix::process::getpid();
    // The session id as in the table: 0 if the session's leader is outside of this container. Our children have the
    // same.
    let session = table.session(own);
    let orphans: Vec<&Process> =
        table.children(own).filter(|child| !children.waited.contains(&child.id)).collect();
    children.killed.keep(&orphans);
    let mut found = false;
    for child in orphans {
        if child.has_ended() {
            child.reap();
            found = true;
        } else if !is_kept(child, session) && children.killed.count(child) {
            child.kill();
            for process in table.descendants(child.id) {
                process.kill();
            }
            found = true;
        }
    }
    found
}

/// Whether an orphan must stay because the user's configuration keeps it for later. `session` is this process's.
fn is_kept(process: &Process, session: Option<i32>) -> bool {
    let ours = format!("{MARK}={}", *RUN);
    // A process that stays in our session was meant to end with its program.
    let leads_its_own = Some(process.session) != session;
    leads_its_own && process.environment().split(|byte| *byte == 0).any(|entry| entry == ours.as_bytes())
        || is_shared_connection(process)
}

/// Whether it is an `ssh` that holds a shared connection (ssh_config(5), `ControlPersist`). Such an `ssh` writes its title over
/// its environment, so it has no [`MARK`]. Any process can write that title, so its program and its mount namespace are
/// checked as well.
pub(super) fn is_shared_connection(process: &Process) -> bool {
    let title = process.command_line();
    let end = title.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    title.starts_with(b"ssh: ")
        && title.get(..end).is_some_and(|title| title.ends_with(b" [mux]"))
        && is_ssh(process)
}

/// Whether a process runs the `ssh` that the user runs, as this user and in this process's namespace of mounts.
fn is_ssh(process: &Process) -> bool {
    if process.user() != Some(rustix::process::geteuid().as_raw()) || !process.shares_mounts() {
        return false;
    }
    process.program().is_some_and(|program| seen_ssh().contains(&identity(&program)))
}

/// Every `ssh` that we, `git` or `nix` may have started.
fn ssh_programs() -> impl Iterator<Item = PathBuf> {
    let on_path = std::env::var_os("PATH").map(|path| super::absolute_folders(&path)).unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let named = named_ssh().clone();
    folders.into_iter().map(|folder| folder.join(SSH)).chain(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This process and another one.
    fn two() -> [Process; 2] {
        let own = i32::try_from(std::process::id()).unwrap();
        [own, 1].map(|id| Process::read(id).unwrap())
    }

    #[test]
    fn what_does_not_end_is_left_alone_after_some_kills() {
        let [one, other] = two();
        let mut killed = KillCounts(Vec::new());
        let kills = (0..LOOKS).filter(|_| killed.count(&one)).count();
        assert_eq!(kills, KILLS);
        // The count continues in the next search.
        killed.keep(&[&one, &other]);
        assert!(!killed.count(&one));
        assert!(killed.count(&other));
        // A process that is gone is forgotten.
        killed.keep(&[&other]);
        assert!(killed.count(&one));
    }
}
