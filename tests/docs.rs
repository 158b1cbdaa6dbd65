//! The generated documents say what the code says. `PANTHEROS_UPDATE_GOLDEN=1` writes them anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use pantheros_mcp::{config, diagnostic};
use schemars::schema_for;
use serde_json::Value;

fn compare(path: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("PANTHEROS_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{} is out of date: run PANTHEROS_UPDATE_GOLDEN=1 cargo test --test docs",
        path.display()
    );
}

/// A doc comment as one paragraph.
fn prose(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_settings_are_documented() {
    let schema = schema_for!(config::File).to_value();
    let mut text = String::from(
        "# Settings\n\n\
         `pantheros.toml` beside `flake.nix`, or the file named by `--config` or `PANTHEROS_CONFIG`. Every key is\n\
         optional; unknown ones are refused with the nearest known one. Switches on the command line beat the file.\n\
         This page is generated from the code.\n",
    );
    for (section, of_section) in schema["properties"].as_object().unwrap() {
        // A map of sections has a section for each name.
        let each = of_section["patternProperties"].as_object().and_then(|names| names.values().next());
        let heading = if each.is_some() { format!("{section}.NAME") } else { section.clone() };
        let reference = each.unwrap_or(of_section)["$ref"].as_str().unwrap();
        let definition = &schema["$defs"][reference.rsplit('/').next().unwrap()];
        text.push_str(&format!("\n## `[{heading}]`\n\n{}\n\n", prose(definition)));
        text.push_str("| key | default | what it is |\n|---|---|---|\n");
        for (key, of_key) in definition["properties"].as_object().unwrap() {
            let default = match if each.is_some() { &of_key["default"] } else { &of_section["default"][key] }
            {
                Value::Null => "–".to_owned(),
                value => format!("`{value}`"),
            };
            let about = prose(of_key).replace('|', "\\|");
            assert!(!about.is_empty(), "{section}.{key} is not documented");
            text.push_str(&format!("| `{key}` | {default} | {about} |\n"));
        }
    }
    text.push_str(
        "\n## Environment\n\n\
         | variable | what it is |\n|---|---|\n\
         | `PANTHEROS_FLAKE` | the flake's folder, as `--flake` |\n\
         | `PANTHEROS_CONFIG` | this file, as `--config` |\n\
         | `PANTHEROS_HTTP_TOKEN` | the bearer token of the HTTP transport; beats `http.token_file` |\n\
         | `PANTHEROS_LOG` | what is logged to standard error: `warn` unless told, `debug` for every command line |\n\
         | `NO_COLOR` | no colours |\n",
    );
    compare("docs/settings.md", &text);
}

#[test]
fn the_errors_are_documented() {
    let schema = schema_for!(diagnostic::Code).to_value();
    let mut text = String::from(
        "# Errors\n\n\
         Every error is `{code, message, file?, line?, column?, attr?, hint?, suggestions[], trace[]}`. `file` is\n\
         relative to the flake where it lies inside it; `trace` goes from the cause outwards, the flake's own files\n\
         first. Scripts can rely on the codes. This page is generated from the code.\n\n\
         | code | what it means |\n|---|---|\n",
    );
    for case in schema["oneOf"].as_array().unwrap() {
        let code = case["const"].as_str().unwrap();
        let about = prose(case).replace('|', "\\|");
        assert!(!about.is_empty(), "{code} is not documented");
        text.push_str(&format!("| `{code}` | {about} |\n"));
    }
    compare("docs/errors.md", &text);
}

#[test]
fn the_documents_name_every_tool() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for tool in pantheros_mcp::tools::catalogue() {
        assert!(readme.contains(&format!("| `{}` |", tool.name)), "README.md has no row for {}", tool.name);
    }
}

#[test]
fn every_configuration_calls_the_server_pantheros() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [".mcp.json", ".github/mcp-servers.json"] {
        let text = std::fs::read_to_string(root.join(path)).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        assert!(json["mcpServers"]["pantheros"]["command"].is_string(), "{path}");
    }
}
