//! `flake_inputs`: locked inputs, follows and missing locks, compared with the output of Nix for the same flake.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, errors, nixes};

/// An input without inputs, whose commit is `days` days old.
fn input(nix: &Path, days: u64) -> Fleet {
    let fleet = Fleet::committed(nix, &[("flake.nix", "{ outputs = _: { }; }")]);
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60 + 60);
    let date = format!("@{} +0000", then.duration_since(UNIX_EPOCH).unwrap().as_secs());
    let done = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
        .args(["commit", "-q", "--amend", "--no-edit", "--date", &date])
        .env("GIT_COMMITTER_DATE", &date)
        .current_dir(fleet.folder())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", errors(&done));
    fleet
}

fn url(input: &Fleet) -> String {
    format!("git+file://{}", input.folder().display())
}

fn commit(input: &Fleet) -> String {
    let done = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(input.folder()).output().unwrap();
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Lets Nix lock the flake, and commits the lock file.
fn lock(fleet: &Fleet) {
    let done = fleet.by_hand(&["flake", "lock"]);
    assert!(done.status.success(), "{}", errors(&done));
    fleet.git(&["add", "."]);
    fleet.git(&["commit", "-qm", "lock"]);
}

fn inputs(fleet: &Fleet) -> Vec<Value> {
    let answer = fleet.call("flake_inputs", &json!({}));
    assert_eq!(answer.code, 0, "{:#}", answer.json);
    assert_eq!(answer.json["total"], answer.json["inputs"].as_array().unwrap().len());
    answer.json["inputs"].as_array().unwrap().clone()
}

fn problems(fleet: &Fleet) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let with = |input: &Value| Some((word(&input["name"]), word(input.get("problem")?)));
    inputs(fleet).iter().filter_map(with).collect()
}

/// Whether Nix accepts the lock file as it is.
fn nix_takes_the_lock(fleet: &Fleet) -> bool {
    let done = fleet.by_hand(&["flake", "metadata", "--no-update-lock-file"]);
    assert!(done.status.success() || errors(&done).contains("lock file"), "{}", errors(&done));
    done.status.success()
}

#[test]
fn inputs_are_told_with_their_revision_and_age_and_whom_they_follow() {
    for nix in nixes() {
        let (old, young) = (input(&nix, 400), input(&nix, 1));
        let home = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    "{{ inputs = {{ packages.url = \"{}\"; tools.url = \"{}\"; }}; outputs = _: {{ }}; }}",
                    url(&old),
                    url(&young)
                ),
            )],
        );
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    "{{ inputs = {{ packages.url = \"{}?ref=main\"; same.follows = \"home/tools\";
                          home = {{ url = \"{}\"; inputs.packages.follows = \"packages\"; }}; }};
                        outputs = _: {{ }}; }}",
                    url(&old),
                    url(&home)
                ),
            )],
        );
        lock(&fleet);
        let packages =
            json!({"url": format!("{}?ref=main", url(&old)), "revision": commit(&old), "age_days": 400});
        let tools = json!({"url": url(&young), "revision": commit(&young), "age_days": 1});
        let with = |mut input: Value, name: &str, follows: Option<&str>| {
            input["name"] = name.into();
            if let Some(follows) = follows {
                input["follows"] = follows.into();
            }
            input
        };
        let expected = json!([
            {"name": "home", "url": url(&home), "revision": commit(&home), "age_days": 0},
            with(packages.clone(), "home/packages", Some("packages")),
            with(tools.clone(), "home/tools", None),
            with(packages, "packages", None),
            with(tools, "same", Some("home/tools")),
        ]);
        assert_eq!(json!(inputs(&fleet)), expected, "{}", nix.display());
        assert!(nix_takes_the_lock(&fleet));
        let text = errors(&fleet.command(&["call", "flake_inputs"]).output().unwrap());
        for line in
            ["5 inputs", "• home/packages: follows packages, git+file://", "400 days old", "1 day old"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}

