//! Which settings count: the machine's, the user's, and those of a file beside the flake, which runs no program before
//! a person trusted its content.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::common::fleet::{Fleet, PROGRAM, error_of, errors, nixes};
use crate::common::plan::{approvals, fleet, key, public, stored};
use crate::common::terminal::Terminal;
use serde_json::Value;

const LIFE: Duration = Duration::from_secs(1_800);
const FLAKE: &str = "{ outputs = _: { nixosConfigurations.web.config = { }; }; }";
const FILE: &str = "pantheros.toml";

/// A flake of somebody else that contains a program, and the home folder of a user who examines it.
struct Cloned {
    scratch: tempfile::TempDir,
}

impl Cloned {
    /// With these settings beside the flake.
    fn new(settings: &str) -> Self {
        let scratch = tempfile::Builder::new().prefix("pantheros-settings-").tempdir().unwrap();
        let cloned = Self { scratch };
        for folder in ["home", "fleet/tools"] {
            std::fs::create_dir_all(cloned.path(folder)).unwrap();
        }
        let nix = nixes().remove(0);
        let program = cloned.path("fleet/tools/nix");
        std::fs::write(
            &program,
            format!("#!/bin/sh\necho ran >>'{}'\nexec {nix:?} \"$@\"\n", cloned.path("ran").display()),
        )
        .unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(cloned.path("fleet/flake.nix"), FLAKE).unwrap();
        cloned.beside(settings);
        cloned
    }

    fn path(&self, below: &str) -> PathBuf {
        self.scratch.path().canonicalize().unwrap().join(below)
    }

    /// Writes the settings beside the flake.
    fn beside(&self, settings: &str) {
        std::fs::write(self.path("fleet").join(FILE), settings).unwrap();
    }

    /// Writes the user's own settings.
    fn users(&self, settings: &str) -> PathBuf {
        let folder = self.path("home/.config/pantheros");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), settings).unwrap();
        folder.join("config.toml")
    }

    /// This program in the flake's folder, without the rest of the environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut search = vec![nixes().remove(0).parent().unwrap().to_owned()];
        search.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.path("fleet")).env_clear().stdin(Stdio::null());
        command.env("HOME", self.path("home")).env("PATH", std::env::join_paths(search).unwrap());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Whether a call that changes nothing runs the flake's own program, and the call's standard error.
    fn runs(&self) -> (bool, String) {
        runs(self, &mut self.command(&["--read-only", "call", "--quiet", "list_hosts"]))
    }

    fn trust(&self, word: &str) -> (Option<i32>, String) {
        let mut terminal = Terminal::run(&here(&self.command(&["trust"])));
        terminal.shows("Type `trust` to trust it");
        terminal.types(&format!("{word}\n"));
        terminal.ends()
    }
}

fn runs(cloned: &Cloned, command: &mut Command) -> (bool, String) {
    let mark = cloned.path("ran");
    let _none = std::fs::remove_file(&mark);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["hosts"][0]["name"], "web", "{answer:#}");
    (mark.exists(), errors(&output))
}

/// The same command for a terminal, whose program gets the environment of this process, too.
fn here(command: &Command) -> Command {
    let mut here = Command::new(command.get_program());
    here.args(command.get_args()).current_dir(command.get_current_dir().unwrap());
    for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "PANTHEROS_FLAKE", "PANTHEROS_CONFIG"] {
        here.env_remove(name);
    }
    here.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    here
}

fn switched_off(output: &Output, why: &str) {
    let said = errors(output);
    assert!(output.status.code() == Some(2) && said.contains("is disabled") && said.contains(why), "{said}");
}

// ---- the file beside the flake

