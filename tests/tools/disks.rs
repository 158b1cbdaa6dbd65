//! `inspect_disko`: what disko wipes and keeps, where each disk and hazard is defined, and several hosts at once.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};

/// Hosts whose `options` have the definitions of `disko.devices` as the module system keeps them: wrapped by `mkIf`,
/// `mkMerge` and `mkForce`.
const FLAKE: &str = r#"{
  outputs = _: let
    definition = content: { _type = "if"; condition = true; inherit content; };
    merged = contents: { _type = "merge"; inherit contents; };
    forced = content: { _type = "override"; priority = 50; inherit content; };
    host = devices: tags: {
      config = {
        disko = { inherit devices; enableConfig = true; };
        boot.initrd = { availableKernelModules = [ "ahci" "sd_mod" ]; kernelModules = { dm_mod = true; nvme = false; }; };
        pantheros.deploy = { inherit tags; };
        nixpkgs.hostPlatform = "x86_64-linux";
      };
      options.disko.devices.definitionsWithLocations = [
        { file = "a"; value = definition (import ./disks.nix merged forced); }
        { file = "b"; value = { disk = { _type = "if"; condition = false; content.main = throw "unused"; }; }; }
        { file = "c"; value = { lib, ... }: { }; }
      ];
    };
    devices = {
      disk.main = {
        type = "disk"; device = "/dev/disk/by-id/nvme-A"; destroy = true;
        content = { type = "gpt"; partitions.root = {
          size = "100%"; content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; };
        }; };
      };
      disk.data = {
        type = "disk"; device = "/dev/disk/by-id/ata-B"; destroy = false;
        content = { type = "filesystem"; format = "ext4"; mountpoint = "/data"; };
      };
    };
  in {
    nixosConfigurations = {
      web = host devices [ "edge" ];
      db = host (devices // { disk = { inherit (devices.disk) data; }; }) [ "edge" ];
      bare.config.disko.devices = {
        disk.only = {
          device = "/dev/disk/by-id/ata-C";
          content = { type = "filesystem"; format = "ext4"; mountpoint = "/"; };
        };
      };
      unknown = host { disk.main = devices.disk.main // { destroy = throw "not today"; }; } [ ];
      broken.config = throw "no configuration";
    };
  };
}"#;

/// The definitions that [`FLAKE`] imports. Tests find the lines by their text.
const DISKS: &str = r#"merged: forced: {
  disk = merged [
    {
      data = {
        device = "/dev/disk/by-id/ata-B";
      };
    }
    (forced {
      main = {
        content = {
          partitions.root = {
            size = "100%";
          };
        };
      };
    })
  ];
}
"#;

fn line(text: &str, of: &str) -> Value {
    (text.lines().position(|line| line.contains(of)).unwrap() + 1).into()
}

fn fleet(nix: &std::path::Path) -> Fleet {
    Fleet::committed(nix, &[("flake.nix", FLAKE), ("disks.nix", DISKS)])
}

#[test]
fn what_is_wiped_and_kept_has_its_place() {
    for nix in nixes() {
        let fleet = fleet(&nix);
        let web = fleet.call("inspect_disko", &json!({"host": "web"})).json;
        let main = json!({
            "name": "main", "device": "/dev/disk/by-id/nvme-A", "file": "disks.nix", "line": line(DISKS, "main ="),
        });
        let data = json!({
            "name": "data", "device": "/dev/disk/by-id/ata-B", "file": "disks.nix", "line": line(DISKS, "data ="),
        });
        assert_eq!((&web["wiped"], &web["kept"]), (&json!([main]), &json!([data])), "{web:#}");
        // The tree does not repeat the path of what `mounts` has.
        let disk = web["disks"].as_array().unwrap().iter().find(|disk| disk["name"] == "main").unwrap();
        assert_eq!((&disk["file"], &disk["line"]), (&main["file"], &main["line"]), "{web:#}");
        let root = &disk["children"][0];
        assert_eq!((&root["mountpoint"], root.get("device")), (&json!("/"), None), "{web:#}");
        let mount =
            json!({"mountpoint": "/", "device": "/dev/disk/by-partlabel/disk-main-root", "format": "ext4"});
        assert_eq!(web["mounts"][0], mount, "{web:#}");
        let hazards = web["hazards"].as_array().unwrap();
        let driver = hazards.iter().find(|hazard| hazard["code"] == "initrd_lacks_driver").unwrap();
        assert_eq!((&driver["file"], &driver["line"]), (&main["file"], &main["line"]), "{driver:#}");
        assert!(driver["message"].as_str().unwrap().contains("the driver nvme"), "{driver:#}");
        assert!(web.get("unread").is_none(), "{web:#}");

        // Without modules the layout itself has the positions.
        let bare = fleet.call("inspect_disko", &json!({"host": "bare"})).json;
        assert_eq!(bare["wiped"][0]["line"], line(FLAKE, "disk.only"), "{bare:#}");
        assert_eq!((&bare["wiped"][0]["file"], &bare["kept"]), (&json!("flake.nix"), &json!([])), "{bare:#}");

        // It is not known whether the disk is wiped, and the answer says so.
        let unknown = fleet.call("inspect_disko", &json!({"host": "unknown"})).json;
        assert_eq!((&unknown["wiped"], &unknown["kept"]), (&json!([]), &json!([])), "{unknown:#}");
        assert_eq!(unknown["unread"][0]["attr"], "devices.disk.main.destroy", "{unknown:#}");
    }
}

