//! The disk layouts of the unit tests equal what real Nix evaluates from the modules beside them.

use std::path::Path;

use serde_json::Value;

use crate::common::fleet::{Fleet, nixes};

#[test]
fn the_captured_layouts_are_what_nix_evaluates() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("tests/fixtures/disko");
    let probe = std::fs::read_to_string(root.join("src/disko/probe.nix")).unwrap();
    let whole = "{ enter = at: fallback: value: value; part = at: fallback: value: value; }";
    // The platform of a module is only in its `config`.
    let probe = format!("config: ({probe}) {whole} (config.nixpkgs.hostPlatform or null) config");
    let mut modules: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    modules.retain(|path| path.extension().is_some_and(|extension| extension == "nix"));
    assert!(modules.len() >= 5, "{modules:?}");
    // One flake with all of them. Its outputs are the modules themselves.
    let texts: Vec<(String, String)> = modules
        .iter()
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    let outputs: String = texts.iter().map(|(name, text)| format!("    {name} =\n{text};\n")).collect();
    let flake = format!("{{ outputs = _: {{ layouts = {{\n{outputs}  }}; }}; }}\n");
    for nix in nixes() {
        let fleet = Fleet::committed(&nix, &[("flake.nix", &flake)]);
        for (name, _) in &texts {
            let attr = format!(".#layouts.{name}");
            let read = fleet.by_hand(&["eval", "--json", &attr, "--apply", &probe]);
            assert!(read.status.success(), "{name}: {}", String::from_utf8_lossy(&read.stderr));
            let captured = std::fs::read(folder.join(format!("{name}.bare.json"))).unwrap();
            let captured: Value = serde_json::from_slice(&captured).unwrap();
            assert_eq!(
                serde_json::from_slice::<Value>(&read.stdout).unwrap(),
                captured,
                "{name} with {nix:?}"
            );
        }
    }
}
