//! A program in a terminal of its own, whose screen a test reads and in which it types.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::wait::{PATIENCE, wait_for_exit};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::LocalModes;

/// A terminal with a program in it.
pub struct Terminal {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    /// The end of the text that was waited for last.
    read: usize,
    child: Child,
}

impl Terminal {
    /// Runs the program with a new terminal as its streams and as its /dev/tty.
    pub fn run(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = std::ffi::OsStr::from_bytes(name.as_bytes()).to_owned();
        let side =
            || Stdio::from(OwnedFd::from(OpenOptions::new().read(true).write(true).open(&path).unwrap()));
        // A session of its own, whose terminal is its standard input: setsid(1).
        let mut inside = Command::new("setsid");
        inside.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            inside.current_dir(folder);
        }
        let child = inside.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        // `Command` keeps its copies open until it is dropped, and reading would never end.
        drop(inside);
        let keyboard = File::from(master);
        let mut reading = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut bytes = vec![0; 4096];
            // After the last close of the other side, reading fails and does not return an end of file (pty(7)).
            while let Ok(count @ 1..) = reading.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { keyboard, screen, seen: String::new(), read: 0, child }
    }

    /// Waits until the program has shown this text after the text that was waited for last.
    pub fn shows(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen[self.read..].find(text) {
                self.read += at + text.len();
                return;
            }
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} was not shown, but {:?}", self.seen)
                }
            }
        }
    }

    /// Types this text.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Whether the terminal echoes and is in its usual mode, so that no program left it changed.
    pub fn echoes(&self) -> bool {
        let modes = rustix::termios::tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Waits for the program's end. Returns its exit code (`None` after a signal) and everything it showed.
    pub fn ends(mut self) -> (Option<i32>, String) {
        self.ended()
    }

    /// Interrupts the program (Ctrl-C). Fails unless it ends with 130 and leaves the terminal as it was.
    pub fn interrupts(mut self) -> String {
        self.types("\u{3}");
        let (code, shown) = self.ended();
        assert!(code == Some(130) && self.echoes(), "{code:?}, echoes: {}: {shown}", self.echoes());
        shown
    }

    fn ended(&mut self) -> (Option<i32>, String) {
        let status = wait_for_exit(&mut self.child)
            .unwrap_or_else(|| panic!("it does not end; it showed {:?}", self.seen));
        while let Ok(bytes) = self.screen.recv_timeout(Duration::from_millis(200)) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (status.code(), std::mem::take(&mut self.seen))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
