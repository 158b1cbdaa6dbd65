//! Starts the program in the folders where clients and people start it: `/`, a home folder, a removed folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::catalogue::arguments;
use crate::common::fleet::{Fleet, PROGRAM, error_of, errors, nixes};
use crate::common::mcp::{Client, WITH_HANDSHAKE};
use crate::common::plan::{approvals, fleet, set, stored};
use crate::common::terminal::Terminal;
use pantheros_mcp::testing::tools;
use serde_json::json;

const LIFE: Duration = Duration::from_secs(1_800);
const FLAKE: &str = "{ outputs = _: { nixosConfigurations.web.config = { }; }; }";

/// A home folder. The program runs with it and without the rest of the environment.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("pantheros-home-").tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let nix = nixes().remove(0);
        let mut search = vec![nix.parent().unwrap().to_owned()];
        search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(folder).env_clear();
        command.env("HOME", self.path()).env("PATH", std::env::join_paths(search).unwrap());
        command
    }

    fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        self.command(folder, arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", errors(&done));
    }
}

#[test]
fn without_a_flake_tools_say_what_is_missing() {
    let home = Home::new();
    for folder in [PathBuf::from("/"), home.path()] {
        let mut client = Client::of(home.command(&folder, &["serve"]));
        client.initialize(WITH_HANDSHAKE[3]);
        client.notify("notifications/initialized", json!({}));
        assert!(client.tools().len() >= tools::catalogue().len(), "{folder:?}");
        for tool in tools::catalogue().iter().filter(|tool| tool.name != "deploy") {
            let result = client.call(tool.name, arguments(tool))["result"].clone();
            let error = &result["structuredContent"]["error"];
            assert_eq!(error["code"], "flake_not_found", "{folder:?} {}: {result:#}", tool.name);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&format!("in {} or any folder above", folder.display())), "{message}");
            let hint = error["hint"].as_str().unwrap();
            assert!(hint.contains("--flake") && hint.contains("PANTHEROS_FLAKE"), "{hint}");
        }
    }
}

#[test]
fn a_persons_commands_want_no_flake() {
    let home = Home::new();
    for folder in [PathBuf::from("/"), home.path()] {
        for (arguments, code, said) in [
            (&["plans"][..], 0, ""),
            (&["audit", "verify"], 0, ""),
            (&["approve", "plan-aaaaaaaaaaaaaaaaaaaaaaaaaa"], 1, "there is no plan-"),
            (&["reject", "plan-aaaaaaaaaaaaaaaaaaaaaaaaaa"], 1, "there is no plan-"),
            (&["tools"], 0, ""),
        ] {
            let output = home.run(&folder, arguments);
            assert_eq!(output.status.code(), Some(code), "{folder:?} {arguments:?}: {}", errors(&output));
            assert!(errors(&output).contains(said), "{folder:?} {arguments:?}: {}", errors(&output));
        }
    }
    assert!(home.path().join(".local/state/pantheros").is_dir());
}

#[test]
fn a_flake_in_the_home_folder_works() {
    let home = Home::new();
    std::fs::write(home.path().join("flake.nix"), FLAKE).unwrap();
    std::fs::write(home.path().join("secret"), "mine").unwrap();
    // Nix would copy the whole folder into the store, so it is not called.
    let output = home.run(&home.path(), &["call", "--quiet", "list_hosts"]);
    let error = error_of(&output);
    assert_eq!(error["code"], "flake_exposes", "{error:#}");
    assert!(error["hint"].as_str().unwrap().contains("git init"), "{error:#}");

    home.git(&["init", "-q"]);
    home.git(&["add", "flake.nix"]);
    home.git(&["commit", "-qm", "a fleet"]);
    for folder in [home.path(), home.path().join("projects/other")] {
        std::fs::create_dir_all(&folder).unwrap();
        let output = home.run(&folder, &["call", "--quiet", "list_hosts"]);
        assert_eq!(output.status.code(), Some(0), "{folder:?}: {}", errors(&output));
        for arguments in [&["plans"][..], &["audit", "verify"]] {
            let output = home.run(&folder, arguments);
            assert_eq!(output.status.code(), Some(0), "{folder:?} {arguments:?}: {}", errors(&output));
        }
    }
    // Git ignores the state folder, so its files get neither into the repository nor into the store.
    std::fs::write(home.path().join(".local/state/pantheros/audit.jsonl"), "").unwrap();
    home.git(&["add", "--all"]);
    let listed = Command::new("git").args(["ls-files"]).current_dir(home.path()).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("secret") && !listed.contains(".local"), "{listed}");
}

