use serde_json::json;

use super::*;

fn source(home: Home, key: &Key, value: &Value) -> Source {
    let mut values = Map::new();
    put(&mut values, key.path, value.clone());
    Source { home, label: format!("{home:?}"), values: Value::Object(values) }
}

/// What comes of it where these say these values of one key.
fn merged(key: &Key, said: &[(Home, Value)]) -> Result<Merged, String> {
    let sources: Vec<Source> = said.iter().map(|(home, value)| source(*home, key, value)).collect();
    merge(&sources)
}

/// The value that counts.
fn counts(key: &Key, said: &[(Home, Value)]) -> Value {
    let merged = merged(key, said).unwrap_or_else(|error| panic!("{}: {error}", key.path));
    serde_json::to_value(merged.file).unwrap().pointer(&key.pointer()).unwrap().clone()
}

fn unset(key: &Key) -> Value {
    serde_json::to_value(File::default()).unwrap().pointer(&key.pointer()).unwrap().clone()
}

/// Values of a key of which the first is the widest, each other than what counts where nobody says anything.
fn samples(key: &Key) -> Vec<Value> {
    match key.path {
        "cache.enabled" => vec![json!(false), json!(true)],
        "tools.read_only" | "deploy.clean" | "deploy.approve_over_http" => vec![json!(true), json!(false)],
        "tools.only" | "tools.exclude" => {
            vec![
                json!(["flake_check", "list_hosts", "nix_search"]),
                json!(["list_hosts", "nix_search"]),
                json!(["list_hosts"]),
            ]
        }
        "deploy.approve_by" => {
            vec![
                json!(["elicitation", "signature", "terminal"]),
                json!(["signature", "terminal"]),
                json!(["terminal"]),
            ]
        }
        "http.allowed_hosts" | "http.allowed_origins" => vec![json!(["a"]), json!(["b"]), json!(["c"])],
        "deploy.scopes" => {
            ["a", "b", "c"].iter().map(|name| json!({ *name: {"hosts": null, "actions": null} })).collect()
        }
        "limits.evaluation_workers" => vec![json!(3), json!(2), json!(1)],
        "deploy.plan_minutes" => vec![json!(100), json!(20), json!(10)],
        _ => match unset(key) {
            Value::Number(number) => {
                let number = number.as_u64().unwrap();
                vec![json!(number * 2), json!(number - 1), json!(number / 2)]
            }
            Value::Null | Value::String(_) => vec![json!("/a"), json!("/b"), json!("/c")],
            other => panic!("{} wants a sample other than {other}", key.path),
        },
    }
}

const ALL: [Home; 5] = [Home::Machine, Home::Switch, Home::User, Home::Trusted, Home::Beside];

#[test]
fn of_two_that_count_the_rule_decides() {
    for key in KEYS.iter().filter(|key| key.rule != Rule::EachName) {
        let samples = samples(key);
        let (wide, narrow) = (&samples[0], &samples[1]);
        for (index, high) in ALL.iter().enumerate() {
            for low in &ALL[index + 1..] {
                for (one, other) in [(wide, narrow), (narrow, wide)] {
                    let said = [(*high, one.clone()), (*low, other.clone())];
                    let beside_counts = key.from_flake == FromFlake::Narrows;
                    let wanted = match (low, key.rule) {
                        (Home::Trusted, _) if key.from_flake == FromFlake::Never => {
                            if *high == Home::Trusted { unset(key) } else { one.clone() }
                        }
                        (Home::Beside, _) if key.from_flake == FromFlake::Never && *high == Home::Trusted => {
                            unset(key)
                        }
                        (Home::Beside, _) if !beside_counts => one.clone(),
                        (_, Rule::Highest) => one.clone(),
                        (_, Rule::Least(_)) => json!(one.as_u64().unwrap().min(other.as_u64().unwrap())),
                        (_, Rule::Any) => json!(true),
                        (_, Rule::All) => json!(false),
                        (_, Rule::Union) => counts(key, &[(Home::Machine, wide.clone())]),
                        (_, Rule::Intersection(_)) => counts(key, &[(Home::Machine, narrow.clone())]),
                        (_, Rule::EachName) => continue,
                    };
                    let mut got = counts(key, &said);
                    let mut wanted = wanted;
                    for list in [&mut got, &mut wanted] {
                        if let Value::Array(items) = list {
                            items.sort_by_key(ToString::to_string);
                        }
                    }
                    assert_eq!(got, wanted, "{} of {said:?}", key.path);
                }
            }
        }
    }
}

