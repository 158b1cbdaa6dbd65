//! The sources of settings, so that a server can read them again before each call.

use std::path::{Path, PathBuf};

use super::paths::{self, FlakeDiscovery};
use super::source::{self, SettingsSource};
use super::text::{AllowedInput, SettingsText};
use super::{ConfigError, FlakeSettingsFile, Overrides, Settings};

/// The sources of a program's settings.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingsOrigin {
    /// The working folder at the start; `None` if it was removed.
    pub start: Option<PathBuf>,
    /// The settings of the command line.
    pub overrides: Overrides,
    /// The tools that the policy may name.
    pub tools: Vec<String>,
    /// The path at which the flake was found, and how; `None` until there is a flake.
    found: Option<(PathBuf, FlakeDiscovery)>,
    /// How the user's file is read the next time.
    user_file: UserFileState,
}

/// How the user's file is read the next time.
#[derive(Clone, Debug, Default)]
enum UserFileState {
    /// It was not read yet.
    #[default]
    Unread,
    /// It is read again.
    Reread,
    /// It came through a pipe, which cannot be read again: the first content stays in force.
    Cached(SettingsText),
}

impl SettingsOrigin {
    pub(super) fn new(start: Option<&Path>, overrides: &Overrides, tools: &[&str]) -> Self {
        let tools = tools.iter().map(ToString::to_string).collect();
        Self {
            start: start.map(Path::to_owned),
            overrides: overrides.clone(),
            tools,
            found: None,
            user_file: UserFileState::Unread,
        }
    }

    /// The flake's folder, or the folder where the search for one began, and how it was found.
    ///
    /// The path stays the one at which the flake was found first: if `flake.nix` is missing for a while, such as during a
    /// checkout, another flake further up must not take its place. Symbolic links in the path are resolved each time.
    pub(super) fn flake(&mut self) -> Result<(PathBuf, FlakeDiscovery), ConfigError> {
        let (folder, from) = match self.found.clone() {
            Some(found) => found,
            None => paths::flake(self.start.as_deref(), self.overrides.flake.as_deref())?,
        };
        if from != FlakeDiscovery::NotFound {
            self.found = Some((folder.clone(), from));
        }
        // Nix refuses to read a flake through a symbolic link. A path that does not exist is reported later.
        Ok((folder.canonicalize().unwrap_or(folder), from))
    }

    /// The user's file: `named` if it is set, else the default one; `None` if the default one does not exist.
    pub(super) fn user(&mut self, named: Option<&Path>) -> Result<Option<SettingsText>, ConfigError> {
        let input = match &self.user_file {
            UserFileState::Cached(text) => return Ok(Some(text.clone())),
            UserFileState::Unread => AllowedInput::Streams,
            UserFileState::Reread => AllowedInput::RegularFiles,
        };
        let text = source::user(named, input)?;
        self.user_file = match &text {
            Some(text) if !text.is_rereadable => UserFileState::Cached(text.clone()),
            _ => UserFileState::Reread,
        };
        Ok(text)
    }
}

/// A hash of everything that was read: it is equal if the settings are.
pub(super) fn stamp(
    flake: (&Path, FlakeDiscovery),
    named: Option<&Path>,
    sources: &[SettingsSource],
    flake_file: Option<&FlakeSettingsFile>,
) -> blake3::Hash {
    let values: Vec<_> = sources.iter().map(|source| (source.layer, &source.label, &source.values)).collect();
    let flake_file = flake_file.map(|flake_file| (&flake_file.digest, flake_file.trusted));
    blake3::hash(format!("{flake:?} {named:?} {values:?} {flake_file:?}").as_bytes())
}

impl Settings {
    /// A hash of everything that the settings were made from.
    #[must_use]
    pub fn stamp(&self) -> blake3::Hash {
        self.stamp
    }

    /// Reads the settings again from the same sources; `None` if they did not change.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn reload_if_changed(&self) -> Result<Option<Self>, ConfigError> {
        let mut now = Self::read(self.origin.clone())?;
        if now.stamp == self.stamp {
            return Ok(None);
        }
        // Set by `serve`, not by the sources.
        now.policy.without_token = self.policy.without_token;
        for notice in now.notices.iter().filter(|notice| !self.notices.contains(notice)) {
            tracing::warn!("{notice}");
        }
        for setting in self.changed_startup_settings(&now) {
            tracing::warn!("{setting} was changed: restart the server to apply it");
        }
        Ok(Some(now))
    }

    /// The changed settings among those that a server reads only at its start.
    fn changed_startup_settings<'a>(&self, now: &Self) -> impl Iterator<Item = &'a str> {
        let fixed = [
            ("`[http]`", self.http == now.http),
            ("`limits.message_kib`", self.message_bytes == now.message_bytes),
        ];
        fixed.into_iter().filter(|(_, same)| !same).map(|(setting, _)| setting)
    }
}
