//! No remembered answer outlives the state that it describes: neither a failure that passes nor anything that Nix sees
//! of a flake.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::files::Files;
use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;
use crate::common::wait::wait_until;
use rustix::process::Signal;
use serde_json::{Value, json};

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The kind of source of a flake's input.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Archive,
    Repository,
}

/// The server of an input, which is down until `bring_up`.
enum Origin {
    Files(Files),
    Repositories { folder: PathBuf, port: u16, daemon: Option<Child> },
}

impl Origin {
    fn bring_up(&mut self) {
        match self {
            Self::Files(files) => files.set_up(true),
            Self::Repositories { folder, port, daemon } => {
                *daemon = Some(
                    Command::new("git")
                        .args(["daemon", "--reuseaddr", "--listen=127.0.0.1", "--export-all"])
                        .arg(format!("--port={port}"))
                        .arg(format!("--base-path={}", folder.display()))
                        .stderr(Stdio::null())
                        .spawn()
                        .unwrap(),
                );
                let port = *port;
                wait_until("git daemon", || TcpStream::connect(("127.0.0.1", port)).is_ok());
            }
        }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if let Self::Repositories { daemon: Some(daemon), .. } = self {
            // `git daemon` is a child of `git`, which passes the signal on.
            let asked = Command::new("kill").arg(daemon.id().to_string()).status().unwrap();
            assert!(asked.success());
            daemon.wait().unwrap();
        }
    }
}

/// A flake whose host `web`, a shell and a package come from an input behind a server. Nothing on this machine has
/// fetched the input before.
fn behind_a_server(nix: &Path, kind: Kind) -> (Fleet, Origin, tempfile::TempDir) {
    let served = tempfile::tempdir().unwrap();
    let folder = served.path();
    let source = folder.join("source");
    std::fs::create_dir(&source).unwrap();
    // The folder's name makes the content differ from that of all earlier tests.
    let flake = format!(
        "{{ outputs = _: {{ host.config.networking.hostName = \"inside\"; thing = derivation {{ name = \"thing\"; \
         system = \"x86_64-linux\"; builder = \"/bin/sh\"; }} // {{ meta.description = \"{}\"; }}; }}; }}",
        folder.display()
    );
    std::fs::write(source.join("flake.nix"), flake).unwrap();
    let nix_text = nix.to_str().unwrap();
    let hash =
        run(folder, nix_text, &["--extra-experimental-features", "nix-command", "hash", "path", "source"]);
    let (origin, url, locked, original) = match kind {
        Kind::Archive => {
            run(folder, "tar", &["czf", "a.tar.gz", "source"]);
            let files = Files::of(folder.to_owned());
            let url = files.url("a.tar.gz");
            let original = json!({"type": "tarball", "url": url});
            (
                Origin::Files(files),
                url.clone(),
                json!({"narHash": hash, "type": "tarball", "url": url}),
                original,
            )
        }
        Kind::Repository => {
            run(&source, "git", &["init", "-q", "-b", "main"]);
            run(&source, "git", &["add", "."]);
            run(
                &source,
                "git",
                &["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "one"],
            );
            let revision = run(&source, "git", &["rev-parse", "HEAD"]);
            run(folder, "git", &["clone", "-q", "--bare", "source", "g.git"]);
            let seconds: u64 = run(&source, "git", &["log", "-1", "--format=%ct"]).parse().unwrap();
            // Free at this moment; another process could only take it by chance before the daemon does.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let url = format!("git://127.0.0.1:{port}/g.git");
            let locked = json!({
                "lastModified": seconds, "narHash": hash, "ref": "refs/heads/main", "rev": revision, "revCount": 1,
                "type": "git", "url": url,
            });
            let origin = Origin::Repositories { folder: folder.to_owned(), port, daemon: None };
            (origin, url.clone(), locked, json!({"type": "git", "url": url}))
        }
    };
    let flake = format!(
        "{{ inputs.i.url = \"{url}\"; outputs = {{ self, i }}: {{
             nixosConfigurations.web = i.host;
             devShells.x86_64-linux.i = i.thing;
             devShells.aarch64-linux.z = derivation {{ name = \"z\"; system = \"aarch64-linux\"; builder = \"/bin/sh\"; }}
               // {{ buildInputs = [ (abort \"for good\") i.thing ]; }};
             devShells.riscv64-linux.thrown = builtins.seq i.thing (throw \"for good\");
             legacyPackages.x86_64-linux.i = i.thing;
         }}; }}"
    );
    let lock = json!({
        "nodes": {"i": {"locked": locked, "original": original}, "root": {"inputs": {"i": "i"}}},
        "root": "root",
        "version": 7,
    });
    (Fleet::committed(nix, &[("flake.nix", &flake), ("flake.lock", &lock.to_string())]), origin, served)
}

