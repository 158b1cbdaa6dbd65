//! Where settings were read from, so that a server can read them again before it acts on them.

use std::path::{Path, PathBuf};

use super::paths::{self, FlakeDiscovery};
use super::source::{self, SettingsSource};
use super::text::{AllowedInput, SettingsText};
use super::{ConfigError, FlakeSettingsFile, Overrides, Settings};

/// What the settings of one program are read from, for as long as it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingsOrigin {
    /// The working folder it was started in, where that still existed.
    pub start: Option<PathBuf>,
    /// What the command line says.
    pub overrides: Overrides,
    /// The tools that the policy may mention.
    pub tools: Vec<String>,
    /// The flake's folder by the name that it was found under, and how; none as long as there is no flake.
    found: Option<(PathBuf, FlakeDiscovery)>,
    /// What became of the user's file when it was read first.
    user_file: UserFileState,
}

/// How the user's file is read.
#[derive(Clone, Debug, Default)]
enum UserFileState {
    /// It was not read yet.
    #[default]
    Unread,
    /// Anew each time.
    Reread,
    /// Not once more: what came through a pipe is not there a second time, and an end of it is no empty file.
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

    /// The flake's folder now, or the folder one is looked for in, and how it came to be known.
    ///
    /// Its name stays the one that it was found under: while `flake.nix` is away, say between two branches, a flake
    /// further up is another one. Where a symbolic link of that name leads is looked at each time.
    pub(super) fn flake(&mut self) -> Result<(PathBuf, FlakeDiscovery), ConfigError> {
        let (folder, from) = match self.found.clone() {
            Some(found) => found,
            None => paths::flake(self.start.as_deref(), self.overrides.flake.as_deref())?,
        };
        if from != FlakeDiscovery::NotFound {
            self.found = Some((folder.clone(), from));
        }
        // Nix refuses to read a flake through a symbolic link; what does not exist is told of later.
        Ok((folder.canonicalize().unwrap_or(folder), from))
    }

    /// The user's file, the one that they named if they named one.
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

/// What was read, in one hash: the settings made of it are the same where it is.
pub(super) fn stamp(
    flake: (&Path, FlakeDiscovery),
    named: Option<&Path>,
    sources: &[SettingsSource],
    flake_file: Option<&FlakeSettingsFile>,
) -> blake3::Hash {
    let said: Vec<_> = sources.iter().map(|source| (source.layer, &source.label, &source.values)).collect();
    let flake_file = flake_file.map(|flake_file| (&flake_file.digest, flake_file.trusted));
    blake3::hash(format!("{flake:?} {named:?} {said:?} {flake_file:?}").as_bytes())
}

impl Settings {
    /// All that they were made of, in one hash.
    #[must_use]
    pub fn stamp(&self) -> blake3::Hash {
        self.stamp
    }

    /// The settings as they are now, read from where these were read; `None` where these still hold.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn reload_if_changed(&self) -> Result<Option<Self>, ConfigError> {
        let mut now = Self::read(self.origin.clone())?;
        if now.stamp == self.stamp {
            return Ok(None);
        }
        // Which only the command that serves says.
        now.policy.without_token = self.policy.without_token;
        for notice in now.notices.iter().filter(|notice| !self.notices.contains(notice)) {
            tracing::warn!("{notice}");
        }
        for setting in self.changed_startup_settings(&now) {
            tracing::warn!("{setting} was changed: it counts once the server is started anew");
        }
        Ok(Some(now))
    }

    /// What differs of the settings that a server goes by from its start to its end.
    fn changed_startup_settings<'a>(&self, now: &Self) -> impl Iterator<Item = &'a str> {
        let fixed = [
            ("`[http]`", self.http == now.http),
            ("`limits.message_kib`", self.message_bytes == now.message_bytes),
        ];
        fixed.into_iter().filter(|(_, same)| !same).map(|(setting, _)| setting)
    }
}