#[test]
fn what_the_lock_file_does_not_have_is_told_and_nothing_is_fetched() {
    for nix in nixes() {
        let (one, two) = (input(&nix, 1), input(&nix, 2));
        let (one_url, two_url) = (url(&one), url(&two));
        let home = Fleet::committed(
            &nix,
            &[("flake.nix", &format!("{{ inputs.a.url = \"{one_url}\"; outputs = _: {{ }}; }}"))],
        );
        let home_url = url(&home);
        let fleet = Fleet::committed(&nix, &[("flake.nix", "{ outputs = _: { }; }")]);
        let declare = |inputs: &str, outputs: &str| {
            fleet.write("flake.nix", &format!("{{ inputs = {{ {inputs} }}; outputs = {outputs} {{ }}; }}"));
        };
        let begin = format!(
            "a.url = \"{one_url}\"; gone.url = \"{two_url}\"; \
             home = {{ url = \"{home_url}\"; inputs.a.follows = \"a\"; }};"
        );
        declare(&begin, "_:");
        assert_eq!(
            problems(&fleet),
            ["a", "gone", "home"].map(|name| (name.to_owned(), "not_locked".to_owned())),
            "there is no lock file yet"
        );
        lock(&fleet);
        assert!(problems(&fleet).is_empty());
        assert!(nix_takes_the_lock(&fleet));

        // A program that fetched the new input would connect here.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let new = format!("new.url = \"http://user:hunter2@{address}/new.tar.gz?token=hunter2\";");
        for (inputs, outputs, expected) in [
            (format!("{begin} {new}"), "_:", ("new", "not_locked")),
            (begin.clone(), "{ self, implied, ... }:", ("implied", "not_locked")),
            (begin.replace("gone", "come"), "_:", ("come", "not_locked")),
            (begin.replace(&two_url, &one_url), "_:", ("gone", "outdated")),
            (begin.replace(&format!("url = \"{two_url}\""), "follows = \"a\""), "_:", ("gone", "outdated")),
            (begin.replace("a.follows = \"a\"", "a.follows = \"gone\""), "_:", ("home/a", "outdated")),
            (begin.replace("inputs.a.follows = \"a\";", ""), "_:", ("home/a", "outdated")),
            (begin.replace(&format!("gone.url = \"{two_url}\";"), ""), "_:", ("gone", "not_declared")),
        ] {
            declare(&inputs, outputs);
            let found = problems(&fleet);
            let expected = (expected.0.to_owned(), expected.1.to_owned());
            assert!(found.contains(&expected), "{inputs} {outputs}: {found:?}");
            assert_eq!(found.len(), if inputs.contains("come") { 2 } else { 1 }, "{inputs}: {found:?}");
            if expected.1 == "not_locked" {
                let answer = fleet.call("flake_inputs", &json!({}));
                let said = errors(&fleet.command(&["call", "flake_inputs"]).output().unwrap());
                assert_eq!(answer.json["inputs"][0]["problem"], "not_locked", "those first: {answer:?}");
                assert!(said.contains("missing from flake.lock; lock it with `nix flake lock`"), "{said}");
                assert!(!answer.json.to_string().contains("hunter2") && !said.contains("hunter2"), "{said}");
            }
        }
        assert!(listener.accept().is_err(), "something was fetched");
        declare(&begin.replace(&two_url, &one_url), "_:");
        assert!(!nix_takes_the_lock(&fleet));
    }
}

#[test]
fn inputs_in_the_flakes_own_folder_are_as_nix_locks_them() {
    for nix in nixes() {
        let flake = "{ inputs = { literal.url = ./sub; text.url = \"./sub\"; within.url = \"./sub?dir=in\";
              blank.url = \"./my folder\"; letter.url = \"./ä\"; };
            outputs = _: { }; }";
        let empty = "{ outputs = _: { }; }";
        let files = [
            ("flake.nix", flake),
            ("sub/flake.nix", empty),
            ("sub/in/flake.nix", empty),
            ("my folder/flake.nix", empty),
            ("ä/flake.nix", empty),
        ];
        let fleet = Fleet::committed(&nix, &files);
        lock(&fleet);
        assert!(nix_takes_the_lock(&fleet));
        let found = inputs(&fleet);
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found.iter().all(|input| input.get("problem").is_none()), "{found:#?}");
    }
}

