//! Checking, building and planning a revision use its committed content, and give the same result each time.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::fleet::{Answer, Fleet, nixes};
use crate::common::site::Site;
use serde_json::{Value, json};

/// A host whose system is named by the content of a file beside the flake.
const FLAKE: &str = r#"{
  outputs = _: {
    nixosConfigurations.web.config.system.build.toplevel = derivation {
      name = "system-${builtins.readFile ./version}";
      system = "x86_64-linux";
      builder = "/bin/sh";
      args = [ "-c" "echo >$out" ];
    };
  };
}"#;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"])
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Calls a tool on the flake in this folder, with the settings and the cache of `fleet`.
fn call(fleet: &Fleet, flake: &Path, tool: &str, arguments: &Value) -> Answer {
    let mut command = Command::new(crate::common::fleet::PROGRAM);
    let settings = fleet.folder().with_file_name("pantheros.toml");
    command.arg("--flake").arg(flake).arg("--config").arg(settings);
    command.args(["call", "--quiet", tool, &arguments.to_string()]);
    let home = fleet.folder().with_file_name("home");
    command.env("HOME", &home).env("XDG_CACHE_HOME", home.join("cache")).env_remove("PANTHEROS_FLAKE");
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap();
    Answer { code: output.status.code().unwrap(), json }
}

/// Creates a repository with the flake in `below`: a first commit with a tag and a branch, a second on main, a third on
/// no branch, and a work tree that equals none of them. Returns the three commits.
fn repository(root: &Path, below: &str) -> [String; 3] {
    let flake = root.join(below);
    std::fs::create_dir_all(&flake).unwrap();
    git(root, &["init", "-q"]);
    let version = |version: &str| std::fs::write(flake.join("version"), version).unwrap();
    std::fs::write(flake.join("flake.nix"), FLAKE).unwrap();
    version("one");
    git(root, &["add", "."]);
    git(root, &["commit", "-qm", "one"]);
    let one = git(root, &["rev-parse", "HEAD"]);
    git(root, &["tag", "-am", "first", "v1"]);
    git(root, &["branch", "old"]);
    version("two");
    git(root, &["commit", "-qam", "two"]);
    let two = git(root, &["rev-parse", "HEAD"]);
    git(root, &["checkout", "-q", "--detach"]);
    version("three");
    git(root, &["commit", "-qam", "three"]);
    let three = git(root, &["rev-parse", "HEAD"]);
    git(root, &["checkout", "-q", "main"]);
    version("dirty");
    [one, two, three]
}