fn ask(fleet: &Fleet, tool: &str, arguments: &Value) -> Value {
    let mut command = fleet.command(&["call", "--quiet", tool, &arguments.to_string()]);
    // By default Nix retries for five seconds.
    let output = command.env("NIX_CONFIG", "download-attempts = 1").output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no answer, but: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn an_input_that_was_not_reachable_is_tried_again() {
    let kinds = [Kind::Archive, Kind::Repository];
    for (nix, kind) in nixes().into_iter().flat_map(|nix| kinds.map(|kind| (nix.clone(), kind))) {
        let (fleet, mut origin, _served) = behind_a_server(&nix, kind);
        let hosts = || ask(&fleet, "list_hosts", &json!({}))["hosts"].clone();
        let outputs = || ask(&fleet, "flake_check", &json!({}))["outputs"].to_string();
        let shells =
            |system: &str| ask(&fleet, "list_devshells", &json!({"system": system}))["shells"].clone();
        let found = || ask(&fleet, "nix_search", &json!({"query": "thing"}))["results"].clone();
        let layout = || ask(&fleet, "inspect_disko", &json!({"host": "web"}))["error"].to_string();
        let in_vain = |message: &str| message.contains("fetch");
        assert!(hosts()[0]["error"].is_object());
        assert!(in_vain(&outputs()) && in_vain(&layout()));
        assert!(shells("x86_64-linux")[0]["error"].is_object());
        // A failure that lasts must not cause the other failure to be remembered.
        let down = shells("aarch64-linux");
        assert_eq!((&down[0]["unread"], &down[0]["error"]["code"]), (&json!(2), &json!("abort")), "{down:#}");
        let _nothing = found();
        origin.bring_up();
        let hosts = hosts();
        assert_eq!(hosts[0]["host_name"], "inside", "{kind:?}: {hosts:#}");
        let (shells, mixed) = (shells("x86_64-linux"), shells("aarch64-linux"));
        assert!(shells[0]["error"].is_null(), "{kind:?}: {shells:#}");
        assert_eq!(
            (&mixed[0]["unread"], &mixed[0]["packages"][0]["name"]),
            (&json!(1), &json!("thing")),
            "{mixed:#}"
        );
        let (outputs, layout) = (outputs(), layout());
        assert!(!in_vain(&outputs) && !in_vain(&layout), "{kind:?}: {outputs}\n{layout}");
        assert_eq!(found()[0]["attr"].as_str().unwrap().rsplit('.').next(), Some("i"), "{kind:?}");
    }
}

/// The kind of a failure alone does not show that it lasts, since a fetch may have caused it.
#[test]
fn a_failure_that_lasts_is_not_remembered_of_an_evaluation_that_fetched() {
    for nix in nixes() {
        let (fleet, mut origin, _served) = behind_a_server(&nix, Kind::Archive);
        origin.bring_up();
        let counted = fleet.count_evaluations();
        let evaluations = || {
            let shells = ask(&fleet, "list_devshells", &json!({"system": "riscv64-linux"}))["shells"].clone();
            assert_eq!(shells[0]["error"]["code"], "throw", "{shells:#}");
            counted()
        };
        let fetched = evaluations();
        let anew = evaluations();
        assert!(anew > fetched, "it was remembered though it fetched");
        assert_eq!(evaluations(), anew, "it was not remembered though nothing was fetched");
    }
}

/// A change of what Nix reads that neither Git nor a comparison of times reveals.
type Change = fn(&Fleet);

fn set_back(fleet: &Fleet, path: &str, text: &str) {
    let path = fleet.folder().join(path);
    let reference = fleet.write_outside("reference", "");
    let times = |of: &Path, to: &Path| {
        run(&fleet.folder(), "touch", &["-r", of.to_str().unwrap(), to.to_str().unwrap()])
    };
    times(&path, &reference);
    std::fs::write(&path, text).unwrap();
    times(&reference, &path);
}

const CHANGES: &[(&str, Change)] = &[
    ("skip-worktree", |fleet| {
        fleet.git(&["update-index", "--skip-worktree", "value.nix"]);
        fleet.write("value.nix", "\"two\"\n");
    }),
    ("assume-unchanged", |fleet| {
        fleet.git(&["update-index", "--assume-unchanged", "value.nix"]);
        fleet.write("value.nix", "\"two\"\n");
    }),
    ("skip-worktree, removed", |fleet| {
        fleet.git(&["update-index", "--skip-worktree", "value.nix"]);
        std::fs::remove_file(fleet.folder().join("value.nix")).unwrap();
    }),
    ("sparse checkout", |fleet| {
        fleet.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/value.nix"]);
    }),
    ("times set back", |fleet| {
        fleet.git(&["config", "core.trustctime", "false"]);
        fleet.git(&["config", "core.checkStat", "minimal"]);
        set_back(fleet, "value.nix", "\"two\"\n");
    }),
    ("another file in its place, times set back", |fleet| {
        fleet.git(&["config", "core.trustctime", "false"]);
        fleet.git(&["config", "core.checkStat", "minimal"]);
        std::fs::rename(fleet.folder().join("value.nix"), fleet.folder().join("old")).unwrap();
        std::fs::copy(fleet.folder().join("old"), fleet.folder().join("value.nix")).unwrap();
        set_back(fleet, "value.nix", "\"two\"\n");
    }),
    ("a filter of the user's", |fleet| {
        // The filter makes "two" look like "one".
        std::fs::write(fleet.home().join(".gitconfig"), "[filter \"f\"]\nclean = sed s/two/one/\n").unwrap();
        fleet.write(".git/info/attributes", "value.nix filter=f\n");
        fleet.write("value.nix", "\"two\"\n");
    }),
    ("line ends", |fleet| {
        fleet.git(&["config", "core.autocrlf", "input"]);
        fleet.write("text", "a\r\n");
    }),
    ("permissions that are not looked at", |fleet| {
        fleet.git(&["config", "core.fileMode", "false"]);
        run(&fleet.folder(), "chmod", &["+x", "text"]);
    }),
    ("links that are files", |fleet| {
        fleet.git(&["config", "core.symlinks", "false"]);
        std::fs::remove_file(fleet.folder().join("link")).unwrap();
        fleet.write("link", "text");
    }),
    ("a file to be added", |fleet| {
        fleet.write("folder/new", "");
        fleet.git(&["add", "--intent-to-add", "folder/new"]);
    }),
    ("a folder that is a link", |fleet| {
        std::fs::rename(fleet.folder().join("folder"), fleet.folder().join("moved")).unwrap();
        std::os::unix::fs::symlink("moved", fleet.folder().join("folder")).unwrap();
    }),
    ("a commit with nothing in it", |fleet| {
        fleet.git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    }),
    ("a setting of Nix", |fleet| {
        let folder = fleet.home().join(".config/nix");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("nix.conf"), "include more.conf\n").unwrap();
        std::fs::write(folder.join("more.conf"), "max-call-depth = 1000\n").unwrap();
    }),
];

