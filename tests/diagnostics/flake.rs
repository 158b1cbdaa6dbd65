//! A fixture in a repository of its own, and a real `nix` that must fail on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pantheros_mcp::testing::diagnostic::Diagnostic;
use pantheros_mcp::testing::nix::diagnostics::{SourceTree, diagnose};
use pantheros_mcp::testing::nix::log::{Event, LogState};
use pantheros_mcp::testing::process::LINE_LIMIT;

/// The `nix` programs to test with.
pub fn nixes() -> Vec<PathBuf> {
    let Ok(paths) = std::env::var("PANTHEROS_TEST_NIXES") else {
        panic!("PANTHEROS_TEST_NIXES is not set: run tools/test, which installs the versions to test with")
    };
    paths.split(':').map(PathBuf::from).collect()
}

/// A fixture in a repository of its own.
pub struct Flake {
    pub temporary: tempfile::TempDir,
    pub folder: PathBuf,
}

impl Flake {
    pub fn new(fixture: &str) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        let folder = root.join("flake");
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/diagnostics").join(fixture);
        copy(&from, &folder);
        std::fs::create_dir_all(root.join("home")).unwrap();
        let flake = Self { temporary, folder };
        flake.git(&["init", "--quiet"]);
        flake.git(&["add", "."]);
        flake.git(&["commit", "--quiet", "--message", "fixture"]);
        flake
    }

    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let home = self.temporary.path().join("home");
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdin(Stdio::null()).env_clear();
        for name in ["PATH", "NIX_CONF_DIR", "NIX_REMOTE", "TMPDIR", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "Test")
                .env(format!("GIT_{role}_EMAIL"), "test@example.org");
        }
        command
    }

    pub fn git(&self, arguments: &[&str]) {
        let status = self.command("git").args(arguments).status().unwrap();
        assert!(status.success(), "git {arguments:?}: {status}");
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder.join(file), text).unwrap();
    }

    /// Runs a `nix` that must fail.
    pub fn fail(&self, nix: &Path, arguments: &[&str]) -> LogState {
        let output = self
            .command(nix)
            .args(["--extra-experimental-features", "nix-command flakes", "--option", "flake-registry", ""])
            .args(arguments)
            .args(["--log-format", "internal-json", "--show-trace", "--no-update-lock-file"])
            .args(["--option", "pure-eval", "true", "--option", "download-attempts", "1"])
            .output()
            .unwrap();
        assert!(!output.status.success(), "{} {arguments:?} did not fail", nix.display());
        let mut state = LogState::default();
        for line in output.stderr.split(|byte| *byte == b'\n') {
            // src/process passes lines on with the same limit.
            state.apply(Event::parse(&line[..line.len().min(LINE_LIMIT)]));
        }
        state
    }

    pub fn diagnose(&self, state: &LogState) -> Vec<Diagnostic> {
        diagnose(state, &SourceTree { folder: &self.folder, store_path: None, commit: None })
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