/// The derivation path, output path and revision of host `web`. Fails unless `flake_check` and `build_host` agree on
/// them.
fn derivation(fleet: &Fleet, flake: &Path, rev: Option<&str>) -> (String, String, Value) {
    let with = |mut arguments: Value| {
        if let Some(rev) = rev {
            arguments["rev"] = rev.into();
        }
        arguments
    };
    let checked = call(fleet, flake, "flake_check", &with(json!({"host": "web"})));
    let built = call(fleet, flake, "build_host", &with(json!({"host": "web", "dry_run": true})));
    assert_eq!((checked.code, built.code), (0, 0), "{rev:?}: {:#} {:#}", checked.json, built.json);
    assert_eq!(checked.json["outputs"][0]["drv_path"], built.json["drv_path"], "{rev:?}");
    assert_eq!(checked.json["revision"], built.json["revision"], "{rev:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&built.json["drv_path"]), text(&built.json["out_path"]), built.json["revision"].clone())
}

#[test]
fn a_revision_is_what_is_committed_wherever_the_flake_lies() {
    for nix in nixes() {
        for below in ["", "hosts and more/flake"] {
            let fleet = Fleet::plain(&nix, &[]);
            let root = fleet.folder();
            let [one, two, three] = repository(&root, below);
            let flake = root.join(below);
            for (rev, commit, version) in [
                ("v1", &one, "one"),
                ("old", &one, "one"),
                (&one[..10], &one, "one"),
                ("HEAD", &two, "two"),
                ("main", &two, "two"),
                ("refs/heads/main", &two, "two"),
                (three.as_str(), &three, "three"),
            ] {
                let (_, path, revision) = derivation(&fleet, &flake, Some(rev));
                assert!(path.ends_with(&format!("-system-{version}")), "{rev} gives {path}");
                assert_eq!(revision, json!(commit), "{rev}");
            }
            let (_, path, revision) = derivation(&fleet, &flake, None);
            assert!(path.ends_with("-system-dirty") && revision.is_null(), "{path}");

            // Answers about a commit stay remembered, whatever happens to the work tree.
            let answers = |cache: PathBuf| std::fs::read_dir(cache).unwrap().count();
            let cache = fleet.folder().with_file_name("home").join("cache/pantheros/answers");
            let before = answers(cache.clone());
            std::fs::write(flake.join("flake.nix"), "{ syntax error").unwrap();
            let (known, _, _) = derivation(&fleet, &flake, Some("HEAD"));
            assert_eq!(answers(cache), before);
            std::fs::remove_file(flake.join("flake.nix")).unwrap();
            git(&root, &["rm", "-q", "--cached", "-r", "."]);
            assert_eq!(derivation(&fleet, &flake, Some(&two)).0, known);

            // A clone with only one commit, and a second work tree of the repository.
            let shallow = root.with_file_name("shallow");
            let url = format!("file://{}", root.display());
            git(&root, &["clone", "-q", "--depth", "1", &url, shallow.to_str().unwrap()]);
            assert_eq!(derivation(&fleet, &shallow.join(below), Some("HEAD")).0, known);
            let beside = root.with_file_name("beside");
            git(&root, &["worktree", "add", "-q", "--detach", beside.to_str().unwrap(), &one]);
            assert_eq!(derivation(&fleet, &beside.join(below), Some("main")).0, known);
        }
    }
}

/// The position of an error in a commit does not depend on the files in the work tree.
#[test]
fn an_error_in_a_commit_has_its_place_in_the_repository() {
    for nix in nixes() {
        for below in ["", "hosts and more/flake"] {
            let fleet = Fleet::plain(&nix, &[]);
            let root = fleet.folder();
            let [one, ..] = repository(&root, below);
            git(&root, &["checkout", "-qf", &one]);
            let flake = root.join(below);
            let broken = "{\n  config.system.build.toplevel =\n    throw \"not today\";\n}\n";
            let text =
                FLAKE.replace("outputs = _: {", "outputs = _: { nixosConfigurations.db = import ./db.nix;");
            std::fs::write(flake.join("flake.nix"), text).unwrap();
            std::fs::write(flake.join("db.nix"), broken).unwrap();
            git(&root, &["add", "."]);
            git(&root, &["commit", "-qm", "break a host"]);
            let place = || {
                let answer = call(&fleet, &flake, "flake_check", &json!({"host": "db", "rev": "HEAD"})).json;
                let error = answer["outputs"][0]["error"].clone();
                assert_eq!(error["code"], "throw", "{answer:#}");
                assert!(!answer.to_string().contains("-source/"), "{answer:#}");
                (error["file"].clone(), error["line"].clone())
            };
            let expected = (json!("db.nix"), json!(3));
            assert_eq!(place(), expected, "as it is committed");
            // No answer is remembered about a new commit.
            let commit = || git(&root, &["commit", "-q", "--allow-empty", "-m", "again"]);
            commit();
            std::fs::write(flake.join("db.nix"), "{ }").unwrap();
            std::fs::write(flake.join("flake.nix"), FLAKE).unwrap();
            assert_eq!(place(), expected, "changed since");
            commit();
            std::fs::remove_file(flake.join("db.nix")).unwrap();
            assert_eq!(place(), expected, "gone since");
        }
    }
}

#[test]
fn a_revision_that_is_none_is_a_clear_error() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::plain(&nix, &[]);
    let root = fleet.folder();
    std::fs::write(root.join("flake.nix"), FLAKE).unwrap();
    let error = |rev: &str| {
        let answer = call(&fleet, &root, "flake_check", &json!({"rev": rev}));
        assert_ne!(answer.code, 0, "{rev}: {:#}", answer.json);
        answer.json["error"].clone()
    };
    let none = error("main");
    assert_eq!(none["code"], "invalid_input", "{none:#}");
    assert!(none["message"].as_str().unwrap().contains("not in a Git repository"), "{none:#}");

    let [one, _, _] = repository(&root, "");
    let unknown = error("mian");
    assert!(unknown["message"].as_str().unwrap().contains("no commit, branch or tag `mian`"), "{unknown:#}");
    assert_eq!((&unknown["suggestions"][0], &unknown["attr"]), (&json!("main"), &json!("rev")));
    assert!(error(&"0".repeat(40))["message"].as_str().unwrap().contains("no commit"));
    for reckoned in ["--all", "main~1", "main^{tree}", "@{1}", "main:flake.nix", "a b", "a?dir=b"] {
        assert_eq!(error(reckoned)["code"], "invalid_input", "{reckoned}");
    }
    git(&root, &["tag", "old", "main"]);
    let two = error("old");
    assert!(two["message"].as_str().unwrap().contains("a branch and of a tag"), "{two:#}");
    assert_eq!(two["suggestions"], json!(["refs/heads/old", "refs/tags/old"]));
    assert!(call(&fleet, &root, "flake_check", &json!({"rev": "refs/tags/old"})).code == 0);
    // A file that was never committed is missing. The answer does not suggest `git add`, which would not change the
    // commit.
    git(&root, &["checkout", "-qf", &one]);
    std::fs::write(root.join("flake.nix"), FLAKE.replace("./version", "./later")).unwrap();
    git(&root, &["commit", "-qam", "names a file"]);
    std::fs::write(root.join("later"), "later").unwrap();
    let answer = call(&fleet, &root, "flake_check", &json!({"rev": "HEAD"}));
    let told = answer.json.to_string();
    assert!(answer.code == 1 && told.contains("later") && !told.contains("git add"), "{:#}", answer.json);

    git(&root, &["rm", "-qf", "flake.nix"]);
    git(&root, &["commit", "-qm", "without a flake"]);
    assert_eq!(error("HEAD")["code"], "flake_not_found");
    // An input that is locked to uncommitted changes is not committed content.
    let lock = json!({"version": 7, "root": "root", "nodes": {"root": {"inputs": {"a": "a"}}, "a": {
        "locked": {"type": "git", "url": "file:///a", "dirtyRev": "0-dirty", "narHash": "sha256-"},
        "original": {"type": "git", "url": "file:///a"}}}});
    std::fs::write(root.join("flake.nix"), FLAKE).unwrap();
    std::fs::write(root.join("flake.lock"), lock.to_string()).unwrap();
    git(&root, &["add", "."]);
    git(&root, &["commit", "-qm", "an input that is not pinned"]);
    assert_eq!(error("HEAD")["code"], "lock_file_outdated");
}