/// A fleet whose host's name contains everything that Nix could distinguish: contents, kinds, permissions, names, the
/// commit.
fn telling(nix: &Path) -> Fleet {
    let flake = "{ outputs = { self }: { nixosConfigurations.web.config.networking.hostName =
        builtins.concatStringsSep \" \" [
            (import ./value.nix)
            (toString (builtins.stringLength (builtins.readFile ./text)))
            (builtins.unsafeDiscardStringContext (builtins.baseNameOf \"${./text}\"))
            (builtins.readFileType ./link)
            (toString (builtins.attrNames (builtins.readDir ./folder)))
            (self.rev or self.dirtyRev)
            (let deep = number: if number == 0 then \"deep\" else deep (number - 1); in deep 2000)
        ];
    }; }";
    let fleet = Fleet::plain(
        nix,
        &[("flake.nix", flake), ("value.nix", "\"one\"\n"), ("text", "a\n"), ("folder/a", ""), ("other", "")],
    );
    std::os::unix::fs::symlink("text", fleet.folder().join("link")).unwrap();
    fleet.git(&["init", "-q"]);
    fleet.git(&["add", "."]);
    fleet.git(&["commit", "-qm", "a fleet"]);
    fleet
}

fn name(fleet: &Fleet) -> Value {
    fleet.call("list_hosts", &json!({})).json["hosts"][0]["host_name"].clone()
}

