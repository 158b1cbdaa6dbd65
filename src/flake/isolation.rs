//! The flake as untrusted code may evaluate it: with its inputs from the store, and without a way out.
//!
//! `nix` first locks the flake and puts its sources into the store, with the network that the settings allow. The evaluation then
//! reads these sources by their store paths and nothing else (see [`isolated_eval`](crate::nix::program::isolated_eval)).

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::lock::{Lock, Node, Reference};
use super::{Flake, FlakeError, NixCache};
use crate::diagnostic::{Code, Diagnostic};
use crate::names::StorePath;
use crate::nix::{NixError, NixRun, diagnostics, literal, source_path};
use crate::progress::Call;
use crate::time::Timestamp;

/// The Nix function from the sources of a flake to its outputs.
pub(super) const ISOLATED: &str = include_str!("isolated.nix");
/// Output limit of `nix flake metadata` in bytes; it repeats the lock file.
const METADATA_BYTES: usize = 16 * 1024 * 1024;
/// The attributes that Nix gives every source (`emitTreeAttrs` in `fetchTree.cc`), if its lock has them.
const KEPT: [&str; 6] = ["lastModified", "narHash", "rev", "revCount", "dirtyRev", "dirtyShortRev"];
/// Length of the short form of a commit.
const SHORT_REV: usize = 7;
/// The builtins that come with flakes and fetch.
const OF_FLAKES: [&str; 4] = ["getFlake", "fetchTree", "__getFlake", "__fetchTree"];
/// The hint for an evaluation that fetches.
const INPUT: &str =
    "make it an input of the flake (`inputs` in flake.nix): inputs are fetched before the evaluation";
/// The hint for an evaluation that reads what a derivation builds.
const BUILD: &str = "this tool builds nothing: ask for an attribute that needs no build, or put the file that is built into the \
                     flake or an input";

/// The sources of a flake in the store.
#[derive(Clone, Debug)]
pub struct Isolation {
    /// The Nix expression of the flake's outputs.
    pub(super) outputs: String,
    /// The flake's own source.
    pub(super) source: StorePath,
    /// The addresses of inputs that are not in the store.
    missing: Vec<String>,
    /// Why an input is not in the store; `None` if all are.
    pub(super) unfetched: Option<Diagnostic>,
}

/// The part of `nix flake metadata --json` that is read.
#[derive(Deserialize)]
struct Metadata {
    path: StorePath,
    locked: Map<String, Value>,
    locks: Value,
}

impl Flake {
    /// Locks the flake as it is now, and puts the sources of the flake and of its inputs into the store.
    ///
    /// # Errors
    /// See [`FlakeError`]. An input that cannot be fetched is no error, because the evaluation may not need it.
    pub async fn isolate(&self, call: &Call) -> Result<Isolation, FlakeError> {
        self.require()?;
        let nix_cache = self.nix_cache().await?;
        let run = self.locked_flake("metadata", &nix_cache, call).await?;
        if !run.status.success() {
            return Err(FlakeError::Evaluation(Box::new(self.first_error(&run))));
        }
        let metadata: Metadata =
            serde_json::from_slice(&run.stdout).map_err(|error| not_understood(&error))?;
        let text = serde_json::to_vec(&metadata.locks).map_err(|error| not_understood(&error))?;
        let lock = Lock::parse(&text, "the lock file".to_owned())?;
        let mut unfetched = None;
        if !Path::new(metadata.path.as_str()).exists() || !missing(&lock).is_empty() {
            call.report_message("fetching the inputs of the flake");
            let run = self.locked_flake("archive", &nix_cache, call).await?;
            if !run.status.success() && !missing(&lock).is_empty() {
                unfetched = Some(self.first_error(&run));
            }
        }
        Ok(isolation(&metadata, &lock, unfetched))
    }

    /// `nix flake SUBCOMMAND` on this flake.
    async fn locked_flake(
        &self,
        subcommand: &str,
        nix_cache: &NixCache,
        call: &Call,
    ) -> Result<NixRun, FlakeError> {
        let command = self.nix.command(&["flake", subcommand, "--json", "--no-update-lock-file"]).await?;
        let command = nix_cache
            .apply_to(command)
            .arg(self.reference())
            .args(self.override_arguments())
            .time_limit(self.settings.build_time)
            .output_limit(METADATA_BYTES);
        Ok(self.nix.run(command, call).await?)
    }

    fn first_error(&self, run: &NixRun) -> Diagnostic {
        let found = diagnostics::diagnose(&run.state, &self.source()).into_iter().next();
        let error =
            found.unwrap_or_else(|| Diagnostic::new(Code::NixFailed, "nix failed without an error message"));
        self.explain_lock(error)
    }
}