#[test]
fn a_state_folder_in_a_projects_flake_is_refused() {
    let fleet = fleet("");
    std::fs::create_dir_all(fleet.folder().join("inner")).unwrap();
    std::os::unix::fs::symlink(fleet.folder().join("inner"), fleet.folder().with_file_name("link")).unwrap();
    fleet.write("flake.nix", FLAKE);
    for inside in ["fleet/state", "elsewhere/../fleet/state", "link/state"] {
        fleet.write_outside("pantheros.toml", &format!("[deploy]\nstate_folder = {inside:?}\n"));
        let output = fleet.command(&["plans"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{inside}");
        assert!(errors(&output).contains("lies in the flake"), "{inside}: {}", errors(&output));
    }
    // A state folder from the environment is refused, too.
    fleet.write_outside("pantheros.toml", "");
    let mut command = fleet.command(&["plans"]);
    let output = command.env("XDG_STATE_HOME", fleet.folder().join("state")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(errors(&output).contains("lies in the flake"), "{}", errors(&output));
}

#[test]
fn what_is_no_flake_is_named() {
    let home = Home::new();
    let empty = home.path().join("empty");
    std::fs::create_dir_all(empty.join("folder/flake.nix")).unwrap();
    for (folder, flake, said) in [
        (home.path(), "absent", "/absent: No such file"),
        (home.path(), "~/fleet", "/~/fleet: No such file"),
        (home.path(), "empty", "/empty: No such file"),
        (home.path(), "empty/folder", "/empty/folder: it is not a regular file"),
        (home.path(), "", " or any folder above it"),
        (PathBuf::from("/"), "/", "in /: No such file"),
    ] {
        let mut command = home.command(&folder, &["call", "--quiet", "list_hosts"]);
        let output = command.env("PANTHEROS_FLAKE", flake).env("PANTHEROS_CONFIG", "").output().unwrap();
        let error = error_of(&output);
        assert_eq!(error["code"], "flake_not_found", "{flake}: {error:#}");
        assert!(error["message"].as_str().unwrap().contains(said), "{flake}: {error:#}");
        assert!(home.command(&folder, &["plans"]).env("PANTHEROS_FLAKE", flake).status().unwrap().success());
    }
}

#[test]
fn a_folder_that_is_gone_is_no_obstacle() {
    let home = Home::new();
    let fleet = home.path().join("fleet");
    std::fs::create_dir_all(&fleet).unwrap();
    std::fs::write(fleet.join("flake.nix"), FLAKE).unwrap();
    let gone = |arguments: &[&str]| {
        std::fs::create_dir_all(home.path().join("gone")).unwrap();
        let whole = home.command(&home.path(), arguments);
        let mut shell = Command::new("sh");
        shell.args(["-c", "cd gone && rmdir ../gone && exec \"$0\" \"$@\""]);
        shell.arg(whole.get_program()).args(whole.get_args()).current_dir(home.path());
        shell.env_clear().envs(whole.get_envs().map(|(name, value)| (name, value.unwrap())));
        shell.output().unwrap()
    };
    assert_eq!(error_of(&gone(&["call", "--quiet", "list_hosts"]))["code"], "flake_not_found");
    assert_eq!(gone(&["plans"]).status.code(), Some(0));
    let named = gone(&["--flake", fleet.to_str().unwrap(), "call", "--quiet", "list_hosts"]);
    assert_eq!(named.status.code(), Some(0), "{named:?}");
    for switch in ["--flake", "--config"] {
        let relative = gone(&[switch, "fleet", "plans"]);
        assert_eq!(relative.status.code(), Some(2));
        assert!(errors(&relative).contains("was removed"), "{}", errors(&relative));
    }
}

#[test]
fn without_a_home_a_person_is_told() {
    let home = Home::new();
    for value in [None, Some(""), Some("relative")] {
        let run = |arguments: &[&str]| {
            let mut command = home.command(Path::new("/"), arguments);
            match value {
                Some(value) => command.env("HOME", value),
                None => command.env_remove("HOME"),
            };
            command.output().unwrap()
        };
        assert_eq!(run(&["tools"]).status.code(), Some(0));
        assert_eq!(error_of(&run(&["call", "--quiet", "list_hosts"]))["code"], "flake_not_found");
        let plans = run(&["plans"]);
        assert_eq!(plans.status.code(), Some(1));
        assert!(errors(&plans).contains("HOME"), "{}", errors(&plans));
    }
}

/// The command that an answer tells the person to run.
fn named(answer: &Output) -> String {
    let error = error_of(answer);
    assert_eq!(error["code"], "approval_required", "{error:#}");
    let hint = error["hint"].as_str().unwrap().to_owned();
    hint.split('`').nth(1).unwrap_or_else(|| panic!("no command in {hint}")).to_owned()
}

/// Runs a command in a shell with a terminal, in this folder, as after a login.
fn typed(command: &str, folder: &Path) -> Terminal {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(folder);
    for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "PANTHEROS_FLAKE", "PANTHEROS_CONFIG"] {
        shell.env_remove(name);
    }
    Terminal::run(&shell)
}

fn approves(command: &str, folder: &Path) {
    let mut terminal = typed(command, folder);
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{command} in {}: {shown}", folder.display());
}

fn ask(fleet: &Fleet, plan: &str, change: impl FnOnce(&mut Command)) -> String {
    let mut command = fleet.command(&["call", "--quiet", "deploy", &format!("plan_id={plan}")]);
    change(&mut command);
    named(&command.output().unwrap())
}

#[test]
fn the_command_an_answer_names_works_in_any_folder() {
    let home = Home::new();
    for folder in [Path::new("/"), &home.path()] {
        // The settings have a name that a shell must quote. A switch or a variable names them.
        let fleet = fleet("");
        fleet.write("flake.nix", FLAKE);
        let plan = stored(&fleet, &["web"], &[], LIFE);
        let odd = fleet.folder().with_file_name("it's $(touch odd) \"a\" config");
        std::fs::create_dir_all(&odd).unwrap();
        let text = std::fs::read_to_string(fleet.folder().with_file_name("pantheros.toml")).unwrap();
        std::fs::write(odd.join("settings.toml"), text.replace("\"state\"", "\"../state\"")).unwrap();
        let answer = Command::new(PROGRAM)
            .args(["call", "--quiet", "deploy", &format!("plan_id={}", plan.plan().id)])
            .current_dir(&odd)
            .env("PANTHEROS_CONFIG", "settings.toml")
            .env("PANTHEROS_FLAKE", "../fleet")
            .output()
            .unwrap();
        approves(&named(&answer), folder);
        assert!(approvals(&fleet).recorded(&plan.plan().id).unwrap().is_some());
        assert!(!folder.join("odd").exists());
    }
}

#[test]
fn a_command_finds_a_state_folder_that_the_environment_moved() {
    let fleet = fleet("");
    fleet.write("flake.nix", FLAKE);
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let moved = fleet.folder().with_file_name("moved state");
    std::fs::create_dir_all(&moved).unwrap();
    std::fs::rename(fleet.folder().with_file_name("state"), moved.join("pantheros")).unwrap();
    fleet.write_outside("pantheros.toml", "");
    let command = ask(&fleet, plan.plan().id.as_str(), |command| {
        command.env("XDG_STATE_HOME", &moved);
    });
    approves(&command, Path::new("/"));
    assert!(command.starts_with("env 'XDG_STATE_HOME="), "{command}");
}

#[test]
fn a_command_finds_settings_and_trust_that_the_environment_moved() {
    let fleet = fleet("");
    fleet.write("flake.nix", FLAKE);
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let config = fleet.folder().with_file_name("moved config");
    std::fs::create_dir_all(config.join("pantheros")).unwrap();
    let settings = fleet.folder().with_file_name("pantheros.toml");
    let text = std::fs::read_to_string(&settings).unwrap().replace("\"state\"", "\"../../state\"");
    std::fs::write(config.join("pantheros/config.toml"), text).unwrap();
    // No flag names the settings. The environment locates them and the record of trusted flakes.
    let server = |arguments: &[&str]| {
        let whole = fleet.command(&[]);
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(fleet.folder());
        command.envs(whole.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("XDG_CONFIG_HOME", &config);
        command
    };
    let asked = ["call", "--quiet", "deploy", &format!("plan_id={}", plan.plan().id)];
    fleet.write("pantheros.toml", "[ssh]\nconnect_seconds = 20\n");
    let mut terminal = Terminal::run(&server(&["trust"]));
    terminal.shows("Type `trust`");
    terminal.types("trust\n");
    assert_eq!(terminal.ends().0, Some(0));
    let command = named(&server(&asked).output().unwrap());
    assert!(command.contains("--config") && command.contains("XDG_STATE_HOME"), "{command}");
    approves(&command, Path::new("/"));
    assert!(approvals(&fleet).recorded(&plan.plan().id).unwrap().is_some());
}

#[test]
fn a_command_that_the_settings_name_is_left_as_it_is() {
    let fleet = fleet("");
    set(&fleet, "command = \"sudo somewhere-else\"");
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let command = ask(&fleet, plan.plan().id.as_str(), |_| {});
    assert_eq!(command, format!("sudo somewhere-else approve {}", plan.plan().id));
}