#[test]
fn a_cloned_flake_runs_nothing_before_a_person_trusts_it() {
    let cloned = Cloned::new("[nix]\nprogram = \"tools/nix\"\n");
    let (ran, said) = cloned.runs();
    assert!(!ran, "{said}");
    assert_eq!(said.matches("`nix.program`").count(), 1, "{said}");
    assert!(said.contains("home/.config/pantheros/config.toml"), "{said}");

    // The command in the message works in any folder.
    let named = said.split('`').find(|part| part.ends_with(" trust")).unwrap_or_else(|| panic!("{said}"));
    let mut shell = Command::new("sh");
    shell.args(["-c", named]).current_dir("/").env("HOME", cloned.path("home"));
    let mut terminal = Terminal::run(&shell);
    terminal.shows(&format!("nix.program = \"{}\"", cloned.path("fleet/tools/nix").display()));
    terminal.shows("Type `trust` to trust it");
    terminal.types("trust\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    let (ran, said) = cloned.runs();
    assert!(ran && !said.contains("nix.program"), "{said}");

    // The trust is for the content that was read then.
    cloned.beside("[nix]\nprogram = \"tools/nix\"\n\n");
    let (ran, said) = cloned.runs();
    assert!(!ran && said.contains("`nix.program`"), "{said}");
    cloned.beside("[nix]\nprogram = \"tools/nix\"\n");
    assert!(cloned.runs().0);

    let revoked = cloned.run(&["trust", "--revoke"]);
    assert!(
        revoked.status.success() && errors(&revoked).contains("is no longer trusted"),
        "{}",
        errors(&revoked)
    );
    assert!(!cloned.runs().0);
    assert!(errors(&cloned.run(&["trust", "--revoke"])).contains("was not trusted"));
}

#[test]
fn only_a_person_at_a_terminal_trusts() {
    let cloned = Cloned::new("[nix]\nprogram = \"tools/nix\"\n");
    let mut piped = cloned.command(&["trust"]);
    let piped = piped.stdin(std::fs::File::open(cloned.path("fleet/flake.nix")).unwrap()).output().unwrap();
    assert!(
        piped.status.code() == Some(1) && errors(&piped).contains("needs a terminal"),
        "{}",
        errors(&piped)
    );
    for word in ["yes", "", "TRUST ME"] {
        let (code, shown) = cloned.trust(word);
        assert!(code == Some(1) && shown.contains("nothing was changed"), "{word}: {shown}");
    }
    let mut terminal = Terminal::run(&here(&cloned.command(&["trust"])));
    terminal.shows("Type `trust` to trust it");
    terminal.interrupts();
    assert!(!cloned.path("home/.local").exists(), "a look records nothing");
    assert!(!cloned.runs().0);
    assert_eq!(cloned.trust("trust").0, Some(0));
    let folder = cloned.path("home/.local/state/pantheros/trust");
    let record = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder), mode(&record.path())), (0o700, 0o600));
    // A record that others can write does not count.
    std::fs::set_permissions(record.path(), PermissionsExt::from_mode(0o622)).unwrap();
    let (ran, said) = cloned.runs();
    assert!(!ran && said.contains("chmod go-w"), "{said}");
}

#[test]
fn a_file_is_named_and_need_not_be_there_to_be_revoked() {
    let cloned = Cloned::new("[nix]\nprogram = \"tools/nix\"\n");
    let file = cloned.path("fleet").join(FILE);
    let mut command = cloned.command(&["trust", "../fleet/pantheros.toml"]);
    let mut terminal = Terminal::run(&here(command.current_dir(cloned.path("home"))));
    terminal.shows("Type `trust` to trust it with nix.program,");
    terminal.types("trust\n");
    assert_eq!(terminal.ends().0, Some(0));
    assert!(cloned.runs().0);
    assert!(errors(&cloned.run(&["trust"])).contains("is trusted already"));

    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        errors(&output)
    };
    assert!(refused(&mut cloned.command(&["trust", "flake.nix"])).contains("is not named pantheros.toml"));
    let mut users = cloned.command(&["trust"]);
    assert!(refused(users.env("PANTHEROS_CONFIG", FILE)).contains("all its settings have an effect"));
    std::fs::remove_file(&file).unwrap();
    assert!(refused(&mut cloned.command(&["trust"])).contains("there is no pantheros.toml"));
    let revoked = cloned.run(&["trust", "--revoke", file.to_str().unwrap()]);
    assert!(errors(&revoked).contains("is no longer trusted"), "{}", errors(&revoked));
    cloned.beside("[nix]\nprogram = \"tools/nix\"\n");
    assert!(!cloned.runs().0);
}

