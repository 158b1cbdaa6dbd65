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

Settings have three homes. Of each file every key is optional; unknown ones are refused with the nearest known one.
A relative path begins at its file's folder. This page is generated from the code.

| home | where | who wins |
|---|---|---|
| the machine's | `/etc/pantheros/config.toml`, and `/etc/pantheros/deploy.toml` with `[deploy]` alone; root's, and writable by nobody else | never overruled |
| the user's | `$XDG_CONFIG_HOME/pantheros/config.toml` (`~/.config/…`); `--config` or `PANTHEROS_CONFIG` names another one. Switches on the command line are the user's word, too, and come before it | after the machine |
| beside the flake | `pantheros.toml` beside `flake.nix`; no symbolic link | as below |

Whoever edits the flake writes the file beside it, so that it counts as far as the flake itself could say the same, and
where it narrows what is allowed. The rest of it counts once a person ran `pantheros-mcp trust` in a terminal: it
shows what the file would set, and asks. The trust is for the file's path and content, and ends with its next change or
with `pantheros-mcp trust --revoke`. What programs and files it names is not part of that content. What is ignored is
said on standard error.

A running server reads all of them again at each call, and looks anew whether a file is trusted and where a symbolic link
to the flake leads: what they say then counts for that call from its beginning to its end. While one cannot be read,
every call fails with `invalid_settings`, which says what is wrong with it, and so does reading a log; no call goes by what
it said before. A plan is not made, and the answer to a form does not count, if the settings changed meanwhile. Only
`[http]` and `limits.message_kib` count as they were at the server's start; that they were changed is said on standard
error. What the file beside the flake narrows it narrows as long as it says so: what is to hold against whoever edits the
flake belongs in one of the other two.

The user's file may be a pipe or a device (`--config <(…)`). What comes through it is read once, when the program starts,
until it ends, for 60 seconds at most; it counts as long as the program runs. A command that a server tells a person to
type in a terminal cannot read it again: for approvals in a terminal name a file.

The column *beside the flake* says what counts of it there:

- *counts*: all of it.
- *narrows*: only where it allows less than what counts otherwise; the rest once the file is trusted.
- *once trusted*: nothing before, and then as the user's, after it.
- *never counts*: nothing, trusted or not.

Until it is trusted, a file with a key marked *guards deployments* keeps `deploy`, `rollback_host` and `approve` back
(`untrusted_settings`), unless the machine's settings have that key; so does `deploy.approve_by` that would leave nothing.

The column *of several* says what counts where several homes say something: *the first* is the machine's, then a switch,
the user's, the file beside the flake.
";

/// The cell of the column *beside the flake* for a key.
fn beside(key: &config::SettingKey) -> String {
    let counts = match key.flake_influence {
        config::FlakeInfluence::Counts => "counts",
        config::FlakeInfluence::Narrows => "narrows",
        config::FlakeInfluence::Trusted => "once trusted",
        config::FlakeInfluence::Never => "never counts",
    };
    let guards = if key.guard == config::GuardCondition::IfSet { "; guards deployments" } else { "" };
    format!("{counts}{guards}")
}

/// The cell of the column *of several* for a key.
fn of_several(key: &config::SettingKey) -> String {
    use config::{MergeRule, ZeroMeaning};
    let which = match key.rule {
        MergeRule::Highest => "the first",
        MergeRule::Least(ZeroMeaning::Itself) => "the least",
        MergeRule::Least(ZeroMeaning::Unlimited | ZeroMeaning::Automatic) => "the least; 0 is the most",
        MergeRule::Any => "`true` where any says so",
        MergeRule::All => "`true` where all say so",
        MergeRule::Union => "all that any names",
        MergeRule::Intersection(_) => "what all name",
        MergeRule::EachName => "each name by the first",
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
                "Beside the flake it {}; of several, {}.\n\n",
                beside(row),
                of_several(row)
            ));
            text.push_str("| key | default | what it is |\n|---|---|---|\n");
        } else {
            text.push_str(
                "| key | default | beside the flake | of several | what it is |\n|---|---|---|---|---|\n",
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
         | variable | what it is |\n|---|---|\n\
         | `PANTHEROS_FLAKE` | the flake's folder, as `--flake` |\n\
         | `PANTHEROS_CONFIG` | the user's file, as `--config` |\n\
         | `PANTHEROS_HTTP_TOKEN` | the bearer token of the HTTP transport; beats one that is made, and every `http.token_file` but the machine's |\n\
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
         Every error is `{code, message, said?, file?, line?, column?, attr?, hint?, suggestions[], trace[]}`. `message` is\n\
         the server's own sentence; `said` is what Nix, the flake, a build or a host said of it, as they wrote it. `file` is\n\
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

/// What a tool changes, as a cell of README's table. The superscripts refer to the notes below the table.
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
