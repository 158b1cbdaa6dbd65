//! `package.nix` lists every file that cargo reads, and the search paths that it and the service's unit declare have
//! every program that the server calls. Nix builds the package from these files alone; the test uses plain cargo, which
//! needs no nixpkgs.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::fleet::nixes;
use crate::common::programs::Store;
use crate::common::site::Site;
use serde_json::{Value, json};

/// Evaluates `package.nix` with a `lib` that returns the list of files, and a builder that returns its arguments.
const ARGUMENTS: &str = r#"
let
  root = toString ./.;
  relative = path: builtins.substring (builtins.stringLength root + 1) (-1) (toString path);
  arguments = import ./package.nix {
    lib = {
      importTOML = path: fromTOML (builtins.readFile path);
      fileset = {
        unions = files: files;
        toSource = { root, fileset }: { inherit root fileset; };
      };
      makeBinPath = builtins.concatStringsSep ":";
      licenses.mit = "mit";
      platforms.linux = "linux";
    };
    rustPlatform.buildRustPackage = arguments: arguments;
    installShellFiles = "installShellFiles";
    makeBinaryWrapper = "makeBinaryWrapper";
    runtimeShellPackage = "bash";
    coreutils = "coreutils";
    curl = "curl";
    gnugrep = "gnugrep";
    gitMinimal = "git-minimal";
    openssh = "openssh";
  };
in
{
  files = map relative arguments.src.fileset;
  root_is_here = toString arguments.src.root == root;
  lock = relative arguments.cargoLock.lockFile;
  inherit (arguments) cargoTestFlags nativeCheckInputs postInstall;
}
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn arguments() -> Value {
    let nix = nixes().pop().unwrap();
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(nix)
        .args(["--extra-experimental-features", "nix-command", "eval", "--impure", "--json"])
        .args(["--store", "dummy://", "--expr", ARGUMENTS])
        .current_dir(root())
        .env("HOME", home.path())
        .env("XDG_CACHE_HOME", home.path().join("cache"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn words(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Adds the files below a path, or the path itself, relative to `root`.
fn files_of(root: &Path, path: &str, into: &mut BTreeSet<String>) {
    let found = root.join(path);
    if !found.is_dir() {
        into.insert(path.to_owned());
        return;
    }
    for entry in std::fs::read_dir(found).unwrap() {
        files_of(root, &format!("{path}/{}", entry.unwrap().file_name().into_string().unwrap()), into);
    }
}

/// Makes a folder with exactly these files. The folder and its unchanged files stay from one run to the next, so that
/// cargo builds only what changed.
fn source(files: &[String]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("package");
    std::fs::create_dir_all(&folder).unwrap();
    let mut wanted = BTreeSet::new();
    files.iter().for_each(|file| files_of(root(), file, &mut wanted));
    let mut there = BTreeSet::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        files_of(&folder, &entry.unwrap().file_name().into_string().unwrap(), &mut there);
    }
    for file in there.difference(&wanted) {
        std::fs::remove_file(folder.join(file)).unwrap();
    }
    for file in &wanted {
        let (from, to) = (std::fs::read(root().join(file)).unwrap(), folder.join(file));
        if std::fs::read(&to).ok().as_ref() != Some(&from) {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, from).unwrap();
        }
    }
    folder
}

/// Runs cargo in that folder, without a network. Its target folder is not that of this test: Cargo would take results
/// of the copy for results of the sources, and build nothing when these change.
fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--locked"])
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("package-target"))
        .env_remove("CARGO_BUILD_BUILD_DIR")
        .env_remove("CARGO_MANIFEST_DIR")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "cargo {arguments:?} lacks something: does package.nix list all that it reads?\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The one program that cargo reports to have built.
fn program_in(messages: &[u8]) -> PathBuf {
    let mut programs = String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<Value>(line).ok()?["executable"].as_str().map(PathBuf::from)
        })
        .collect::<Vec<_>>();
    assert_eq!(programs.len(), 1, "{programs:?}");
    programs.remove(0)
}

