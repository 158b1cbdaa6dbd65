//! The parts of this repository's fleet that can be tested without nixpkgs. `tools/eval-fleet` tests the rest.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::common::fleet::nixes;
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// What each Nix makes of an expression that may read this repository's files and nothing else.
fn evaluated(expression: &str) -> Value {
    let mut answers = nixes().into_iter().map(|nix| {
        let home = tempfile::tempdir().unwrap();
        let output = Command::new(&nix)
            .args(["--extra-experimental-features", "nix-command", "eval", "--impure", "--json"])
            .args(["--store", "dummy://", "--expr", expression])
            .current_dir(root())
            .env("HOME", home.path())
            .env("XDG_CACHE_HOME", home.path().join("cache"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{expression}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    });
    let first = answers.next().unwrap();
    answers.for_each(|other| assert_eq!(other, first, "{expression}"));
    first
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

// ---- the lock file

/// The node of an input, which is given by its name or as a path of inputs from the root.
fn target(nodes: &Value, input: &Value) -> String {
    match input {
        Value::String(node) => node.clone(),
        path => path.as_array().unwrap().iter().fold("root".to_owned(), |node, name| {
            target(nodes, &nodes[&node]["inputs"][name.as_str().unwrap()])
        }),
    }
}

#[test]
fn the_lock_has_what_the_flake_names_and_nothing_else() {
    let lock: Value = serde_json::from_str(&read("flake.lock")).unwrap();
    assert_eq!(lock["version"], 7);
    let nodes = &lock["nodes"];
    let inputs = evaluated("(import ./flake.nix).inputs");
    assert_eq!(names(&nodes["root"]["inputs"]), names(&inputs));

    for (name, input) in inputs.as_object().unwrap() {
        let node = &nodes[target(nodes, &nodes["root"]["inputs"][name])];
        let original = &node["original"];
        let mut url = format!(
            "{}:{}/{}",
            original["type"].as_str().unwrap(),
            original["owner"].as_str().unwrap(),
            original["repo"].as_str().unwrap()
        );
        if let Some(branch) = original["ref"].as_str() {
            url = format!("{url}/{branch}");
        }
        assert_eq!(input["url"], url, "{name}");
        for (inner, settings) in input["inputs"].as_object().into_iter().flatten() {
            let path = settings["follows"].as_str().unwrap();
            let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            assert_eq!(node["inputs"][inner], json!(path), "{name}.{inner} follows {path:?}");
        }
    }

    // Every node is reachable, and every input leads to a node.
    let mut reached = BTreeSet::new();
    let mut rest = vec!["root".to_owned()];
    while let Some(node) = rest.pop() {
        assert!(nodes.get(&node).is_some(), "an input leads to {node}, which is not there");
        if reached.insert(node.clone()) {
            rest.extend(
                nodes[&node]["inputs"].as_object().into_iter().flatten().map(|(_, to)| target(nodes, to)),
            );
        }
    }
    assert_eq!(reached, names(nodes));
}

#[test]
fn everything_is_locked_to_a_commit_and_a_hash_and_there_is_one_nixpkgs() {
    let lock: Value = serde_json::from_str(&read("flake.lock")).unwrap();
    let mut nixpkgs = 0;
    for (name, node) in lock["nodes"].as_object().unwrap() {
        if name == "root" {
            continue;
        }
        let locked = &node["locked"];
        let revision = locked["rev"].as_str().unwrap();
        assert!(revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        let hash = locked["narHash"].as_str().unwrap();
        assert!(hash.starts_with("sha256-") && hash.len() == 51, "{name}: {hash}");
        assert!(locked["lastModified"].as_u64().is_some_and(|time| time > 1_600_000_000), "{name}");
        nixpkgs += usize::from(locked["repo"] == "nixpkgs");
    }
    assert_eq!(nixpkgs, 1, "every input follows the one nixpkgs");
}

#[test]
fn nix_takes_the_lock_as_it_is() {
    for nix in nixes() {
        let scratch = tempfile::tempdir().unwrap();
        // Nix judges a lock file by the inputs alone, and fetches nothing that is locked.
        for file in ["flake.nix", "flake.lock"] {
            std::fs::copy(root().join(file), scratch.path().join(file)).unwrap();
        }
        let output = Command::new(&nix)
            .args(["--extra-experimental-features", "nix-command flakes", "flake", "metadata", "--json"])
            .args(["--no-update-lock-file", "--option", "substituters", ""])
            .arg(format!("path:{}", scratch.path().display()))
            .env("HOME", scratch.path())
            .env("XDG_CACHE_HOME", scratch.path().join("cache"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{nix:?}: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let lock: Value = serde_json::from_str(&read("flake.lock")).unwrap();
        assert_eq!(metadata["locks"]["nodes"]["root"], lock["nodes"]["root"], "{nix:?}");
    }
}

// ---- hosts

#[test]
fn every_host_is_a_folder_and_a_line() {
    let fleet = evaluated("import ./fleet");
    let hosts = names(&fleet["hosts"]);
    assert!(hosts.is_superset(&["hetzner-cloud", "ovh-cloud"].map(String::from).into()), "{hosts:?}");
    let folders: BTreeSet<String> = std::fs::read_dir(root().join("hosts/servers"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, hosts, "folders below hosts/servers, and hosts in fleet/default.nix");
    for host in &hosts {
        for file in ["configuration.nix", "disko.nix", "home.nix"] {
            assert!(root().join("hosts/servers").join(host).join(file).is_file(), "{host}/{file}");
        }
        assert!(
            root().join(format!("tests/fleet/{host}.json")).is_file(),
            "{host} has no facts to be held to"
        );
    }
    assert!(fleet["hosts"].get(fleet["defaultHost"].as_str().unwrap()).is_some(), "defaultHost is no host");
    for shell in fleet["shells"].as_array().unwrap() {
        let shell = shell.as_str().unwrap();
        assert!(root().join(format!("shells/{shell}.nix")).is_file(), "{shell} has no file below shells/");
    }
    assert_eq!(fleet["shells"], json!(["default", "nix", "rust", "node", "python", "go", "mcp", "ai"]));
}

#[test]
fn no_key_is_shipped() {
    let shipped = json!({"admin": [], "deploy": []});
    assert_eq!(
        evaluated("import ./fleet/keys.nix"),
        shipped,
        "a fleet of your own has keys, and not this test"
    );
}

#[test]
fn every_module_is_found_by_name() {
    let modules = evaluated(
        "builtins.mapAttrs (_: found: builtins.mapAttrs (_: builtins.pathExists) found)
           (removeAttrs (import ./fleet/modules.nix) [ \"all\" ])",
    );
    let services = names(&modules["services"]);
    for name in ["monitoring", "backups", "secrets", "home", "pantheros-mcp"] {
        assert!(services.contains(name), "{name} is not among {services:?}");
    }
    for kind in modules.as_object().unwrap().values() {
        assert!(kind.as_object().unwrap().values().all(|exists| exists == &json!(true)), "{kind}");
    }
}

#[test]
fn every_layout_boots_by_bios_and_by_uefi_from_the_disk_it_is_given() {
    for host in names(&evaluated("(import ./fleet).hosts")) {
        let layout = evaluated(&format!(
            "import ./hosts/servers/{host}/disko.nix {{ device = \"/dev/disk/by-id/x\"; }}"
        ));
        let disks = layout["disk"].as_object().unwrap();
        assert_eq!(disks.len(), 1, "{host}");
        let disk = disks.values().next().unwrap();
        assert_eq!((&disk["type"], &disk["device"]), (&json!("disk"), &json!("/dev/disk/by-id/x")), "{host}");
        assert_eq!(disk["content"]["type"], "gpt", "{host}");
        let partitions = disk["content"]["partitions"].as_object().unwrap();
        let of_type = |kind: &str| {
            let mut found = partitions.values().filter(|partition| partition["type"] == kind);
            let only = found.next().unwrap_or_else(|| panic!("{host} has no partition of type {kind}"));
            assert!(found.next().is_none(), "{host} has several of type {kind}");
            only
        };
        let bios = of_type("EF02");
        assert!(bios.get("content").is_none(), "{host}: GRUB alone writes to the BIOS boot partition");
        let esp = of_type("EF00");
        assert_eq!(
            (&esp["content"]["format"], &esp["content"]["mountpoint"]),
            (&json!("vfat"), &json!("/boot/efi"))
        );
        assert_eq!(partitions["boot"]["content"]["mountpoint"], "/boot", "{host}");

        let root = &partitions["root"];
        assert_eq!((&root["size"], &root["content"]["type"]), (&json!("100%"), &json!("btrfs")), "{host}");
        let subvolumes = root["content"]["subvolumes"].as_object().unwrap();
        let mounted: BTreeSet<&str> =
            subvolumes.values().map(|subvolume| subvolume["mountpoint"].as_str().unwrap()).collect();
        assert_eq!(mounted, ["/", "/home", "/nix", "/var"].into(), "{host}");
        for (partition, label) in [("efi", "EFI"), ("boot", "boot"), ("root", "nixos")] {
            let arguments = partitions[partition]["content"]["extraArgs"].as_array().unwrap();
            assert!(arguments.contains(&json!(label)), "{host}: {partition} is not labelled {label}");
        }
        let text = layout.to_string();
        for unwanted in ["luks", "mdraid", "lvm_pv", "zfs"] {
            assert!(!text.contains(unwanted), "{host} has {unwanted}");
        }
    }
}

#[test]
fn each_host_names_its_boot_disk_once() {
    for host in names(&evaluated("(import ./fleet).hosts")) {
        let text = read(&format!("hosts/servers/{host}/configuration.nix"));
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        assert_eq!(code.matches("\"/dev/").count(), 1, "{host}");
        assert!(code.contains("config.pantheros.bootDisk"), "{host}");
    }
}

// ---- nothing is copied into the store to be read

/// The lines of Nix that put a path into a string and read below it. Nix first copies the path into its store (all of
/// nixpkgs for `pkgs.path`), which fails if the store is read-only, as in `nix flake check --no-build`.
fn copying(text: &str) -> Vec<&str> {
    let copies = |line: &str| {
        let reads = ["import", "readFile", "readDir", "callPackage", "scopedImport"];
        let read = reads.iter().any(|word| line.contains(&format!("{word} \"${{")));
        let below = line.split("${").skip(1).any(|rest| {
            let Some((inside, after)) = rest.split_once('}') else { return false };
            let inside = inside.trim();
            let nixpkgs = inside == "<nixpkgs>" || inside.ends_with("pkgs.path");
            let literal = ["./", "../", "/"].iter().any(|start| inside.starts_with(start));
            (nixpkgs || literal) && after.starts_with('/')
        });
        read || below
    };
    text.lines().filter(|line| !line.trim_start().starts_with('#') && copies(line)).collect()
}

#[test]
fn nothing_is_copied_into_the_store_to_be_read() {
    let output =
        Command::new("git").args(["ls-files", "-z", "--", "*.nix"]).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let files: Vec<&str> = listed.split_terminator('\0').collect();
    assert!(files.contains(&"checks/vm/ssh.nix"), "{files:?}");
    let found: Vec<String> = files
        .iter()
        .flat_map(|file| {
            copying(&read(file)).iter().map(|line| format!("{file}: {line}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(found.is_empty(), "write `path + \"/below\"` instead:\n{}", found.join("\n"));
}

#[test]
fn a_copied_path_would_be_noticed() {
    for line in [
        "  keys = import \"${pkgs.path}/nixos/tests/ssh-keys.nix\" pkgs;",
        "  modules = \"${nixpkgs.legacyPackages.x.pkgs.path}/nixos/modules\";",
        "  text = builtins.readFile \"${./script.sh}\";",
        "  pkgs = import \"${<nixpkgs>}/.\" { };",
        "  port = (import \"${inputs.nixpkgs}/nixos/tests/x.nix\").port;",
        "  keys = ${../../keys}/admin.pub",
    ] {
        assert_eq!(copying(line), [line]);
    }
    for line in [
        "  keys = import (pkgs.path + \"/nixos/tests/ssh-keys.nix\") pkgs;",
        "  ln -s ${./tests.yaml} tests.yaml",
        "  cert = \"${certificate.directory}/cert.pem\";",
        "  # import \"${pkgs.path}/x\"",
    ] {
        assert_eq!(copying(line), [""; 0], "{line}");
    }
}
