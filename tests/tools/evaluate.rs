//! `evaluate`: values as they are shown, compared with those of Nix, and what an evaluation cannot reach.

mod isolation;
mod secrets;

use std::path::Path;

use serde_json::{Value, json};

use crate::common::fleet::{Answer, Fleet, errors, nixes};

const FLAKE: &str = r#"{ outputs = { self }: let
  drv = derivation { name = "tool-1.2"; system = "x86_64-linux"; builder = "/bin/sh"; };
  host = name: rec {
    config = {
      networking = { hostName = name; ports = [ 22 80 ]; };
      pantheros.deploy.tags = [ "all" ];
    };
    options.networking.hostName = { _type = "option"; value = name; };
    pkgs.tool = drv;
  };
in {
  nixosConfigurations = { web = host "web"; db = host "db"; odd.config = throw "odd has no configuration"; };
  value = {
    nothing = null;
    yes = true;
    number = 1.5;
    text = "a\nb";
    path = ./flake.nix;
    function = x: x;
    tool = drv;
    throws = throw "no";
    missing = { inner = { }.nowhere; beside = 1; };
    list = [ 1 [ ] { } ];
  };
  circle = let circle = { inherit circle; n = 1; }; in circle;
  long = { text = builtins.concatStringsSep "" (builtins.genList (_: "words ") 10000); };
  many = builtins.genList (n: { inherit n; name = "entry ${toString n}"; }) 5000;
  broken = throw "the whole value";
}; }"#;

fn on_each_nix(test: impl Fn(&Path)) {
    nixes().iter().for_each(|nix| test(nix));
}

fn fleet(nix: &Path) -> Fleet {
    Fleet::committed(nix, &[("flake.nix", FLAKE)])
}

fn evaluate(fleet: &Fleet, arguments: Value) -> Answer {
    fleet.call("evaluate", &arguments)
}