#[test]
fn an_untrusted_file_never_widens() {
    for key in KEYS {
        if key.rule == Rule::EachName {
            continue;
        }
        let (wide, unset) = (samples(key).remove(0), unset(key));
        let merged = merged(key, &[(Home::Beside, wide.clone())]).unwrap();
        let got = serde_json::to_value(&merged.file).unwrap().pointer(&key.pointer()).unwrap().clone();
        let ignored: Vec<_> = merged.ignored.iter().map(|ignored| ignored.key.path).collect();
        match (key.from_flake, key.rule) {
            (FromFlake::Narrows, Rule::Any | Rule::Union) => assert_eq!(got, wide, "{}", key.path),
            // All tools are allowed until somebody names some.
            (FromFlake::Narrows, Rule::Intersection(&[])) => assert_eq!(got, wide, "{}", key.path),
            (FromFlake::Narrows, Rule::Intersection(_)) => {
                assert_eq!(got, json!(["elicitation", "terminal"]), "{}", key.path);
                assert_eq!(ignored, [key.path]);
            }
            (FromFlake::Narrows, Rule::Least(Zero::Automatic)) => {
                let room = super::super::workers_by_default();
                assert!(got.as_u64().unwrap() <= room, "{} {got}", key.path);
            }
            _ => {
                assert_eq!(got, unset, "{}", key.path);
                assert_eq!(ignored, [key.path], "what does not count is told");
            }
        }
        let guards: &[&str] = if key.guard == Guard::Said { &[key.path] } else { &[] };
        assert_eq!(merged.guards, guards, "{}", key.path);
    }
}

#[test]
fn a_trusted_file_counts_as_the_users() {
    for key in KEYS.iter().filter(|key| key.rule != Rule::EachName) {
        let value = samples(key).remove(0);
        let never = key.from_flake == FromFlake::Never;
        let wanted = if never { unset(key) } else { counts(key, &[(Home::User, value.clone())]) };
        assert_eq!(counts(key, &[(Home::Trusted, value)]), wanted, "{}", key.path);
    }
}

#[test]
fn hosts_are_the_highest_homes_and_the_flake_names_more() {
    let key = KEYS.iter().find(|key| key.path == "hosts").unwrap();
    let said: Vec<(Home, Value)> = ALL
        .iter()
        .enumerate()
        .map(|(port, home)| (*home, json!({"web": {"port": port}, format!("own{port}"): {}})))
        .collect();
    let hosts = counts(key, &said);
    assert_eq!(hosts["web"]["port"], 0);
    assert_eq!(hosts.as_object().unwrap().len(), 6, "{hosts}");
    let merged = merged(key, &said[4..]).unwrap();
    assert!(merged.ignored.is_empty() && merged.file.hosts.len() == 2);
}

#[test]
fn a_switch_that_the_machine_overrules_is_told() {
    let key = KEYS.iter().find(|key| key.path == "ssh.identity").unwrap();
    let both = merged(key, &[(Home::Machine, json!("/a")), (Home::Switch, json!("/b"))]).unwrap();
    assert_eq!((both.overruled, both.file.ssh.identity), (vec!["--identity"], Some("/a".into())));
}

#[test]
fn lists_without_anything_in_common_are_an_error() {
    for key in KEYS.iter().filter(|key| matches!(key.rule, Rule::Intersection(_))) {
        let lists = [json!([samples(key)[0][0]]), json!([samples(key)[0][2]])];
        let [one, other] = &lists;
        let error = merged(key, &[(Home::Machine, one.clone()), (Home::User, other.clone())]).unwrap_err();
        assert!(error.contains(key.path) && error.contains("Machine") && error.contains("User"), "{error}");
        let beside = merged(key, &[(Home::Machine, one.clone()), (Home::Beside, other.clone())]);
        if key.guard == Guard::Emptied {
            let merged = beside.unwrap();
            assert_eq!(merged.guards, [key.path]);
            assert_eq!(merged.ignored.len(), 1);
        } else {
            assert!(beside.unwrap_err().contains(key.path));
        }
    }
}

#[test]
fn what_zero_means_decides_which_is_less() {
    let row = |path: &str| KEYS.iter().find(|key| key.path == path).unwrap();
    let of = |path, one: u64, other: u64| {
        counts(row(path), &[(Home::Machine, json!(one)), (Home::User, json!(other))])
    };
    assert_eq!(of("http.requests_per_minute", 0, 70), 70);
    assert_eq!(of("http.legacy_sessions", 0, 70), 0);
    assert_eq!(of("limits.evaluation_workers", 0, 2), 2);
}

#[test]
fn what_trust_would_not_change_waits_for_none() {
    for key in KEYS.iter().filter(|key| key.rule == Rule::Highest) {
        let (one, other) = (samples(key).remove(0), samples(key).remove(1));
        for home in [Home::Machine, Home::User] {
            let merged = merged(key, &[(home, one.clone()), (Home::Beside, other.clone())]).unwrap();
            let waits = key.guard != Guard::No && home == Home::User;
            let ignored: Vec<_> = merged.ignored.iter().map(|ignored| ignored.key.path).collect();
            let wanted: &[&str] = if waits { &[key.path] } else { &[] };
            assert_eq!(
                (ignored.as_slice(), merged.guards.as_slice()),
                (wanted, wanted),
                "{} {home:?}",
                key.path
            );
        }
    }
}