#[test]
fn several_hosts_are_inspected_at_once() {
    for nix in nixes() {
        let fleet = fleet(&nix);
        let named = |list: &Value| -> Vec<(String, String)> {
            let text = |of: &Value, field: &str| of[field].as_str().unwrap_or_default().to_owned();
            list.as_array().unwrap().iter().map(|of| (text(of, "host"), text(of, "name"))).collect()
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(host, name)| ((*host).to_owned(), (*name).to_owned())).collect()
        };
        let evaluations = fleet.count_evaluations();
        fleet.limit_workers(1);
        let tagged = fleet.call("inspect_disko", &json!({"hosts": ["web", "db", "broken"]})).json;
        assert_eq!(named(&tagged["wiped"]), pairs(&[("web", "main")]), "{tagged:#}");
        assert_eq!(named(&tagged["kept"]), pairs(&[("web", "data"), ("db", "data")]), "{tagged:#}");
        // What only one host's answer has, the note names.
        assert_eq!(named(&tagged["disks"]), pairs(&[("web", "data"), ("web", "main"), ("db", "data")]));
        assert_eq!(tagged["total_disks"], 3, "{tagged:#}");
        let trees = tagged["disks"].as_array().unwrap();
        assert!(trees.iter().all(|tree| tree.get("children").is_none() && tree["device"].is_string()));
        let root = json!({
            "host": "web", "mountpoint": "/", "device": "/dev/disk/by-partlabel/disk-main-root", "format": "ext4",
        });
        assert_eq!(tagged["mounts"], json!([root]), "{tagged:#}");
        assert!(tagged["note"].as_str().unwrap().contains("the answer about one `host`"), "{tagged:#}");
        let hazards = tagged["hazards"].as_array().unwrap();
        assert!(hazards.iter().all(|hazard| hazard["host"].is_string() && hazard.get("fix").is_none()));
        let has_message = |hazard: &Value| hazard.get("message").is_some();
        assert!(
            hazards.iter().all(|hazard| has_message(hazard) != (hazard["severity"] == "note"))
                && hazards.iter().any(has_message),
            "{hazards:#?}"
        );
        // One process evaluates the hosts; the last one fails.
        assert_eq!(evaluations(), 1);
        // A host that does not evaluate costs itself.
        let gap = &tagged["unread"][0];
        assert_eq!((&gap["attr"], &tagged["unread_total"]), (&json!("broken"), &json!(1)), "{tagged:#}");
        assert!(gap["error"].to_string().contains("no configuration"), "{gap:#}");

        let unread = fleet.call("inspect_disko", &json!({"hosts": ["web", "unknown"]})).json;
        assert_eq!(unread["unread"][0]["attr"], "unknown.devices.disk.main.destroy", "{unread:#}");
        let wrong = fleet.call("inspect_disko", &json!({"hosts": ["web", "wbe"]}));
        assert_eq!((wrong.code, wrong.error_code()), (1, "unknown_host"), "{:#}", wrong.json);
        let refused = fleet.call("inspect_disko", &json!({"host": "web", "tag": "edge"}));
        assert_eq!((refused.code, refused.error_code()), (2, "invalid_input"), "{:#}", refused.json);
        // Without hosts, it is the whole fleet.
        let all = fleet.call("inspect_disko", &json!({})).json;
        let wiped = named(&all["wiped"]);
        assert_eq!(wiped, pairs(&[("bare", "only"), ("web", "main")]), "{all:#}");
        assert_eq!(all["unread"][0]["attr"], "broken", "{all:#}");
        // The tag of the host that does not evaluate is not known.
        let unknown = fleet.call("inspect_disko", &json!({"tag": "edge"}));
        assert_eq!((unknown.code, unknown.error_code()), (1, "evaluation_failed"), "{:#}", unknown.json);
        fleet.write("flake.nix", &FLAKE.replace("broken.config", "# broken.config"));
        let edge = fleet.call("inspect_disko", &json!({"tag": "edge"})).json;
        assert_eq!(named(&edge["kept"]), pairs(&[("db", "data"), ("web", "data")]), "{edge:#}");
        let text = fleet.command(&["call", "inspect_disko", "tag=edge"]).output().unwrap();
        let text = String::from_utf8(text.stderr).unwrap();
        assert!(text.contains("disko wipes /dev/disk/by-id/nvme-A of web"), "{text}");
        assert!(text.contains("web: / is ext4 on /dev/disk/by-partlabel/disk-main-root\n"), "{text}");
        assert!(text.contains("the answer about one `host`"), "{text}");
        assert!(text.contains("warning: web: The initrd lacks the driver"), "{text}");
    }
}

