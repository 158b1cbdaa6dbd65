//! The inputs that `flake.nix` declares, whether or not the lock file has them.
//!
//! Nix reads them before the lock file, and fetches those that are not locked. Here the text of `flake.nix` is evaluated by
//! itself: nothing is fetched, and no other file of the flake is read.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use serde::{Deserialize, Serialize};

use super::fingerprint::repository::is_untracked;
use super::lock::Reference;
use super::{Flake, FlakeError, fingerprint};
use crate::diagnostic::{Code, Diagnostic};
use crate::nix::{NixError, diagnostics};
use crate::progress::Call;
use crate::reading;

/// A Nix function from the value of `flake.nix` to the inputs it declares.
const DECLARED: &str = include_str!("declared.nix");
/// The file that declares them.
const FLAKE: &str = "flake.nix";
/// Most bytes of the answer.
const ANSWER: usize = 4 * 1024 * 1024;
/// Longest text that is evaluated: Linux takes 128 KiB in one argument of a program (execve(2), `MAX_ARG_STRLEN`).
const TEXT: usize = 127 * 1024;

/// An input that `flake.nix` declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredInput {
    /// The path of the input that it follows, from the flake; empty for the flake itself.
    pub follows: Option<Vec<String>>,
    /// Its flake reference; `None` if `flake.nix` has none for it.
    pub reference: Option<Reference>,
    /// The overrides of its own inputs.
    pub inputs: BTreeMap<String, DeclaredInput>,
}

impl Flake {
    /// The inputs that `flake.nix` declares, by name, with those that appear only in the arguments of `outputs`.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn declared_inputs(&self, call: &Call) -> Result<BTreeMap<String, DeclaredInput>, FlakeError> {
        let question = format!("declared inputs {DECLARED}");
        self.remembered(&question, call, |flake| async move { flake.find_declared(call).await }).await
    }

    async fn find_declared(&self, call: &Call) -> Result<BTreeMap<String, DeclaredInput>, FlakeError> {
        let text = self.own_text()?;
        let command = self.nix().command(&["eval", "--json", "--read-only", "--show-trace"]).await?;
        let command = command
            .args(["--option", "allow-import-from-derivation", "false"])
            // Pure evaluation would allow `flake.nix` to fetch with a hash; here nothing may be fetched.
            .args(["--option", "restrict-eval", "true", "--option", "allowed-uris", ""])
            .arg("--expr")
            .arg(OsString::from_vec(text))
            .args(["--apply", DECLARED])
            .time_limit(self.settings().evaluation_time)
            .memory_limit(self.settings().evaluation_memory)
            .output_limit(ANSWER);
        let run = self.nix().run(command, call).await?;
        if !run.status.success() {
            let mut error =
                diagnostics::diagnose(&run.state, &self.source()).into_iter().next().unwrap_or_else(|| {
                    Diagnostic::new(Code::NixFailed, "the evaluation of flake.nix ended without an answer")
                });
            // The text was an argument: Nix names no file, and attributes a `throw` to the function.
            if error.code == Code::Throw {
                error = Diagnostic::quoting(Code::Throw, &error.full_text());
                error.file = Some(FLAKE.to_owned());
            } else if let Some(position) =
                run.state.errors().first().and_then(|error| error.position.as_ref())
                && error.file.is_none()
            {
                error.file = Some(FLAKE.to_owned());
                error.line = Some(position.line);
                error.column = Some(position.column).filter(|column| *column > 0);
            }
            return Err(FlakeError::Evaluation(Box::new(error)));
        }
        Ok(serde_json::from_slice(&run.stdout).map_err(|error| NixError::NotUnderstood {
            what: "the inputs of flake.nix",
            said: error.to_string(),
        })?)
    }

    /// The text of `flake.nix`.
    fn own_text(&self) -> Result<Vec<u8>, FlakeError> {
        let refused = |code, message: String| {
            let error = Diagnostic::new(code, message);
            FlakeError::Evaluation(Box::new(Diagnostic { file: Some(FLAKE.to_owned()), ..error }))
        };
        if self.commit_asked_for().is_none() && is_untracked(&self.settings().flake, FLAKE) {
            return Err(FlakeError::Evaluation(Box::new(diagnostics::not_tracked(FLAKE))));
        }
        let text =
            match self.commit_asked_for() {
                Some(commit) => commit.flake().to_owned(),
                None => reading::bytes(&self.settings().flake.join(FLAKE), fingerprint::FLAKE).map_err(
                    |error| refused(Code::MissingFile, format!("flake.nix could not be read: {error}")),
                )?,
            };
        if text.len() > TEXT {
            let message = format!(
                "flake.nix has {} bytes; inputs are read only from files of up to {TEXT} bytes",
                text.len()
            );
            return Err(refused(Code::OutputTooLarge, message));
        }
        if text.contains(&0) {
            return Err(refused(Code::SyntaxError, "flake.nix contains a zero byte".to_owned()));
        }
        Ok(text)
    }
}