#[test]
fn what_is_trusted_shows_every_character() {
    let cloned = Cloned::new("[nix]\nprogram = \"/bin/\\u001b[2Knix\\u202e\"\n");
    let (_, shown) = cloned.trust("no");
    let nix = shown.lines().find(|line| line.contains("nix.program = ")).unwrap();
    assert!(nix.contains(r#"nix.program = "/bin/\u001b[2Knix\u{202e}""#), "{nix}");
}

#[test]
fn trust_is_about_one_place_and_is_kept_where_no_file_says() {
    let text = "[nix]\nprogram = \"tools/nix\"\n[deploy]\nstate_folder = \"../elsewhere\"\n";
    let cloned = Cloned::new(text);
    assert_eq!(cloned.trust("trust").0, Some(0));
    assert!(cloned.runs().0);
    assert!(!cloned.path("elsewhere/trust").exists());
    // The same file in another place.
    let other = Cloned::new(text);
    let mut command = other.command(&["call", "--quiet", "list_hosts"]);
    assert!(!runs(&other, command.env("HOME", cloned.path("home"))).0);
    // Whoever edits the flake could include a record of trust in it.
    let state = cloned.path("fleet/state/pantheros");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::rename(cloned.path("home/.local/state/pantheros/trust"), state.join("trust")).unwrap();
    let outside = cloned.path("outside.toml");
    std::fs::write(&outside, "[deploy]\nstate_folder = \"outside\"\n").unwrap();
    let mut command =
        cloned.command(&["--config", outside.to_str().unwrap(), "call", "--quiet", "list_hosts"]);
    let (ran, said) = runs(&cloned, command.env("XDG_STATE_HOME", cloned.path("fleet/state")));
    assert!(!ran && said.contains("lies in the flake"), "{said}");
}

#[test]
fn a_path_relative_to_the_flake_finds_no_program_in_it() {
    let cloned = Cloned::new("");
    for name in ["nix", "git", "ssh"] {
        std::fs::copy(cloned.path("fleet/tools/nix"), cloned.path("fleet").join(name)).unwrap();
    }
    std::fs::create_dir(cloned.path("fleet/.git")).unwrap();
    let mut command = cloned.command(&["call", "--quiet", "list_hosts"]);
    let usual = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap().to_owned();
    for (first, rest) in
        [("", true), (".", true), ("./tools", true), ("tools", true), (".", false), ("", false)]
    {
        let mut path = std::ffi::OsString::from(first);
        if rest {
            path.push(":");
            path.push(&usual);
        }
        let mark = cloned.path("ran");
        command.env("PATH", &path).output().unwrap();
        assert!(!mark.exists(), "PATH={path:?}");
    }
}

#[test]
fn what_narrows_counts_and_hosts_do() {
    let cloned = Cloned::new(
        "[tools]\nexclude = [\"deploy\"]\nread_only = true\n[limits]\nbuild_seconds = 60\n[deploy]\nplan_minutes = 5\n\
         approve_by = [\"terminal\"]\n[hosts.web]\ntarget_host = \"192.0.2.1\"\n",
    );
    let tools = cloned.run(&["tools"]);
    assert_eq!(errors(&tools), "");
    let refused = cloned.run(&["call", "--quiet", "deploy", "plan_id=plan-aaaaaaaaaaaaaaaaaaaaaaaaaa"]);
    switched_off(&refused, "--read-only");
    assert!(errors(&cloned.run(&["trust"])).contains("no setting that needs trust"));
    // The file cannot widen what the user narrowed.
    cloned.users("[tools]\nexclude = [\"list_hosts\"]\n");
    cloned.beside("[tools]\nexclude = []\nread_only = false\n[limits]\nbuild_seconds = 600000\n");
    let output = cloned.run(&["call", "--quiet", "list_hosts"]);
    switched_off(&output, "excluded");
    assert!(errors(&output).contains("`limits.build_seconds`"), "{}", errors(&output));
}

#[test]
fn what_never_counts_beside_a_flake_is_named() {
    let cloned = Cloned::new("[deploy]\napprove_over_http = true\n");
    let said = errors(&cloned.run(&["tools"]));
    assert!(
        said.contains("never have an effect: `deploy.approve_over_http`") && said.contains("config.toml"),
        "{said}"
    );
    assert!(!said.contains(" trust`"), "{said}");
}

#[test]
fn a_link_or_a_pipe_is_no_file_beside_a_flake() {
    let cloned = Cloned::new("");
    let file = cloned.path("fleet").join(FILE);
    let secret = cloned.path("home/secret");
    std::fs::write(&secret, "a secret = 1\n").unwrap();
    let refused = |what: &str| {
        let output = cloned.run(&["tools"]);
        assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
        let said = errors(&output);
        assert!(said.contains(what) && !said.contains("secret"), "{said}");
    };
    std::fs::remove_file(&file).unwrap();
    symlink(&secret, &file).unwrap();
    refused("is a symbolic link");
    std::fs::remove_file(&file).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    refused("is not a regular file");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    refused("is not a regular file");
}

// ---- the user's

#[test]
fn the_users_own_file_counts_and_so_does_one_they_name() {
    let cloned = Cloned::new("[nix]\nprogram = \"tools/nix\"\n");
    let program = cloned.path("fleet/tools/nix");
    let own = cloned.users(&format!("[nix]\nprogram = {program:?}\n"));
    assert!(cloned.runs().0);
    // A file that is named replaces it.
    let other = cloned.path("other.toml");
    std::fs::write(&other, "").unwrap();
    let mut command = cloned.command(&["--config", other.to_str().unwrap(), "call", "--quiet", "list_hosts"]);
    assert!(!runs(&cloned, &mut command).0);
    // A user who names the file beside the flake makes its settings their own.
    std::fs::remove_file(&own).unwrap();
    let mut command = cloned.command(&["call", "--quiet", "list_hosts"]);
    let (ran, said) = runs(&cloned, command.env("PANTHEROS_CONFIG", FILE));
    assert!(ran && said.is_empty(), "{said}");
    // Another settings folder, from the environment.
    let moved = cloned.path("moved/pantheros");
    std::fs::create_dir_all(&moved).unwrap();
    std::fs::write(moved.join("config.toml"), format!("[nix]\nprogram = {program:?}\n")).unwrap();
    let mut command = cloned.command(&["call", "--quiet", "list_hosts"]);
    assert!(runs(&cloned, command.env("XDG_CONFIG_HOME", cloned.path("moved"))).0);
}

#[test]
fn a_users_file_that_others_can_write_is_refused() {
    let cloned = Cloned::new("");
    let own = cloned.users("");
    for mode in [0o664, 0o646] {
        std::fs::set_permissions(&own, PermissionsExt::from_mode(mode)).unwrap();
        let output = cloned.run(&["tools"]);
        let said = errors(&output);
        assert!(output.status.code() == Some(2) && said.contains("chmod go-w"), "{said}");
    }
    std::fs::set_permissions(&own, PermissionsExt::from_mode(0o644)).unwrap();
    std::os::unix::fs::chown(&own, Some(65_534), None).unwrap();
    let output = cloned.run(&["tools"]);
    assert!(
        output.status.code() == Some(2) && errors(&output).contains("another user"),
        "{}",
        errors(&output)
    );
}

// ---- signers and approvals

#[test]
fn nothing_is_deployed_while_a_file_about_it_waits_for_trust() {
    let fleet = fleet("");
    fleet.write("flake.nix", FLAKE);
    let signer = key(&fleet, "alice", "");
    let approvers = fleet.write_outside("approvers", &format!("alice {}\n", public(&signer)));
    let plan = stored(&fleet, &["web"], &[], LIFE);
    let id = plan.plan().id.as_str();
    let asked = format!("plan_id={id}");
    let deploy =
        |fleet: &Fleet| error_of(&fleet.command(&["call", "--quiet", "deploy", &asked]).output().unwrap());
    let approve = |fleet: &Fleet| {
        let mut command = fleet.command(&["approve", id]);
        command.current_dir("/");
        Terminal::run(&command).ends()
    };
    assert_eq!(deploy(&fleet)["code"], "approval_required");
    for (text, named) in [
        (format!("[deploy]\napprovers = {approvers:?}\n"), "deploy.approvers"),
        (
            format!("[deploy]\napprovers = {approvers:?}\n[deploy.scopes.alice]\nhosts = []\n"),
            "deploy.scopes",
        ),
        ("[deploy]\napprove_by = [\"signature\"]\n".to_owned(), "deploy.approve_by"),
    ] {
        fleet.write(FILE, &text);
        let refused = deploy(&fleet);
        assert_eq!(refused["code"], "untrusted_settings", "{refused:#}");
        assert!(refused["message"].as_str().unwrap().contains(named), "{refused:#}");
        assert!(refused["hint"].as_str().unwrap().contains(" trust` in a terminal"), "{refused:#}");
        let rollback = fleet.command(&["call", "--quiet", "rollback_host", "host=web"]).output().unwrap();
        assert_eq!(error_of(&rollback)["code"], "untrusted_settings");
        // No approval is asked for that would not count.
        let (code, shown) = approve(&fleet);
        assert!(
            code == Some(1) && shown.contains("no person has trusted") && !shown.contains("Type"),
            "{shown}"
        );
        assert!(fleet.command(&["plans"]).output().unwrap().status.success());
    }
    assert!(approvals(&fleet).recorded(&plan.plan().id).unwrap().is_none());

    // Once the file is trusted, its settings apply.
    fleet.write(FILE, &format!("[deploy]\napprovers = {approvers:?}\n"));
    let mut trust = fleet.command(&["trust"]);
    trust.current_dir("/");
    let mut terminal = Terminal::run(&trust);
    terminal.shows("deploy.approvers = ");
    terminal.types("trust\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    let (code, shown) = approve(&fleet);
    assert!(code == Some(2) && shown.contains("do not accept an approval by terminal"), "{shown}");
    let signed =
        fleet.command(&["approve", id, "--sign", signer.to_str().unwrap(), "--batch"]).output().unwrap();
    assert_eq!(signed.status.code(), Some(0), "{}", errors(&signed));
}

// ---- the machine's

/// Mounts files over the system settings, for one command and its children.
const WITH_MACHINE_FILES: &str = "mount -t overlay overlay -o \"lowerdir=/etc,upperdir=$1/upper,workdir=$1/work\" /etc && \
    rm -rf /etc/pantheros && cp -a \"$1/pantheros\" /etc/pantheros && shift && exec timeout 60 \"$@\"";

/// The same command, with these files as the machine's settings.
fn on_machine(cloned: &Cloned, files: &[(&str, &str, u32)], arguments: &[&str]) -> Output {
    command_on_machine(cloned, files, &cloned.command(arguments))
}

fn command_on_machine(cloned: &Cloned, files: &[(&str, &str, u32)], command: &Command) -> Output {
    let machine = cloned.path("machine");
    let _none = std::fs::remove_dir_all(&machine);
    for part in ["upper", "work", "pantheros"] {
        std::fs::create_dir_all(machine.join(part)).unwrap();
    }
    for (name, text, mode) in files {
        let path = machine.join("pantheros").join(name);
        if *name == "." {
            std::fs::set_permissions(path, PermissionsExt::from_mode(*mode)).unwrap();
            continue;
        }
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(*mode)).unwrap();
    }
    let mut inside = Command::new("unshare");
    inside.args(["-m", "sh", "-c", WITH_MACHINE_FILES, "sh"]).arg(&machine).arg(command.get_program());
    inside.args(command.get_args()).current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    inside.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    inside.output().unwrap()
}

#[test]
fn nobody_overrules_the_machine() {
    let cloned = Cloned::new("");
    let program = cloned.path("fleet/tools/nix");
    let real = nixes().remove(0);
    let machine = format!(
        "[nix]\nprogram = {real:?}\n[tools]\nexclude = [\"flake_check\"]\n[ssh]\nidentity = \"/etc/key\"\n"
    );
    cloned.users(&format!("[nix]\nprogram = {program:?}\n[tools]\nexclude = []\n"));
    let files = [("config.toml", machine.as_str(), 0o644)];
    let output = on_machine(&cloned, &files, &["call", "--quiet", "list_hosts"]);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(!cloned.path("ran").exists(), "the machine's program was not the one that ran");
    let output = on_machine(&cloned, &files, &["call", "--quiet", "flake_check"]);
    switched_off(&output, "excluded");
    let output = on_machine(&cloned, &files, &["--tools", "flake_check", "call", "--quiet", "flake_check"]);
    switched_off(&output, "excluded");
    let output = on_machine(&cloned, &files, &["deploy", "web", "--identity", "/mine"]);
    assert!(errors(&output).contains("--identity has no effect"), "{}", errors(&output));
}

#[test]
fn the_machines_files_are_roots_and_say_things_once() {
    let cloned = Cloned::new("");
    let deploy = "[deploy]\nplan_minutes = 10\n";
    for (files, said) in [
        (vec![("config.toml", "[tools]\nread_only = true\n", 0o664)], "nobody else may write"),
        (vec![("config.toml", "", 0o644), (".", "", 0o777)], "nobody else may write"),
        (
            vec![("config.toml", deploy, 0o644), ("deploy.toml", deploy, 0o644)],
            "`deploy.plan_minutes` is also in config.toml",
        ),
        (vec![("deploy.toml", "[nix]\nprogram = \"nix\"\n", 0o644)], "`nix` is not allowed in this file"),
        (vec![("config.toml", "[deploy]\napprove_by = [\"signature\"]\n", 0o644)], "is not set"),
        (vec![("config.toml", "[tools]\nonly = [\"list_host\"]\n", 0o644)], "list_hosts"),
    ] {
        let output = on_machine(&cloned, &files, &["tools"]);
        let code = output.status.code();
        assert!(code == Some(2) && errors(&output).contains(said), "{files:?}: {code:?} {}", errors(&output));
    }
    let both = [("config.toml", "[tools]\nread_only = true\n", 0o644), ("deploy.toml", deploy, 0o644)];
    let output =
        on_machine(&cloned, &both, &["call", "--quiet", "deploy", "plan_id=plan-aaaaaaaaaaaaaaaaaaaaaaaaaa"]);
    switched_off(&output, "--read-only");
}

#[test]
fn no_token_of_the_environment_overrules_the_machines() {
    let cloned = Cloned::new("");
    let files = [("config.toml", "[http]\ntoken_file = \"/absent/token\"\n", 0o644)];
    let mut command = cloned.command(&["serve", "--http", "127.0.0.1:0"]);
    let output = command_on_machine(
        &cloned,
        &files,
        command.env("PANTHEROS_HTTP_TOKEN", "0123456789abcdef0123456789abcdef"),
    );
    let said = errors(&output);
    assert!(output.status.code() == Some(1) && said.contains("/absent/token"), "{said}");
    assert!(said.contains("PANTHEROS_HTTP_TOKEN has no effect"), "{said}");
}
