//! What each home of settings says.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::file::{ConfigError, parse};
use super::keys::{Home, KEYS, Kind};
use super::merge::put;
use super::text::{Takes, Text, Writer};
use super::{Overrides, bounds, place};
use crate::policy::Policy;
use crate::text;

/// The folder of the machine's own settings.
pub const MACHINE_FOLDER: &str = "/etc/pantheros";
/// The user's file, below their folder of settings, and the machine's in its own.
pub const CONFIG_NAME: &str = "config.toml";
/// The machine's file about deploying alone.
const DEPLOY_NAME: &str = "deploy.toml";
/// The file's name, looked for beside `flake.nix`.
pub const FILE_NAME: &str = "pantheros.toml";

/// What one home says.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Whose word it is.
    pub home: Home,
    /// How it is called in an error.
    pub label: String,
    /// What it says, its paths from the root.
    pub values: Value,
}

impl Text {
    /// The file beside the flake.
    pub(super) fn beside(flake: &Path) -> Result<Option<Self>, ConfigError> {
        Self::read(&flake.join(FILE_NAME), Writer::Anybody, Takes::Files)
    }

    /// What it says, as the word of `home`.
    pub(super) fn source(&self, home: Home, tools: &[&str]) -> Result<Source, ConfigError> {
        let (file, values) = parse(&self.text, &self.path)?;
        let wrong = |message| ConfigError::OutOfBounds { path: self.path.clone(), message };
        bounds::check(&file).map_err(wrong)?;
        let place = self.path.display().to_string();
        check_tools(&place, &file.tools.only, &file.tools.exclude, tools)?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let values = completed(values, folder, home);
        Ok(Source { home, label: place, values })
    }
}

/// What the machine says.
pub(super) fn machine(folder: &Path, tools: &[&str]) -> Result<Option<Source>, ConfigError> {
    let texts =
        [CONFIG_NAME, DEPLOY_NAME].map(|name| Text::read(&folder.join(name), Writer::Root, Takes::Files));
    let [whole, deploy] = texts;
    let (whole, deploy) = (whole?, deploy?);
    let Some(one) = whole.as_ref().or(deploy.as_ref()) else { return Ok(None) };
    // Whoever can write to the folder can put another file there.
    let data =
        folder.metadata().map_err(|cause| ConfigError::Unreadable { path: folder.to_owned(), cause })?;
    if data.uid() != 0 || data.mode() & 0o022 != 0 {
        return Err(ConfigError::Unsafe {
            path: folder.to_owned(),
            problem: "has to be root's, and nobody else may write to it".to_owned(),
            mend: format!("as root: chown root {0} && chmod go-w {0}", folder.display()),
        });
    }
    let mut source = one.source(Home::Machine, tools)?;
    if let Some(deploy) = &deploy {
        let wrong = |message| ConfigError::OutOfBounds { path: deploy.path.clone(), message };
        deploy.source(Home::Machine, tools)?;
        let more = parse(&deploy.text, &deploy.path)?.1;
        if let Some(other) = more.as_object().into_iter().flat_map(Map::keys).find(|key| *key != "deploy") {
            return Err(wrong(format!(
                "`{other}` does not belong there: it says who may deploy, and nothing else; {CONFIG_NAME} beside it \
                 has room for that"
            )));
        }
        if let Some(whole) = &whole {
            let values = joined(parse(&whole.text, &whole.path)?.1, &more).map_err(wrong)?;
            source.label = folder.display().to_string();
            source.values = completed(values, folder, Home::Machine);
        }
    }
    // Otherwise whoever names the approvers would decide what the machine meant to.
    let says = |pointer: &str| source.values.pointer(pointer);
    let signs = says("/deploy/approve_by")
        .and_then(Value::as_array)
        .is_some_and(|by| by.contains(&json!("signature")));
    if (signs || says("/deploy/scopes").is_some()) && says("/deploy/approvers").is_none() {
        return Err(ConfigError::OutOfBounds {
            path: folder.to_owned(),
            message: "`deploy.approve_by` has `signature`, or `deploy.scopes` is there, but `deploy.approvers` names \
                      nobody"
                .to_owned(),
        });
    }
    Ok(Some(source))
}

