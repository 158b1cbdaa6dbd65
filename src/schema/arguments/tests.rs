use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::names::{HostName, Rev};
use crate::schema::of_input;

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
struct Page {
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    #[schemars(range(min = 1, max = 500))]
    limit: Option<usize>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Action {
    #[default]
    Switch,
    DryActivate,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Input {
    host: HostName,
    #[serde(default)]
    hosts: Vec<HostName>,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    rev: Option<Rev>,
    #[serde(default)]
    action: Action,
    #[serde(default)]
    reboot: bool,
    #[serde(default)]
    generation: Option<u64>,
    #[serde(default)]
    share: Option<f64>,
    #[serde(default)]
    compare: Option<Vec<u64>>,
    #[serde(flatten)]
    page: Page,
}

fn taken(given: Value) -> Result<Input, Vec<ArgumentError>> {
    let Value::Object(given) = given else { panic!("arguments are an object") };
    arguments(&of_input::<Input>(), given)
}

/// The input with the required host and this argument.
fn with(name: &str, value: Value) -> Result<Input, Vec<ArgumentError>> {
    taken(json!({"host": "web", name: value}))
}

fn refused(name: &str, value: Value) -> ArgumentError {
    let wrong = with(name, value.clone()).expect_err(&format!("{name}={value}"));
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    wrong.into_iter().next().unwrap()
}

#[test]
fn what_is_left_out_is_left_out_in_every_form() {
    let plain = taken(json!({"host": "web"})).unwrap();
    for name in
        ["hosts", "tag", "rev", "action", "reboot", "generation", "share", "compare", "cursor", "limit"]
    {
        assert_eq!(with(name, Value::Null).unwrap(), plain, "{name}");
    }
    for name in ["tag", "cursor", "hosts"] {
        assert_eq!(with(name, json!("")).unwrap(), plain, "{name}");
    }
    // An empty string for a name, a number, a boolean or a commit is an error.
    for name in ["rev", "action", "reboot", "generation", "limit"] {
        assert_eq!(refused(name, json!("")).path, name);
    }
}

#[test]
fn what_is_required_is_never_left_out() {
    for given in [json!({}), json!({"host": null}), json!({"host": ""})] {
        let wrong = taken(given.clone()).unwrap_err();
        assert_eq!((wrong.len(), wrong[0].path.as_str()), (1, "host"), "{given}: {wrong:?}");
        assert!(wrong[0].problem.contains("`host`"), "{given}: {wrong:?}");
    }
}

#[test]
fn lists_are_taken_where_they_are_clear() {
    let names = |given: Value| -> Vec<String> {
        with("hosts", given).unwrap().hosts.iter().map(|host| host.as_str().to_owned()).collect()
    };
    assert_eq!(names(json!(["edge", "db"])), ["edge", "db"]);
    assert_eq!(names(json!("[\"edge\", \"db\"]")), ["edge", "db"]);
    assert_eq!(names(json!("edge")), ["edge"]);
    assert!(names(json!("[]")).is_empty());
    assert_eq!(with("compare", json!("[3, \"4\"]")).unwrap().compare, Some(vec![3, 4]));
    assert_eq!(with("compare", json!(7)).unwrap().compare, Some(vec![7]));

    for (given, path) in [
        (json!("[\"edge\""), "hosts"),
        (json!("[edge]"), "hosts"),
        (json!({"edge": true}), "hosts"),
        // Two names in one string are not split.
        (json!("edge,db"), "hosts[0]"),
        (json!(["edge", null]), "hosts[1]"),
        (json!(["edge", ""]), "hosts[1]"),
        (json!(["edge", 5]), "hosts[1]"),
        (json!(true), "hosts[0]"),
    ] {
        let wrong = refused("hosts", given.clone());
        assert_eq!(wrong.path, path, "{given}: {wrong:?}");
    }
}

#[test]
fn numbers_are_taken_where_they_are_whole_and_within_bounds() {
    for given in [json!(50), json!(50.0), json!("50"), json!("50.0"), json!(" 50 "), json!(5e1)] {
        assert_eq!(with("limit", given.clone()).unwrap().page.limit, Some(50), "{given}");
    }
    assert_eq!(with("generation", json!(u64::MAX)).unwrap().generation, Some(u64::MAX));
    for given in [
        json!(50.5),
        json!("50.5"),
        json!(0),
        json!(501),
        json!(-1),
        json!("-1"),
        json!(1e300),
        json!(u64::MAX),
        json!("fifty"),
        json!("5 0"),
        json!("NaN"),
        json!(true),
        json!([50]),
    ] {
        let wrong = refused("limit", given.clone());
        assert!(wrong.problem.contains("a whole number from 1 to 500 is expected"), "{given}: {wrong:?}");
    }
    for given in [json!(-1), json!(1e19), json!("18446744073709551616"), json!(0.5)] {
        assert!(refused("generation", given).problem.contains("a whole number from 0"));
    }
    assert_eq!(with("share", json!("0.5")).unwrap().share, Some(0.5));
    assert!(refused("share", json!("half")).problem.contains("a number is expected"));
}

#[test]
fn yes_and_no_are_taken_as_words_and_nothing_else_is() {
    for (given, meant) in [(json!(true), true), (json!("true"), true), (json!("False"), false)] {
        assert_eq!(with("reboot", given).unwrap().reboot, meant);
    }
    for given in [json!("yes"), json!(1), json!("1"), json!([true]), json!({})] {
        assert!(refused("reboot", given).problem.contains("true or false is expected"));
    }
}

#[test]
fn a_word_that_is_not_in_the_list_is_answered_with_the_near_ones() {
    assert_eq!(with("action", json!("dry-activate")).unwrap().action, Action::DryActivate);
    let wrong = refused("action", json!("dry-activat"));
    assert_eq!(wrong.nearest, ["dry-activate"]);
    assert!(wrong.problem.contains("one of switch, dry-activate is expected"), "{wrong:?}");
    assert!(refused("action", json!(1)).problem.contains("the number 1"));
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let given =
        json!({"hosts": ["a b"], "hsot": 1, "limit": 0, "reboot": "maybe", "tag": 5, "action": "swich"});
    let wrong = taken(given).unwrap_err();
    let mut paths: Vec<&str> = wrong.iter().map(|wrong| wrong.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["action", "host", "hosts[0]", "hsot", "limit", "reboot", "tag"], "{wrong:?}");
    let unknown = wrong.iter().find(|wrong| wrong.path == "hsot").unwrap();
    assert_eq!(unknown.nearest.first().map(String::as_str), Some("host"));
}

#[test]
fn what_a_client_sent_cannot_steer_what_is_said_of_it() {
    let hostile = "a\u{1b}[31m\u{202e}b\nc\u{2028}d\u{e0041}";
    let given = json!({"host": hostile, hostile: 1, "action": hostile, "limit": hostile, "hosts": [hostile]});
    for wrong in taken(given).unwrap_err() {
        for text in [&wrong.path, &wrong.problem] {
            let bad = |c: char| c.is_control() || "\u{202e}\u{2028}\u{e0041}".contains(c);
            assert!(!text.contains(bad), "{wrong:?}");
        }
    }
}

#[test]
fn the_outline_says_what_is_taken() {
    let outline = outline(&of_input::<Input>());
    assert!(
        outline.starts_with("host (a string; required), hosts (a list of strings), tag (a string)"),
        "{outline}"
    );
    assert!(outline.contains("action (one of switch, dry-activate), reboot (true or false)"), "{outline}");
    assert!(outline.contains("limit (a whole number from 1 to 500)"), "{outline}");
}

#[test]
fn blanks_around_a_name_are_passed_over() {
    let names = |list: &[&str]| list.iter().map(|name| name.parse().unwrap()).collect::<Vec<HostName>>();
    let input =
        taken(json!({"host": " web\n", "hosts": ["a ", "\tb"], "action": " dry-activate", "rev": "HEAD "}));
    let input = input.unwrap();
    assert_eq!((input.host.as_str(), input.hosts), ("web", names(&["a", "b"])));
    assert_eq!((input.action, input.rev.unwrap().as_str()), (Action::DryActivate, "HEAD"));
    // A string that is not a name is not trimmed.
    assert_eq!(with("tag", json!(" edge ")).unwrap().tag.as_deref(), Some(" edge "));
    // A string of blanks is not a name.
    assert!(refused("rev", json!(" ")).problem.contains("must not be empty"));
    assert!(refused("hosts", json!([" "])).problem.contains("must not be empty"));
}