/// The environment of the caller can make Git trace itself, or can be that of a Git hook.
#[test]
fn what_git_says_besides_is_no_answer() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::plain(&nix, &[]);
    let root = fleet.folder();
    let [one, ..] = repository(&root, "");
    let other = root.with_file_name("other");
    repository(&other, "");
    std::fs::write(other.join(".git/info/grafts"), "").unwrap();
    // Grafts are deprecated, so Git prints a hint each time.
    std::fs::write(root.join(".git/info/grafts"), one.clone() + "\n").unwrap();
    let settings = root.with_file_name("gitconfig");
    std::fs::write(&settings, "[trace2]\n\tnormalTarget = 1\n\teventTarget = 1\n\tperfTarget = 1\n").unwrap();
    let other = other.join(".git").to_str().unwrap().to_owned();
    for (name, value) in [
        ("LC_ALL", "C"),
        ("GIT_TRACE", "1"),
        ("GIT_TRACE2", "1"),
        ("GIT_TRACE2_EVENT", "1"),
        ("GIT_TRACE_SETUP", "2"),
        ("GIT_TRACE_REFS", "1"),
        ("GIT_CONFIG_GLOBAL", settings.to_str().unwrap()),
        ("GIT_DIR", &other),
        ("GIT_SHALLOW_FILE", "/nonexistent/shallow"),
        ("GIT_QUARANTINE_PATH", "/nonexistent"),
        ("GIT_NO_SUCH_THING", "1"),
    ] {
        let error = |rev: &str, tool: &str| {
            let arguments = json!({"rev": rev, "host": "web"}).to_string();
            let mut command = fleet.command(&["call", "--quiet", tool, &arguments]);
            command.env(name, value);
            let output = command.output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(output.status.success(), answer["error"].is_null(), "{name}: {answer:#}");
            answer
        };
        let known = error("v1", "flake_check");
        assert_eq!(known["revision"], json!(one), "{name}: {known:#}");
        let unknown = error("mian", "flake_check");
        assert_eq!(unknown["error"]["suggestions"][0], json!("main"), "{name}: {unknown:#}");
    }
}

