//! Flakes in folders of their own, and this program running on them with every Nix under test.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The paths of all Nix programs to test with. `tools/test` sets `PANTHEROS_TEST_NIXES`.
pub fn nixes() -> Vec<PathBuf> {
    let list = std::env::var_os("PANTHEROS_TEST_NIXES")
        .expect("PANTHEROS_TEST_NIXES names the Nix programs to test on: run tools/test");
    let nixes: Vec<PathBuf> = std::env::split_paths(&list).collect();
    assert!(!nixes.is_empty(), "PANTHEROS_TEST_NIXES is empty: run tools/test");
    nixes
}

/// The path of this program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pantheros-mcp");

/// A flake in a scratch folder, with a home and a cache of its own.
pub struct Fleet {
    scratch: tempfile::TempDir,
    nix: PathBuf,
}

impl Fleet {
    /// A flake with these files, outside of any repository.
    pub fn plain(nix: &Path, files: &[(&str, &str)]) -> Self {
        let scratch = tempfile::Builder::new().prefix("pantheros-test-").tempdir().unwrap();
        let fleet = Self { scratch, nix: nix.to_owned() };
        std::fs::create_dir_all(fleet.folder()).unwrap();
        std::fs::create_dir_all(fleet.home()).unwrap();
        for (path, text) in files {
            fleet.write(path, text);
        }
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {:?}\n", fleet.nix));
        fleet
    }

    /// A flake with these files, committed to a repository.
    pub fn committed(nix: &Path, files: &[(&str, &str)]) -> Self {
        let fleet = Self::plain(nix, files);
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        fleet.git(&["commit", "-qm", "a fleet"]);
        fleet
    }

    /// The demo's fleet, committed to a repository.
    pub fn demo(nix: &Path) -> Self {
        Self::copied(nix, "examples/demo")
    }

    /// The flake in a folder of this repository, committed to a repository of its own.
    pub fn copied(nix: &Path, folder: &str) -> Self {
        let fleet = Self::plain(nix, &[]);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &fleet.folder());
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        fleet.git(&["commit", "-qm", "a fleet"]);
        fleet
    }

    /// The flake's folder.
    pub fn folder(&self) -> PathBuf {
        self.scratch.path().join("fleet")
    }

    /// The home folder of the user who runs the program.
    pub fn home(&self) -> PathBuf {
        self.scratch.path().join("home")
    }

    /// Writes a file of the flake.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes a file beside the flake and returns its path.
    pub fn write_outside(&self, name: &str, text: &str) -> PathBuf {
        let path = self.scratch.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Runs Git in the flake's folder.
    pub fn git(&self, arguments: &[&str]) {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=Test",
                "-c",
                "user.email=test@example.org",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(arguments)
            .current_dir(self.folder())
            .env("HOME", self.home())
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Replaces a text in a file of the flake, and commits the change with a new lock file.
    pub fn replace_and_lock(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.folder().join(path)).unwrap();
        assert!(text.contains(from), "{path} has no {from:?}");
        self.write(path, &text.replace(from, to));
        self.git(&["add", "."]);
        let done = self.by_hand(&["flake", "lock"]);
        assert!(done.status.success(), "{}", errors(&done));
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", "lock"]);
    }

    /// A command that runs this program with these arguments on the flake.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("--flake")
            .arg(self.folder())
            .arg("--config")
            .arg(self.scratch.path().join("pantheros.toml"))
            .args(arguments)
            .env("HOME", self.home())
            .env("XDG_CACHE_HOME", self.home().join("cache"))
            .env("XDG_STATE_HOME", self.home().join("state"))
            .env_remove("PANTHEROS_FLAKE")
            .env_remove("PANTHEROS_CONFIG")
            .env_remove("PANTHEROS_HTTP_TOKEN");
        command
    }

    /// Calls a tool with a JSON object of arguments.
    pub fn call(&self, tool: &str, arguments: &Value) -> Answer {
        let output = self.command(&["call", "--quiet", tool, &arguments.to_string()]).output().unwrap();
        Answer::of(&output)
    }

    /// Makes the program run Nix through a script that counts evaluations. Returns a function that returns their number.
    pub fn count_evaluations(&self) -> impl Fn() -> usize {
        let log = self.write_outside("evaluations", "");
        let nix = &self.nix;
        let counting = self.write_outside(
            "counting-nix",
            &format!("#!/bin/sh\ncase \" $* \" in *\" eval \"*) echo \"$$\" >>{log:?} ;; esac\nexec {nix:?} \"$@\"\n"),
        );
        std::fs::set_permissions(&counting, PermissionsExt::from_mode(0o755)).unwrap();
        self.write_outside("pantheros.toml", &format!("[nix]\nprogram = {counting:?}\n"));
        move || std::fs::read_to_string(&log).unwrap().lines().count()
    }

    /// Limits the processes that evaluate at once.
    pub fn limit_workers(&self, workers: usize) {
        let path = self.scratch.path().join("pantheros.toml");
        let settings = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{settings}[limits]\nevaluation_workers = {workers}\n")).unwrap();
    }

    /// Runs the Nix under test in the flake's folder, without this program.
    pub fn by_hand(&self, arguments: &[&str]) -> Output {
        Command::new(&self.nix)
            .args(arguments)
            .args(["--extra-experimental-features", "nix-command flakes"])
            .current_dir(self.folder())
            .env("HOME", self.home())
            .env("XDG_CACHE_HOME", self.home().join("cache"))
            .output()
            .unwrap()
    }
}

/// A command that runs `outer` with `inner` as its last arguments, in the environment and folder of `inner`.
pub fn below(outer: &[&str], inner: &Command) -> Command {
    let mut command = Command::new(outer[0]);
    command.args(&outer[1..]).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    command
}

/// The standard error of a program.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Both texts of an error: `message` is this program's, `said` is from other programs.
pub fn told(error: &Value) -> String {
    let part = |name: &str| error[name].as_str().unwrap_or_default();
    format!("{}\n{}", part("message"), part("said"))
}

/// The packages of a shell in the answer of `list_devshells`, with their versions.
pub fn package_names(shell: &Value) -> Vec<String> {
    let text = |package: &Value, field: &str| package[field].as_str().unwrap_or_default().to_owned();
    let shown = |package: &Value| format!("{} {}", text(package, "name"), text(package, "version"));
    shell["packages"].as_array().unwrap().iter().map(|package| shown(package).trim().to_owned()).collect()
}

/// The error in the answer that a call printed.
pub fn error_of(output: &Output) -> Value {
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no answer, but: {}", errors(output)));
    answer["error"].clone()
}

/// The result of a call.
#[derive(Debug)]
pub struct Answer {
    /// The exit code.
    pub code: i32,
    /// Its standard output.
    pub json: Value,
}

impl Answer {
    fn of(output: &Output) -> Self {
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!(
                "no JSON ({error}) but {:?}; standard error: {}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        });
        Self { code: output.status.code().expect("ended by a signal"), json }
    }

    /// The code of its error.
    pub fn error_code(&self) -> &str {
        self.json.pointer("/error/code").and_then(Value::as_str).unwrap_or("no error")
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Whether a process runs that has this text in its command line.
pub fn alive(marker: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).any(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()))
            && std::fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(marker))
    })
}