/// What Nix itself prints for the attribute.
fn by_hand(fleet: &Fleet, attr: &str) -> Value {
    let output = fleet.by_hand(&["eval", "--json", "--read-only", &format!(".#{attr}")]);
    assert!(output.status.success(), "{attr}: {}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn each_kind_of_value_is_shown() {
    on_each_nix(|nix| {
        let fleet = fleet(nix);
        let answer = evaluate(&fleet, json!({"attr": "value"}));
        assert_eq!(answer.code, 0, "{:#}", answer.json);
        let mut value = answer.json["value"].clone();
        let path = value["path"].take();
        assert!(path.as_str().unwrap().ends_with("-source/flake.nix"), "{path}");
        assert_eq!(
            value,
            json!({
                "nothing": null, "yes": true, "number": 1.5, "text": "a\nb", "path": null,
                "function": "«function»", "tool": "«derivation tool-1.2»", "throws": "«throws»",
                "missing": {"inner": "«fails: missing_attribute»", "beside": 1}, "list": [1, [], {}],
            })
        );
        let failed = &answer.json["errors"]["value.missing.inner"];
        assert_eq!(
            (&failed["code"], &failed["line"]),
            (&json!("missing_attribute"), &json!(22)),
            "{failed:#}"
        );
        let whole = evaluate(&fleet, json!({"attr": "broken"}));
        assert_eq!((whole.code, whole.error_code()), (1, "throw"), "{:#}", whole.json);
        assert!(whole.json["error"]["said"].as_str().unwrap().contains("the whole value"));
        let null = evaluate(&fleet, json!({"attr": "value.nothing"}));
        assert_eq!(null.json, json!({"value": null}));
    });
}

#[test]
fn what_is_left_out_is_named() {
    on_each_nix(|nix| {
        let fleet = fleet(nix);
        let cut = |attr: &str| {
            let answer = evaluate(&fleet, json!({"attr": attr}));
            assert_eq!(answer.code, 0, "{:#}", answer.json);
            assert!(answer.json.to_string().len() < 24 * 1024, "{attr}");
            (answer.json["value"].clone(), answer.json["truncated"].clone())
        };
        let (many, cuts) = cut("many");
        let shown = many.as_array().unwrap().len() as u64 - 1;
        assert!(shown > 200, "{shown}");
        assert_eq!(cuts[0], json!({"attr": "many", "left_out": 5000 - shown}));
        let (long, cuts) = cut("long");
        let text = long["text"].as_str().unwrap();
        assert!(text.len() > 5_000 && text.ends_with('…'), "{}", text.len());
        assert_eq!(cuts[0]["attr"], "long.text");
        assert_eq!(cuts[0]["left_out"].as_u64().unwrap() + text.len() as u64, 60_000);
        let (circle, cuts) = cut("circle");
        let depth = cuts[0]["attr"].as_str().unwrap().matches("circle").count();
        assert_eq!((depth, &cuts[0]["left_out"]), (13, &json!(2)), "{circle:#}");
        assert!(circle.to_string().contains("«set of 2»"), "{circle:#}");
    });
}

#[test]
fn hosts_are_evaluated_side_by_side() {
    on_each_nix(|nix| {
        let fleet = fleet(nix);
        let values = |arguments: Value| evaluate(&fleet, arguments).json;
        let name = |host: &str| values(json!({"attr": "networking.hostName", "host": host}))["value"].clone();
        assert_eq!((name("web"), name("db")), (json!("web"), json!("db")));
        let both = values(
            json!({"attr": "config.networking.ports", "hosts": ["web", "db"], "apply": "builtins.length"}),
        );
        assert_eq!(both, json!({"values": {"db": 2, "web": 2}}));
        let option = values(json!({"attr": "options.networking.hostName.value", "host": "db"}));
        assert_eq!(option["value"], "db");
        let package = values(json!({"attr": "pkgs.tool", "host": "db"}));
        assert_eq!(package["value"], "«derivation tool-1.2»");
        let some = values(json!({"attr": "networking", "hosts": ["web", "odd", "wbe"]}));
        assert_eq!(some["values"]["web"]["hostName"], "web", "{some:#}");
        let code = |host: &str| some["errors"][host]["code"].clone();
        assert_eq!((code("odd"), code("wbe")), (json!("throw"), json!("unknown_host")), "{some:#}");
        assert_eq!(some["errors"]["wbe"]["suggestions"][0], "web");
        let none = evaluate(&fleet, json!({"attr": "networking", "hosts": ["odd"]}));
        assert_eq!(none.code, 1, "{:#}", none.json);
        fleet.write("flake.nix", &FLAKE.replace("odd.config = throw", "# odd.config = throw"));
        fleet.write("flake.nix", &FLAKE.replace("odd.config = throw \"odd has no configuration\";", ""));
        let tagged = values(json!({"attr": "networking.hostName", "tag": "all"}));
        assert_eq!(tagged, json!({"values": {"db": "db", "web": "web"}}));
        for wrong in [
            json!({"attr": "networking", "host": "web", "tag": "all"}),
            json!({"attr": "networking", "hosts": ["web"], "tag": "all"}),
            json!({"attr": "networking..x", "host": "web"}),
            json!({"attr": "", "host": "web"}),
        ] {
            let answer = evaluate(&fleet, wrong.clone());
            assert_eq!((answer.code, answer.error_code()), (2, "invalid_input"), "{wrong}");
        }
    });
}

#[test]
fn positions_are_those_in_the_flake() {
    on_each_nix(|nix| {
        let fleet = fleet(nix);
        let answer = evaluate(&fleet, json!({"attr": "value", "positions": true}));
        let at = |attr: &str| answer.json["positions"][attr].clone();
        assert_eq!(
            (at("value.nothing"), at("value.missing.beside")),
            (json!("flake.nix:14"), json!("flake.nix:22"))
        );
        assert_eq!(at("value"), Value::Null);
    });
}

#[test]
fn a_function_is_one_expression_whatever_is_in_it() {
    on_each_nix(|nix| {
        let fleet = fleet(nix);
        let apply = |function: &str| {
            let answer = evaluate(&fleet, json!({"attr": "value.list", "apply": function}));
            match answer.code {
                0 => answer.json["value"].clone(),
                _ => answer.error_code().into(),
            }
        };
        assert_eq!(apply("list: builtins.length list # a remark"), 3);
        // Nix calls a function of which each argument has a default.
        assert_eq!(apply("list: let f = { a ? 1, ... }: a; in f { a = list; }"), json!([1, [], {}]));
        assert_eq!(apply("x: x) (y: y"), json!([1, [], {}]));
        assert_eq!(apply("{ a ? 1 }: a"), "type_mismatch");
        assert_eq!(apply("x: x); own = (y: 2"), "syntax_error");
        assert_eq!(apply("x: ''${"), "syntax_error");
        assert_eq!(apply("builtins.length"), 3);
        assert_eq!(apply(" "), "invalid_input");
        // What is wrong is in the function, which is in no file.
        for (function, said) in [
            ("x: x +", "`apply` is not valid Nix"),
            ("x: lib.length x", "without nixpkgs' `lib`"),
            ("5", "is not a function: write one"),
        ] {
            let answer = evaluate(&fleet, json!({"attr": "value.list", "apply": function}));
            let told = answer.json["error"].to_string();
            assert!(told.contains(said) && !told.contains("the file"), "{function}: {told}");
        }
    });
}

#[test]
fn an_answer_is_kept_until_the_flake_changes() {
    on_each_nix(|nix| {
        let fleet = fleet(nix);
        let count = fleet.count_evaluations();
        let ask = |apply: &str| evaluate(&fleet, json!({"attr": "value.number", "apply": apply})).json;
        let first = ask("x: x");
        assert_eq!((&first, count()), (&ask("x: x"), 1));
        assert_ne!((ask("x: x + 1"), count()), (first, 1));
        fleet.write("flake.nix", &FLAKE.replace("number = 1.5", "number = 2.5"));
        assert_eq!((ask("x: x"), count()), (json!({"value": 2.5}), 3));
    });
}

#[test]
fn inputs_are_those_of_nix() {
    on_each_nix(|nix| {
        let input = |files: &[(&str, &str)]| Fleet::committed(nix, files);
        let tree = input(&[("data.nix", "[ 1 2 ]")]);
        let url = |input: &Fleet| format!("git+file://{}", input.folder().display());
        let library = input(&[(
            "sub/flake.nix",
            &format!(
                "{{ inputs.tree = {{ url = {:?}; flake = false; }}; outputs = {{ self, tree }}: {{ \
                 data = import \"${{tree}}/data.nix\"; here = builtins.readDir ./.; inherit (self) sourceInfo; }}; }}",
                url(&tree)
            ),
        )]);
        let flake = format!(
            "{{ inputs.library.url = \"{}?dir=sub\"; inputs.tree.follows = \"library/tree\"; \
             outputs = {{ self, library, tree }}: {{ \
             self = self.sourceInfo; names = builtins.attrNames self; all = self.inputs.library.sourceInfo; \
             outer = builtins.attrNames library; tree = builtins.removeAttrs tree [ \"outPath\" \"sourceInfo\" ]; tree_names = builtins.attrNames tree; \
             inherit (library) data here; inherit (library.outputs) sourceInfo; path = \"${{self}}\"; \
             own = builtins.readDir self; in_inputs = builtins.attrNames library.inputs; }}; }}",
            url(&library)
        );
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake), ("more.nix", "1")]);
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{}", errors(&locked));
        let same = |state: &str| {
            for attr in [
                "self",
                "names",
                "all",
                "outer",
                "tree",
                "tree_names",
                "data",
                "here",
                "sourceInfo",
                "path",
                "own",
                "in_inputs",
            ] {
                let answer = evaluate(&fleet, json!({"attr": attr}));
                // Nix prints the path alone.
                let apply = "set: builtins.removeAttrs set [ \"outPath\" ]";
                let is_source = ["self", "all", "sourceInfo"].contains(&attr);
                let (expected, value) = if is_source {
                    let output = fleet.by_hand(&[
                        "eval",
                        "--json",
                        "--read-only",
                        "--apply",
                        apply,
                        &format!(".#{attr}"),
                    ]);
                    assert!(output.status.success(), "{attr}: {}", errors(&output));
                    let shown = evaluate(&fleet, json!({"attr": attr, "apply": apply}));
                    (serde_json::from_slice(&output.stdout).unwrap(), shown.json["value"].clone())
                } else {
                    (by_hand(&fleet, attr), answer.json["value"].clone())
                };
                assert_eq!(value, expected, "{state} {attr}: {:#}", answer.json);
            }
        };
        same("uncommitted");
        fleet.git(&["add", "."]);
        fleet.git(&["commit", "-qm", "lock"]);
        same("committed");
    });
}