/// Whoever can write to a repository can write to its configuration.
#[test]
fn finding_a_revision_runs_nothing() {
    let nix = nixes().pop().unwrap();
    let fleet = Fleet::plain(&nix, &[]);
    let root = fleet.folder();
    repository(&root, "");
    let ran = root.with_file_name("ran");
    let program = root.with_file_name("program");
    std::fs::write(&program, format!("#!/bin/sh\necho \"$0 $*\" >>{}\n", ran.display())).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
    let program = program.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.hooksPath",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "alias.rev-parse",
        "alias.cat-file",
        "alias.for-each-ref",
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "diff.external",
        "diff.x.textconv",
        "credential.helper",
        "gpg.program",
        "uploadpack.packObjectsHook",
    ] {
        git(&root, &["config", key, program]);
    }
    std::fs::write(root.join(".git/info/attributes"), "* filter=x diff=x\n").unwrap();
    for rev in ["v1", "HEAD", "nothing-has-this-name"] {
        call(&fleet, &root, "build_host", &json!({"host": "web", "dry_run": true, "rev": rev}));
    }
    assert!(!ran.exists(), "{}", std::fs::read_to_string(&ran).unwrap());
}

/// Another assistant edits the tree while a plan is made, and after.
#[test]
fn a_plan_of_a_revision_holds_nothing_else() {
    let nix = nixes().pop().unwrap();
    let mut site = Site::start(&nix, &["web"], &json!({}));
    let committed = site.toplevel("web");
    let facts = std::fs::read_to_string(site.fleet.folder().join("fleet.json")).unwrap();
    site.fleet.write("fleet.json", &facts.replace("\"revision\":\"2\"", "\"revision\":\"edited\""));
    site.fleet.write("more.nix", "{ }");
    site.fleet.git(&["add", "more.nix"]);

    // A plan of the work tree names the uncommitted files.
    let dirty = site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}));
    assert_eq!((dirty.code, &dirty.json["dirty"]), (0, &json!(true)), "{:#}", dirty.json);
    assert_eq!(dirty.json["dirty_files"], json!(["fleet.json", "more.nix"]), "{:#}", dirty.json);
    let shown = |answer: &Answer| {
        let id = answer.json["plan_id"].as_str().unwrap();
        String::from_utf8(site.fleet.command(&["plans", id]).output().unwrap().stdout).unwrap()
    };
    assert!(shown(&dirty).contains("changed fleet.json, more.nix"), "{}", shown(&dirty));

    let planned = site.fleet.call("plan_deploy", &json!({"hosts": ["web"], "rev": "main"}));
    let json = &planned.json;
    assert_eq!(
        (planned.code, &json["dirty"], &json["asked_rev"]),
        (0, &json!(false), &json!("main")),
        "{json:#}"
    );
    assert_eq!(json["hosts"][0]["toplevel"], json!(committed), "{json:#}");
    let commit = git(&site.fleet.folder(), &["rev-parse", "main"]);
    assert_eq!(json["revision"], json!(commit));
    assert!(shown(&planned).contains("requested as main") && !shown(&planned).contains("changed"));
    let built = site.fleet.call("build_host", &json!({"host": "web", "rev": "main"}));
    assert_eq!((&built.json["out_path"], &built.json["revision"]), (&json!(committed), &json!(commit)));
    let checked = site.fleet.call("flake_check", &json!({"host": "web", "rev": "main"}));
    assert_eq!(checked.json["outputs"][0]["drv_path"], built.json["drv_path"], "{:#}", checked.json);

    // The branch moves on and the tree is edited, but the approved commit is deployed.
    let plan = json["plan_id"].as_str().unwrap().to_owned();
    site.fleet.git(&["commit", "-qam", "what was edited"]);
    site.fleet.write("fleet.json", "no JSON");
    assert!(site.approve(&plan).status.success());
    let deployed = site.deploy(&plan);
    assert_eq!(deployed.json["hosts"][0]["state"], "confirmed", "{:#}", deployed.json);
    site.settled("web", &committed, &committed);
}