/// A fleet whose disks a function of nixpkgs's library makes, which encrypts root below a volume group, and a dataset.
const GENERATED: &str = r#"{
  outputs = _: let
    library = import ./lib/attrsets.nix;
    root = content: { size = "100%"; inherit content; };
    host = devices: { config.disko = { inherit devices; enableConfig = true; }; };
  in {
    nixosConfigurations.generated = host {
      disk =
        library.genAttrs [ "one" "two" ] (name: {
          type = "disk"; device = "/dev/disk/by-id/${name}";
          content = { type = "gpt"; partitions.pool = root { type = "zfs"; pool = "tank"; }; };
        });
      zpool.tank = {
        type = "zpool";
        datasets = {
          root = { type = "zfs_fs"; mountpoint = "/"; };
          home = {
            type = "zfs_fs"; mountpoint = "/home"; options = { encryption = "on"; keyformat = "passphrase"; };
          };
        };
      };
    };
    nixosConfigurations.volumes = host {
      disk.main = {
        type = "disk"; device = "/dev/disk/by-id/main";
        content = {
          type = "gpt";
          partitions = {
            boot = { size = "1G"; type = "EF02"; };
            root = root { type = "luks"; name = "crypted"; content = { type = "lvm_pv"; vg = "system"; }; };
          };
        };
      };
      lvm_vg.system = {
        type = "lvm_vg";
        lvs.root = root { type = "filesystem"; format = "ext4"; mountpoint = "/"; mountOptions = [ "noatime" ]; };
      };
    };
  };
}"#;

const LIBRARY: &str = "{
  genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names) // {
    one = f \"one\";
  };
}
";

#[test]
fn a_mount_says_how_it_is_encrypted_and_a_generated_disk_has_the_place_of_its_set() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", GENERATED), ("lib/attrsets.nix", LIBRARY)]);
        let all = fleet.call("inspect_disko", &json!({})).json;
        let root = |host: &str| {
            let mounts = all["mounts"].as_array().unwrap();
            mounts.iter().find(|mount| mount["host"] == host).unwrap_or_else(|| panic!("{all:#}"))
        };
        assert_eq!(
            (&root("volumes")["encrypted"], &root("volumes")["device"]),
            (&json!("luks"), &json!("/dev/system/root"))
        );
        assert_eq!((root("generated").get("encrypted"), &root("generated")["format"]), (None, &json!("zfs")));
        let text = fleet.command(&["call", "inspect_disko"]).output().unwrap();
        let text = String::from_utf8(text.stderr).unwrap();
        assert!(text.contains("volumes: / is ext4 on /dev/system/root, encrypted (luks)\n"), "{text}");

        let one = fleet.call("inspect_disko", &json!({"host": "generated"})).json;
        let home =
            one["mounts"].as_array().unwrap().iter().find(|mount| mount["mountpoint"] == "/home").unwrap();
        assert_eq!(home["encrypted"], "zfs", "{one:#}");
        assert!(one["disks"].to_string().contains(r#""member_of":"tank""#), "{one:#}");
        for disk in one["wiped"].as_array().unwrap() {
            assert_eq!(
                (&disk["file"], &disk["line"]),
                (&json!("flake.nix"), &line(GENERATED, "disk =")),
                "{one:#}"
            );
        }
        // The text has the type of a partition, and the tree the options of a mount.
        let volumes = fleet.call("inspect_disko", &json!({"host": "volumes"})).json;
        assert!(volumes["disks"].to_string().contains(r#""options":["noatime"]"#), "{volumes:#}");
        let text = fleet.command(&["call", "inspect_disko", "host=volumes"]).output().unwrap();
        assert!(String::from_utf8(text.stderr).unwrap().contains("EF02 BIOS boot"));
    }
}
