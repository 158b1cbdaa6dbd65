//! What `deploy.sh` passes on when it updates real machines, and that it does not interfere.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::fleet::{Fleet, PROGRAM, nixes};
use crate::common::site::Site;
use crate::common::terminal::Terminal;
use crate::common::wait::wait_until;
use serde_json::json;

/// The script on a fleet, with the program under test.
fn script(fleet: &Fleet, arguments: &[&str]) -> Command {
    let mut command = bare(fleet, arguments);
    command.env("PANTHEROS_MCP", PROGRAM);
    command
}

/// The script on a fleet, in the environment that the program is tested in.
fn bare(fleet: &Fleet, arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy.sh"));
    command.arg("--flake").arg(fleet.folder()).args(arguments);
    for (name, value) in fleet.command(&[]).get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PANTHEROS_CONFIG", fleet.folder().with_file_name("pantheros.toml"));
    command
}

fn text(output: &Output) -> String {
    format!(
        "{:?}\n{}\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn an_update_is_shown_and_then_carried_out_once_somebody_agrees() {
    for nix in nixes() {
        let mut site = Site::start(&nix, &["web"], &json!({}));
        let (first, second) = (site.first("web"), site.toplevel("web"));

        let shown = script(&site.fleet, &["--dry-run", "web"]).output().unwrap();
        assert!(shown.status.success() && text(&shown).contains(&second), "{}", text(&shown));
        // Without a terminal nobody can approve.
        let piped = script(&site.fleet, &["web"]).output().unwrap();
        assert_eq!(piped.status.code(), Some(1), "{}", text(&piped));
        site.settled("web", &first, &first);

        let mut terminal = Terminal::run(&script(&site.fleet, &["web"]));
        terminal.shows("Type the host's name");
        terminal.types("db\n");
        assert_eq!(terminal.ends().0, Some(1));
        site.settled("web", &first, &first);
        assert!(site.activations("web").is_empty());

        let mut terminal = Terminal::run(&script(&site.fleet, &["web"]));
        terminal.shows("Type the host's name");
        terminal.types("web\n");
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains("web: confirmed, generation 2"), "{shown}");
        site.settled("web", &second, &second);

        site.revise("3");
        let third = site.toplevel("web");
        let mut terminal = Terminal::run(&script(&site.fleet, &["--action", "boot", "web"]));
        terminal.shows("Type the host's name");
        terminal.types("web\n");
        let (code, shown) = terminal.ends();
        assert_eq!(code, Some(0), "{shown}");
        site.settled("web", &second, &third);
    }
}

#[test]
fn what_is_behind_two_hyphens_is_handed_on() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["db", "web"], &json!({}));
    let seconds = [site.toplevel("db"), site.toplevel("web")];
    let firsts = [site.first("db"), site.first("web")];

    let shown = script(&site.fleet, &["--dry-run", "--", "--tag", "all", "--canary", "2"]).output().unwrap();
    let all = text(&shown);
    assert!(seconds.iter().all(|second| all.contains(second)) && all.contains("2 first"), "{all}");
    let shown = script(&site.fleet, &["--dry-run", "web", "--", "db"]).output().unwrap();
    let all = text(&shown);
    assert!(seconds.iter().all(|second| all.contains(second)), "{all}");
    let wrong = script(&site.fleet, &["web", "--", "--force"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));
    let wrong = script(&site.fleet, &["web", "root@127.0.0.1", "--", "db"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong));

    // Signed and unattended, as in CI.
    let signer = crate::common::plan::key(&site.fleet, "ci", "");
    let signed = ["web", "--", "--batch", "--sign", signer.to_str().unwrap()];
    let refused = script(&site.fleet, &signed).output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("not made by an approver"), "{}", text(&refused));
    for (host, first) in ["db", "web"].into_iter().zip(&firsts) {
        site.settled(host, first, first);
    }
    site.fleet.write_outside("approvers", &format!("ci {}\n", crate::common::plan::public(&signer)));
    let done = script(&site.fleet, &signed).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", text(&done));
    site.settled("web", &seconds[1], &seconds[1]);
    site.settled("db", &firsts[0], &firsts[0]);
}

