//! Reads the settings of each source.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::file::{ConfigError, parse};
use super::keys::{KEYS, SettingsLayer, ValueKind};
use super::merge::insert_at;
use super::text::{AllowedInput, AllowedWriter, SettingsText};
use super::{Overrides, bounds, paths};
use crate::policy::Policy;
use crate::text;

/// The folder of the machine's settings.
pub const MACHINE_FOLDER: &str = "/etc/pantheros";
/// Name of the user's file in their settings folder, and of the machine's file in its own.
pub const CONFIG_NAME: &str = "config.toml";
/// Name of the machine's second file, which has only the `[deploy]` section.
const DEPLOY_NAME: &str = "deploy.toml";
/// Name of the file beside `flake.nix`.
pub const FILE_NAME: &str = "pantheros.toml";

/// The settings of one source.
#[derive(Clone, Debug)]
pub(super) struct SettingsSource {
    /// Its authority.
    pub layer: SettingsLayer,
    /// Its name in errors.
    pub label: String,
    /// Its values; paths are absolute.
    pub values: Value,
}

impl SettingsText {
    /// Reads the file beside the flake; `None` if there is none.
    pub(super) fn flake_file(flake: &Path) -> Result<Option<Self>, ConfigError> {
        Self::read(&flake.join(FILE_NAME), AllowedWriter::Anybody, AllowedInput::RegularFiles)
    }

    /// Parses the text as a source with the authority of `layer`.
    pub(super) fn source(&self, layer: SettingsLayer, tools: &[&str]) -> Result<SettingsSource, ConfigError> {
        let (file, values) = parse(&self.text, &self.path)?;
        let out_of_bounds = |message| ConfigError::OutOfBounds { path: self.path.clone(), message };
        bounds::check(&file).map_err(out_of_bounds)?;
        let place = self.path.display().to_string();
        check_tools(&place, &file.tools.only, &file.tools.exclude, tools)?;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        let values = complete_values(values, folder, layer);
        Ok(SettingsSource { layer, label: place, values })
    }
}

/// The settings of the machine; `None` if it has none.
pub(super) fn machine(folder: &Path, tools: &[&str]) -> Result<Option<SettingsSource>, ConfigError> {
    let texts = [CONFIG_NAME, DEPLOY_NAME]
        .map(|name| SettingsText::read(&folder.join(name), AllowedWriter::Root, AllowedInput::RegularFiles));
    let [whole, deploy] = texts;
    let (whole, deploy) = (whole?, deploy?);
    let Some(one) = whole.as_ref().or(deploy.as_ref()) else { return Ok(None) };
    // A user who can write to the folder can replace the files.
    let data =
        folder.metadata().map_err(|cause| ConfigError::Unreadable { path: folder.to_owned(), cause })?;
    if data.uid() != 0 || data.mode() & 0o022 != 0 {
        return Err(ConfigError::Unsafe {
            path: folder.to_owned(),
            problem: "must belong to root, and nobody else may write to it".to_owned(),
            mend: format!("run as root: chown root {0} && chmod go-w {0}", folder.display()),
        });
    }
    let mut source = one.source(SettingsLayer::Machine, tools)?;
    if let Some(deploy) = &deploy {
        let out_of_bounds = |message| ConfigError::OutOfBounds { path: deploy.path.clone(), message };
        deploy.source(SettingsLayer::Machine, tools)?;
        let more = parse(&deploy.text, &deploy.path)?.1;
        if let Some(other) = more.as_object().into_iter().flat_map(Map::keys).find(|key| *key != "deploy") {
            return Err(out_of_bounds(format!(
                "`{other}` is not allowed in this file, which may contain only the section `[deploy]`; put it in {CONFIG_NAME} in the \
                 same folder"
            )));
        }
        if let Some(whole) = &whole {
            let values = join_disjoint(parse(&whole.text, &whole.path)?.1, &more).map_err(out_of_bounds)?;
            source.label = folder.display().to_string();
            source.values = complete_values(values, folder, SettingsLayer::Machine);
        }
    }
    // Otherwise a source with less authority could name the signers.
    let value_at = |pointer: &str| source.values.pointer(pointer);
    let signs = value_at("/deploy/approve_by")
        .and_then(Value::as_array)
        .is_some_and(|by| by.contains(&json!("signature")));
    let needs_approvers = match () {
        () if signs => Some("`deploy.approve_by` has `signature`"),
        () if value_at("/deploy/scopes").is_some() => Some("`deploy.scopes` is set"),
        () => None,
    };
    if let Some(cause) = needs_approvers.filter(|_| value_at("/deploy/approvers").is_none()) {
        return Err(ConfigError::OutOfBounds {
            path: folder.to_owned(),
            message: format!("{cause}, but `deploy.approvers` is not set"),
        });
    }
    Ok(Some(source))
}

