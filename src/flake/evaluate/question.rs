//! Questions to a flake and their answers.

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::flake::part::UnreadPart;

/// The probe that a question brings itself.
pub(super) const OWN_PROBE: &str = "own";

/// One question: a probe of an attribute.
#[derive(Clone, Debug)]
pub struct Question {
    /// The attribute, from the flake's outputs down.
    pub path: Vec<String>,
    /// Which function of `probes.nix` looks at it.
    pub probe: &'static str,
    /// What that function takes besides the attribute.
    pub argument: Option<Value>,
    /// The function that looks at it, in Nix, if `probe` is [`OWN_PROBE`].
    pub(super) function: Option<&'static str>,
    /// Whether its parts are named only once one of them has failed: naming them costs a third of the time.
    pub(super) large: bool,
}

impl Question {
    /// A question whose probe takes nothing but the attribute.
    pub fn new<S: Into<String>>(path: impl IntoIterator<Item = S>, probe: &'static str) -> Self {
        Self {
            path: path.into_iter().map(Into::into).collect(),
            probe,
            argument: None,
            function: None,
            large: false,
        }
    }

    /// A question that a Nix function from the flake's outputs answers. One process asks one such question.
    pub(super) fn of_function(function: &'static str) -> Self {
        Self { function: Some(function), ..Self::new::<&str>([], OWN_PROBE) }
    }

    /// Adds what the probe takes besides the attribute.
    #[must_use]
    pub fn with(mut self, argument: Value) -> Self {
        self.argument = Some(argument);
        self
    }

    /// Says that its answer has thousands of parts.
    #[must_use]
    pub fn large(mut self) -> Self {
        self.large = true;
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
    /// Nothing is written and nothing built: an evaluation that reads what it would have to build fails with
    /// [`Code::NeedsBuild`].
    Never,
    /// Only their paths are wanted: quicker, and the store stays as it is, unless the evaluation reads what it builds.
    /// With `--read-only` the same as never.
    No,
    /// They are written, and nothing is built: so `nix flake check` evaluates `hydraJobs`.
    Unbuilt,
    /// They are to be built, or needed for building something the evaluation itself reads.
    Yes,
}

impl Instantiate {
    /// The same for what Hydra builds: it builds nothing while it evaluates, so Nix does not either
    /// (`enableImportFromDerivation` in `src/nix/flake.cc`).
    #[must_use]
    pub fn for_jobs(self) -> Self {
        if self == Self::Yes { Self::Unbuilt } else { self }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What the probe gave.
    pub value: Value,
    /// The parts that it could not read, in the order they were found.
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

/// What each question gave, in the order asked.
pub type Answers = Vec<Result<Answer, Diagnostic>>;

/// A flake that is asked in place of ours.
#[derive(Clone, Debug)]
pub struct OtherFlake {
    /// As `nix` names it.
    pub reference: String,
    /// The flake whose inputs give `reference` its meaning, where it is an input's name.
    pub inputs_from: Option<String>,
}
