//! The systems that this machine can build for.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Nix, NixError};
use crate::progress::Call;
use crate::reading;

/// Time limit for reading Nix's settings.
const SETTINGS_TIME: Duration = Duration::from_secs(60);
/// Largest builders file that is read, in bytes.
const BUILDERS_BYTES: u64 = 256 * 1024;

/// A setting in `nix config show --json`.
#[derive(Deserialize)]
struct Setting {
    value: Value,
}

impl Nix {
    /// The systems that this machine or its builders build for (nix.conf(5): `system`, `extra-platforms`, `max-jobs`,
    /// `builders`).
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn systems(&self, call: &Call) -> Result<BTreeSet<String>, NixError> {
        let command = self
            .command(&["config", "show", "--json"])
            .await?
            .time_limit(SETTINGS_TIME)
            .output_limit(1024 * 1024);
        let run = self.run(command, call).await?;
        let settings: std::collections::BTreeMap<String, Setting> =
            serde_json::from_slice(run.require_success("its settings")?)
                .map_err(|error| NixError::NotUnderstood { what: "its settings", said: error.to_string() })?;
        let value = |name: &str| settings.get(name).map(|setting| &setting.value);
        let text = |name: &str| value(name).and_then(Value::as_str).unwrap_or_default();
        let own = text("system");
        let mut systems = BTreeSet::new();
        if value("max-jobs").and_then(Value::as_u64) != Some(0) {
            systems.insert(own.to_owned());
            let more = value("extra-platforms").and_then(Value::as_array).into_iter().flatten();
            systems.extend(more.filter_map(Value::as_str).map(str::to_owned));
        }
        systems.extend(builder_systems(text("builders"), own, 0));
        Ok(systems)
    }
}

/// The systems of a `builders` setting: entries `URI SYSTEMS …` on lines or between semicolons, or `@FILE` with such
/// entries. An entry without systems builds for `own`.
fn builder_systems(builders: &str, own: &str, depth: usize) -> BTreeSet<String> {
    let mut systems = BTreeSet::new();
    for builder in builders.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split(';')) {
        let mut words = builder.split_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some(file) = first.strip_prefix('@') {
            if depth == 0 {
                systems.extend(builder_systems(&read_builders_file(Path::new(file)), own, depth + 1));
            }
            continue;
        }
        match words.next() {
            None | Some("-") => {
                systems.insert(own.to_owned());
            }
            Some(list) => systems.extend(list.split(',').map(str::to_owned)),
        }
    }
    systems
}

/// The text of a builders file; empty if it is missing, as Nix does, or if it cannot be read.
fn read_builders_file(file: &Path) -> String {
    match reading::text(file, BUILDERS_BYTES) {
        Ok(text) => text,
        Err(error) => {
            if !reading::is_absence(&error) {
                tracing::warn!(%error, file = %file.display(), "the builders file could not be read");
            }
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn systems(builders: &str) -> Vec<String> {
        builder_systems(builders, "x86_64-linux", 0).into_iter().collect()
    }

    #[test]
    fn builders_say_what_they_build_for() {
        assert_eq!(systems(""), [""; 0]);
        assert_eq!(
            systems("ssh://a aarch64-linux,armv7l-linux /key 4 ; ssh://b - - 2 # ssh://c riscv64-linux"),
            ["aarch64-linux", "armv7l-linux", "x86_64-linux"]
        );
        assert_eq!(systems("ssh://mac"), ["x86_64-linux"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("machines");
        std::fs::write(&file, "# none\nssh://a aarch64-darwin\n@/etc/other\n").unwrap();
        assert_eq!(systems(&format!("@{}", file.display())), ["aarch64-darwin"]);
        assert_eq!(systems("@/nowhere/at/all"), [""; 0]);
    }
}