/// What a Nix without a cache evaluates. With one it would use what it remembers of a commit, whatever the files
/// contain.
fn by_hand(fleet: &Fleet, nix: &Path) -> Value {
    let forgetful = tempfile::tempdir().unwrap();
    let told = Command::new(nix)
        .args(["--extra-experimental-features", "nix-command flakes", "eval", "--raw"])
        .arg(".#nixosConfigurations.web.config.networking.hostName")
        .current_dir(fleet.folder())
        .env("HOME", fleet.home())
        .env("NIX_CACHE_HOME", forgetful.path())
        .output()
        .unwrap();
    if told.status.success() { String::from_utf8(told.stdout).unwrap().into() } else { Value::Null }
}

fn assert_seen(fleet: &Fleet, nix: &Path, what: &str, change: Change) {
    let before = name(fleet);
    assert_eq!((name(fleet), before.is_string()), (by_hand(fleet, nix), true), "{what}");
    change(fleet);
    let after = by_hand(fleet, nix);
    assert_ne!(after, before, "{what}: nothing that Nix sees was changed");
    assert_eq!(name(fleet), after, "{what}, {}", nix.display());
    assert_eq!(name(fleet), after, "{what}, remembered");
}

#[test]
fn whatever_nix_sees_is_seen() {
    for nix in nixes() {
        for (what, change) in CHANGES {
            assert_seen(&telling(&nix), &nix, what, *change);
        }
    }
}

#[test]
fn settings_of_git_that_nix_goes_by_count() {
    for nix in nixes() {
        let fleet = telling(&nix);
        run(&fleet.folder(), "chmod", &["+x", "other"]);
        fleet.git(&["config", "--unset", "core.fileMode"]);
        assert_seen(&fleet, &nix, "one that is included", |fleet| {
            std::fs::write(fleet.home().join(".gitconfig"), "[include]\npath = more\n").unwrap();
            std::fs::write(fleet.home().join("more"), "[core]\nfileMode = false\n").unwrap();
        });
    }
}