#[test]
fn a_lock_file_that_does_not_fit_is_refused() {
    on_each_nix(|nix| {
        let library = Fleet::committed(nix, &[("flake.nix", "{ outputs = _: { x = 1; }; }")]);
        let flake = format!(
            "{{ inputs.library.url = \"git+file://{}\"; outputs = {{ self, library }}: {{ inherit (library) x; }}; }}",
            library.folder().display()
        );
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake)]);
        assert_eq!(evaluate(&fleet, json!({"attr": "x"})).error_code(), "lock_file_outdated");
    });
}

#[test]
fn a_lock_file_that_git_does_not_track_is_none() {
    on_each_nix(|nix| {
        let library = Fleet::committed(nix, &[("flake.nix", "{ outputs = _: { x = 1; }; }")]);
        let outputs = "{ own = 2; nixosConfigurations.web.config.networking.hostName = \"web\"; }";
        let flake = format!(
            "{{ inputs.library.url = \"git+file://{}\"; outputs = {{ self, library }}: {outputs}; }}",
            library.folder().display()
        );
        let fleet = Fleet::committed(nix, &[("flake.nix", &flake)]);
        let locked = fleet.by_hand(&["flake", "lock"]);
        assert!(locked.status.success(), "{}", errors(&locked));
        assert_eq!(evaluate(&fleet, json!({"attr": "own"})).json["value"], 2);
        fleet.git(&["rm", "-q", "--cached", "flake.lock"]);
        assert!(!fleet.by_hand(&["eval", "--no-update-lock-file", ".#own"]).status.success());
        for (tool, arguments) in [
            ("evaluate", json!({"attr": "own"})),
            ("list_hosts", json!({"wait": true})),
            ("flake_check", json!({})),
            ("build_host", json!({"host": "web"})),
            ("explain_option", json!({"host": "web", "option": "networking.hostName"})),
            ("nix_search", json!({"query": "x"})),
        ] {
            let answer = fleet.call(tool, &arguments);
            assert_eq!(answer.error_code(), "untracked_file", "{tool}: {:#}", answer.json);
            let hint = answer.json["error"]["hint"].as_str().unwrap();
            assert!(hint.contains("`git add flake.lock`"), "{tool}: {hint}");
        }
        // Without inputs, nothing is missing.
        fleet.write("flake.nix", &format!("{{ outputs = _: {outputs}; }}"));
        assert!(fleet.by_hand(&["eval", "--no-update-lock-file", ".#own"]).status.success());
        assert_eq!(evaluate(&fleet, json!({"attr": "own"})).json["value"], 2);
        // With inputs, it is read as soon as Git tracks it.
        fleet.write("flake.nix", &flake);
        fleet.git(&["add", "flake.lock"]);
        assert_eq!(evaluate(&fleet, json!({"attr": "own"})).json["value"], 2);
    });
}
