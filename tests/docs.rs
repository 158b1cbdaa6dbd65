//! The generated documents match the code. `PANTHEROS_UPDATE_GOLDEN=1` regenerates them.
use std::path::Path;

use crate::common::golden;
use pantheros_mcp::testing::tools::{Effect, Reach, ToolEntry, catalogue};
use pantheros_mcp::testing::{config, diagnostic};
use schemars::schema_for;
use serde_json::Value;

fn compare(path: &str, text: &str) {
    golden::check(path, text, "docs::");
}

/// The text of a doc comment, as one paragraph.
fn prose(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

const HOMES: &str = "\
# Settings

Settings come from three sources. Every key of a file is optional. An unknown key is refused, with the nearest known key
as a suggestion. A relative path is resolved against the folder of its file. This page is generated from the code.

| source | where | precedence |
|---|---|---|
| machine | `/etc/pantheros/config.toml`, and `/etc/pantheros/deploy.toml`, which may have only the section `[deploy]`. They must belong to root, and nobody else may be able to write to them | highest: no other source overrules it |
| user | `$XDG_CONFIG_HOME/pantheros/config.toml` (by default `~/.config/pantheros/config.toml`), or the file that `--config` or `PANTHEROS_CONFIG` names. Switches on the command line have the user's authority and overrule this file | after the machine |
| flake | `pantheros.toml` beside `flake.nix`; it must not be a symbolic link | lowest, and limited as the column *beside the flake* says |

Anyone who can edit the flake can write the file beside it. Without trust, this file can therefore set only what the
flake itself could set, and can only narrow what is allowed. Its other settings have an effect after a person has run
`pantheros-mcp trust` in a terminal, which shows the settings that the file would set, and asks. Trust is for the path and
the content of the file. It ends when the content changes, and with `pantheros-mcp trust --revoke`. It does not cover the
content of the programs and files that the settings name. Settings without effect are reported on standard error.

A running server reads all sources again at each call, and checks again whether the file is trusted and where a symbolic
link to the flake leads. A call uses the same settings from its beginning to its end. While a source cannot be read, every
call and every request for a log fails with `invalid_settings`, which names the problem; the settings read before are not
used. If the settings change in the meantime, a plan is not made, and the answer to a form is not accepted. `[http]` and
`limits.message_kib` are read only when the server starts; a change of them is reported on standard error. The file beside
the flake narrows a value only while it contains the setting: put restrictions that must hold against people who can edit
the flake into one of the other two sources.

The user's file may be a pipe or a device (`--config <(…)`). It is read once, when the program starts, until it ends, for
at most 60 seconds; its settings are used as long as the program runs. A command that the server tells a person to run in
a terminal cannot read it again: use a regular file if plans are approved in a terminal.

The column *beside the flake* gives the effect of a key in the file beside the flake:

- *applies*: the value is used, whether the file is trusted or not.
- *narrows*: an untrusted file can only reduce what is allowed otherwise; a trusted file counts like any other source.
- *once trusted*: no effect until the file is trusted; then the value is used, with the precedence of the flake.
- *no effect*: none, even if the file is trusted.

A key marked *guards deployments* blocks them: while an untrusted file sets it, `deploy`, `rollback_host` and `approve`
fail with `untrusted_settings`, unless the machine's settings have that key. They also fail if `deploy.approve_by` of an
untrusted file has no method in common with the value of the other sources.

The column *several sources* gives the value in force if several sources set the key. *The first* is the value of the
first source in this order: machine, switch, user, flake. The column also names the switch or environment variable of the
key, if it has one.
";

/// The effect of a key in the file beside the flake.
fn beside(key: &config::SettingKey) -> String {
    let counts = match key.flake_influence {
        config::FlakeInfluence::Counts => "applies",
        config::FlakeInfluence::Narrows => "narrows",
        config::FlakeInfluence::Trusted => "once trusted",
        config::FlakeInfluence::Never => "no effect",
    };
    let guards = if key.guard == config::GuardCondition::IfSet { "; guards deployments" } else { "" };
    format!("{counts}{guards}")
}

/// The value in force if several sources set a key.
fn of_several(key: &config::SettingKey) -> String {
    use config::{MergeRule, ZeroMeaning};
    let which = match key.rule {
        MergeRule::Highest => "the first",
        MergeRule::Least(ZeroMeaning::Itself) => "the smallest",
        MergeRule::Least(ZeroMeaning::Unlimited | ZeroMeaning::Automatic) => "the smallest; 0 is the largest",
        MergeRule::Any => "`true` if any is `true`",
        MergeRule::All => "`true` only if all are `true`",
        MergeRule::Union => "the names of all lists",
        MergeRule::Intersection(_) => "the names that are in every list",
        MergeRule::EachName => "each name from the first source that has it",
    };
    key.switch.map_or_else(|| which.to_owned(), |switch| format!("{which}; `{switch}`"))
}

#[test]
fn the_settings_are_documented() {
    let schema = schema_for!(config::SettingsFile).to_value();
    let mut text = String::from(HOMES);
    for (section, of_section) in schema["properties"].as_object().unwrap() {
        // A map of sections has one section for each name.
        let each = of_section["patternProperties"].as_object().and_then(|names| names.values().next());
        let heading = if each.is_some() { format!("{section}.NAME") } else { section.clone() };
        let reference = each.unwrap_or(of_section)["$ref"].as_str().unwrap();
        let definition = &schema["$defs"][reference.rsplit('/').next().unwrap()];
        text.push_str(&format!("\n## `[{heading}]`\n\n{}\n\n", prose(definition)));
        let row = config::KEYS.iter().find(|row| row.path == section);
        if let Some(row) = row {
            text.push_str(&format!(
                "Beside the flake: {}. Several sources: {}.\n\n",
                beside(row),
                of_several(row)
            ));
            text.push_str("| key | default | description |\n|---|---|---|\n");
        } else {
            text.push_str(
                "| key | default | beside the flake | several sources | description |\n|---|---|---|---|---|\n",
            );
        }
        for (key, of_key) in definition["properties"].as_object().unwrap() {
            let default = match if each.is_some() { &of_key["default"] } else { &of_section["default"][key] }
            {
                Value::Null => "–".to_owned(),
                value => format!("`{value}`"),
            };
            let about = prose(of_key).replace('|', "\\|");
            assert!(!about.is_empty(), "{section}.{key} is not documented");
            let who = match row {
                Some(_) => String::new(),
                None => {
                    let path = format!("{section}.{key}");
                    let row = config::KEYS.iter().find(|row| row.path == path);
                    let row = row.unwrap_or_else(|| panic!("{path} has no row in the table of keys"));
                    format!(" {} | {} |", beside(row), of_several(row))
                }
            };
            text.push_str(&format!("| `{key}` | {default} |{who} {about} |\n"));
        }
    }
    text.push_str(
        "\n## Environment\n\n\
         | variable | description |\n|---|---|\n\
         | `PANTHEROS_FLAKE` | The flake's folder, as `--flake`. |\n\
         | `PANTHEROS_CONFIG` | The user's file, as `--config`. |\n\
         | `PANTHEROS_HTTP_TOKEN` | The bearer token of the HTTP transport. It overrules a generated token and every `http.token_file` except the machine's. |\n\
         | `PANTHEROS_LOG` | The level of the log on standard error. Default: `warn`. With `debug`, every command line is logged. |\n\
         | `NO_COLOR` | No colours if it is set. |\n",
    );
    compare("docs/settings.md", &text);
}

#[test]
fn the_errors_are_documented() {
    let schema = schema_for!(diagnostic::Code).to_value();
    let mut text = String::from(
        "# Errors\n\n\
         Every error is `{code, message, said?, file?, line?, column?, attr?, hint?, suggestions[], trace[]}`. `message` is\n\
         the server's own sentence; `said` is the text of Nix, the flake, a build or a host about it, unchanged. `file` is\n\
         relative to the flake if it lies in the flake. `trace` starts at the cause and goes outwards, with the flake's\n\
         own files first. Codes are stable, and scripts can rely on them. This page is generated from the code.\n\n\
         | code | meaning |\n|---|---|\n",
    );
    for case in schema["oneOf"].as_array().unwrap() {
        let code = case["const"].as_str().unwrap();
        let about = prose(case).replace('|', "\\|");
        assert!(!about.is_empty(), "{code} is not documented");
        text.push_str(&format!("| `{code}` | {about} |\n"));
    }
    compare("docs/errors.md", &text);
}

/// What a tool changes, as a cell of README's table; the numbers refer to the notes below the table.
fn changes(tool: &ToolEntry) -> &'static str {
    match (tool.effect, tool.min_effect, tool.reach) {
        (Effect::Read, ..) => "nothing³",
        (Effect::Store, Effect::Read, _) => "nothing¹",
        (Effect::Store, _, Reach::Hosts) => "the Nix store²",
        (Effect::Store, _, Reach::Here) => "the Nix store",
        (Effect::Host, ..) => "**hosts**",
    }
}

