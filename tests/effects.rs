//! What a plan, a rollback and a comparison of generations say about ports, users, keys, mounts, kernel parameters and files
//! below `/etc`, on real machines whose systems have the files of NixOS.

use serde_json::{Value, json};

use crate::common::fleet::nixes;
use crate::common::site::Site;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const FINGERPRINT: &str = "ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
/// A hashed password, of which an answer only says that it differs.
const HASH: &str = "$6$salt$abcdefghijklmnopqrstuvwxyzabcdefghijklmnop";

fn user(name: &str, shell: &str, password: Option<&str>) -> Value {
    json!({
        "name": name, "uid": null, "group": "users", "description": "", "home": format!("/home/{name}"),
        "homeMode": "700", "createHome": true, "isSystemUser": false, "password": null, "hashedPasswordFile": null,
        "hashedPassword": password, "initialPassword": null, "initialHashedPassword": null, "expires": null,
        "shell": shell, "autoSubUidGidRange": true, "subUidRanges": [], "subGidRanges": [],
    })
}

fn users(users: &[Value], wheel: &[&str]) -> Value {
    json!({"mutableUsers": true, "users": users, "groups": [{"name": "wheel", "gid": 1, "members": wheel}]})
}

/// The first system: iptables, and three users.
fn first() -> Value {
    json!({
        "kernel_params": "root=fstab loglevel=4 quiet",
        "fstab": "/dev/disk/by-label/root / ext4 defaults 0 1\n/dev/sdb1 /srv ext4 noexec,nodev 0 2\n/dev/sdc1 none swap defaults\n",
        "users": users(&[user("ada", "/bin/bash", None), user("bob", "/bin/bash", None)], &["bob"]),
        "firewall": "ip46tables -A nixos-fw -i lo -j nixos-fw-accept\n\
            ip46tables -A nixos-fw -p tcp --dport 22 -j nixos-fw-accept \n\
            ip46tables -A nixos-fw -p tcp --dport 80 -j nixos-fw-accept \n",
        "keys": {"ada": format!("{KEY} ada@laptop\n")},
        "etc": {"nginx/nginx.conf": "one", "gone.conf": "x", "same": "x", "sudoers": "x"},
        "modes": {"sudoers": "0440"},
        "folders": {"udev/rules.d": {"a": "one"}, "terminfo": {"a": "one"}},
        "build": "one",
    })
}

/// The second one: nftables, and changes to everything.
fn second() -> Value {
    json!({
        "kernel_params": "root=fstab loglevel=7 quiet",
        "fstab": "/dev/disk/by-label/root / ext4 defaults 0 1\n/dev/sdb1 /srv ext4 nodev,rw 0 2\n\
            //nas/share /my\\040data cifs username=x,password=geheim 0 0\n",
        "users": users(&[user("ada", "/bin/zsh", Some(HASH)), user("eve", "/bin/bash", None)], &["ada"]),
        "nftables": "table inet nixos-fw {\n\
            chain input {\n iifname { \"lo\" } accept comment \"trusted interfaces\"\n}\n\
            chain input-allow {\n tcp dport { 22, 443, 8000-8010 } accept\niifname wg0 udp dport { 51820 } accept\n}\n}\n",
        "keys": {"ada": format!("from=\"10.0.0.1\" {KEY} ada@laptop\n")},
        "etc": {"nginx/nginx.conf": "two", "new.conf": "x", "same": "x", "sudoers": "x"},
        "modes": {"sudoers": "0444"},
        "folders": {"udev/rules.d": {"a": "two"}, "terminfo": {"a": "one"}},
        "build": "two",
    })
}

/// What changes from the first to the second.
fn forth() -> Value {
    let key = json!({"user": "ada", "key": FINGERPRINT, "comment": "ada@laptop"});
    let mut limited = key.clone();
    limited["has_options"] = true.into();
    json!({
        "ports": {"opened": ["tcp 443", "tcp 8000-8010", "udp 51820 on wg0"], "closed": ["tcp 80"]},
        "users": {
            "added": [{"name": "eve", "changes": ["group users", "shell /bin/bash"]}],
            "removed": ["bob"],
            "changed": [{
                "name": "ada",
                "changes": ["shell /bin/bash -> /bin/zsh", "password changed", "groups +wheel"],
            }],
        },
        "keys": {"added": [limited], "removed": [key]},
        "mounts": {
            "added": [{"name": "/my\\040data", "changes": ["//nas/share cifs password=[redacted],username=x"]}],
            "removed": ["swap:/dev/sdc1"],
            "changed": [{"name": "/srv", "changes": ["options -noexec +rw"]}],
        },
        "kernel_params": {"added": ["loglevel=7"], "removed": ["loglevel=4"]},
        "files": {
            "added": ["new.conf"],
            "removed": ["gone.conf"],
            "changed": ["nginx/nginx.conf", "sudoers", "udev/rules.d"],
            "rebuilt": 1,
        },
    })
}