/// What two files say that say different things.
fn joined(mut whole: Value, more: &Value) -> Result<Value, String> {
    for key in KEYS {
        let pointer = key.pointer();
        let Some(value) = more.pointer(&pointer) else { continue };
        if whole.pointer(&pointer).is_some() {
            return Err(format!("`{}` is in {CONFIG_NAME}, too: say it once", key.path));
        }
        if let Value::Object(whole) = &mut whole {
            put(whole, key.path, value.clone());
        }
    }
    Ok(whole)
}

/// The user's file: the one that was named, or else their own where there is one.
pub(super) fn user(named: Option<&Path>, takes: Takes) -> Result<Option<Text>, ConfigError> {
    match named {
        Some(path) => match Text::read(path, Writer::User, takes)? {
            Some(text) => Ok(Some(text)),
            None => {
                Err(ConfigError::Unreadable { path: path.to_owned(), cause: io::ErrorKind::NotFound.into() })
            }
        },
        None => match place::config() {
            Some(folder) => Text::read(&folder.join(CONFIG_NAME), Writer::User, takes),
            None => Ok(None),
        },
    }
}

/// What the command line says.
pub(super) fn switches(
    overrides: &Overrides,
    start: Option<&Path>,
    tools: &[&str],
) -> Result<Source, ConfigError> {
    let label = "the command line";
    check_tools(label, &overrides.only, &overrides.exclude, tools)?;
    let mut values = Map::new();
    for (key, path, switch) in [
        ("ssh.identity", &overrides.identity, "--identity"),
        ("ssh.known_hosts", &overrides.known_hosts, "--known-hosts"),
    ] {
        if let Some(path) = path {
            let path = place::absolute(start, path, switch)?;
            put(&mut values, key, json!(path));
        }
    }
    if overrides.read_only {
        put(&mut values, "tools.read_only", true.into());
    }
    for (key, names) in [("tools.only", &overrides.only), ("tools.exclude", &overrides.exclude)] {
        if !names.is_empty() {
            put(&mut values, key, json!(names));
        }
    }
    if overrides.token {
        // The token itself, which is in no file then.
        put(&mut values, "http.token_file", Value::Null);
    }
    Ok(Source { home: Home::Switch, label: label.to_owned(), values: Value::Object(values) })
}

/// Checks that every tool named exists.
fn check_tools(place: &str, only: &[String], exclude: &[String], tools: &[&str]) -> Result<(), ConfigError> {
    let named = |names: &[String]| names.iter().cloned().collect();
    let policy = Policy { only: named(only), exclude: named(exclude), ..Policy::default() };
    match policy.unknown(tools) {
        None => Ok(()),
        Some(name) => Err(ConfigError::UnknownTool {
            place: place.to_owned(),
            name: name.to_owned(),
            nearest: text::nearest(name, tools.iter().copied(), 1),
        }),
    }
}

/// The values with their paths from the root, and with what they imply.
fn completed(mut values: Value, folder: &Path, home: Home) -> Value {
    for key in KEYS {
        let pointer = key.pointer();
        if let Some(value) = values.pointer_mut(&pointer)
            && let Some(path) = value.as_str().map(Path::new)
        {
            // A path means the same whatever folder a command is run in.
            let is_path = match key.kind {
                Kind::Plain => false,
                Kind::Path => true,
                Kind::Program => path.components().count() > 1,
            };
            if is_path {
                *value = json!(lexical(&folder.join(path)));
            }
        }
        // What nobody trusted implies nothing.
        if home != Home::Beside
            && let Some((from, meaning)) = key.implied
            && values.pointer(&pointer).is_none()
            && values.pointer(&format!("/{}", from.replace('.', "/"))).is_some()
            && let Value::Object(values) = &mut values
        {
            put(values, key.path, json!(meaning));
        }
    }
    values
}

/// The path without `.`; what `..` means depends on links, and stays.
fn lexical(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}