#[test]
fn target_key_and_host_keys_are_obeyed() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let (first, second) = (site.first("web"), site.toplevel("web"));
    let port = site.machine("web").port;
    let (key, known) = (site.targets.key(), site.targets.known_hosts());
    let (key, known) = (key.to_str().unwrap(), known.to_str().unwrap());

    // No other ssh configuration permits the login, and nothing answers at the flake's address.
    let nothing =
        "Host *\n  IdentityFile none\n  UserKnownHostsFile /dev/null\n  GlobalKnownHostsFile /dev/null\n";
    std::fs::write(site.targets.ssh_config(), nothing).unwrap();
    site.change(|facts| {
        facts["hosts"]["web"]["targetHost"] = json!("192.0.2.7");
        facts["hosts"]["web"]["user"] = json!("nobody");
        facts["hosts"]["web"]["port"] = json!(1);
    });
    let place = format!("root@127.0.0.1:{port}");
    let refused = |arguments: &[&str]| {
        let output = script(&site.fleet, arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", text(&output));
        text(&output)
    };
    let without_key = refused(&["--dry-run", "--known-hosts", known, "web", &place]);
    assert!(without_key.contains("Permission denied"), "{without_key}");
    let strange = refused(&["--dry-run", "--key", key, "web", &place]);
    assert!(strange.contains("is not known"), "{strange}");
    // The file has another key for this machine.
    let other = crate::common::plan::key(&site.fleet, "other", "");
    let other = format!("[127.0.0.1]:{port} {}\n", crate::common::plan::public(&other));
    let wrong = site.fleet.write_outside("wrong_hosts", &other);
    let changed = ["--dry-run", "--key", key, "--known-hosts", wrong.to_str().unwrap(), "web", &place];
    let changed = refused(&changed);
    assert!(changed.contains("presents another host key"), "{changed}");
    let absent = refused(&["--dry-run", "--key", "/absent", "--known-hosts", known, "web", &place]);
    assert!(absent.contains("/absent"), "{absent}");

    // Paths are relative to the current folder.
    let folder = site.targets.key().parent().unwrap().to_owned();
    let mut from_there =
        script(&site.fleet, &["--dry-run", "--key", "key", "--known-hosts", "known_hosts", "web", &place]);
    let shown = from_there.current_dir(folder).output().unwrap();
    assert!(text(&shown).contains(&format!("web ({place}")), "{}", text(&shown));
    assert_eq!(site.machine("web").boot_default(), first);

    let arguments = ["--key", key, "--known-hosts", known, "web", &place];
    let mut terminal = Terminal::run(&script(&site.fleet, &arguments));
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(site.machine("web").boot_default(), second);
}

#[test]
fn ctrl_c_while_the_host_activates_brings_it_back() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let first = site.first("web");
    site.hook("web", "2-test", "activate; sleep 8\n");
    let mut terminal = Terminal::run(&script(&site.fleet, &["web"]));
    terminal.shows("Type the host's name");
    terminal.types("web\n");
    wait_until("the host activates", || site.activations("web") == ["2 test"]);
    terminal.types("\u{3}");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("web: rolled_back"), "{shown}");
    site.settled("web", &first, &first);
}

/// A fleet whose flake has the program as an output, as this repository's flake does. `nix run` needs a program in the
/// store; building the real package would need a nixpkgs.
const FLAKE: &str = r#"{
  outputs = _: {
    packages.x86_64-linux.pantheros-mcp = derivation {
      name = "pantheros-mcp";
      system = "x86_64-linux";
      builder = "/bin/sh";
      args = [ "-c" "PATH=/bin:/usr/bin; mkdir -p $out/bin; ln -s @PROGRAM@ $out/bin/pantheros-mcp" ];
    };
    nixosConfigurations.web.config = {
      networking.hostName = "web";
      pantheros.deploy.targetHost = null;
    };
  };
}"#;

#[test]
fn the_program_is_the_one_on_path_or_the_flakes_own() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", &FLAKE.replace("@PROGRAM@", PROGRAM))]);
        let beside = |more: &Path| {
            let folders = [more, nix.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")];
            std::env::join_paths(folders).unwrap()
        };
        let run = |path: std::ffi::OsString| {
            let mut command = bare(&fleet, &["--dry-run", "web"]);
            let output = command.env_remove("PANTHEROS_MCP").env("PATH", path).output().unwrap();
            // In both cases the real program ran, and reports that no address is known.
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
            assert!(text(&output).contains("no address is configured for web"), "{}", text(&output));
            text(&output)
        };
        let own = run(beside(nix.parent().unwrap()));
        assert!(own.contains("running the one of"), "{own}");
        let found = run(beside(Path::new(PROGRAM).parent().unwrap()));
        assert!(!found.contains("running the one of"), "{found}");

        fleet.write("flake.nix", "{ outputs = _: { }; }");
        let mut none = bare(&fleet, &["--dry-run", "web"]);
        let none =
            none.env_remove("PANTHEROS_MCP").env("PATH", beside(Path::new("/absent"))).output().unwrap();
        assert_eq!(none.status.code(), Some(1), "{}", text(&none));
        assert!(text(&none).contains("pantheros-mcp"), "{}", text(&none));
    }
}

#[test]
fn without_any_program_it_says_what_to_do() {
    let fleet = Fleet::plain(&nixes().pop().unwrap(), &[("flake.nix", "{ outputs = _: { }; }")]);
    let tools = tempfile::tempdir().unwrap();
    for tool in ["bash", "dirname"] {
        std::os::unix::fs::symlink(Path::new("/usr/bin").join(tool), tools.path().join(tool)).unwrap();
    }
    let mut command = bare(&fleet, &["web"]);
    // `env` itself is started by its path in the script's first line.
    let output = command.env_remove("PANTHEROS_MCP").env("PATH", tools.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    for said in ["no pantheros-mcp on PATH", "no nix", "PANTHEROS_MCP", "Nothing was changed."] {
        assert!(text(&output).contains(said), "{}", text(&output));
    }
}