#[test]
fn the_tools_are_documented() {
    const BEGIN: &str =
        "<!-- Generated from the catalogue: PANTHEROS_UPDATE_GOLDEN=1 cargo test --test all docs:: -->\n";
    const END: &str = "<!-- End of what is generated. -->\n";
    let readme = std::fs::read_to_string(golden::path("README.md")).unwrap();
    let parts = readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        parts.unwrap_or_else(|| panic!("README.md has lost one of these lines:\n{BEGIN}{END}"));
    let mut table = String::from("| tool | what it does | changes |\n|---|---|---|\n");
    for tool in catalogue() {
        let about = tool.description.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
        table.push_str(&format!("| `{}` | {about} | {} |\n", tool.name, changes(tool)));
    }
    compare("README.md", &format!("{before}{BEGIN}{table}{END}{after}"));
}

#[test]
fn the_services_whose_ports_are_known_are_documented() {
    const BEGIN: &str = "<!-- Generated from src/flake/view/services.json: PANTHEROS_UPDATE_GOLDEN=1 cargo test --test all docs:: -->\n";
    const END: &str = "<!-- End of what is generated. -->\n";
    let read = |path: &str| std::fs::read_to_string(golden::path(path)).unwrap();
    let known: Value = serde_json::from_str(&read("src/flake/view/services.json")).unwrap();
    let page = read("docs/options.md");
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let mut table = String::from("| service | port | address |\n|---|---|---|\n");
    for listener in known["listeners"].as_array().unwrap() {
        let text = |field: &str| listener[field].as_str();
        let each = text("each").map(|each| format!("{each}.<name>.")).unwrap_or_default();
        let option = |field: &str| text(field).map(|path| format!("`{each}{path}`"));
        let protocol = text("protocol").unwrap_or("tcp");
        let usual = listener["usual_port"].as_u64().map(|port| port.to_string());
        let port = match (option("port"), usual, text("virtual_hosts")) {
            (Some(option), Some(usual), _) => format!("{option}, or {usual}"),
            (Some(only), None, _) | (None, Some(only), _) => only,
            (None, None, Some(hosts)) => format!("of each host in `{hosts}`"),
            (None, None, None) => "not read: it is in the text of its configuration".to_owned(),
        };
        let address = match (option("address").or(option("sockets")), text("usual_address")) {
            (Some(option), Some(usual)) => format!("{option}, or {usual}"),
            (Some(option), None) => option,
            (None, Some(usual)) => usual.to_owned(),
            (None, None) => "every address".to_owned(),
        };
        let service = text("service").unwrap();
        table.push_str(&format!("| {service} | {protocol} {port} | {address} |\n"));
    }
    let silent: Vec<&str> =
        known["without_ports"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let text = format!("{table}\nThese listen on no port: {}.\n", silent.join(", "));
    compare("docs/options.md", &format!("{before}{BEGIN}{text}{END}{after}"));
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

/// A newcomer reads the required versions before a script reports that one is missing.
#[test]
fn what_setup_wants_is_said_to_who_begins() {
    let read =
        |path: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (setup, contributing, readme) = (read("tools/setup"), read("CONTRIBUTING.md"), read("README.md"));
    let oldest = setup.lines().filter_map(|line| line.strip_prefix("oldest_")?.split_once('='));
    let oldest: Vec<(&str, &str)> = oldest.collect();
    assert!(oldest.len() >= 5, "{oldest:?}");
    for (name, version) in oldest {
        let name = if name == "restic" { name.to_owned() } else { name[..1].to_uppercase() + &name[1..] };
        let wanted = format!("{name} {version}");
        assert!(contributing.contains(&wanted), "CONTRIBUTING.md does not say {wanted}");
        let said = ["Rust", "Node", "Python"].contains(&name.as_str());
        assert!(!said || readme.contains(&wanted), "README.md does not say {wanted}");
    }
    for source in ["npm", "PyPI", "crates.io"] {
        assert!(setup.contains(source) && contributing.contains(source), "{source}");
    }
}
