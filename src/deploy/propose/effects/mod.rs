//! What a new system changes besides packages and units, from the files of both systems alone: no program of them runs,
//! and nothing is evaluated. An old generation, which no flake evaluates any more, shows as much as a new system.
//!
//! `docs/effects.md` says which file shows what, and when a part is unknown.

mod files;
mod kernel;
mod keys;
mod listing;
mod mounts;
mod ports;
mod users;

use std::time::Duration;

use self::listing::SystemFiles;
use crate::deploy::plan::{ComparedSystem, EffectPart, Effects, ItemChanges, NamedChange, UnknownEffect};
use crate::names::StorePath;
use crate::process::{self, Executable, ProcessError};
use crate::progress::Call;
use crate::redact;
use crate::ssh::{RemoteLimits, SshError, SshSession};
use crate::text;

/// Prints the files of systems that show their effects.
const READ: &str = include_str!("read.sh");
/// Time limit of [`READ`].
const TIME: Duration = Duration::from_secs(60);
/// Size limit of what it prints, in bytes. A system has about 100 files below `/etc`, with a line of some 300 bytes each,
/// and a list of users of 20 kB.
const OUTPUT: usize = 8 * 1024 * 1024;
/// Maximum number of entries in each list of a plan; the rest is counted.
const MOST: usize = 100;
/// Maximum number of changes of one entry.
const MOST_CHANGES: usize = 12;
/// Maximum length of a name or a value, in characters.
const LONGEST: usize = 160;
/// Maximum length of a change, in characters.
const LONGEST_CHANGE: usize = 400;

/// The files of a system, or why they are unknown.
pub type Reading = Result<Box<Files>, String>;

/// The files of a system that show its effects.
#[derive(Debug)]
pub struct Files(SystemFiles);

/// Reads systems in the store of the host. A host that cannot list their files only makes the effects unknown, so that it
/// does not prevent a rollback.
///
/// # Errors
/// If the call is cancelled.
pub async fn read<const N: usize>(
    session: &SshSession,
    systems: [&StorePath; N],
    call: &Call,
) -> Result<[Reading; N], SshError> {
    let mut argv = vec!["sh", "-c", READ, "read"];
    argv.extend(systems.iter().map(|system| system.as_str()));
    let limits = RemoteLimits { time: TIME, output: OUTPUT, ..RemoteLimits::default() };
    match session.run_checked(&argv, limits, call).await {
        Ok(output) => Ok(readings(&String::from_utf8_lossy(&output.stdout))),
        Err(error @ SshError::Process(ProcessError::Cancelled)) => Err(error),
        Err(error) => {
            tracing::warn!(%error, "the effects are unknown");
            Ok(std::array::from_fn(|_| Err(format!("its files could not be listed: {error}"))))
        }
    }
}

/// Reads a system in the store of this machine.
///
/// # Errors
/// If the call is cancelled.
pub async fn read_here(system: &StorePath, call: &Call) -> Result<Reading, ProcessError> {
    let run = process::Command::new(Executable::Shell)
        .args(["-c", READ, "read", system.as_str()])
        .time_limit(TIME)
        .output_limit(OUTPUT)
        .run(&call.cancel, |_, _| process::Flow::Continue)
        .await;
    match run {
        Ok(run) if run.status.success() => {
            let [reading] = readings(&String::from_utf8_lossy(&run.stdout));
            Ok(reading)
        }
        Ok(run) => Ok(Err(format!("its files could not be listed: {}", run.status))),
        Err(ProcessError::Cancelled) => Err(ProcessError::Cancelled),
        Err(error) => Ok(Err(format!("its files could not be listed: {error}"))),
    }
}

fn readings<const N: usize>(said: &str) -> [Reading; N] {
    let mut found = SystemFiles::parse(said, N).map(Vec::into_iter);
    std::array::from_fn(|_| match found.as_mut().and_then(Iterator::next) {
        Some(files) => Ok(Box::new(Files(files))),
        None => Err("the list of its files is incomplete".to_owned()),
    })
}

