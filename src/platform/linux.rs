//! Linux: prctl(2), tcp(7) and proc(5).

use std::ffi::CStr;
use std::fs::{self, Metadata};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::net::sockopt;
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use super::ProcessRow;

pub(super) const CAN_ADOPT_ORPHANS: bool = true;
pub(super) const CAN_LEAVE_NETWORK: bool = true;
pub(super) const NETWORK_NOT_LEFT: Errno = Errno::NONET;
/// unix(7).
pub(super) const SOCKET_PATH: usize = 107;

/// Smallest allocation that gets a separate mapping, in bytes. It is glibc's initial value. Unless it is set, glibc
/// raises it up to 32 MiB when large values are freed (mallopt(3), `M_MMAP_THRESHOLD`).
#[cfg(target_env = "gnu")]
const OWN_MAPPING: libc::c_int = 128 * 1024;

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "no safe wrapper sets how memory is allocated")]
pub(super) fn return_large_allocations() {
    // SAFETY: the call takes two numbers and neither allocates nor frees memory. glibc accepts this value; if it did
    // not, the process would only keep more memory.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING);
    }
}

/// musl's allocator has no such setting.
#[cfg(not(target_env = "gnu"))]
pub(super) fn return_large_allocations() {}

pub(super) fn adopt_orphans() -> Result<()> {
    // Any process id other than null enables it (prctl(2), `PR_SET_CHILD_SUBREAPER`).
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
}

pub(super) fn bind_to_parent(parent: Pid) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    // The parent may have died before the call above took effect.
    if rustix::process::getppid() != Some(parent) {
        return Err(Errno::SRCH);
    }
    // The setting survives execve(2).
    rustix::process::set_child_subreaper(Some(parent))
}

/// The identity of this user, as a user namespace takes it (user_namespaces(7), "User and group ID mappings").
#[derive(Clone, Debug)]
pub(super) struct NetworkExit {
    users: String,
    groups: String,
}

impl NetworkExit {
    pub(super) fn new() -> Self {
        let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { users: format!("{user} {user} 1"), groups: format!("{group} {group} 1") }
    }

    pub(super) fn leave(&self) -> Result<()> {
        if unshare(UnshareFlags::NEWNET).is_ok() {
            return Ok(());
        }
        // Without privileges, a process may do so in a user namespace of its own, in which it keeps its user and group.
        unshare(UnshareFlags::NEWUSER | UnshareFlags::NEWNET)?;
        write(c"/proc/self/setgroups", "deny")?;
        write(c"/proc/self/uid_map", &self.users)?;
        write(c"/proc/self/gid_map", &self.groups)
    }
}

#[expect(unsafe_code, reason = "the safe function is deprecated, because it may unshare file descriptors")]
fn unshare(flags: UnshareFlags) -> Result<()> {
    // SAFETY: the flags are those of namespaces, and leave file descriptors alone.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

fn write(file: &CStr, text: &str) -> Result<()> {
    let file = rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, text.as_bytes()).map(|_| ())
}

/// tcp(7), `TCP_USER_TIMEOUT`.
pub(super) fn limit_unacknowledged(stream: impl AsFd, limit: Duration) -> Result<()> {
    sockopt::set_tcp_user_timeout(stream, u32::try_from(limit.as_millis()).unwrap_or(u32::MAX))
}

/// proc_pid_loginuid(5).
pub(super) fn login_user() -> Option<u32> {
    fs::read_to_string("/proc/self/loginuid").ok()?.trim().parse().ok()
}

pub(super) fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn folder(listed: i32) -> PathBuf {
    PathBuf::from(format!("/proc/{listed}"))
}

pub(super) fn own_pid_in_table() -> Option<i32> {
    fs::read_link("/proc/self").ok()?.to_str()?.parse().ok()
}

pub(super) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// State, parent, session and start time are the fields 3, 4, 6 and 22 of `/proc/pid/stat`.
pub(super) fn row(listed: i32) -> Option<ProcessRow> {
    let stat = fs::read_to_string(folder(listed).join("stat")).ok()?;
    // The second field is the program's name in parentheses and may itself contain both.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let started = fields.nth(15)?.parse().ok()?;
    Some(ProcessRow { parent, session, started, has_ended })
}

pub(super) fn numbers(listed: i32) -> Vec<i32> {
    let status = fs::read_to_string(folder(listed).join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.unwrap_or_default().split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect()
}

pub(super) fn command_line(listed: i32) -> Vec<u8> {
    fs::read(folder(listed).join("cmdline")).unwrap_or_default()
}

pub(super) fn environment(listed: i32) -> Vec<u8> {
    fs::read(folder(listed).join("environ")).unwrap_or_default()
}

pub(super) fn program(listed: i32) -> Option<Metadata> {
    fs::metadata(folder(listed).join("exe")).ok()
}

/// The owner of the folder is the user the process runs as.
pub(super) fn user(listed: i32) -> Option<u32> {
    Some(fs::metadata(folder(listed)).ok()?.uid())
}

pub(super) fn shares_mounts(listed: i32) -> bool {
    let namespace = |of: &Path| {
        let data = fs::metadata(of.join("ns/mnt")).ok()?;
        Some((data.dev(), data.ino()))
    };
    namespace(Path::new("/proc/self")).is_some_and(|own| namespace(&folder(listed)) == Some(own))
}

/// The second field of `/proc/pid/statm`, in pages.
pub(super) fn resident_bytes(listed: i32) -> Option<u64> {
    let statm = fs::read_to_string(folder(listed).join("statm")).ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}
