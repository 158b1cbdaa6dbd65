use super::*;
use crate::deploy::plan::NamedChange;
use crate::deploy::propose::effects::tests::files;
use serde_json::json;

/// A user as NixOS writes it into `users-groups.json`, with these properties.
fn user(name: &str, set: Value) -> Value {
    let mut user = json!({
        "autoSubUidGidRange": true, "createHome": true, "description": "", "expires": null, "group": "users",
        "hashedPassword": null, "hashedPasswordFile": null, "home": format!("/home/{name}"), "homeMode": "700",
        "initialHashedPassword": null, "initialPassword": null, "isSystemUser": false, "name": name, "password": null,
        "shell": "/run/current-system/sw/bin/bash", "subGidRanges": [], "subUidRanges": [], "uid": null,
    });
    user.as_object_mut().unwrap().extend(set.as_object().unwrap().clone());
    user
}

fn system(users: &[Value], groups: Value, mutable: bool) -> SystemFiles {
    let list = json!({"groups": groups, "mutableUsers": mutable, "users": users});
    files(&[("users", &list.to_string())])
}

fn changes(before: &SystemFiles, after: &SystemFiles) -> (AccountChanges, Gaps) {
    let mut gaps = Gaps::default();
    (compare(before, after, &mut gaps), gaps)
}

#[test]
fn users_and_groups_differ() {
    let hash = "$6$salt$abcdefghijklmnopqrstuvwxyz";
    let before = system(
        &[user("ada", json!({})), user("bob", json!({})), user("same", json!({"uid": 4}))],
        json!([{"name": "wheel", "gid": 1, "members": ["bob"]}, {"name": "old", "gid": null, "members": []}]),
        true,
    );
    let after = system(
        &[
            user(
                "ada",
                json!({"uid": 1000, "shell": "/bin/zsh", "hashedPassword": hash, "description": "A B"}),
            ),
            user("eve", json!({"hashedPassword": hash, "uid": 1001})),
            user("same", json!({"uid": 4})),
        ],
        json!([{"name": "wheel", "gid": 2, "members": ["ada", "eve", "ghost"]}, {"name": "new", "gid": 7, "members": []}]),
        false,
    );
    let (changes, gaps) = changes(&before, &after);
    let named = |name: &str, changes: &[&str]| NamedChange {
        name: name.to_owned(),
        changes: changes.iter().map(|change| (*change).to_owned()).collect(),
    };
    assert_eq!(gaps.0, []);
    let (users, groups) = (changes.users.as_ref().unwrap(), changes.groups.as_ref().unwrap());
    assert_eq!(
        users.changed,
        [named(
            "ada",
            &[
                "uid automatic -> 1000",
                "shell /run/current-system/sw/bin/bash -> /bin/zsh",
                "password changed",
                "description changed",
                "groups +wheel",
            ]
        )]
    );
    let eve =
        ["uid 1001", "group users", "shell /run/current-system/sw/bin/bash", "groups wheel", "password set"];
    assert_eq!(users.added, [named("eve", &eve)]);
    assert_eq!(users.removed, ["bob"]);
    assert_eq!((&groups.added, &groups.removed), (&vec![named("new", &["gid 7"])], &vec!["old".to_owned()]));
    // Bob was a declared user, so his membership ended with him.
    assert_eq!(groups.changed, [named("wheel", &["gid 1 -> 2", "members +ghost"])]);
    assert_eq!(changes.mutable_users, Some(false));
    assert!(!format!("{changes:?}").contains("abcdef"), "{changes:?}");
}

#[test]
fn lists_of_two_forms_are_compared_by_what_both_have() {
    let before = system(&[user("ada", json!({}))], json!([]), true);
    let ada = json!({"description": "", "group": "users", "hashedPassword": null, "hashedPasswordFile": null,
        "home": "/home/ada", "initialHashedPassword": null, "initialPassword": null, "isNormal": true, "name": "ada",
        "password": null, "shell": "/run/current-system/sw/bin/bash", "uid": 1000});
    let after = files(&[("userborn", &json!({"groups": [], "users": [ada]}).to_string())]);
    let (changes, gaps) = changes(&before, &after);
    assert_eq!(gaps.0, []);
    let users = changes.users.unwrap();
    assert_eq!(users.changed[0].changes, ["uid automatic -> 1000"]);
    assert_eq!((changes.mutable_users, users.added.len()), (None, 0));
}

#[test]
fn a_list_that_is_not_read_is_unknown() {
    let known = system(&[], json!([]), true);
    for (name, text) in
        [("users", "{"), ("users", "[]"), ("users", r#"{"users":[{}],"groups":[]}"#), ("other", "")]
    {
        let (changes, gaps) = changes(&known, &files(&[(name, text)]));
        assert_eq!(changes, AccountChanges::default());
        assert_eq!(gaps.0.len(), 1, "{text}");
        assert_eq!(gaps.0[0].part, EffectPart::Users);
    }
}
