//! `list_devshells`: the attribute, the version, the commands and the origin of each package of a shell.

use serde_json::{Value, json};

use crate::common::fleet::{Fleet, nixes};

/// Shells as `mkShell` of nixpkgs makes them. `nixpkgs` stands for another flake, as its files are in the store.
const FLAKE: &str = r#"{
  outputs = _: let
    system = "x86_64-linux";
    make = name: attributes: derivation ({
      inherit name system; builder = "/bin/sh";
      args = [ "-c" ''
        PATH=/bin:/usr/bin
        mkdir -p $out/bin && for program in $programs; do echo > $out/bin/$program; done
      '' ];
    } // builtins.removeAttrs attributes [ "meta" ]) // { inherit (attributes) meta; };
    tool = name: programs: meta: make name { inherit programs meta; };
    deploy = import ./deploy.nix make;
    nixpkgs = "/nix/store/xqlx0ikbp04gma1n6rwxl8qvqmmmmk7f-source";
    ripgrep = tool "ripgrep-14.1" "rg rgx" { mainProgram = "rg"; position = "${nixpkgs}/pkgs/by-name/ri/ripgrep/package.nix:88"; };
    node = tool "nodejs-22.0" "node npm npx corepack c1 c2 c3" { position = "${nixpkgs}/pkgs/development/web/nodejs/v22.nix:1"; };
    cmake = tool "cmake-3.30" "cmake" { };
    zlib = tool "zlib-1.3" "" { };
    app = make "app-2" { nativeBuildInputs = [ cmake ]; buildInputs = [ zlib ]; meta = { }; programs = "app"; };
    shell = name: native: build:
      make name { nativeBuildInputs = native; buildInputs = build; meta = { }; programs = ""; }
      // { nativeBuildInputs = native; buildInputs = build; };
  in {
    packages.${system} = {
      app = app // { nativeBuildInputs = [ cmake ]; buildInputs = [ zlib ]; };
      inherit deploy;
      broken = throw "does not evaluate";
    };
    devShells.${system} = {
      # What `mkShell { packages = [ ripgrep node deploy ]; inputsFrom = [ app ]; }` evaluates to.
      default = shell "default" [ ripgrep node deploy cmake ] [ zlib ];
      # In another order, nothing comes from `app`.
      other = shell "other" [ cmake ] [ ripgrep ];
      # All of `default` and of `other`, and more.
      large = shell "large" [ zlib ripgrep node deploy cmake ] [ ripgrep zlib ];
    };
  };
}"#;
const DEPLOY: &str = "make:\nmake \"deploy-1\" {\n  programs = \"deploy undo\";\n  meta.position = \"${toString ./deploy.nix}:3\";\n}\n";