/// The values of two files.
///
/// # Errors
/// A sentence about a setting that is in both.
fn join_disjoint(mut whole: Value, more: &Value) -> Result<Value, String> {
    for key in KEYS {
        let pointer = key.pointer();
        let Some(value) = more.pointer(&pointer) else { continue };
        if whole.pointer(&pointer).is_some() {
            return Err(format!("`{}` is also in {CONFIG_NAME}: set it only once", key.path));
        }
        if let Value::Object(whole) = &mut whole {
            insert_at(whole, key.path, value.clone());
        }
    }
    Ok(whole)
}

/// The user's file: `named` if it is set, else the default one; `None` if the default one does not exist.
pub(super) fn user(named: Option<&Path>, input: AllowedInput) -> Result<Option<SettingsText>, ConfigError> {
    match named {
        Some(path) => match SettingsText::read(path, AllowedWriter::User, input)? {
            Some(text) => Ok(Some(text)),
            None => {
                Err(ConfigError::Unreadable { path: path.to_owned(), cause: io::ErrorKind::NotFound.into() })
            }
        },
        None => match paths::config_folder() {
            Some(folder) => SettingsText::read(&folder.join(CONFIG_NAME), AllowedWriter::User, input),
            None => Ok(None),
        },
    }
}

/// The settings of the command line.
pub(super) fn switches(
    overrides: &Overrides,
    start: Option<&Path>,
    tools: &[&str],
) -> Result<SettingsSource, ConfigError> {
    let label = "the command line";
    check_tools(label, &overrides.only, &overrides.exclude, tools)?;
    let mut values = Map::new();
    for (key, path, switch) in [
        ("ssh.identity", &overrides.identity, "--identity"),
        ("ssh.known_hosts", &overrides.known_hosts, "--known-hosts"),
    ] {
        if let Some(path) = path {
            let path = paths::absolute(start, path, switch)?;
            insert_at(&mut values, key, json!(path));
        }
    }
    if !overrides.override_inputs.is_empty() {
        insert_at(&mut values, "nix.override_inputs", json!(overrides.override_inputs));
    }
    if overrides.read_only {
        insert_at(&mut values, "tools.read_only", true.into());
    }
    if overrides.offline {
        insert_at(&mut values, "tools.offline", true.into());
    }
    for (key, names) in [("tools.only", &overrides.only), ("tools.exclude", &overrides.exclude)] {
        if !names.is_empty() {
            insert_at(&mut values, key, json!(names));
        }
    }
    if overrides.token {
        // The variable has the token itself, so no file counts.
        insert_at(&mut values, "http.token_file", Value::Null);
    }
    Ok(SettingsSource {
        layer: SettingsLayer::Switch,
        label: label.to_owned(),
        values: Value::Object(values),
    })
}

/// Requires that every named tool exists.
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

/// The values with absolute paths, and with the settings that they imply.
fn complete_values(mut values: Value, folder: &Path, layer: SettingsLayer) -> Value {
    for key in KEYS {
        let pointer = key.pointer();
        if let Some(value) = values.pointer_mut(&pointer)
            && let Some(path) = value.as_str().map(Path::new)
        {
            // A relative path starts at the file's folder, not at the working folder.
            let is_path = match key.kind {
                ValueKind::Plain => false,
                ValueKind::Path => true,
                ValueKind::Program => path.components().count() > 1,
            };
            if is_path {
                *value = json!(lexical(&folder.join(path)));
            }
        }
        // A setting of an untrusted file implies nothing.
        if layer != SettingsLayer::Untrusted
            && let Some((from, meaning)) = key.implied
            && values.pointer(&pointer).is_none()
            && values.pointer(&format!("/{}", from.replace('.', "/"))).is_some()
            && let Value::Object(values) = &mut values
        {
            insert_at(values, key.path, json!(meaning));
        }
    }
    values
}

/// The path without `.` components. `..` stays, because its meaning depends on symbolic links.
fn lexical(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}
