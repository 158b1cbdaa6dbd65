//! Plans to approve, and keys to sign them with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pantheros_mcp::testing::config::{DeploySettings, Overrides, Settings};
use pantheros_mcp::testing::deploy::{Approvals, PLAN_VERSION, Plan, StoredPlan};
use pantheros_mcp::testing::names::PlanId;
use pantheros_mcp::testing::time::Timestamp;
use serde_json::{Value, json};

use super::fleet::{Fleet, nixes};

/// A flake without outputs, with these lines in the `[deploy]` section and a state folder of its own.
pub fn fleet(deploy: &str) -> Fleet {
    let nix = nixes().remove(0);
    let fleet = Fleet::plain(&nix, &[]);
    set(&fleet, deploy);
    fleet
}

/// Replaces the `[deploy]` section.
pub fn set(fleet: &Fleet, deploy: &str) {
    let nix = nixes().remove(0);
    let text = format!("[nix]\nprogram = {nix:?}\n\n[deploy]\nstate_folder = \"state\"\n{deploy}\n");
    fleet.write_outside("pantheros.toml", &text);
}

/// The settings of the fleet, as the program reads them.
pub fn settings(fleet: &Fleet) -> DeploySettings {
    let config = fleet.folder().with_file_name("pantheros.toml");
    let overrides = Overrides { flake: Some(fleet.folder()), config: Some(config), ..Overrides::default() };
    Settings::load(None, &overrides, &[]).unwrap().deploy
}

/// The plans and approvals of the fleet.
pub fn approvals(fleet: &Fleet) -> Approvals {
    Approvals::open(&settings(fleet)).unwrap()
}

/// Stores a plan for these hosts that expires after `life`. The first host has blocking risks with these codes.
pub fn stored(fleet: &Fleet, hosts: &[&str], risks: &[&str], life: Duration) -> StoredPlan {
    let created = Timestamp::now();
    let path = |name: &str| format!("/nix/store/{}-{name}", "0".repeat(32));
    let hosts: Vec<Value> = hosts
        .iter()
        .enumerate()
        .map(|(index, host)| {
            let risks = if index == 0 { risks } else { &[] };
            let risks: Vec<Value> = risks
                .iter()
                .map(|code| {
                    json!({"code": code, "severity": "blocking", "evidence": "seen", "mend": "fix it"})
                })
                .collect();
            json!({
                "host": host,
                "target": {"address": format!("{host}.example.org"), "user": "deploy"},
                "host_keys": ["ssh-ed25519 AAAAC3Nza"],
                "machine_id": "1",
                "boot_id": "2",
                "system": "x86_64-linux",
                "toplevel": path("new"),
                "current": path("old"),
                "source": "new",
                "build_on": "local",
                "rollback_timeout": 60,
                "activation_timeout": 300,
                "health_checks": [{"tcp": 443}],
                "risks": risks,
                "diff": {"packages": [], "closure_bytes": 10, "closure_delta_bytes": -1},
                "needs_reboot": false,
            })
        })
        .collect();
    let plan: Plan = serde_json::from_value(json!({
        "version": PLAN_VERSION,
        "id": PlanId::random().unwrap(),
        "created": created,
        "expires": created.after(life),
        "action": "switch",
        "flake": {"folder": "/fleet", "dirty": false},
        "requested_by": {"client": "a client 1", "user": "alice"},
        "hosts": hosts,
        "canary": 1,
        "wave": 4,
        "revert_confirmed": false,
    }))
    .unwrap();
    approvals(fleet).plans().save(plan).unwrap()
}

/// Makes a key with this passphrase beside the fleet.
pub fn key(fleet: &Fleet, name: &str, passphrase: &str) -> PathBuf {
    let path = fleet.folder().with_file_name(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    path
}

/// The public half of a key.
pub fn public(key: &Path) -> String {
    std::fs::read_to_string(key.with_extension("pub")).unwrap().trim().to_owned()
}
