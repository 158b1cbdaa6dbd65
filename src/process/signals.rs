//! What a process inherits of its parent, set to what this program and all it runs rely on.

use std::mem::MaybeUninit;

/// Signals whose usual effect we and our programs rely on: the end of a program is told by SIGCHLD, and SIGTERM ends
/// one in order. Nobody ignores the others on purpose for somebody else. SIGHUP, SIGINT and SIGQUIT stay as they are:
/// nohup(1) and a shell that starts something in the background ignore them.
const USUAL: [libc::c_int; 5] = [libc::SIGCHLD, libc::SIGTERM, libc::SIGALRM, libc::SIGUSR1, libc::SIGUSR2];

/// Unblocks every signal, and gives SIGCHLD, SIGTERM and what nobody ignores on purpose their usual effect (signal(7): both
/// are inherited by execve(2), and so by whatever we start; wait(2) fails for who ignores SIGCHLD). For the start of
/// `main`, before there are threads.
#[expect(unsafe_code, reason = "no safe wrapper sets what is done with a signal")]
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
