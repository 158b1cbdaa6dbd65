//! The flake's development shells and their packages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::Status;
use super::outputs::{ListOptions, OutputKind};
use super::{Answer, Flake, FlakeError, Instantiate, PathStep, Question, UnreadPart};
use crate::diagnostic::Diagnostic;
use crate::progress::Call;

/// Most packages listed for one shell.
const PACKAGES: usize = 60;

/// A development shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shell {
    /// Its name.
    pub name: String,
    /// Its system.
    pub system: String,
    /// Whether it evaluates.
    pub status: Status,
    /// Its packages with their versions, at most the first `PACKAGES`.
    pub packages: Vec<String>,
    /// Number of packages that `packages` leaves out.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub more_packages: usize,
    /// Why it, or a package in it, does not evaluate; `None` if all evaluate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Diagnostic>,
    /// Number of packages whose names do not evaluate, or were not read because too many before them did not.
    #[serde(default, skip_serializing_if = "crate::schema::is_zero")]
    pub unread: usize,
    /// The command that starts it.
    pub command: String,
}

impl Flake {
    /// The development shells of one system; `None` means of every system.
    ///
    /// # Errors
    /// See [`FlakeError`].
    pub async fn shells(&self, system: Option<&str>, call: &Call) -> Result<Vec<Shell>, FlakeError> {
        let find = |flake: Self| async move { flake.find_shells(system, call).await };
        self.remembered(&format!("shells {system:?}"), call, find).await
    }

    async fn find_shells(&self, system: Option<&str>, call: &Call) -> Result<Vec<Shell>, FlakeError> {
        let listing = ListOptions { instantiate: Instantiate::No, on_warning: &|_, _| (), call };
        let mut leaves = self.leaves(|rule| rule.kind == OutputKind::Devshell, listing).await?;
        leaves.retain(|leaf| system.is_none() || leaf.system.is_none() || leaf.system.as_deref() == system);
        let questions = leaves
            .iter()
            .filter(|leaf| leaf.error.is_none())
            .map(|leaf| Question::new(leaf.path.iter().cloned(), "shell"))
            .collect();
        let mut answers = self.ask("shells", questions, Instantiate::No, call).await?.into_iter();
        let mut shells = Vec::new();
        for leaf in leaves {
            let answer = match leaf.error.clone() {
                Some(error) => Err(error),
                None => answers.next().unwrap_or_else(|| Ok(Answer::default())),
            };
            let system = leaf.system.clone().unwrap_or_default();
            // `devShell.SYSTEM`, the older form, has no name of its own.
            let name = leaf.path.get(2).cloned().unwrap_or_else(|| "default".to_owned());
            let command = match name.as_str() {
                "default" => "nix develop".to_owned(),
                _ => format!("nix develop '.#{}'", crate::names::AttrPath::new([name.as_str()])),
            };
            let mut shell = Shell {
                name,
                system,
                status: Status::Ok,
                packages: Vec::new(),
                more_packages: 0,
                error: None,
                unread: 0,
                command,
            };
            match answer {
                Ok(answer) => {
                    let packages = answer.value.get("packages").map(super::hosts::names).unwrap_or_default();
                    shell.more_packages = packages.len().saturating_sub(PACKAGES);
                    shell.packages = packages.into_iter().take(PACKAGES).collect();
                    let inputs = answer.value.get("inputs").and_then(Value::as_u64).unwrap_or_default();
                    let lacks = |place: &[PathStep]| {
                        answer.unread.iter().any(|part| part.covers(place.iter().cloned()))
                    };
                    let unread = (0..inputs).filter(|&input| lacks(&["packages".into(), input.into()]));
                    shell.unread = unread.count();
                    let whole = [["derivation".into()], ["packages".into()]];
                    let failed = |part: &&UnreadPart| {
                        whole.iter().any(|place: &[PathStep; 1]| part.covers(place.iter().cloned()))
                    };
                    if let Some(part) = answer.unread.iter().find(failed) {
                        shell.status = Status::of(&part.error);
                    }
                    shell.error = answer.unread.into_iter().next().map(|part| part.error);
                }
                Err(error) => {
                    shell.status = Status::of(&error);
                    shell.error = Some(error);
                }
            }
            shells.push(shell);
        }
        Ok(shells)
    }
}
