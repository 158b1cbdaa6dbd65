//! Questions to a flake and their answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::flake::part::UnreadPart;

/// The probe name of a question with its own Nix function.
pub(super) const OWN_PROBE: &str = "own";
/// The probe name of a question with its own Nix function that reads its answer in parts.
const OWN_PROBE_IN_PARTS: &str = "own_in_parts";

/// Usual limit of failures in one answer.
const MOST_FAILURES: usize = 24;

/// A question: a probe applied to an attribute.
#[derive(Clone, Debug)]
pub struct Question {
    /// The path of the attribute in the flake's outputs.
    pub path: Vec<String>,
    /// The name of the function in `probes.nix`.
    pub probe: &'static str,
    /// A second argument of that function; `None` if it takes only the attribute.
    pub argument: Option<Value>,
    /// The source of a Nix function from the attribute; `Some` if `probe` is [`OWN_PROBE`] or [`OWN_PROBE_IN_PARTS`].
    pub(super) function: Option<&'static str>,
    /// Whether parts are named only after one has failed, because naming them takes a third of the time.
    pub(super) large: bool,
    /// Most failures in the answer: after the last of them, the rest of it is not read.
    pub(super) most_failures: usize,
}

impl Question {
    /// A question whose probe takes only the attribute.
    pub fn new<S: Into<String>>(path: impl IntoIterator<Item = S>, probe: &'static str) -> Self {
        Self {
            path: path.into_iter().map(Into::into).collect(),
            probe,
            argument: None,
            function: None,
            large: false,
            most_failures: MOST_FAILURES,
        }
    }

    /// A question with its own Nix function from the flake's outputs. A process can have only one such question.
    pub(super) fn of_function(function: &'static str) -> Self {
        Self { function: Some(function), ..Self::new::<&str>([], OWN_PROBE) }
    }

    /// A question with its own Nix function from the readers of parts (`partsOf` in `probes.nix`), the argument and the
    /// attribute. All such questions of a process have to have the same function.
    pub(in crate::flake) fn in_parts<S: Into<String>>(
        path: impl IntoIterator<Item = S>,
        function: &'static str,
    ) -> Self {
        Self { function: Some(function), ..Self::new(path, OWN_PROBE_IN_PARTS) }
    }

    /// Sets the second argument of the probe.
    #[must_use]
    pub fn with(mut self, argument: Value) -> Self {
        self.argument = Some(argument);
        self
    }

    /// Marks the answer as one with thousands of parts.
    #[must_use]
    pub fn large(mut self) -> Self {
        self.large = true;
        self
    }

    /// Sets the number of failures after which the rest of the answer is not read.
    #[must_use]
    pub(in crate::flake) fn failing_at_most(mut self, failures: usize) -> Self {
        self.most_failures = failures;
        self
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut question = Map::new();
        question.insert("path".into(), json!(self.path));
        question.insert("probe".into(), json!(self.probe));
        if let Some(argument) = &self.argument {
            question.insert("argument".into(), argument.clone());
        }
        question
    }
}

/// Whether derivations are written to the store while they are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instantiate {
    /// No: they are not written and nothing is built. An evaluation that reads the output of a derivation fails with
    /// [`Code::NeedsBuild`](crate::diagnostic::Code::NeedsBuild).
    Never,
    /// No, unless the evaluation reads the output of a derivation. This is quicker than writing them. With `--read-only` it is
    /// the same as [`Self::Never`].
    No,
    /// They are written, and nothing is built, as `nix flake check` evaluates `hydraJobs`.
    Unbuilt,
    /// They are written, and the evaluation may build what it reads.
    Yes,
}

impl Instantiate {
    /// The mode for `hydraJobs`: Hydra builds nothing while it evaluates, and so does Nix for them
    /// (`enableImportFromDerivation` in `src/nix/flake.cc`).
    #[must_use]
    pub fn for_jobs(self) -> Self {
        if self == Self::Yes { Self::Unbuilt } else { self }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The result of the probe.
    pub value: Value,
    /// The parts that failed to evaluate, in the order of the reading.
    pub unread: Vec<UnreadPart>,
}

/// Whether every error of an answer is [cacheable](Diagnostic::is_cacheable).
#[must_use]
pub fn is_cacheable(answer: &Result<Answer, Diagnostic>) -> bool {
    match answer {
        Ok(answer) => answer.unread.iter().all(|part| part.error.is_cacheable()),
        Err(error) => error.is_cacheable(),
    }
}

/// One answer or error for each question, in the order of the questions.
pub type Answers = Vec<Result<Answer, Diagnostic>>;

/// Another flake than the one of the settings.
#[derive(Clone, Debug)]
pub struct OtherFlake {
    /// Its flake reference.
    pub reference: String,
    /// The flake whose input `reference` names; `None` if `reference` is complete by itself.
    pub inputs_from: Option<String>,
}
