//! The one shape of an error inside a result: what happened, where, and what to do next.
//!
//! Every module has its own error type; whatever reaches a person or a model is turned into a
//! [`Diagnostic`] once, at the edge. The field names are a contract: scripts match on `code`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::advice::Hint;
use crate::text;

/// Longest message kept, in characters; the rest is cut with an ellipsis.
pub const MESSAGE_LIMIT: usize = 2_000;
/// Most frames kept of an evaluation trace.
pub const TRACE_LIMIT: usize = 8;
/// Most suggestions offered for one error.
pub const SUGGESTION_LIMIT: usize = 5;

/// The stable name of a kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    // What was asked for
    /// An argument of the call is missing, unknown or malformed.
    InvalidInput,
    /// The flake has no host of that name.
    UnknownHost,
    /// The flake has no output of that name.
    UnknownOutput,
    /// The tool was switched off by `--read-only`, `--tools` or `--exclude-tools`.
    ToolDisabled,
    /// The settings file or a switch is wrong.
    InvalidSettings,

    // The flake
    /// No `flake.nix` in the folder or any parent.
    FlakeNotFound,
    /// Evaluating the flake would copy private files into the Nix store, which every user can read.
    FlakeExposes,
    /// The file is not valid Nix.
    SyntaxError,
    /// An attribute set lacks the attribute asked of it.
    MissingAttribute,
    /// A name is used that nothing defines.
    UndefinedVariable,
    /// A function was called with an argument it does not take, or without one it needs.
    ArgumentMismatch,
    /// A value has another type than the one needed.
    TypeMismatch,
    /// A value depends on itself.
    InfiniteRecursion,
    /// An `assert` or a NixOS assertion does not hold.
    AssertionFailed,
    /// The configuration called `throw`.
    Throw,
    /// The configuration called `abort`.
    Abort,
    /// A module sets an option that nothing declares.
    UnknownOption,
    /// Two modules give one option different values.
    ConflictingOptions,
    /// An option that has no default is not set.
    UndefinedOption,
    /// A flake input is not there.
    MissingInput,
    /// `flake.lock` does not match the inputs of `flake.nix`.
    LockFileOutdated,
    /// Git does not track the file, so Nix does not see it.
    UntrackedFile,
    /// Git does not say what of the flake is committed.
    GitFailed,
    /// The flake has changes that no commit holds, and the settings want none to be deployed.
    DirtyFlake,
    /// A file named by the configuration does not exist.
    MissingFile,
    /// Pure evaluation forbids what the configuration reads.
    ImpureAccess,
    /// The package's licence is not free and unfree ones are not allowed.
    UnfreePackage,
    /// The package is marked broken, or does not support the system.
    BrokenPackage,
    /// The package has known vulnerabilities.
    InsecurePackage,
    /// Evaluation failed in a way that has no code of its own.
    EvaluationFailed,

    // Building and the store
    /// A fixed-output derivation gave another hash than the one stated.
    HashMismatch,
    /// A builder exited with an error.
    BuilderFailed,
    /// Nothing here can build for that system.
    UnsupportedSystem,
    /// No space left on the device.
    OutOfDisk,
    /// The Nix daemon does not answer.
    DaemonUnreachable,
    /// A download failed because the network or the other side is unreachable.
    NetworkUnreachable,
    /// A path is neither in the store nor in a substituter.
    MissingPath,
    /// The evaluation reads what has to be built first, and nothing may be built.
    NeedsBuild,

    // Other machines
    /// No `ssh` where `ssh.program` says, or on `PATH`.
    SshNotFound,
    /// No folder can be made for sockets and other files that last as long as the program.
    ScratchUnusable,
    /// Nothing says where the host is reached.
    NoTarget,
    /// Nobody answers at the host's address, or the connection broke.
    HostUnreachable,
    /// The host's key was not accepted by a person yet.
    UnknownHostKey,
    /// The host shows another key than the known one.
    ChangedHostKey,
    /// The host lets us in with none of our keys.
    AccessDenied,
    /// A program on the host failed.
    RemoteFailed,

    // Deploying
    /// There is no plan of that name.
    UnknownPlan,
    /// The host has no such generation.
    UnknownGeneration,
    /// What the plan is bound to has changed since it was made.
    PlanOutdated,
    /// The host takes no path that is neither signed nor brought by a user it trusts.
    UntrustedPath,
    /// The host went back to its previous system.
    RolledBack,
    /// The host's previous system could not be brought back.
    RollbackFailed,
    /// Another host failed before this one's turn came.
    RolloutStopped,
    /// The plan is too old to be approved or deployed.
    PlanExpired,
    /// The plan was altered, damaged, or made by a newer program.
    InvalidPlan,
    /// A person has to approve the plan first.
    ApprovalRequired,
    /// The person said no, or did not type what was asked for.
    ApprovalDeclined,
    /// The approval is not one that counts: altered, forged, of the wrong person or for another plan.
    InvalidApproval,
    /// The plan was deployed before; an approval is good for once.
    ApprovalSpent,
    /// The settings beside the flake say who may deploy, and no person trusted them as they are.
    UntrustedSettings,
    /// The state folder, or a file in it, cannot be read, written or trusted.
    StateUnusable,

    // Running
    /// No `nix` where `nix.program` says, or on `PATH`.
    NixNotFound,
    /// Another program that is needed is missing, or one cannot be started.
    ProgramUnusable,
    /// The `nix` found is older than the oldest one supported.
    NixTooOld,
    /// `nix` failed or said something that could not be understood.
    NixFailed,
    /// The answer is larger than its limit.
    OutputTooLarge,
    /// The evaluation needed more memory than it may have.
    OutOfMemory,
    /// The call took longer than its limit and was ended.
    TimedOut,
    /// The call was cancelled.
    Cancelled,
    /// Too many calls at once.
    Busy,
    /// A defect of this program.
    Internal,
}

