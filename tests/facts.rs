//! The facts of a host's configuration that show whether the host can be reached after a deployment.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};

/// A configuration with a normal user `deploy`, more options of the user, and options of `security`.
fn user(user: &str, security: &str) -> String {
    format!("users.users.deploy = {{ isNormalUser = true; {user} }}; security = {{ {security} }};")
}

const WHEEL: &str = "extraGroups = [ \"wheel\" ];";
/// As NixOS writes them for `wheelNeedsPassword = false`.
const WHEEL_RULE: &str = "{ users = [ ]; groups = [ \"wheel\" ]; commands = [ { command = \"ALL\"; options = [ \"SETENV\" \"NOPASSWD\" ]; } ]; }";
const OWN_RULE: &str = "{ users = [ \"deploy\" 1000 ]; groups = [ ]; commands = [ { command = \"ALL\"; options = [ \"NOPASSWD\" ]; } ]; }";
const ASKING_RULE: &str = "{ users = [ ]; groups = [ \"users\" ]; commands = [ { command = \"ALL\"; options = [ ]; } \"/bin/ls\" ]; }";

fn sudo(rules: &[&str]) -> String {
    format!("sudo = {{ enable = true; extraRules = [ {} ]; extraConfig = \"\"; }};", rules.join(" "))
}