#[test]
fn the_package_builds_and_passes_its_tests_with_the_files_it_is_given() {
    let arguments = arguments();
    assert_eq!((&arguments["root_is_here"], &arguments["lock"]), (&true.into(), &"Cargo.lock".into()));
    let folder = source(&words(&arguments["files"]));

    let built =
        program_in(&cargo(&folder, &["build", "--bins", "--message-format=json-render-diagnostics"]).stdout);
    let flags = words(&arguments["cargoTestFlags"]);
    let mut test = vec!["test", "--no-run", "--message-format=json-render-diagnostics"];
    test.extend(flags.iter().map(String::as_str));
    let tests = program_in(&cargo(&folder, &test).stdout);

    // The check phase has the programs of every build and those in `nativeCheckInputs`, and no home folder.
    let inputs = words(&arguments["nativeCheckInputs"]);
    let standard = ["bash", "coreutils", "diffutils", "findutils", "gawk", "gnugrep", "gnused"];
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::make(&scratch.path().join("store"));
    let path =
        standard.into_iter().chain(inputs.iter().map(String::as_str)).map(|package| store.programs(package));
    let checked = Command::new(tests)
        .current_dir(&folder)
        .env_clear()
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", "/homeless-shelter")
        .env("TMPDIR", scratch.path())
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "the check phase fails:\n{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );

    // The commands of the installation.
    let installed = arguments["postInstall"].as_str().unwrap();
    let shells: Vec<&str> = installed
        .split("pantheros-mcp completions ")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap())
        .collect();
    assert_eq!(shells, ["bash", "fish", "zsh"]);
    for shell in shells {
        let completions = Command::new(&built)
            .args(["completions", shell])
            .env_clear()
            .env("HOME", "/homeless-shelter")
            .output()
            .unwrap();
        assert!(completions.status.success() && !completions.stdout.is_empty(), "{shell}: {completions:?}");
    }
}

/// Answers every connection with status 200 as long as the test runs. Returns the URL.
fn healthy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/healthz", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _read = connection.read(&mut [0; 4096]).unwrap();
            connection
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
        }
    });
    url
}

/// Plans, approves and deploys the next revision of a host, with only this search path.
fn deploys_with(site: &Site, path: &str) {
    let run =
        |arguments: &[&str]| -> Output { site.fleet.command(arguments).env("PATH", path).output().unwrap() };
    let succeeds = |arguments: &[&str]| -> Value {
        let output = run(arguments);
        let (said, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?} with {path}:\n{said}{errors}");
        serde_json::from_str(&said).unwrap_or(Value::Null)
    };
    let plan = succeeds(&["call", "--quiet", "plan_deploy", r#"{"hosts": ["web"]}"#]);
    let plan = plan["plan_id"].as_str().unwrap();
    succeeds(&["approve", plan, "--batch", "--sign", site.signer().to_str().unwrap()]);
    let deployed = succeeds(&["call", "--quiet", "deploy", &json!({"plan_id": plan}).to_string()]);
    assert_eq!(deployed["hosts"][0]["state"], "confirmed", "with {path}: {deployed:#}");
}

/// A host is planned, approved and deployed with each search path on which the server may find the programs that it
/// calls: that of the service's unit, that of the command with which an administrator acts as the service, and that
/// which the package adds.
#[test]
fn the_server_deploys_with_what_is_declared_for_it() {
    let nix = nixes().pop().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::make(&scratch.path().join("store"));
    let checks = json!({"healthChecks": [{"http": healthy()}, {"command": ["true"]}]});
    let mut site = Site::start(&nix, &["web"], &checks);
    let commands =
        std::fs::read_to_string(store.folder.join("pantheros-mcp-service/bin/pantheros-mcp-service"))
            .unwrap();
    let becoming =
        commands.split("--setenv=PATH=").nth(1).unwrap().split(['\'', ' ']).next().unwrap().to_owned();
    let arguments = arguments();
    let wrapper = arguments["postInstall"].as_str().unwrap().split("--suffix PATH : ").nth(1).unwrap().trim();
    let wrapped: Vec<_> = wrapper.split(':').map(|package| store.programs(package)).collect();
    let wrapped = std::env::join_paths(wrapped).unwrap().into_string().unwrap();
    let paths = [store.search_path("pantheros-mcp.service"), becoming, wrapped];
    for (revision, path) in ["2", "3", "4"].into_iter().zip(paths) {
        assert!(Path::new(path.split(':').next().unwrap()).is_dir(), "{path}");
        site.revise(revision);
        deploys_with(&site, &path);
    }
}