#[test]
fn settings_can_demand_that_all_is_committed() {
    let nix = nixes().pop().unwrap();
    let site = Site::start(&nix, &["web"], &json!({}));
    let plan = |arguments: Value| site.fleet.call("plan_deploy", &arguments);
    // The setting only narrows, so it counts beside the flake although nobody trusted the file.
    site.fleet.write("pantheros.toml", "[deploy]\nclean = true\n");
    assert_eq!(plan(json!({"hosts": ["web"]})).code, 0, "Nix does not see an untracked file");
    site.fleet.write("facts.nix", "{ config }: { }");
    for hidden in [false, true] {
        if hidden {
            site.fleet.git(&["update-index", "--skip-worktree", "facts.nix"]);
        }
        let refused = plan(json!({"hosts": ["web"]}));
        let error = &refused.json["error"];
        assert_eq!((refused.code, refused.error_code()), (1, "dirty_flake"), "{error:#}");
        assert!(error["message"].as_str().unwrap().contains("facts.nix"), "{error:#}");
        assert!(error["hint"].as_str().unwrap().contains("`rev`"), "{error:#}");
    }
    site.fleet.git(&["update-index", "--no-skip-worktree", "facts.nix"]);
    // Git shows another commit in place of this one; Nix does not.
    site.fleet.git(&["tag", "shown"]);
    site.fleet.git(&["commit", "-qam", "two"]);
    site.fleet.git(&["replace", "HEAD", "shown"]);
    site.fleet.git(&["checkout", "-q", "shown", "--", "."]);
    let refused = plan(json!({"hosts": ["web"]}));
    assert_eq!(refused.error_code(), "dirty_flake", "{:#}", refused.json);
    site.fleet.git(&["replace", "-d", "HEAD"]);
    site.fleet.git(&["reset", "-q", "--hard", "shown"]);

    assert_eq!(plan(json!({"hosts": ["web"], "rev": "HEAD"})).code, 0);
    let line = ["deploy", "web", "--dry-run", "--rev", "HEAD"];
    let told = site.fleet.command(&line).stdin(Stdio::null()).output().unwrap();
    assert_eq!(told.status.code(), Some(0), "{}", crate::common::fleet::errors(&told));

    // The settings of hosts are part of the plan, so they have to be committed.
    site.fleet.write("pantheros.toml", "[deploy]\nclean = true\n[hosts.web]\nrollback_timeout = 7\n");
    let refused = plan(json!({"hosts": ["web"], "rev": "HEAD"}));
    assert_eq!(refused.error_code(), "invalid_settings", "{:#}", refused.json);
    site.fleet.git(&["add", "pantheros.toml"]);
    site.fleet.git(&["commit", "-qm", "settings"]);
    assert_eq!(plan(json!({"hosts": ["web"], "rev": "HEAD"})).code, 0);
    assert_eq!(plan(json!({"hosts": ["web"], "rev": "HEAD~1"})).error_code(), "invalid_input");
}

/// Nix locks such an input by the hash of its content, which is in no commit.
#[test]
fn an_input_that_no_commit_holds_is_planned_by_name() {
    for nix in nixes() {
        let site = Site::start(&nix, &["web"], &json!({}));
        let input = site.fleet.folder().with_file_name("input");
        std::fs::create_dir(&input).unwrap();
        let write = |version: &str| {
            let text = format!("{{ outputs = _: {{ version = \"{version}\"; }}; }} # {}\n", input.display());
            std::fs::write(input.join("flake.nix"), text).unwrap();
        };
        write("committed");
        git(&input, &["init", "-q"]);
        git(&input, &["add", "."]);
        git(&input, &["commit", "-qm", "one"]);
        write("dirty");
        std::fs::create_dir_all(site.fleet.home().join(".config/nix")).unwrap();
        std::fs::write(
            site.fleet.home().join(".config/nix/nix.conf"),
            "experimental-features = nix-command flakes\nallow-dirty-locks = true\n",
        )
        .unwrap();
        let flake = std::fs::read_to_string(site.fleet.folder().join("flake.nix")).unwrap();
        let url = format!("inputs.modules.url = \"git+file://{}\"; outputs = inputs:", input.display());
        let flake = flake
            .replace("outputs = _:", &url)
            .replace("nixos-system-${host}", "nixos-system-${inputs.modules.version}-${host}");
        site.fleet.write("flake.nix", &flake);
        let lock = || {
            let locked = site.fleet.by_hand(&["flake", "update"]);
            assert!(locked.status.success(), "{}", crate::common::fleet::errors(&locked));
            site.fleet.git(&["add", "."]);
            site.fleet.git(&["commit", "-qm", "lock"]);
        };
        lock();
        let plan = |settings: &str| {
            site.fleet.write("pantheros.toml", settings);
            site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}))
        };
        let planned = plan("");
        let json = &planned.json;
        let said = (&json["dirty"], &json["dirty_files"], &json["dirty_inputs"]);
        assert_eq!(said, (&json!(true), &Value::Null, &json!(["modules"])), "{json:#}");
        let built = json["hosts"][0]["toplevel"].as_str().unwrap();
        assert!(built.contains("nixos-system-dirty-web"), "{built}");
        assert!(json["hosts"][0]["risks"].to_string().contains("uncommitted_changes"), "{json:#}");
        let id = json["plan_id"].as_str().unwrap();
        let shown = String::from_utf8(site.fleet.command(&["plans", id]).output().unwrap().stdout).unwrap();
        assert!(shown.contains("changed the input modules"), "{shown}");
        // If files are changed too, the plan names both.
        site.fleet.write("facts.nix", "{ config }: { }");
        let both = plan("").json;
        assert_eq!(
            (&both["dirty_files"], &both["dirty_inputs"]),
            (&json!(["facts.nix"]), &json!(["modules"])),
            "{both:#}"
        );
        site.fleet.git(&["checkout", "-q", "facts.nix"]);

        let refused = plan("[deploy]\nclean = true\n");
        let error = &refused.json["error"];
        assert_eq!((refused.code, refused.error_code()), (1, "dirty_flake"), "{error:#}");
        assert!(error["message"].as_str().unwrap().contains("the input modules"), "{error:#}");
        assert!(error["hint"].as_str().unwrap().contains("flake update"), "{error:#}");
        git(&input, &["commit", "-qam", "two"]);
        lock();
        let planned = plan("[deploy]\nclean = true\n");
        assert_eq!((planned.code, &planned.json["dirty"]), (0, &json!(false)), "{:#}", planned.json);
    }
}