/// Such an input is pinned to the hash of its content as long as the content is in the store. Without it Nix reads the
/// input again.
#[test]
fn an_input_with_uncommitted_changes_is_looked_at() {
    for nix in nixes() {
        let scratch = tempfile::tempdir().unwrap();
        let input = scratch.path();
        let write = |name: &str| {
            let flake = format!("{{ outputs = _: {{ host.config.networking.hostName = \"{name}\"; }}; }}");
            std::fs::write(input.join("flake.nix"), format!("# {}\n{flake}", input.display())).unwrap();
        };
        write("committed");
        run(input, "git", &["init", "-q", "-b", "main"]);
        run(input, "git", &["add", "."]);
        run(input, "git", &["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "one"]);
        write("dirty");
        let flake = format!(
            "{{ inputs.i.url = \"git+file://{}\"; outputs = {{ self, i }}: {{ nixosConfigurations.web = i.host; }}; }}",
            input.display()
        );
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
        std::fs::create_dir_all(fleet.home().join(".config/nix")).unwrap();
        std::fs::write(
            fleet.home().join(".config/nix/nix.conf"),
            "experimental-features = nix-command flakes\nallow-dirty-locks = true\n",
        )
        .unwrap();
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{locked:?}");
        fleet.git(&["add", "."]);
        fleet.git(&["commit", "-qm", "locked"]);
        assert_eq!((name(&fleet), by_hand(&fleet, &nix)), (json!("dirty"), json!("dirty")));
        write("changed");
        assert_eq!(name(&fleet), by_hand(&fleet, &nix));
        let inputs = fleet.by_hand(&["flake", "archive", "--json", "--dry-run"]);
        let inputs: Value = serde_json::from_slice(&inputs.stdout).unwrap();
        let deleted = fleet.by_hand(&["store", "delete", inputs["inputs"]["i"]["path"].as_str().unwrap()]);
        assert!(deleted.status.success(), "{deleted:?}");
        assert_eq!(by_hand(&fleet, &nix), Value::Null, "the hash of what it holds now is another one");
        assert_eq!(name(&fleet), Value::Null);
        write("dirty");
        assert_eq!((name(&fleet), by_hand(&fleet, &nix)), (json!("dirty"), json!("dirty")));
    }
}

#[test]
fn a_hidden_syntax_error_is_found() {
    let flake = "{ outputs = _: { lib = import ./lib.nix; checks = import ./lib.nix; }; }";
    // Nix may be asked for submodules, whose content is unknown: this program remembers no answer, and only Nix does.
    let with_submodules = format!("# submodules\n{flake}");
    for files in [vec![("flake.nix", flake)], vec![("flake.nix", &with_submodules), (".gitmodules", "")]] {
        let files = [vec![("lib.nix", "{ }")], files].concat();
        let fleet = Fleet::committed(&nixes().remove(0), &files);
        let check = || fleet.call("flake_check", &json!({})).json["ok"].clone();
        assert_eq!(check(), true);
        fleet.git(&["update-index", "--skip-worktree", "lib.nix"]);
        fleet.write("lib.nix", "{ ");
        assert_ne!(check(), true, "{files:?}");
    }
}

/// For a commit, Nix 2.26 returns what it first saw under the commit's name, here a work tree with a hidden change.
#[test]
fn a_commit_is_never_what_nix_saw_of_a_work_tree() {
    for nix in nixes() {
        let fleet = Fleet::committed(
            &nix,
            &[("flake.nix", "{ outputs = _: { checks = import ./checks.nix; }; }"), ("checks.nix", "{ }")],
        );
        fleet.git(&["update-index", "--skip-worktree", "checks.nix"]);
        fleet.write("checks.nix", "{ ");
        let looked = fleet.by_hand(&["eval", ".#checks"]);
        assert!(!looked.status.success(), "{looked:?}");
        let answer = fleet.call("flake_check", &json!({"rev": "HEAD"})).json;
        assert_eq!(answer["ok"], true, "{}: {answer}", nix.display());
        assert_ne!(fleet.call("flake_check", &json!({})).json["ok"], true);
        // The work tree equals the commit again.
        fleet.write("checks.nix", "{ }");
        let answer = fleet.call("flake_check", &json!({})).json;
        assert_eq!(answer["ok"], true, "{}: {answer}", nix.display());
    }
}

/// Nix's cache of such a state is in a folder of the server, which is removed however the server ends.
#[test]
fn what_nix_remembers_of_a_hidden_change_does_not_stay() {
    let fleet = Fleet::committed(
        &nixes().remove(0),
        &[("flake.nix", "{ outputs = _: { checks = import ./checks.nix; }; }"), ("checks.nix", "{ }")],
    );
    fleet.git(&["update-index", "--skip-worktree", "checks.nix"]);
    let scratch = tempfile::tempdir().unwrap();
    let left = || {
        let names = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_str().unwrap().starts_with("pantheros-")).collect::<Vec<_>>()
    };
    let serving = || {
        let mut command = fleet.command(&["serve"]);
        command.env("TMPDIR", scratch.path());
        let mut server = Client::of(command);
        server.initialize("2025-11-25");
        server.notify("notifications/initialized", json!({}));
        server
    };
    let asked = |end: Signal| {
        let mut server = serving();
        // Content without a remembered answer, so that Nix is called.
        fleet.write("checks.nix", &format!("{{ }} // {{ }} # {end:?}"));
        let answer = server.call("flake_check", json!({}));
        assert_eq!(answer["result"]["structuredContent"]["ok"], true, "{answer}");
        assert_eq!(left().len(), 1, "what Nix remembers");
        server
    };
    for end in [Signal::TERM, Signal::INT] {
        let mut server = asked(end);
        server.signal(end);
        server.ends();
        assert!(left().is_empty(), "{:?}", left());
    }
    let mut server = asked(Signal::KILL);
    server.signal(Signal::KILL);
    server.ends();
    assert_eq!(left().len(), 1);
    let next = serving();
    wait_until("the folder to go", || left().is_empty());
    drop(next);
}

#[test]
fn a_cache_that_others_can_write_is_not_used_and_said_so() {
    let fleet = telling(&nixes().remove(0));
    let before = name(&fleet);
    let folder = fleet.home().join("cache/pantheros");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let output = fleet.command(&["call", "--quiet", "list_hosts"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("the evaluation cache on disk is not used"), "{said}");
    assert!(said.contains(folder.to_str().unwrap()) && said.contains("chmod go-w"), "{said}");
    assert_eq!(name(&fleet), before);
}

/// Outside of a repository, `self.lastModified` is the time of the newest file in the folder.
#[test]
fn the_newest_time_of_a_plain_folder_is_seen() {
    let flake = "{ outputs = { self }: { nixosConfigurations.web.config.networking.hostName = toString self.lastModified; }; }";
    for nix in nixes() {
        let fleet = Fleet::plain(&nix, &[("flake.nix", flake), ("inner/deep/file", "")]);
        let touch = |path: &str, seconds: u64| {
            run(&fleet.folder(), "touch", &["-h", "-d", &format!("@{seconds}"), path]);
        };
        let told = || {
            let hosts = ask(&fleet, "list_hosts", &json!({"host": "web"}))["hosts"].clone();
            hosts[0]["host_name"].as_str().unwrap_or_else(|| panic!("{hosts:#}")).to_owned()
        };
        std::os::unix::fs::symlink("nowhere", fleet.folder().join("link")).unwrap();
        let all = ["link", "inner/deep/file", "flake.nix", "inner/deep", "inner", "."];
        all.iter().for_each(|path| touch(path, 1_000_000_000));
        assert_eq!(told(), "1000000000");
        for (path, seconds) in all.iter().zip(1_100_000_000..) {
            touch(path, seconds);
            assert_eq!(told(), seconds.to_string(), "{path}");
        }
    }
}

/// A file that has another content only while Nix reads it.
#[test]
fn what_was_there_for_a_moment_is_not_remembered() {
    let flake = "{ outputs = _: { nixosConfigurations.web.config.networking.hostName = builtins.readFile ./value; }; }";
    let files = [("flake.nix", flake), ("value", "lasting")];
    for (nix, in_git) in nixes().into_iter().flat_map(|nix| [(nix.clone(), true), (nix, false)]) {
        let fleet = if in_git { Fleet::committed(&nix, &files) } else { Fleet::plain(&nix, &files) };
        let swapping = fleet.write_outside("swapping", "");
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = eval ] && [ -e {swapping:?} ] || exec {nix:?} \"$@\"\n\
             printf passing >{value:?}\n{nix:?} \"$@\"\ncode=$?\nprintf lasting >{value:?}\nexit $code\n",
            value = fleet.folder().join("value"),
        );
        let program = fleet.write_outside("nix-that-swaps", &script);
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {program:?}\n"));
        let told = |arguments: &Value| ask(&fleet, "list_hosts", arguments)["hosts"][0]["host_name"].clone();
        for arguments in [json!({"host": "web"}), json!({"wait": true})] {
            std::fs::write(&swapping, "").unwrap();
            assert_eq!(told(&arguments), "passing", "the file is not swapped");
            std::fs::remove_file(&swapping).unwrap();
            assert_eq!(told(&arguments), "lasting", "in a repository: {in_git}");
            // Changes the state of the flake, so that the remembered answer does not apply.
            fleet.write("more", &arguments.to_string());
            fleet.write("flake.nix", &format!("{flake}\n# {arguments}\n"));
        }
    }
}
