//! MCP clients for Node and Python, which `tools/setup` installs.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::mcp::alone;
use super::wait::look_within;

/// How long one run of a client may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(180);

/// The folder that the clients are installed in.
pub fn installed() -> PathBuf {
    let folder = std::env::var_os("PANTHEROS_TEST_CLIENTS")
        .expect("PANTHEROS_TEST_CLIENTS is where the MCP clients are installed: run tools/test");
    let folder = PathBuf::from(folder);
    assert!(folder.join("node_modules").is_dir(), "there are no MCP clients in {folder:?}: run tools/test");
    folder
}

/// A command that runs this script with Node, with `home` as its folder and home.
pub fn node(home: &Path, script: &Path) -> Command {
    let node = std::env::var_os("PANTHEROS_TEST_NODE")
        .expect("PANTHEROS_TEST_NODE is a Node 22 or newer to run MCP clients with: run tools/test");
    let mut command = client(node, script, home);
    command.env("NODE_OPTIONS", "");
    command
}

/// A command that runs a script of `tests/clients` with Python, with `home` as its folder and home.
pub fn python(home: &Path, script: &str) -> Command {
    let python = std::env::var_os("PANTHEROS_TEST_PYTHON")
        .expect("PANTHEROS_TEST_PYTHON is a Python with the MCP clients: run tools/test");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut command = client(python, &script, home);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn client(interpreter: OsString, script: &Path, home: &Path) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(script).current_dir(home);
    command.env("HOME", home).env("XDG_CACHE_HOME", home.join("cache")).env("NO_COLOR", "1");
    alone(&mut command);
    command
}

/// The path of a client's program that npm installed.
pub fn program(name: &str) -> PathBuf {
    installed().join("node_modules/.bin").join(name)
}

/// The exit code and the output of a client.
pub struct Ended {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Ended {
    /// Exit code and output, for the message of a failed test.
    pub fn all(&self) -> String {
        format!("exit {:?}\n{}\n{}", self.code, self.output, self.errors)
    }
}

/// Runs a client to its end. If it takes longer than [`PATIENCE`], ends its process group and fails.
pub fn run(mut command: Command) -> Ended {
    let mut child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    fn text(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _as_far_as_it_goes = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    }
    let (output, errors) = (text(child.stdout.take().unwrap()), text(child.stderr.take().unwrap()));
    let in_time = look_within(PATIENCE, || child.try_wait().unwrap());
    let status = in_time.unwrap_or_else(|| {
        kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
        child.wait().unwrap()
    });
    let ended = Ended { code: status.code(), output: output.join().unwrap(), errors: errors.join().unwrap() };
    assert!(in_time.is_some(), "{command:?} took too long: {}", ended.all());
    ended
}