#[test]
fn an_input_that_is_computed_fetches_nothing() {
    for nix in nixes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let flake = format!(
            "{{ inputs.a.url = \"${{builtins.fetchTarball {{ url = \"http://{address}/a.tar.gz\"; sha256 = \"{hash}\"; }}}}\";
               outputs = _: {{ }}; }}"
        );
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
        let answer = fleet.call("flake_inputs", &json!({}));
        assert_eq!(answer.code, 1, "{:#}", answer.json);
        assert!(listener.accept().is_err(), "something was fetched");
    }
}

#[test]
fn a_flake_without_inputs_has_an_empty_list() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", "{ outputs = { self }: { }; }")]);
        assert!(inputs(&fleet).is_empty());
        let said = errors(&fleet.command(&["call", "flake_inputs"]).output().unwrap());
        assert!(said.contains("The flake has no inputs."), "{said}");
    }
}

#[test]
fn a_flake_that_does_not_say_its_inputs_is_an_error() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", "{ outputs = _: { }; }")]);
        for (text, code, line) in [
            ("{\n  inputs.a.url = ;\n}\n", "syntax_error", json!(2)),
            ("{\n  inputs = nothing;\n}\n", "undefined_variable", json!(2)),
            ("{ inputs.a = 1; outputs = _: { }; }", "throw", json!(1)),
        ] {
            fleet.write("flake.nix", text);
            let answer = fleet.call("flake_inputs", &json!({}));
            let error = &answer.json["error"];
            assert_eq!((answer.code, answer.error_code()), (1, code), "{:#}", answer.json);
            if code != "throw" {
                assert_eq!((&error["file"], &error["line"]), (&json!("flake.nix"), &line), "{error:#}");
            }
        }
        fleet.write("flake.nix", "{ outputs = _: { }; }");
        fleet.write("flake.lock", "{}");
        fleet.git(&["add", "flake.lock"]);
        let answer = fleet.call("flake_inputs", &json!({}));
        assert_eq!(answer.error_code(), "lock_file_outdated", "{:#}", answer.json);
    }
}