#[test]
fn a_plan_a_rollback_and_a_comparison_say_what_changes() {
    for nix in nixes() {
        let mut site = Site::start(&nix, &["web"], &json!({}));
        site.installed("web", |facts| facts["shape"] = first());
        site.change(|facts| facts["shape"] = second());
        let planned = site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}));
        let effects = &planned.json["hosts"][0]["diff"]["effects"];
        assert_eq!(*effects, forth(), "{effects:#}");
        let bytes = planned.json.to_string();
        assert!(bytes.len() < 6_000 && !bytes.contains("geheim") && !bytes.contains("abcdef"), "{bytes}");
        let plan = planned.json["plan_id"].as_str().unwrap();
        let shown = site.fleet.command(&["plans", plan]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        for line in [
            "  ports   opens tcp 443, tcp 8000-8010, udp 51820 on wg0; closes tcp 80",
            "  users   adds eve (group users, shell /bin/bash); removes bob; changes ada (shell /bin/bash -> /bin/zsh, \
             password changed, groups +wheel)",
            "  kernel  adds loglevel=7; removes loglevel=4",
            "  mounts  adds /my\\040data (//nas/share cifs password=[redacted],username=x); removes \
             swap:/dev/sdc1; changes /srv (options -noexec +rw)",
        ] {
            assert!(shown.contains(line), "{line}: {shown}");
        }
        assert!(
            shown.contains(&format!("  keys    adds ada {FINGERPRINT} ada@laptop with options; removes ada")),
            "{shown}"
        );
        assert!(shown.contains("  etc     adds 1: new.conf; removes 1: gone.conf; changes "), "{shown}");
        assert!(
            !shown.contains("unknown") && !shown.contains("geheim") && !shown.contains("abcdef"),
            "{shown}"
        );

        // The same from the host alone: no flake describes the first generation.
        site.installed("web", |_| {});
        let compare = |from: u64, to: u64| {
            let answer = site.fleet.call("list_generations", &json!({"host": "web", "compare": [from, to]}));
            assert_eq!(answer.code, 0, "{:#}", answer.json);
            answer.json["difference"]["effects"].clone()
        };
        assert_eq!(compare(2, 3), forth());
        assert_eq!(compare(3, 3), json!({}));
        let rollback = site.fleet.call("rollback_host", &json!({"host": "web", "generation": 2}));
        let back = &rollback.json["planned"]["diff"]["effects"];
        assert_eq!(*back, compare(3, 2), "{:#}", rollback.json);
        assert_eq!(
            back["ports"],
            json!({"opened": ["tcp 80"], "closed": ["tcp 443", "tcp 8000-8010", "udp 51820 on wg0"]})
        );
        assert_eq!(back["users"]["removed"], json!(["eve"]), "{back:#}");
        let said =
            site.fleet.command(&["call", "rollback_host", "host=web", "generation=2"]).output().unwrap();
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains("  ports: opens tcp 80; closes tcp 443"), "{said}");
    }
}

/// A system without the files of NixOS, further firewall rules, and a firewall that is disabled.
#[test]
fn what_is_not_known_is_said() {
    let mut site = Site::start(&nixes().pop().unwrap(), &["web"], &json!({}));
    site.change(|facts| facts["shape"] = first());
    let plan = || site.fleet.call("plan_deploy", &json!({"hosts": ["web"]})).json["hosts"][0]["diff"].clone();
    let effects = plan()["effects"].clone();
    let why = |part: &str, effects: &Value| -> Vec<(String, String)> {
        let all = effects["unknown"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        all.iter()
            .filter(|gap| gap["part"] == part)
            .map(|gap| (text(&gap["system"]), text(&gap["why"])))
            .collect()
    };
    assert_eq!(why("mounts", &effects), [("before".to_owned(), "it has no fstab".to_owned())], "{effects:#}");
    assert_eq!(why("users", &effects)[0].0, "before", "{effects:#}");
    assert!(effects.get("mounts").is_none() && effects.get("users").is_none(), "{effects:#}");
    // It has a firewall and keys, which the current system has not.
    assert_eq!(
        effects["ports"],
        json!({"firewall": "enabled", "kept_open": ["everything on lo", "tcp 22", "tcp 80"]})
    );
    assert_eq!(effects["keys"]["added"][0]["key"], FINGERPRINT);

    site.installed("web", |_| {});
    site.change(|facts| {
        let rules = facts["shape"]["firewall"].as_str().unwrap();
        facts["shape"]["firewall"] =
            format!("{rules}iptables -I INPUT -p tcp --dport 5432 -j ACCEPT\n").into();
    });
    let plan = || site.fleet.call("plan_deploy", &json!({"hosts": ["web"]})).json["hosts"][0]["diff"].clone();
    let effects = plan()["effects"].clone();
    assert_eq!(
        effects["unknown"],
        json!([{"part": "ports", "system": "after", "why": "lines of further firewall rules, which are not read: 1"}])
    );
    site.change(|facts| {
        facts["shape"].as_object_mut().unwrap().remove("firewall");
    });
    let answer = site.fleet.call("plan_deploy", &json!({"hosts": ["web"]}));
    let effects = &answer.json["hosts"][0]["diff"]["effects"];
    assert_eq!(effects["ports"], json!({"firewall": "disabled"}), "{effects:#}");
    let shown = site.fleet.command(&["plans", answer.json["plan_id"].as_str().unwrap()]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("  ports   the firewall is DISABLED: no port is closed any more\n"), "{shown}");
}