#[test]
fn a_package_of_a_shell_has_attribute_version_and_commands() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", FLAKE), ("deploy.nix", DEPLOY)]);
        let shells = || fleet.call("list_devshells", &json!({})).json["shells"].clone();
        let before = shells();
        let found = |shells: &Value, shell: &str, name: &str| -> Value {
            let shells = shells.as_array().unwrap();
            let shell = shells.iter().find(|known| known["name"] == shell).unwrap();
            let packages = shell["packages"].as_array().unwrap();
            packages.iter().find(|package| package["name"] == name).unwrap().clone()
        };
        assert!(before.as_array().unwrap().iter().all(|shell| shell["status"] == "ok"), "{before:#}");
        let ripgrep = found(&before, "default", "ripgrep");
        assert_eq!(
            (&ripgrep["version"], &ripgrep["attr"], &ripgrep["commands"][0]),
            (&json!("14.1"), &json!("ripgrep"), &json!("rg")),
            "{ripgrep:#}"
        );
        assert_eq!((ripgrep.get("file"), ripgrep.get("through")), (None, None), "{ripgrep:#}");
        // Its attribute is not certain.
        assert_eq!(found(&before, "default", "nodejs").get("attr"), None);
        let deploy = found(&before, "default", "deploy");
        assert_eq!(
            (&deploy["attr"], &deploy["file"], &deploy["line"]),
            (&json!("packages.x86_64-linux.deploy"), &json!("deploy.nix"), &json!(3)),
            "{deploy:#}"
        );

        let app = json!(["packages.x86_64-linux.app"]);
        assert_eq!(found(&before, "default", "cmake")["through"], app, "{before:#}");
        assert_eq!(found(&before, "default", "zlib")["through"], app, "{before:#}");
        assert_eq!(found(&before, "other", "cmake").get("through"), None, "{before:#}");
        let all = json!([
            "packages.x86_64-linux.app",
            "devShells.x86_64-linux.default",
            "devShells.x86_64-linux.other",
        ]);
        assert_eq!(found(&before, "large", "cmake")["through"], all, "{before:#}");
        let from_default = json!(["devShells.x86_64-linux.default"]);
        assert_eq!(found(&before, "large", "nodejs")["through"], from_default, "{before:#}");

        // Once the packages are in the store, their commands are known, although the flake is the same.
        let built = fleet.by_hand(&["build", "--no-link", ".#devShells.x86_64-linux.default"]);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let after = shells();
        assert_eq!(found(&after, "default", "ripgrep")["commands"], json!(["rg", "rgx"]));
        let node = found(&after, "default", "nodejs");
        assert_eq!(node["commands"], json!(["c1", "c2", "c3", "corepack", "node"]), "{node:#}");
        assert_eq!(node["more_commands"], 2, "{node:#}");
        assert_eq!(found(&after, "default", "deploy")["commands"], json!(["deploy", "undo"]));
        let text = fleet.command(&["call", "list_devshells"]).output().unwrap();
        let text = String::from_utf8(text.stderr).unwrap();
        assert!(text.contains("ripgrep 14.1 (rg rgx)") && text.contains("zlib 1.3"), "{text}");
    }
}

#[test]
fn a_package_that_no_shell_is_compared_with_is_told() {
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", FLAKE), ("deploy.nix", DEPLOY)]);
        let answer = fleet.call("list_devshells", &json!({})).json;
        assert_eq!(answer["unread_total"], 1, "{answer:#}");
        assert_eq!(answer["unread"][0]["attr"], "packages.x86_64-linux.broken", "{answer:#}");
        assert!(answer["unread"][0]["error"].to_string().contains("does not evaluate"), "{answer:#}");
        let text = fleet.command(&["call", "list_devshells"]).output().unwrap();
        let text = String::from_utf8(text.stderr).unwrap();
        assert!(text.contains("✗ packages.x86_64-linux.broken: "), "{text}");
        // Of another system, nothing is read.
        let other = fleet.call("list_devshells", &json!({"system": "aarch64-linux"})).json;
        assert_eq!((&other["total"], other.get("unread")), (&json!(0), None), "{other:#}");

        // All packages of a system that does not evaluate, packages whose inputs do not, and those that are too many.
        let many = "inherit deploy; } // builtins.listToAttrs (builtins.genList (n: { \
                    name = \"many-${toString n}\"; value = app; }) 250) // {";
        for (flake, attr, not_compared) in [
            (
                FLAKE.replace("app = app // {", "app = throw \"no names\"; } // throw \"no set\" // { x = {"),
                "packages.x86_64-linux",
                0,
            ),
            (
                FLAKE.replace(
                    "buildInputs = [ zlib ]; };\n      inherit",
                    "buildInputs = throw \"no inputs\"; };\n      inherit",
                ),
                "packages.x86_64-linux.app",
                0,
            ),
            (FLAKE.replace("inherit deploy;", many), "packages.x86_64-linux.broken", 53),
        ] {
            fleet.write("flake.nix", &flake);
            let answer = fleet.call("list_devshells", &json!({})).json;
            let told = answer["unread"].to_string();
            assert!(told.contains(&format!("\"{attr}\"")), "{attr}: {answer:#}");
            assert_eq!(answer["not_compared"].as_u64().unwrap_or_default(), not_compared, "{answer:#}");
            assert_eq!(answer["shells"][0]["status"], "ok", "{answer:#}");
        }
    }
}