#[test]
fn many_inputs_come_in_pages_and_none_is_left_out() {
    let nix = nixes().pop().unwrap();
    let (mut declared, mut nodes, mut of_root) = (String::new(), json!({}), json!({}));
    for number in 0..250 {
        let name = format!("input-{number}");
        declared.push_str(&format!("{name}.url = \"github:example/{name}\";\n"));
        let original = json!({"type": "github", "owner": "example", "repo": name});
        let mut locked = original.clone();
        locked["rev"] = format!("{number:040}").into();
        // Every tenth input is locked to uncommitted changes.
        if number % 10 == 0 {
            locked = json!({"type": "git", "url": "https://user:hunter2@example.org/a", "dirtyRev": "0-dirty", "narHash": "sha256-a"});
        }
        nodes[&name] = json!({"locked": locked, "original": original});
        of_root[&name] = json!(name);
    }
    nodes["root"] = json!({"inputs": of_root});
    let lock = json!({"nodes": nodes, "root": "root", "version": 7}).to_string();
    let flake = format!("{{ inputs = {{ {declared} }}; outputs = _: {{ }}; }}");
    let fleet = Fleet::committed(&nix, &[("flake.nix", &flake), ("flake.lock", &lock)]);
    let (mut seen, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let answer = fleet.call("flake_inputs", &json!({"limit": 500, "cursor": cursor})).json;
        assert_eq!(answer["total"], 250, "{answer:#}");
        assert!(answer.to_string().len() <= 25 * 1024);
        seen.extend(answer["inputs"].as_array().unwrap().iter().cloned());
        pages += 1;
        cursor = answer["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert!(pages > 1, "one page has room for all");
    let unpinned = |input: &Value| input["problem"] == "unpinned" && input["revision"] == "sha256-a";
    assert!(seen[..25].iter().all(unpinned), "{:#}", seen[0]);
    assert!(seen[25..].iter().all(|input| input.get("problem").is_none()));
    let mut names: Vec<&str> = seen.iter().map(|input| input["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 250);
}

#[test]
fn an_input_that_is_overridden_is_told_with_what_replaces_it() {
    for nix in nixes() {
        let (old, other) = (input(&nix, 400), input(&nix, 1));
        let home = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    "{{ inputs = {{ packages.url = \"{0}\"; tools.url = \"{0}\"; }}; outputs = _: {{ }}; }}",
                    url(&old)
                ),
            )],
        );
        let fleet = Fleet::committed(
            &nix,
            &[(
                "flake.nix",
                &format!(
                    "{{ inputs = {{ packages.url = \"{}\"; same.follows = \"home/tools\";
                          home = {{ url = \"{}\"; inputs.packages.follows = \"packages\"; }}; }};
                        outputs = _: {{ }}; }}",
                    url(&old),
                    url(&home)
                ),
            )],
        );
        lock(&fleet);
        let told = |overrides: &[String]| {
            let mut command = fleet.command(&["call", "flake_inputs"]);
            let output = command.env("PANTHEROS_OVERRIDE_INPUT", overrides.join(" ")).output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            (answer["inputs"].as_array().unwrap().clone(), errors(&output))
        };
        let rows = |inputs: &[Value]| -> Vec<String> {
            let row = |input: &Value| {
                let word = |field: &str| input[field].as_str().unwrap_or("-").to_owned();
                assert_eq!(input.get("problem"), None, "{input:#}");
                format!("{} {} {}", word("name"), word("revision"), word("overridden_by"))
            };
            inputs.iter().map(row).collect()
        };
        let (locked, other_commit) = (commit(&old), commit(&other));
        let pinned = format!("{}?rev={other_commit}", url(&other));
        let home_row = format!("home {} -", commit(&home));
        let (inputs, text) = told(&[format!("packages={pinned}")]);
        assert_eq!(
            rows(&inputs),
            [
                home_row.clone(),
                format!("home/packages {other_commit} {pinned}"),
                format!("home/tools {locked} -"),
                format!("packages {other_commit} {pinned}"),
                format!("same {locked} -"),
            ]
        );
        assert!(inputs[3].get("age_days").is_none() && inputs[3]["url"] == url(&old), "{:#}", inputs[3]);
        assert!(text.contains(&format!("overridden by the settings, which have {pinned}")), "{text}");
        // What belongs to an input that is overridden is not known; what that input follows is.
        let open = url(&other);
        assert_eq!(
            rows(&told(&[format!("home={open}")]).0),
            [
                format!("home - {open}"),
                format!("home/packages {locked} -"),
                format!("home/tools - {open}"),
                format!("packages {locked} -"),
                format!("same - {open}"),
            ]
        );
        // An input of an input, and one that flake.lock does not have.
        let both = [format!("home/tools={pinned}"), "home/new=https://user:hunter2@example.org/a".to_owned()];
        let (inputs, text) = told(&both);
        assert_eq!(
            rows(&inputs),
            [
                home_row,
                format!("home/packages {locked} -"),
                format!("home/tools {other_commit} {pinned}"),
                format!("packages {locked} -"),
                format!("same {other_commit} {pinned}"),
                "home/new - https://example.org/a".to_owned(),
            ]
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_file_that_git_does_not_track_is_not_seen() {
    for nix in nixes() {
        let library = input(&nix, 1);
        let flake = format!("{{ inputs.library.url = \"{}\"; outputs = _: {{ }}; }}", url(&library));
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
        lock(&fleet);
        assert!(problems(&fleet).is_empty());
        fleet.git(&["rm", "-q", "--cached", "flake.lock"]);
        assert!(!nix_takes_the_lock(&fleet));
        assert_eq!(problems(&fleet), [("library".to_owned(), "lock_untracked".to_owned())]);
        let text = errors(&fleet.command(&["call", "flake_inputs"]).output().unwrap());
        assert!(text.contains("run `git add flake.lock`"), "{text}");
        // What is added and not committed is seen.
        fleet.git(&["add", "--intent-to-add", "flake.lock"]);
        assert!(nix_takes_the_lock(&fleet) && problems(&fleet).is_empty());

        fleet.git(&["rm", "-q", "--cached", "flake.nix"]);
        let answer = fleet.call("flake_inputs", &json!({}));
        assert_eq!(answer.error_code(), "untracked_file", "{:#}", answer.json);
        assert!(answer.json["error"]["hint"].as_str().unwrap().contains("git add flake.nix"), "{answer:?}");
    }
}