fn not_understood(error: &serde_json::Error) -> NixError {
    NixError::NotUnderstood { what: "the flake's metadata", said: error.to_string() }
}

/// The sources of inputs that are not in the store.
fn missing(lock: &Lock) -> Vec<StorePath> {
    let locked =
        lock.nodes.values().filter(|node| node.parent.is_none()).filter_map(|node| node.locked.as_ref());
    let sources = locked.filter_map(|locked| source_path(locked.hash()?));
    sources.filter(|path| !Path::new(path.as_str()).exists()).collect()
}

/// What Nix gives a source with these locked attributes, beside its path.
fn source_info(locked: &Map<String, Value>) -> Map<String, Value> {
    let mut info: Map<String, Value> =
        KEPT.iter().filter_map(|name| Some(((*name).to_owned(), locked.get(*name)?.clone()))).collect();
    if let Some(rev) = locked.get("rev").and_then(Value::as_str) {
        let short: String = rev.chars().take(SHORT_REV).collect();
        info.insert("shortRev".into(), short.into());
    }
    let modified = locked.get("lastModified").and_then(Value::as_u64).and_then(Timestamp::from_unix);
    if let Some(modified) = modified {
        let digits: String = modified.to_string().chars().filter(char::is_ascii_digit).take(14).collect();
        info.insert("lastModifiedDate".into(), digits.into());
    }
    if locked.get("type").is_some_and(|kind| kind == "git") {
        let has_submodules = locked.get("submodules").is_some_and(|set| *set == json!(true));
        info.insert("submodules".into(), has_submodules.into());
    }
    info
}

/// What `isolated.nix` takes for one node of the lock file.
fn node_entry(node: &Node, own: Option<&Map<String, Value>>) -> Map<String, Value> {
    let mut entry = Map::from_iter([("inputs".to_owned(), json!(node.inputs))]);
    if !node.flake {
        entry.insert("flake".into(), false.into());
    }
    let attributes = match (own, node.locked.as_ref().map(serde_json::to_value)) {
        (Some(own), _) => own.clone(),
        (None, Some(Ok(Value::Object(locked)))) => locked,
        _ => Map::new(),
    };
    if let Some(parent) = &node.parent {
        entry.insert("parent".into(), json!(parent));
        entry.insert("folder".into(), attributes.get("path").cloned().unwrap_or_else(|| "".into()));
        return entry;
    }
    entry.extend(attributes.get("dir").map(|folder| ("folder".to_owned(), folder.clone())));
    entry.insert("info".into(), source_info(&attributes).into());
    let path = attributes.get("narHash").and_then(Value::as_str).and_then(source_path);
    match path.filter(|path| Path::new(path.as_str()).exists()) {
        Some(path) => entry.insert("path".into(), path.as_str().into()),
        None => entry.insert("missing".into(), node.locked.as_ref().map(Reference::url).into()),
    };
    entry
}

fn isolation(metadata: &Metadata, lock: &Lock, unfetched: Option<Diagnostic>) -> Isolation {
    let entry = |(name, node): (&String, &Node)| {
        let own = (*name == lock.root).then_some(&metadata.locked);
        (name.clone(), Value::Object(node_entry(node, own)))
    };
    let nodes: Map<String, Value> = lock.nodes.iter().map(entry).collect();
    let missing =
        nodes.values().filter_map(|node| node.get("missing")?.as_str().map(str::to_owned)).collect();
    let outputs = format!(
        "({ISOLATED}) {{ nodes = {}; root = {}; }}",
        literal::json(&Value::Object(nodes)),
        literal::string(&lock.root)
    );
    Isolation { outputs, source: metadata.path.clone(), missing, unfetched }
}

impl Isolation {
    /// Names what the evaluation lacks because it is isolated.
    pub(super) fn explain(&self, error: Diagnostic) -> Diagnostic {
        match error.code {
            Code::NeedsNetwork => match &self.unfetched {
                Some(unfetched) if error.attr.as_ref().is_some_and(|attr| self.missing.contains(attr)) => {
                    unfetched.clone()
                }
                _ => error,
            },
            Code::NetworkUnreachable => needs_network(error),
            // The builtins of flakes are missing, or fail.
            Code::MissingAttribute | Code::UndefinedVariable
                if error.attr.as_deref().is_some_and(|attr| OF_FLAKES.contains(&attr)) =>
            {
                needs_network(error)
            }
            Code::NixFailed if error.attr.as_deref() == Some("flakes") => needs_network(error),
            Code::NeedsBuild => error.with_hint(BUILD),
            _ => error,
        }
    }
}

fn needs_network(error: Diagnostic) -> Diagnostic {
    let message =
        "the evaluation fetches something that is no input of the flake, and it has no network".to_owned();
    Diagnostic { code: Code::NeedsNetwork, message, hint: Some(INPUT.into()), ..error }
}
