//! Signal dispositions and the signal mask, which a process inherits from its parent.

use std::mem::MaybeUninit;

/// Signals whose default effect this program and its children need: SIGCHLD reports the end of a child, and SIGTERM ends a
/// program in order. The others have no reason to be ignored by a parent. SIGHUP, SIGINT and SIGQUIT are not in the list,
/// because nohup(1) and background jobs of a shell ignore them on purpose.
const USUAL: [libc::c_int; 5] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGALRM, libc::SIGUSR1, libc::SIGUSR2];

/// Unblocks every signal and restores the default effect of SIGCHLD, SIGTERM, SIGALRM, SIGUSR1 and SIGUSR2.
///
/// Mask and ignored signals survive execve(2), so children would inherit them (signal(7)), and wait(2) fails in a process
/// that ignores SIGCHLD. Call it at the start of `main`, before any thread starts.
#[expect(unsafe_code, reason = "no safe wrapper sets the action of a signal")]
pub fn reset_signals() {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is written before it is read, and a usual effect runs no code of ours.
    unsafe {
        for signal in USUAL {
            libc::signal(signal, libc::SIG_DFL);
        }
        if libc::sigemptyset(none.as_mut_ptr()) == 0 {
            libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        }
    }
}
