use serde_json::json;

use super::*;

fn source(layer: SettingsLayer, key: &SettingKey, value: &Value) -> SettingsSource {
    let mut values = Map::new();
    insert_at(&mut values, key.path, value.clone());
    SettingsSource { layer, label: format!("{layer:?}"), values: Value::Object(values) }
}

/// Merges these values of one setting.
fn merged(key: &SettingKey, said: &[(SettingsLayer, Value)]) -> Result<MergedSettings, String> {
    let sources: Vec<SettingsSource> = said.iter().map(|(layer, value)| source(*layer, key, value)).collect();
    merge(&sources)
}

/// The value in force.
fn counts(key: &SettingKey, said: &[(SettingsLayer, Value)]) -> Value {
    let merged = merged(key, said).unwrap_or_else(|error| panic!("{}: {error}", key.path));
    serde_json::to_value(merged.file).unwrap().pointer(&key.pointer()).unwrap().clone()
}

fn unset(key: &SettingKey) -> Value {
    serde_json::to_value(SettingsFile::default()).unwrap().pointer(&key.pointer()).unwrap().clone()
}

/// Values of a key, the widest first. Each differs from the default.
fn samples(key: &SettingKey) -> Vec<Value> {
    match key.path {
        "cache.enabled" => vec![json!(false), json!(true)],
        "tools.read_only" | "tools.offline" | "deploy.clean" | "deploy.approve_over_http" => {
            vec![json!(true), json!(false)]
        }
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
        "nix.override_inputs" => ["a", "b", "c"].iter().map(|name| json!({ *name: "github:a/b" })).collect(),
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

const ALL: [SettingsLayer; 5] = [
    SettingsLayer::Machine,
    SettingsLayer::Switch,
    SettingsLayer::User,
    SettingsLayer::Trusted,
    SettingsLayer::Untrusted,
];

#[test]
fn of_two_that_count_the_rule_decides() {
    for key in KEYS.iter().filter(|key| key.rule != MergeRule::EachName) {
        let samples = samples(key);
        let (wide, narrow) = (&samples[0], &samples[1]);
        for (index, high) in ALL.iter().enumerate() {
            for low in &ALL[index + 1..] {
                for (one, other) in [(wide, narrow), (narrow, wide)] {
                    let said = [(*high, one.clone()), (*low, other.clone())];
                    let beside_counts = key.flake_influence == FlakeInfluence::Narrows;
                    let wanted = match (low, key.rule) {
                        (SettingsLayer::Trusted, _) if key.flake_influence == FlakeInfluence::Never => {
                            if *high == SettingsLayer::Trusted {
                                unset(key)
                            } else {
                                one.clone()
                            }
                        }
                        (SettingsLayer::Untrusted, _)
                            if key.flake_influence == FlakeInfluence::Never
                                && *high == SettingsLayer::Trusted =>
                        {
                            unset(key)
                        }
                        (SettingsLayer::Untrusted, _) if !beside_counts => one.clone(),
                        (_, MergeRule::Highest) => one.clone(),
                        (_, MergeRule::Least(_)) => json!(one.as_u64().unwrap().min(other.as_u64().unwrap())),
                        (_, MergeRule::Any) => json!(true),
                        (_, MergeRule::All) => json!(false),
                        (_, MergeRule::Union) => counts(key, &[(SettingsLayer::Machine, wide.clone())]),
                        (_, MergeRule::Intersection(_)) => {
                            counts(key, &[(SettingsLayer::Machine, narrow.clone())])
                        }
                        (_, MergeRule::EachName) => continue,
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
        if key.rule == MergeRule::EachName {
            continue;
        }
        let (wide, unset) = (samples(key).remove(0), unset(key));
        let merged = merged(key, &[(SettingsLayer::Untrusted, wide.clone())]).unwrap();
        let got = serde_json::to_value(&merged.file).unwrap().pointer(&key.pointer()).unwrap().clone();
        let ignored: Vec<_> = merged.ignored.iter().map(|ignored| ignored.key.path).collect();
        match (key.flake_influence, key.rule) {
            (FlakeInfluence::Narrows, MergeRule::Any | MergeRule::Union) => {
                assert_eq!(got, wide, "{}", key.path)
            }
            // All tools are allowed until a source names some.
            (FlakeInfluence::Narrows, MergeRule::Intersection(&[])) => assert_eq!(got, wide, "{}", key.path),
            (FlakeInfluence::Narrows, MergeRule::Intersection(_)) => {
                assert_eq!(got, json!(["elicitation", "terminal"]), "{}", key.path);
                assert_eq!(ignored, [key.path]);
            }
            (FlakeInfluence::Narrows, MergeRule::Least(ZeroMeaning::Automatic)) => {
                let room = super::super::workers_by_default();
                assert!(got.as_u64().unwrap() <= room, "{} {got}", key.path);
            }
            _ => {
                assert_eq!(got, unset, "{}", key.path);
                assert_eq!(ignored, [key.path], "a setting without effect is reported");
            }
        }
        let guards: &[&str] = if key.guard == GuardCondition::IfSet { &[key.path] } else { &[] };
        assert_eq!(merged.guards, guards, "{}", key.path);
    }
}

#[test]
fn a_trusted_file_counts_as_the_users() {
    for key in KEYS.iter().filter(|key| key.rule != MergeRule::EachName) {
        let value = samples(key).remove(0);
        let never = key.flake_influence == FlakeInfluence::Never;
        let wanted = if never { unset(key) } else { counts(key, &[(SettingsLayer::User, value.clone())]) };
        assert_eq!(counts(key, &[(SettingsLayer::Trusted, value)]), wanted, "{}", key.path);
    }
}

#[test]
fn hosts_are_the_highest_homes_and_the_flake_names_more() {
    let key = KEYS.iter().find(|key| key.path == "hosts").unwrap();
    let said: Vec<(SettingsLayer, Value)> = ALL
        .iter()
        .enumerate()
        .map(|(port, layer)| (*layer, json!({"web": {"port": port}, format!("own{port}"): {}})))
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
    let both =
        merged(key, &[(SettingsLayer::Machine, json!("/a")), (SettingsLayer::Switch, json!("/b"))]).unwrap();
    assert_eq!((both.overruled, both.file.ssh.identity), (vec!["--identity"], Some("/a".into())));
}

#[test]
fn lists_without_anything_in_common_are_an_error() {
    for key in KEYS.iter().filter(|key| matches!(key.rule, MergeRule::Intersection(_))) {
        let lists = [json!([samples(key)[0][0]]), json!([samples(key)[0][2]])];
        let [one, other] = &lists;
        let error =
            merged(key, &[(SettingsLayer::Machine, one.clone()), (SettingsLayer::User, other.clone())])
                .unwrap_err();
        assert!(error.contains(key.path) && error.contains("Machine") && error.contains("User"), "{error}");
        let flake_file =
            merged(key, &[(SettingsLayer::Machine, one.clone()), (SettingsLayer::Untrusted, other.clone())]);
        if key.guard == GuardCondition::IfEmptied {
            let merged = flake_file.unwrap();
            assert_eq!(merged.guards, [key.path]);
            assert_eq!(merged.ignored.len(), 1);
        } else {
            assert!(flake_file.unwrap_err().contains(key.path));
        }
    }
}

#[test]
fn what_zero_means_decides_which_is_less() {
    let row = |path: &str| KEYS.iter().find(|key| key.path == path).unwrap();
    let of = |path, one: u64, other: u64| {
        counts(row(path), &[(SettingsLayer::Machine, json!(one)), (SettingsLayer::User, json!(other))])
    };
    assert_eq!(of("http.requests_per_minute", 0, 70), 70);
    assert_eq!(of("http.legacy_sessions", 0, 70), 0);
    assert_eq!(of("limits.evaluation_workers", 0, 2), 2);
}

#[test]
fn what_trust_would_not_change_waits_for_none() {
    for key in KEYS.iter().filter(|key| key.rule == MergeRule::Highest) {
        let (one, other) = (samples(key).remove(0), samples(key).remove(1));
        for layer in [SettingsLayer::Machine, SettingsLayer::User] {
            let merged =
                merged(key, &[(layer, one.clone()), (SettingsLayer::Untrusted, other.clone())]).unwrap();
            let waits = key.guard != GuardCondition::Never && layer == SettingsLayer::User;
            let ignored: Vec<_> = merged.ignored.iter().map(|ignored| ignored.key.path).collect();
            let wanted: &[&str] = if waits { &[key.path] } else { &[] };
            assert_eq!(
                (ignored.as_slice(), merged.guards.as_slice()),
                (wanted, wanted),
                "{} {layer:?}",
                key.path
            );
        }
    }
}
