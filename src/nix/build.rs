//! `nix build`: the paths it built, the work it did, and the work it would do.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::{CACHE_HOME, Nix, NixError, NixRun};
use crate::names::{DrvPath, StorePath};
use crate::progress::Call;
use crate::scratch::{self, ScratchError, ScratchFolder};

/// Most bytes of installables on a command line; more are passed in a file. Linux takes at least 128 KiB together with
/// the environment (execve(2), "Limits on size of arguments and environment").
const ARGUMENT_BYTES: usize = 32 * 1024;
/// Most derivations that are looked at with one command.
const DERIVATIONS_AT_ONCE: usize = 200;
/// Output limit in bytes; a build of many installables may print [`ENTRY_BYTES`] for each.
const OUTPUT_BYTES: usize = 4 * 1024 * 1024;
/// Output of one installable in bytes: a derivation and eight outputs, with names of 200 letters.
const ENTRY_BYTES: usize = 4 * 1024;

/// A build to run.
#[derive(Clone, Debug)]
pub struct BuildRequest<'a> {
    /// A flake and an attribute (`FLAKE#ATTR`), or the outputs of a derivation (`DRV^*`), each.
    pub installables: &'a [String],
    /// Report what would be built and fetched, and build nothing.
    pub dry_run: bool,
    /// Time limit of the whole build.
    pub time_limit: Duration,
    /// The store to build in; `None` for the store of this machine.
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

/// A derivation that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltDerivation {
    /// The derivation.
    pub drv_path: DrvPath,
    /// Its output `out`, or its first output if it has no `out`; `None` if the path is not known before the build.
    pub out_path: Option<StorePath>,
}

/// An entry of `nix build --json`.
#[derive(Deserialize)]
struct BuildEntry {
    #[serde(rename = "drvPath")]
    drv_path: Option<DrvPath>,
    #[serde(default)]
    outputs: std::collections::BTreeMap<String, Option<StorePath>>,
}

impl Nix {
    /// Builds with `--keep-going`, so that the log has every failure and not only the first.
    ///
    /// Returns no paths if the build failed; the [`NixRun`] has the errors. `overrides` are arguments that replace inputs of the
    /// flake. `cache_home` is the folder of Nix's flake caches; `None` for the user's.
    ///
    /// # Errors
    /// See [`NixError`].
    pub async fn build(
        &self,
        order: &BuildRequest<'_>,
        overrides: &[String],
        cache_home: Option<&Path>,
        call: &Call,
    ) -> Result<(Vec<BuiltDerivation>, NixRun), NixError> {
        // A build by a daemon has the daemon's network.
        if self.is_offline() && !order.dry_run && self.has_daemon(call).await {
            let plan = BuildRequest { dry_run: true, ..order.clone() };
            let (_, run) = self.run_build(&plan, overrides, cache_home, call).await?;
            if run.status.success() {
                self.require_no_fetch(run.planned_work()?, call).await?;
            }
        }
        self.run_build(order, overrides, cache_home, call).await
    }

    async fn run_build(
        &self,
        order: &BuildRequest<'_>,
        overrides: &[String],
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
        command = command.args(overrides);
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
        // The folder has to live as long as Nix, which may read the file late.
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
            .map_err(|error| NixError::NotUnderstood { what: "the build", said: error.to_string() })?;
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

/// A derivation of `nix derivation show`, as far as it is read.
#[derive(Deserialize)]
struct ShownDerivation {
    #[serde(default)]
    env: std::collections::BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    outputs: std::collections::BTreeMap<String, serde_json::Value>,
}

impl ShownDerivation {
    /// Whether the hash of the output is known before the build, which may then fetch it (Nix manual, "Fixed-output
    /// derivations").
    fn may_fetch(&self) -> bool {
        self.env.contains_key("outputHash")
            || self.outputs.values().any(|output| output.get("hash").is_some())
    }
}

impl Nix {
    /// Requires that no build of this work may fetch.
    ///
    /// # Errors
    /// [`NixError::Offline`] with those that may, and if the work is too large to be looked through.
    async fn require_no_fetch(&self, work: BuildWork, call: &Call) -> Result<(), NixError> {
        let refused = |paths| Err(NixError::Offline { paths });
        if (work.built_paths.len() as u64) < work.built {
            return refused(work.built_paths);
        }
        let mut fetching = Vec::new();
        for paths in work.built_paths.chunks(DERIVATIONS_AT_ONCE) {
            let command = self.command(&["derivation", "show"]).await?.args(paths);
            let run = self.run(command, call).await?;
            let shown: serde_json::Value = serde_json::from_slice(
                run.require_success("the derivations to build")?,
            )
            .map_err(|error| NixError::NotUnderstood { what: "a derivation", said: error.to_string() })?;
            // Newer Nix has a version beside them.
            let all = shown.get("derivations").unwrap_or(&shown);
            let shown: std::collections::BTreeMap<String, ShownDerivation> =
                serde_json::from_value(all.clone()).map_err(|error| NixError::NotUnderstood {
                    what: "a derivation",
                    said: error.to_string(),
                })?;
            fetching.extend(shown.into_iter().filter(|(_, shown)| shown.may_fetch()).map(|(path, _)| path));
        }
        if fetching.is_empty() { Ok(()) } else { refused(fetching) }
    }
}

/// Quotes a word for `NIX_SSHOPTS`, which Nix splits at spaces and, from 2.28 on, by shell quotes.
#[must_use]
pub fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@%+,".contains(c);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// The work of a build, or of a dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildWork {
    /// Number of derivations built, or to build.
    pub built: u64,
    /// Number of paths fetched or copied, or to fetch.
    pub fetched: u64,
    /// The derivations; fewer than `built` if there are very many.
    pub built_paths: Vec<String>,
    /// The paths; fewer than `fetched` if there are very many.
    pub fetched_paths: Vec<String>,
    /// Size of the downloads of a dry run in bytes; `None` for a real build.
    pub download_bytes: Option<u64>,
}

impl NixRun {
    /// The work that a build did.
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

    /// The work that a dry run found.
    ///
    /// # Errors
    /// [`NixError::Failed`] if the dry run failed: an empty list would then read as "nothing to do".
    pub fn planned_work(&self) -> Result<BuildWork, NixError> {
        self.require_success("the remaining builds")?;
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
