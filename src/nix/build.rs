//! `nix build`: what it made, what it would make, and what went wrong.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{CACHE_HOME, Nix, NixError, NixRun};
use crate::names::{DrvPath, StorePath};
use crate::progress::Call;
use crate::scratch::{self, ScratchError, ScratchFolder};

/// Most bytes of installables on a command line. Linux takes at least 128 KiB with the environment (execve(2), "Limits
/// on size of arguments and environment"); more is read from a file.
const ARGUMENT_BYTES: usize = 32 * 1024;
/// Most bytes that Nix may print, unless many things are built.
const OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes that Nix prints of one thing on average: a derivation and eight outputs, with names of 200 letters.
const ENTRY_BYTES: usize = 4 * 1024;

/// What is to be built.
#[derive(Clone, Debug)]
pub struct BuildRequest<'a> {
    /// The flake and attribute (`FLAKE#ATTR`), or a derivation's outputs (`DRV^*`).
    pub installables: &'a [String],
    /// Only say what would be built and fetched.
    pub dry_run: bool,
    /// How long it may take.
    pub time_limit: Duration,
    /// Where it is built, if not in the store of this machine.
    pub store: Option<&'a RemoteStore<'a>>,
}

/// The store of another machine.
#[derive(Clone, Copy, Debug)]
pub struct RemoteStore<'a> {
    /// Its URL, such as `ssh-ng://deploy@web:22`.
    pub url: &'a str,
    /// Arguments of the `ssh` that `nix` runs.
    pub ssh_options: &'a [String],
}

/// A derivation and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltDerivation {
    /// The derivation.
    pub drv_path: DrvPath,
    /// Its first output, `out` where it has one.
    pub out_path: Option<StorePath>,
}

/// One entry of `nix build --json`.
#[derive(Deserialize)]
struct BuildEntry {
    #[serde(rename = "drvPath")]
    drv_path: Option<DrvPath>,
    #[serde(default)]
    outputs: std::collections::BTreeMap<String, Option<StorePath>>,
}

impl Nix {
    /// Builds, and keeps going where one thing fails so that every failure is known.
    ///
    /// The paths are empty where the build failed; the [`NixRun`] says why. `cache_home` is the folder in which Nix keeps
    /// what it remembers of flakes; without one, that is the user's.
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn build(
        &self,
        order: &BuildRequest<'_>,
        cache_home: Option<&Path>,
        call: &Call,
    ) -> Result<(Vec<BuiltDerivation>, NixRun), NixError> {
        let mut command = self
            .command(&[
                "build",
                "--json",
                "--no-link",
                "--keep-going",
                "--no-update-lock-file",
                "--show-trace",
            ])
            .await?
            .time_limit(order.time_limit)
            .output_limit(OUTPUT_BYTES.max(order.installables.len().saturating_mul(ENTRY_BYTES)));
        if let Some(folder) = cache_home {
            command = command.env(CACHE_HOME, folder);
        }
        if order.dry_run {
            command = command.arg("--dry-run");
        }
        if let Some(store) = order.store {
            let options =
                store.ssh_options.iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" ");
            command =
                command.args(["--eval-store", "auto", "--store", store.url]).env("NIX_SSHOPTS", options);
        }
        let bytes: usize = order.installables.iter().map(|installable| installable.len() + 1).sum();
        // Nix reads the file as long as it runs.
        let (command, _list) = if bytes <= ARGUMENT_BYTES {
            (command.arg("--").args(order.installables), None)
        } else {
            let list = ScratchFolder::make(&scratch::candidate_folders(), usize::MAX)?;
            let file = list.path().join("installables");
            std::fs::write(&file, order.installables.join("\n"))
                .map_err(|source| ScratchError { tried: vec![(file.clone(), source.to_string())] })?;
            (command.arg("--stdin").input_file(file), Some(list))
        };
        let run = self.run(command, call).await?;
        if !run.status.success() {
            return Ok((Vec::new(), run));
        }
        let entries: Vec<BuildEntry> = serde_json::from_slice(&run.stdout)
            .map_err(|error| NixError::NotUnderstood { what: "what it built", said: error.to_string() })?;
        let built = entries
            .into_iter()
            .filter_map(|entry| {
                let mut outputs = entry.outputs;
                let out = outputs.remove("out").or_else(|| outputs.into_values().next());
                Some(BuiltDerivation { drv_path: entry.drv_path?, out_path: out.flatten() })
            })
            .collect();
        Ok((built, run))
    }
}

/// A word as `NIX_SSHOPTS` takes it, which Nix splits at spaces and, from 2.28 on, at shell quotes.
#[must_use]
pub fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// What a build did, or what a dry run says it would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildWork {
    /// How many derivations were built.
    pub built: u64,
    /// How many paths were fetched or copied.
    pub fetched: u64,
    /// The derivations, as many as are remembered.
    pub built_paths: Vec<String>,
    /// The paths, as many as are remembered.
    pub fetched_paths: Vec<String>,
    /// What a dry run would download, in bytes.
    pub download_bytes: Option<u64>,
}

impl NixRun {
    /// What was done.
    #[must_use]
    pub fn completed_work(&self) -> BuildWork {
        BuildWork {
            built: self.state.built_total(),
            fetched: self.state.fetched_total(),
            built_paths: self.state.built().iter().map(ToString::to_string).collect(),
            fetched_paths: self.state.fetched().iter().map(ToString::to_string).collect(),
            download_bytes: None,
        }
    }

    /// What a dry run says there is to do.
    ///
    /// # Errors
    /// [`NixError::Failed`]: one that failed says of nothing that it is done.
    pub fn planned_work(&self) -> Result<BuildWork, NixError> {
        self.require_success("what is left to build")?;
        let plan = self.state.dry_run();
        Ok(BuildWork {
            built: plan.builds_total,
            fetched: plan.fetches_total,
            built_paths: plan.builds.iter().map(ToString::to_string).collect(),
            fetched_paths: plan.fetches.iter().map(ToString::to_string).collect(),
            download_bytes: Some(plan.download_bytes),
        })
    }
}