#[test]
fn configurations_are_read_as_their_programs_read_them() {
    let root = "/users/0/becomes_root";
    let table: Vec<(String, &str, Value)> = vec![
        (user(WHEEL, &sudo(&[WHEEL_RULE])), root, json!(true)),
        (user("", &sudo(&[WHEEL_RULE])), root, json!(false)),
        (user("", &sudo(&[WHEEL_RULE, OWN_RULE])), root, json!(true)),
        // The last rule that matches counts.
        (user("group = \"users\";", &sudo(&[OWN_RULE, ASKING_RULE])), root, json!(false)),
        (user("group = \"users\";", &sudo(&[ASKING_RULE, OWN_RULE])), root, json!(true)),
        (
            format!("{} users.groups.wheel.members = [ \"deploy\" ];", user("", &sudo(&[WHEEL_RULE]))),
            root,
            json!(true),
        ),
        (
            user(WHEEL, "sudo = { enable = true; extraRules = [ ]; extraConfig = \"deploy ALL=(ALL) NOPASSWD: ALL\"; };"),
            root,
            Value::Null,
        ),
        (
            user(WHEEL, &format!("sudo.enable = false; sudo-rs = {{ enable = true; extraRules = [ {WHEEL_RULE} ]; }};")),
            root,
            json!(true),
        ),
        (user(WHEEL, "sudo = { enable = false; extraRules = [ ]; };"), root, json!(false)),
        (user(WHEEL, "sudo.wheelNeedsPassword = false;"), root, json!(true)),
        (user(WHEEL, "sudo.wheelNeedsPassword = true;"), root, json!(false)),
        ("users.users.deploy.isNormalUser = true;".into(), root, Value::Null),
        (user(WHEEL, ""), "/users/0/groups", json!(["wheel"])),
        // Users who can log in: those with a key, except disabled ones.
        (
            "users.users = { a = { }; b.openssh.authorizedKeys.keys = [ \"k\" ]; c = { isNormalUser = true; enable = false; }; };"
                .into(),
            "/users",
            json!([{"name": "b", "groups": [], "becomes_root": null, "keys": ["k"], "more_keys": false}]),
        ),
        (
            user("openssh.authorizedKeys = { keys = [ \"one\" ]; keyFiles = [ ./keys ]; };", ""),
            "/users/0/keys",
            json!(["one", "two", "three", ""]),
        ),
        (user("openssh.authorizedKeys.keyFiles = [ ./keys ];", ""), "/users/0/more_keys", json!(false)),
        (user("openssh.authorizedKeys.keyFiles = [ \"/built/later\" ];", ""), "/users/0/more_keys", json!(true)),
        (
            "services.openssh = { enable = true; settings = { AllowUsers = [ \"a\" ]; DenyUsers = \"b c\"; PermitRootLogin = \"no\"; }; };"
                .into(),
            "/ssh",
            json!({
                "enable": true, "ports": [22], "listens": [], "root_login": "no", "public_keys": null,
                "methods": null, "allow_users": ["a"], "deny_users": ["b", "c"], "allow_groups": null,
                "deny_groups": null, "unread": false, "home_keys": false, "other_keys": false,
            }),
        ),
        (
            "services.openssh = { enable = true; authorizedKeysFiles = [ \"%h/.ssh/authorized_keys\" \"/etc/ssh/authorized_keys.d/%u\" ]; };"
                .into(),
            "/ssh/home_keys",
            json!(true),
        ),
        (
            "services.openssh.authorizedKeysFiles = [ \"/etc/ssh/authorized_keys.d/%u\" ];".into(),
            "/ssh/home_keys",
            json!(false),
        ),
        (
            "services.openssh = { authorizedKeysCommand = \"none\"; settings.TrustedUserCAKeys = \"/etc/ca\"; };".into(),
            "/ssh/other_keys",
            json!(true),
        ),
        ("services.openssh.authorizedKeysCommand = \"/bin/keys\";".into(), "/ssh/other_keys", json!(true)),
        (
            "services.openssh.listenAddresses = [ { addr = \"10.0.0.1\"; port = null; } ];".into(),
            "/ssh/listens",
            json!([{"address": "10.0.0.1", "port": null}]),
        ),
        (
            "networking.firewall = { enable = true; allowedTCPPorts = [ 80 ]; allowedTCPPortRanges = [ { from = 1; to = 3; } ]; \
             interfaces.wg0.allowedTCPPorts = [ 22 ]; trustedInterfaces = [ \"lo\" ]; extraCommands = \"\"; };"
                .into(),
            "/firewall",
            json!({
                "ports": [80], "ranges": [{"from": 1, "to": 3}], "trusted": ["lo"], "rules": false,
                "interfaces": {"wg0": {"ports": [22], "ranges": []}},
            }),
        ),
        (
            "networking.firewall = { enable = true; allowedTCPPorts = [ ]; extraInputRules = \"tcp dport 22 accept\"; };"
                .into(),
            "/firewall/rules",
            json!(true),
        ),
        (
            "networking = { firewall = { enable = false; allowedTCPPorts = [ ]; }; nftables.enable = true; };".into(),
            "/firewall",
            json!({"rules": true}),
        ),
        (
            "services.openssh.extraConfig = \"Match User x\\n  AuthenticationMethods none\";".into(),
            "/ssh/unread",
            json!(true),
        ),
        (
            "boot.loader.grub = { enable = false; devices = [ \"/dev/sda\" ]; };".into(),
            "/boot_devices",
            json!([]),
        ),
        (
            "boot.initrd.luks.devices.root.device = \"/dev/sda2\";".into(),
            "/file_systems",
            json!(["/dev/sda2"]),
        ),
        ("networking.firewall = { enable = false; allowedTCPPorts = [ ]; };".into(), "/firewall", Value::Null),
        (
            "fileSystems = { \"/\".device = \"/dev/sda1\"; \"/data\" = { device = \"/dev/sdb\"; options = [ \"nofail\" ]; }; \
             \"/backup\" = { device = \"/dev/sdc\"; options = [ \"noauto\" ]; }; \"/none\".device = null; };"
                .into(),
            "/file_systems",
            json!(["/dev/sda1"]),
        ),
        (String::new(), "/users", Value::Null),
        // A missing part is no failure. A part that fails costs only itself.
        (String::new(), "/unread", json!([])),
        ("fileSystems = throw \"no\";".into(), "/unread", json!([["file_systems", "mounted"]])),
        (
            "fileSystems = { a.device = \"/dev/a\"; b.device = throw \"no\"; c.device = \"/dev/c\"; };".into(),
            "/file_systems",
            json!(["/dev/a", "/dev/c"]),
        ),
        (
            "boot.initrd.luks.devices.root.device = throw \"no\";".into(),
            "/unread",
            json!([["file_systems", "unlocked", "root"]]),
        ),
        ("boot.loader.grub.devices = [ (throw \"no\") ];".into(), "/unread", json!([["boot_devices"]])),
        (
            "networking = { hostName = throw \"no\"; firewall = { enable = true; allowedTCPPorts = throw \"no\"; }; };"
                .into(),
            "/unread",
            json!([["firewall"], ["host_name"]]),
        ),
        (
            "nixpkgs.hostPlatform = throw \"no\"; system.stateVersion = throw \"no\";".into(),
            "/unread",
            json!([["state_version"], ["system"]]),
        ),
        (
            "services.openssh = { enable = true; settings = { AllowUsers = throw \"no\"; DenyUsers = [ \"x\" ]; }; };".into(),
            "/unread",
            json!([["ssh", "allow_users"]]),
        ),
        (
            "services.openssh.settings = { AllowUsers = throw \"no\"; DenyUsers = [ \"x\" ]; };".into(),
            "/ssh/deny_users",
            json!(["x"]),
        ),
        ("services.openssh.ports = throw \"no\";".into(), "/unread", json!([["ssh"]])),
        (user(WHEEL, "sudo.extraRules = throw \"no\";"), "/unread", json!([["sudo"]])),
        (user(WHEEL, "sudo.extraRules = throw \"no\";"), root, Value::Null),
        (
            "users.users = { a = { isNormalUser = true; extraGroups = throw \"no\"; }; b.isNormalUser = true; };".into(),
            "/unread",
            json!([["users", "a"]]),
        ),
        (
            "services.onepassword-secrets = { enable = true; tokenFile = throw \"no\"; };".into(),
            "/unread",
            json!([["token_file"]]),
        ),
    ];
    let configurations: String = table.iter().map(|(text, ..)| format!("{{ {text} }}\n")).collect();
    let facts = include_str!("../src/flake/facts.nix");
    for nix in nixes() {
        let flake = format!(
            "{{ outputs = _: {{ told = map (config: import ./facts.nix {{ inherit config; }}) [ {configurations} ]; }}; }}"
        );
        let files = [("flake.nix", flake.as_str()), ("facts.nix", facts), ("keys", "two\nthree\n")];
        let fleet = Fleet::committed(&nix, &files);
        let told = fleet.by_hand(&["eval", "--json", ".#told"]);
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let told: Vec<Value> = serde_json::from_slice(&told.stdout).unwrap();
        for ((text, pointer, wanted), told) in table.iter().zip(&told) {
            assert_eq!(told.pointer(pointer), Some(wanted), "{text}");
        }
    }
}