/// What changes from one system to another.
#[must_use]
pub fn compare(before: &Reading, after: &Reading) -> Effects {
    let mut gaps = Gaps::default();
    let both = gaps.both(
        EffectPart::All,
        before.as_ref().map_err(Clone::clone),
        after.as_ref().map_err(Clone::clone),
    );
    let Some((Files(before), Files(after))) = both.map(|(before, after)| (&**before, &**after)) else {
        return Effects { unknown: gaps.0, ..Effects::default() };
    };
    let accounts = users::compare(before, after, &mut gaps);
    let mut effects = Effects {
        ports: ports::compare(before, after, &mut gaps),
        users: accounts.users,
        groups: accounts.groups,
        mutable_users: accounts.mutable_users,
        keys: keys::compare(before, after, &mut gaps),
        mounts: mounts::compare(before, after, &mut gaps),
        kernel_params: kernel::compare(before, after, &mut gaps),
        files: files::compare(before, after, &mut gaps),
        unknown: Vec::new(),
    };
    gaps.0.sort();
    effects.unknown = gaps.0;
    effects
}

/// The parts that were not read completely.
#[derive(Debug, Default)]
struct Gaps(Vec<UnknownEffect>);

impl Gaps {
    fn add(&mut self, part: EffectPart, is_after: bool, why: impl Into<String>) {
        let system = if is_after { ComparedSystem::After } else { ComparedSystem::Before };
        self.push(part, system, why.into());
    }

    fn add_both(&mut self, part: EffectPart, why: &str) {
        self.push(part, ComparedSystem::Both, why.to_owned());
    }

    fn push(&mut self, part: EffectPart, system: ComparedSystem, why: String) {
        self.0.push(UnknownEffect { part, system, why: text::line(&why, 2 * LONGEST) });
    }

    /// Both values; `None`, with the reason added, unless both are known.
    fn both<T, E: Into<String> + PartialEq>(
        &mut self,
        part: EffectPart,
        before: Result<T, E>,
        after: Result<T, E>,
    ) -> Option<(T, T)> {
        match (before, after) {
            (Ok(before), Ok(after)) => return Some((before, after)),
            (Err(before), Err(after)) if before == after => {
                self.push(part, ComparedSystem::Both, before.into());
            }
            (before, after) => {
                for (side, is_after) in [(before, false), (after, true)] {
                    if let Err(why) = side {
                        self.add(part, is_after, why);
                    }
                }
            }
        }
        None
    }
}

/// Shortens a list of a plan; returns the number of entries that are left out.
fn bound<T>(list: &mut Vec<T>) -> u64 {
    let beyond = list.len().saturating_sub(MOST);
    list.truncate(MOST);
    beyond as u64
}

/// The changes with bounded lists; `None` if there are none.
fn finished(mut changes: ItemChanges) -> Option<ItemChanges> {
    changes.more = bound(&mut changes.added) + bound(&mut changes.removed) + bound(&mut changes.changed);
    (changes != ItemChanges::default()).then_some(changes)
}

/// An entry with its changes.
fn named(name: &str, mut changes: Vec<String>) -> NamedChange {
    let beyond = changes.len().saturating_sub(MOST_CHANGES);
    changes.truncate(MOST_CHANGES);
    for change in &mut changes {
        *change = text::bounded(change, LONGEST_CHANGE);
    }
    if beyond > 0 {
        changes.push(format!("and {beyond} more"));
    }
    NamedChange { name: shown(name), changes }
}

/// A name or a value of a configuration as one word, without secrets and control characters.
fn shown(value: &str) -> String {
    // Cut first, because cleaning takes time for all of the text.
    let some: String = value.chars().take(4 * LONGEST).collect();
    text::bounded(&redact::redacted(&text::joined(&some)), LONGEST)
}

/// The text without the hashes of store paths.
fn without_hashes(text: &str) -> String {
    const STORE: &str = "/nix/store/";
    /// Characters of a hash, and the hyphen after it.
    const HASH: usize = 33;
    let mut pieces = text.split(STORE);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(STORE);
        let has_hash = piece.as_bytes().get(HASH - 1) == Some(&b'-');
        out.push_str(if has_hash { piece.get(HASH..).unwrap_or(piece) } else { piece });
    }
    out
}

#[cfg(test)]
mod tests;
