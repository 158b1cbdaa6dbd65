//! Build logs as resources: in pages, however long they are.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common::fleet::{Fleet, nixes};
use crate::common::mcp::Client;
use crate::common::wait::wait_until;
use serde_json::{Value, json};

/// A flake whose host `a` fails to build after this script.
fn failing(nix: &Path, script: &str) -> Fleet {
    let salt = format!("{}-{:?}", std::process::id(), std::time::SystemTime::now());
    let flake = format!(
        r#"{{ outputs = _: {{ nixosConfigurations.a.config.system.build.toplevel = derivation {{
            name = "logs"; system = "{}-linux"; builder = "/bin/sh"; salt = {salt:?};
            args = [ "-c" ''PATH=/bin:/usr/bin; {script}
              exit 1'' ];
          }}; }}; }}"#,
        std::env::consts::ARCH
    );
    Fleet::committed(nix, &[("flake.nix", &flake)])
}

/// Builds `a` and returns the URI of its log.
fn log_of(client: &mut Client) -> String {
    let built = client.call("build_host", json!({"host": "a"}));
    let failures = &built["result"]["structuredContent"]["failures"];
    failures[0]["log_uri"].as_str().unwrap_or_else(|| panic!("{built}")).to_owned()
}

fn read(client: &mut Client, uri: &str) -> Value {
    let answer = client.request("resources/read", json!({"uri": uri}));
    assert!(answer["result"].is_object(), "{uri}: {answer}");
    let contents = answer["result"]["contents"].clone();
    assert_eq!(contents[0]["uri"], uri);
    contents
}

/// The URI of the page `which`. Fails if the metadata and the text do not both name it.
fn named<'a>(contents: &'a Value, which: &str) -> Option<&'a str> {
    let uri = contents[0]["_meta"][which].as_str()?;
    assert!(contents[1]["text"].as_str().unwrap().lines().any(|line| line == format!("{which} page: {uri}")));
    Some(uri)
}

#[test]
fn a_log_of_any_length_is_read_in_pages() {
    // 20 MB in 200,000 lines, as fast as a shell can.
    let script = r#"echo '@nix { "action": "setPhase", "phase": "buildPhase" }'
      i=0; while [ $i -lt 200 ]; do
        seq -f "%05.0f äöü€ 0123456789012345678901234567890123456789012345678901234567890123456789012345678" $((i * 1000)) $((i * 1000 + 999))
        i=$((i + 1))
      done"#;
    for nix in nixes() {
        let fleet = failing(&nix, script);
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let uri = log_of(&mut client);
        let first = read(&mut client, &uri);
        let text = first[0]["text"].as_str().unwrap();
        assert!(text.starts_with("00000 äöü€ 0123") && text.ends_with("678\n"), "{text}");
        assert!(text.len() > 16 * 1024 && text.len() <= 32 * 1024, "{}", text.len());

        let second = named(&first, "next").unwrap().to_owned();
        let second = read(&mut client, &second);
        let line = format!("{:05} ", text.lines().count());
        assert!(second[0]["text"].as_str().unwrap().starts_with(&line), "{second}");
        assert_eq!(
            named(&second, "previous").unwrap(),
            format!("{uri}?until={}", second[0]["_meta"]["from"])
        );

        let last = named(&first, "last").unwrap().to_owned();
        let last = read(&mut client, &last);
        let end = last[0]["text"].as_str().unwrap();
        assert!(end.trim_end().lines().last().unwrap().starts_with("199999 äöü€"), "{end}");
        assert!(last[0]["_meta"]["until"].as_u64().unwrap() > 16 * 1024 * 1024, "{}", last[0]["_meta"]);
        assert_eq!(named(&last, "next"), None);
        let before = named(&last, "previous").unwrap().to_owned();
        let before = read(&mut client, &before);
        assert_eq!(before[0]["_meta"]["until"], last[0]["_meta"]["from"]);
        let (before, after) = (before[0]["text"].as_str().unwrap(), end.lines().next().unwrap());
        let number = |line: &str| line.split(' ').next().unwrap().parse::<u64>().unwrap();
        assert_eq!(
            number(before.lines().last().unwrap()) + 1,
            number(after),
            "nothing is left out in between"
        );
    }
}