/// If the flake requests it, Nix reads the work trees of submodules, which may differ from their commit. Nix 2.26
/// cannot.
#[test]
fn what_a_submodule_holds_is_planned_by_name() {
    let nix = nixes().pop().unwrap();
    let site = Site::start(&nix, &["web"], &json!({}));
    let sub = site.fleet.folder().with_file_name("sub");
    std::fs::create_dir(&sub).unwrap();
    git(&sub, &["init", "-q"]);
    std::fs::write(sub.join("v"), "a").unwrap();
    git(&sub, &["add", "."]);
    git(&sub, &["commit", "-qm", "one"]);
    let root = site.fleet.folder();
    git(&root, &["submodule", "add", "-q", sub.to_str().unwrap(), "sub"]);
    let flake = std::fs::read_to_string(root.join("flake.nix")).unwrap();
    let named = r#"name = "nixos-system-${builtins.readFile ./sub/v}-${host}"#;
    let flake = flake
        .replace("outputs = _:", "inputs.self.submodules = true;\n  outputs = _:")
        .replace(r#"name = "nixos-system-${host}"#, named);
    site.fleet.write("flake.nix", &flake);
    site.fleet.write("pantheros.toml", "[deploy]\nclean = false\n");
    git(&root, &["add", "."]);
    git(&root, &["commit", "-qm", "with a submodule"]);

    let plan = || site.fleet.call("plan_deploy", &json!({"hosts": ["web"]})).json;
    let planned = plan();
    assert_eq!((&planned["dirty"], &planned["dirty_files"]), (&json!(false), &Value::Null), "{planned:#}");
    site.fleet.write("sub/v", "b");
    for also in ["", "facts.nix"] {
        let mut files = vec!["sub/v"];
        if !also.is_empty() {
            site.fleet.write(also, "{ config }: { }");
            files.insert(0, also);
        }
        let planned = plan();
        let built = planned["hosts"][0]["toplevel"].as_str().unwrap();
        let holds = if also.is_empty() { "nixos-system-a-web" } else { "nixos-system-b-web" };
        assert!(built.contains(holds), "{planned:#}");
        assert_eq!(
            (&planned["dirty"], &planned["dirty_files"]),
            (&json!(true), &json!(files)),
            "{planned:#}"
        );
    }
    site.fleet.git(&["checkout", "-q", "facts.nix"]);
    site.fleet.write("pantheros.toml", "[deploy]\nclean = true\n");
    site.fleet.git(&["commit", "-qm", "settings", "pantheros.toml"]);
    let refused = plan();
    assert_eq!(refused["error"]["code"], "dirty_flake", "{refused:#}");
    assert!(refused["error"]["message"].as_str().unwrap().contains("sub/v"), "{refused:#}");
    git(&root.join("sub"), &["checkout", "-q", "v"]);
    assert_eq!(plan()["error"], Value::Null);
}