impl Code {
    /// What happened, in a sentence that holds nothing but ours.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::InvalidInput => "an argument is wrong",
            Self::UnknownHost => "the flake has no such host",
            Self::UnknownOutput => "the flake has no such output",
            Self::ToolDisabled => "the tool is switched off",
            Self::InvalidSettings => "the settings are wrong",
            Self::FlakeNotFound => "there is no flake.nix",
            Self::FlakeExposes => "evaluating the flake would show private files to every user of the store",
            Self::SyntaxError => "the file is not valid Nix",
            Self::MissingAttribute => "an attribute is missing",
            Self::UndefinedVariable => "a variable is not defined",
            Self::ArgumentMismatch => "a function is called with the wrong arguments",
            Self::TypeMismatch => "a value has the wrong type",
            Self::InfiniteRecursion => "a value depends on itself",
            Self::AssertionFailed => "an assertion does not hold",
            Self::Throw => "the configuration called `throw`",
            Self::Abort => "the configuration called `abort`",
            Self::UnknownOption => "no module declares an option that is set",
            Self::ConflictingOptions => "an option has conflicting definitions",
            Self::UndefinedOption => "an option without a default is not set",
            Self::MissingInput => "an input of the flake is not there",
            Self::LockFileOutdated => "flake.lock does not match flake.nix",
            Self::UntrackedFile => "Git does not track a file, so Nix does not see it",
            Self::MissingFile => "a file does not exist",
            Self::ImpureAccess => "pure evaluation forbids what the configuration reads",
            Self::UnfreePackage => "the licence of a package is not free",
            Self::BrokenPackage => "a package is broken, or not for this system",
            Self::InsecurePackage => "a package has known vulnerabilities",
            Self::EvaluationFailed => "the evaluation failed",
            Self::HashMismatch => "what was fetched has another hash than the one stated",
            Self::BuilderFailed => "a build failed",
            Self::UnsupportedSystem => "nothing here can build this",
            Self::OutOfDisk => "no space is left on the disk",
            Self::DaemonUnreachable => "the Nix daemon cannot be reached",
            Self::NetworkUnreachable => "a download failed",
            Self::MissingPath => "a path is neither in the store nor in a substituter",
            Self::RemoteFailed => "a program on the host failed",
            Self::ProgramUnusable => "a program is missing",
            Self::NixFailed => "nix failed",
            Self::TimedOut => "it took too long",
            Self::OutOfMemory => "the evaluation needs more memory than it may have",
            _ => "it failed",
        }
    }
}