#[test]
fn a_short_log_is_one_page_without_what_steers_a_terminal_or_nix() {
    let script = r#"echo '@nix { "action": "setPhase", "phase": "buildPhase" }'
      printf '\033[31mred\033[0m\n@nix is a word\n'"#;
    for nix in nixes() {
        let fleet = failing(&nix, script);
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let uri = log_of(&mut client);
        let contents = read(&mut client, &uri);
        assert_eq!(contents[0]["text"], "red\n@nix is a word\n");
        assert_eq!(contents.as_array().unwrap().len(), 1, "{contents}");
    }
}

#[test]
fn where_the_store_has_no_log_the_last_lines_seen_are_told() {
    for nix in nixes() {
        let fleet = failing(&nix, "echo one; echo two");
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let uri = log_of(&mut client);
        // Removes the log, as if another machine had built the host.
        let base_name = uri.strip_prefix("pantheros://log/").unwrap();
        let (folder, file) = base_name.split_at(2);
        let log = Path::new("/nix/var/log/nix/drvs").join(folder).join(file).display().to_string();
        let removed =
            ["", ".bz2"].iter().filter(|end| std::fs::remove_file(format!("{log}{end}")).is_ok()).count();
        assert_eq!(removed, 1, "{log}");
        let contents = read(&mut client, &uri);
        assert_eq!(contents[0]["text"], "one\ntwo");
        assert!(contents[1]["text"].as_str().unwrap().contains("has no log"), "{contents}");
        let other = uri.replace(&base_name[..32], "00000000000000000000000000000000");
        let unknown = client.request("resources/read", json!({"uri": other}));
        assert!(unknown["error"]["message"].as_str().unwrap().contains("has no log"), "{unknown}");
    }
}

#[test]
fn logs_are_read_no_more_at_once_than_tools_are_called() {
    for nix in nixes() {
        let fleet = failing(&nix, "echo one");
        // Stands in for a log that takes long to read: the real `nix`, but `nix log` waits for the file `go`.
        let (begun, go) = (fleet.write_outside("begun", ""), fleet.folder().with_file_name("go"));
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = log ]; then\n  echo log >>{begun:?}\n  while [ ! -e {go:?} ]; do sleep 0.02; done\nfi\n\
             exec {nix:?} \"$@\"\n"
        );
        let fake = fleet.write_outside("fake-nix-with-slow-logs", &script);
        std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
        fleet.write_outside(
            "pantheros.toml",
            &format!("[nix]\nprogram = {fake:?}\n[limits]\nconcurrent_calls = 2\nwaiting_calls = 3\n"),
        );
        let mut client = Client::begun(&fleet, &[], "2025-11-25");
        let uri = log_of(&mut client);
        let asked: Vec<i64> = (0..20)
            .map(|_| client.ask("resources/read", json!({"uri": format!("{uri}?until=end")})))
            .collect();
        // Fifteen calls find neither a free place nor room in the queue.
        let mut answered = Vec::new();
        while answered.len() < 15 {
            let answer = client.next();
            let said = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
            assert!(said.contains("3 calls are already waiting"), "{answer}");
            answered.push(answer["id"].as_i64().unwrap());
        }
        let reading = || std::fs::read_to_string(&begun).unwrap().lines().count();
        wait_until("two logs to be read", || reading() == 2);
        let built = client.call("build_host", json!({"host": "a"}));
        assert_eq!(built["result"]["structuredContent"]["error"]["code"], "busy", "{built}");
        std::fs::write(&go, "").unwrap();
        for id in asked.into_iter().filter(|id| !answered.contains(id)) {
            let answer = client.answer(id).json;
            assert_eq!(answer["result"]["contents"][0]["text"], "one\n", "{answer}");
        }
        assert_eq!(reading(), 5);
    }
}
