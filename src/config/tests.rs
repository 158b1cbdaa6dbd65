use schemars::schema_for;
use serde_json::Value;

use super::file::parse;
use super::*;
use crate::diagnostic::{Code, Diagnostic};

fn parsed(text: &str) -> Result<SettingsFile, ConfigError> {
    Ok(parse(text, Path::new(FILE_NAME))?.0)
}

fn from_file(file: SettingsFile) -> Result<Settings, String> {
    let flake = Path::new("/flake");
    let deploy = DeploySettings::from_file(DeployFile::default(), flake)?;
    Settings::from_file(flake.into(), file, deploy, &Overrides::default())
}

#[test]
fn an_empty_file_is_the_defaults() {
    let settings = from_file(parsed("").unwrap()).unwrap();
    assert_eq!(settings.nix, Path::new("nix"));
    assert!(settings.evaluation_workers >= 1);
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let error = parsed("[limits]\nbuild_second = 3\n").unwrap_err();
    let diagnostic = Diagnostic::from(&error);
    assert_eq!(diagnostic.code, Code::InvalidSettings);
    assert_eq!(diagnostic.suggestions.first().map(String::as_str), Some("build_seconds"));
    assert!(diagnostic.message.contains("limits.build_second"), "{diagnostic}");
}

#[test]
fn a_wrong_type_says_where() {
    let error = parsed("[limits]\nbuild_seconds = \"long\"\n").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn what_each_ssh_reads_is_no_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    crate::platform::make_pipe(&path);
    for name in ["config", "identity", "known_hosts"] {
        let text = |path: &Path| format!("[ssh]\n{name} = {path:?}\n");
        let error = from_file(parsed(&text(&path)).unwrap()).unwrap_err();
        assert!(error.contains(name) && error.contains("a pipe"), "{error}");
        from_file(parsed(&text(Path::new("/dev/null"))).unwrap()).unwrap();
    }
}

#[test]
fn bounds_are_checked() {
    for (text, named) in [
        ("[limits]\nconcurrent_calls = 0\n", "concurrent_calls"),
        ("[limits]\nmessage_kib = 0\n", "message_kib"),
        ("[limits]\nmessage_kib = 100000\n", "message_kib"),
        ("[limits]\nevaluation_workers = 257\n", "evaluation_workers"),
        ("[limits]\nbuild_seconds = 604801\n", "build_seconds"),
        ("[limits]\nevaluation_seconds = 86401\n", "evaluation_seconds"),
        ("[deploy]\nplan_minutes = 0", "plan_minutes"),
        ("[deploy]\nplan_minutes = 100000", "plan_minutes"),
        ("[deploy]\napprove_by = []", "approve_by"),
    ] {
        let error = bounds::check(&parsed(text).unwrap()).unwrap_err();
        assert!(error.contains(named), "{text}: {error}");
    }
    bounds::check(&SettingsFile::default()).unwrap();
}

#[test]
fn a_tool_that_does_not_exist_is_refused() {
    let overrides = Overrides { only: vec!["list_host".into()], ..Overrides::default() };
    let error = source::switches(&overrides, None, &["list_hosts"]).unwrap_err();
    assert_eq!(Diagnostic::from(&error).suggestions, ["list_hosts"], "{error}");
}

/// The table of keys decides which sources may set a setting, so it must have every setting.
#[test]
fn every_setting_has_its_row() {
    let schema = schema_for!(SettingsFile).to_value();
    let mut settings = Vec::new();
    for (section, of_section) in schema["properties"].as_object().unwrap() {
        if of_section["patternProperties"].is_object() {
            settings.push(section.clone());
            continue;
        }
        let definition = of_section["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        let keys = schema["$defs"][definition]["properties"].as_object().map(|keys| keys.keys());
        settings.extend(keys.unwrap().map(|key| format!("{section}.{key}")));
    }
    let mut rows: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
    rows.sort_unstable();
    settings.sort_unstable();
    assert_eq!(rows, settings);
}

#[test]
fn what_is_a_path_begins_at_the_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let lines = "[nix]\nprogram = \"tools/nix\"\n[ssh]\nprogram = \"ssh\"\nconfig = \"./c\"\nidentity = \"/i\"\n\
                 [http]\ntoken_file = \"../t\"\n[deploy]\napprovers = \"a\"\n";
    std::fs::write(&path, lines).unwrap();
    let text = source::user(Some(&path), text::AllowedInput::RegularFiles).unwrap().unwrap();
    let values = text.source(SettingsLayer::User, &[]).unwrap().values;
    let at = |pointer: &str| values.pointer(pointer).and_then(Value::as_str).unwrap().to_owned();
    let below = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(at("/nix/program"), below("tools/nix"));
    assert_eq!(at("/ssh/program"), "ssh");
    assert_eq!(at("/ssh/config"), below("c"));
    assert_eq!(at("/ssh/identity"), "/i");
    assert_eq!(at("/http/token_file"), below("../t"));
    assert_eq!(at("/deploy/approvers"), below("a"));
    // A source that sets `approvers` accepts only signatures.
    assert_eq!(values.pointer("/deploy/approve_by").unwrap()[0], "signature");
}

#[test]
fn a_token_stands_in_for_the_users_file_and_not_for_the_machines() {
    let source = |layer, text: &str| {
        let values = parse(text, Path::new(FILE_NAME)).unwrap().1;
        source::SettingsSource { layer, label: String::new(), values }
    };
    let overrides = Overrides { token: true, ..Overrides::default() };
    let variable = source::switches(&overrides, None, &[]).unwrap();
    let file = "[http]\ntoken_file = \"/t\"\n";
    let merged = merge::merge(&[variable.clone(), source(SettingsLayer::User, file)]).unwrap();
    assert_eq!((merged.file.http.token_file, merged.overruled), (None, Vec::new()));
    let merged = merge::merge(&[source(SettingsLayer::Machine, file), variable]).unwrap();
    assert_eq!(merged.file.http.token_file, Some("/t".into()));
    assert_eq!(merged.overruled, ["PANTHEROS_HTTP_TOKEN"]);
}