/// One place an evaluation went through on its way to an error; told as `file:line: message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct Frame {
    /// What Nix was doing there.
    pub message: String,
    /// The file, relative to the flake where it lies inside it.
    pub file: Option<String>,
    /// Line in that file, from 1.
    pub line: Option<u32>,
}

impl From<Frame> for String {
    fn from(frame: Frame) -> Self {
        match (frame.file, frame.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: {}", frame.message),
            (Some(file), None) => format!("{file}: {}", frame.message),
            (None, _) => frame.message,
        }
    }
}

impl From<String> for Frame {
    /// Only for telling it again: where it was stays part of the message.
    fn from(message: String) -> Self {
        Self { message, file: None, line: None }
    }
}

/// An error as every tool reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Stable name of the kind of failure.
    pub code: Code,
    /// What happened, in a sentence of ours.
    pub message: String,
    /// What Nix, the flake, a build or a host said of it: text that others wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// The file, relative to the flake where it lies inside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in that file, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in that line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The attribute, option, variable, input or derivation the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attr: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Hint>,
    /// Names that may have been meant.
    #[serde(default)]
    pub suggestions: Vec<String>,
    /// Where the evaluation came from, the user's own files first.
    #[serde(default)]
    pub trace: Vec<Frame>,
    /// Whether something was fetched or built on the way to it, so that it may go away by itself. Known where the
    /// error comes from `nix`; never told to anybody.
    #[serde(skip)]
    pub transient: bool,
}

impl JsonSchema for Diagnostic {
    fn schema_name() -> Cow<'static, str> {
        "Diagnostic".into()
    }

    /// What a client can rely on in every error. The other fields are the same for all tools and told
    /// once, in the server's instructions: repeated in each schema they would be a quarter of `tools/list`.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "said": {"type": "string"},
                "hint": {"type": "string"},
            },
        })
    }
}

impl Diagnostic {
    /// A diagnostic of that kind with its message; the rest is added by the `with_` methods.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: text::bounded(&message.into(), MESSAGE_LIMIT),
            said: None,
            file: None,
            line: None,
            column: None,
            attr: None,
            hint: None,
            suggestions: Vec::new(),
            trace: Vec::new(),
            transient: false,
        }
    }

    /// A diagnostic of what others said of a failure; the sentence is that of the code.
    pub fn of_others(code: Code, said: &str) -> Self {
        Self::new(code, code.sentence()).with_said(said)
    }

    /// Adds what others said of it, if they said anything.
    #[must_use]
    pub fn with_said(mut self, said: &str) -> Self {
        let said = text::bounded(text::plain(said).trim(), MESSAGE_LIMIT);
        self.said = Some(said).filter(|said| !said.is_empty());
        self
    }

    /// All that is said of it, in one text.
    #[must_use]
    pub fn told(&self) -> String {
        let said = self.said.as_deref().map(|said| format!("\n{said}")).unwrap_or_default();
        format!("{}{said}", self.message)
    }

    /// All that is said of it, in one line, for what is itself a text of others.
    #[must_use]
    pub fn summary(&self) -> String {
        let said = self.said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
        text::line(&format!("{}{said}", self.message), MESSAGE_LIMIT)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what the error is about.
    #[must_use]
    pub fn with_attr(mut self, attr: impl Into<String>) -> Self {
        self.attr = Some(attr.into());
        self
    }

    /// Adds names that may have been meant, at most [`SUGGESTION_LIMIT`].
    #[must_use]
    pub fn with_suggestions(mut self, suggestions: impl IntoIterator<Item = String>) -> Self {
        self.suggestions =
            suggestions.into_iter().filter(|name| text::is_word(name)).take(SUGGESTION_LIMIT).collect();
        self
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}", text::word(file))?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
                if let Some(column) = self.column {
                    write!(f, ":{column}")?;
                }
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", self.message)?;
        if let Some(said) = &self.said {
            write!(f, "\n{}", text::fenced(said))?;
        }
        if !self.suggestions.is_empty() {
            write!(f, "\n  did you mean: {}?", self.suggestions.join(", "))?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  {hint}")?;
        }
        Ok(())
    }
}
