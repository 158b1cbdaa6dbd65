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
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::platform;

use super::table::{Process, ProcessTable};

/// The variable in the environment of all we run.
const MARK: &str = "PANTHEROS_RUN";
/// How long after the end of a program its leftovers are looked for, together with those of others.
const SOON: Duration = Duration::from_millis(200);
/// How long a killed process is given to be gone before it is looked again.
const PAUSE: Duration = Duration::from_millis(10);
/// Most looks in a row. What starts anew faster than it is killed is left.
const LOOKS: usize = 100;
/// After how many kills a process that is still there is left alone: it is another user's, or waits for a disk, and ends
/// when it can.
const KILLS: usize = 20;

/// The children of this process.
struct Children {
    /// Whether orphans are ours to end.
    adopted: bool,
    /// Those we started and wait for.
    waited: BTreeSet<i32>,
    /// Whether somebody will look soon.
    due: bool,
    /// How often those were killed that are still there.
    killed: KillCounts,
}

static CHILDREN: Mutex<Children> = Mutex::new(Children {
    adopted: false,
    waited: BTreeSet::new(),
    due: false,
    killed: KillCounts(Vec::new()),
});

/// How often each process was killed that does not end.
struct KillCounts(Vec<(Process, usize)>);

impl KillCounts {
    /// Forgets all but these.
    fn keep(&mut self, there: &[&Process]) {
        self.0.retain(|(known, _)| there.contains(&known));
    }

    /// Counts a kill; whether it is worth it.
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

/// What the programs are called that may hold connections for others.
const SSH: &str = "ssh";
/// Those of them that were started by a path, as the settings may name one.
static NAMED_SSH: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn named_ssh() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    NAMED_SSH.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The programs that an `ssh` on `PATH`, or one that was named, was at some time in this run: device and inode of each.
/// An upgrade puts another file in its place, and a connection that the older one holds is still the user's.
static SEEN_SSH: Mutex<BTreeSet<(u64, u64)>> = Mutex::new(BTreeSet::new());

/// Takes note of the `ssh` there is now; gives all there were.
fn seen_ssh() -> MutexGuard<'static, BTreeSet<(u64, u64)>> {
    let now: Vec<_> = ssh_programs().filter_map(|path| Some(identity(&fs::metadata(path).ok()?))).collect();
    let mut seen = SEEN_SSH.lock().unwrap_or_else(PoisonError::into_inner);
    seen.extend(now);
    seen
}

fn identity(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}

/// What [`MARK`] is set to: nobody else's programs have it. Without random bytes it still tells what we run from what a
/// builder starts.
static RUN: LazyLock<String> = LazyLock::new(|| {
    let random = crate::random::bytes().map(u64::from_ne_bytes).unwrap_or_default();
    format!("{}-{random:016x}", std::process::id())
});

/// Marks what is about to be started as ours.
pub(super) fn set_mark(builder: &mut Command) {
    builder.env(MARK, &*RUN);
}

/// Makes this process the one that orphans of its programs come to, which [`super::end_all`] ends with all else.
///
/// For `main` alone: from then on a child that was not started by this module is taken for an orphan. Where there are
/// children already, somebody has replaced their parent by this program (`exec`), and nothing is adopted, for
/// theirs are not ours. Nor is anything by process 1, which gets the orphans of everybody in its container: they end
/// when it does. Does nothing but on Linux.
pub fn adopt_orphans() {
    if !platform::CAN_ADOPT_ORPHANS {
        return;
    }
    if !ProcessTable::is_there() {
        tracing::warn!(
            "/proc is missing_code or of other processes: what builders leave in the background is not found, and stays until \
             this program's container ends"
        );
        return;
    }
    let own = rustix::process::getpid();
    if own.is_init() || ProcessTable::read().children(own).next().is_some() {
        return;
    }
    match platform::adopt_orphans() {
        Ok(()) => children().adopted = true,
        Err(error) => tracing::warn!(%error, "what builders leave in the background will stay"),
    }
}

/// That a child is waited for, until this is dropped.
pub(super) struct WaitedChild(Option<i32>);

impl Drop for WaitedChild {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            children().waited.remove(&id);
        }
    }
}

/// Starts a program, and nobody takes it for an orphan.
pub(super) fn spawn(builder: &mut Command) -> io::Result<(Child, WaitedChild)> {
    let program = Path::new(builder.as_std().get_program());
    if program.components().count() > 1 && program.file_name().is_some_and(|name| name == SSH) {
        named_ssh().insert(program.to_owned());
    }
    // What is about to be started may start it.
    drop(seen_ssh());
    // Held over both, or a look in between would find a child that nobody knows.
    let mut children = children();
    let child = builder.spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    children.waited.extend(id);
    Ok((child, WaitedChild(id)))
}

/// Has leftovers looked for a little later, as often as programs end.
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

/// Ends what programs that have ended left behind.
pub(super) async fn end_orphans() {
    for _ in 0..LOOKS {
        // All of /proc is read for it.
        if !tokio::task::spawn_blocking(end_orphans_once).await.unwrap_or_default() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!("what a builder left in the background starts anew as fast as it is ended");
}

/// Kills orphans and takes note of the ends of killed ones; whether there were any that may be gone soon.
fn end_orphans_once() -> bool {
    let mut children = children();
    if !children.adopted {
        return false;
    }
    let table = ProcessTable::read();
    let own = rustix::process::getpid();
    // As the table says it: 0 where the session's leader is outside of this container, as for a child of ours then.
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

/// Whether an orphan is one that the user's configuration keeps for later; `session` is ours.
fn is_kept(process: &Process, session: Option<i32>) -> bool {
    let ours = format!("{MARK}={}", *RUN);
    // What stayed in our session was meant to end with its program.
    let leads_its_own = Some(process.session) != session;
    leads_its_own && process.environment().split(|byte| *byte == 0).any(|entry| entry == ours.as_bytes())
        || is_shared_connection(process)
}

/// Whether it is an `ssh` that holds a connection for others (ssh_config(5), `ControlPersist`), which writes its title
/// over its environment. Whoever can write that title is not yet `ssh`: it has to be that program, and to see the same files
/// as we do.
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

    /// This process and another one, whatever they do.
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
        // The next sweep does not begin anew.
        killed.keep(&[&one, &other]);
        assert!(!killed.count(&one));
        assert!(killed.count(&other));
        // What is gone is forgotten.
        killed.keep(&[&other]);
        assert!(killed.count(&one));
    }
}
