//! The error codes: stable names of what can fail.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stable name of a kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Code {
    // The request
    /// An argument of the call is missing, unknown or malformed.
    InvalidInput,
    /// The flake has no host with this name.
    UnknownHost,
    /// The flake has no output with this name.
    UnknownOutput,
    /// The tool is disabled by `--read-only`, `--tools`, `--exclude-tools` or `--without-token`, or by the settings.
    ToolDisabled,
    /// The settings file or a command-line option is wrong.
    InvalidSettings,

    // The flake
    /// There is no `flake.nix` in the folder or in any folder above it.
    FlakeNotFound,
    /// Evaluating the flake would copy private files into the Nix store, which every user can read.
    FlakeExposes,
    /// The file is not valid Nix.
    SyntaxError,
    /// An attribute set does not have the attribute.
    MissingAttribute,
    /// A variable is not defined.
    UndefinedVariable,
    /// A function was called with an argument it does not take, or without one it needs.
    ArgumentMismatch,
    /// A value has the wrong type.
    TypeMismatch,
    /// A value depends on itself.
    InfiniteRecursion,
    /// An `assert` or a NixOS assertion failed.
    AssertionFailed,
    /// The configuration called `throw`.
    Throw,
    /// The configuration called `abort`.
    Abort,
    /// A module sets an option that no module declares.
    UnknownOption,
    /// Two modules set one option to different values.
    ConflictingOptions,
    /// An option that has no default is not set.
    UndefinedOption,
    /// A flake input does not exist.
    MissingInput,
    /// `flake.lock` cannot be used, or does not match the inputs of `flake.nix`.
    LockFileOutdated,
    /// Git does not track the file, so Nix does not see it.
    UntrackedFile,
    /// Git failed, so it is not known which files of the flake are committed.
    GitFailed,
    /// The flake has uncommitted changes, and the settings do not allow them to be deployed.
    DirtyFlake,
    /// A file named by the configuration does not exist.
    MissingFile,
    /// The configuration reads something that pure evaluation forbids.
    ImpureAccess,
    /// The package's licence is not free, and unfree packages are not allowed.
    UnfreePackage,
    /// The package is marked broken, or does not support the system.
    BrokenPackage,
    /// The package has known vulnerabilities.
    InsecurePackage,
    /// Evaluation failed for a reason that has no code of its own.
    EvaluationFailed,

    // Building and the store
    /// The output of a fixed-output derivation has another hash than the derivation declares.
    HashMismatch,
    /// A builder exited with an error.
    BuilderFailed,
    /// Neither this machine nor its builders can build for that system.
    UnsupportedSystem,
    /// There is no space left on the disk.
    OutOfDisk,
    /// The Nix daemon does not answer.
    DaemonUnreachable,
    /// A download failed because the network or the server is unreachable.
    NetworkUnreachable,
    /// A store path is neither in the store nor in a substituter.
    MissingPath,
    /// The evaluation needs a build, and building is not allowed.
    NeedsBuild,
    /// Something has to be fetched or reached, and the evaluation, or the whole server (`--offline`), has no network.
    NeedsNetwork,

    // Other machines
    /// `ssh` was not found: neither at the path in `ssh.program` nor on `PATH`.
    SshNotFound,
    /// No private temporary folder can be created, for sockets and other files.
    ScratchUnusable,
    /// The host has no address to connect to.
    NoTarget,
    /// The host does not answer, or the connection broke.
    HostUnreachable,
    /// No person has accepted the host's key yet.
    UnknownHostKey,
    /// The host presents another key than the known one.
    ChangedHostKey,
    /// The host accepts none of the user's keys.
    AccessDenied,
    /// A program on the host failed.
    RemoteFailed,

    // Deploying
    /// There is no plan with this id.
    UnknownPlan,
    /// The host does not have the generation.
    UnknownGeneration,
    /// The flake, a host or the settings have changed since the plan was made.
    PlanOutdated,
    /// The host refuses a store path, because it has no trusted signature and the user is not trusted.
    UntrustedPath,
    /// The host was rolled back to its previous system.
    RolledBack,
    /// The host could not be rolled back to its previous system.
    RollbackFailed,
    /// The host was rolled back to its previous system, and no new connection reaches it since.
    UnreachableAfterRollback,
    /// The rollout stopped before this host, because another host failed.
    RolloutStopped,
    /// The plan is too old to be approved or deployed.
    PlanExpired,
    /// The plan was altered or damaged, or was made by another version of this program.
    InvalidPlan,
    /// A person has to approve the plan first.
    ApprovalRequired,
    /// The person declined, or did not type the required text.
    ApprovalDeclined,
    /// The approval is not valid: it was altered or forged, the person or the way of approval is not accepted, or it is
    /// for another plan.
    InvalidApproval,
    /// The approval was used already; it is valid for one deployment.
    ApprovalSpent,
    /// The settings beside the flake decide who may deploy, and no person has trusted their current content.
    UntrustedSettings,
    /// The state folder, or a file in it, cannot be read, written or trusted.
    StateUnusable,

    // Running
    /// `nix` was not found: neither at the path in `nix.program` nor on `PATH`.
    NixNotFound,
    /// Another required program is missing or cannot be started.
    ProgramUnusable,
    /// The installed `nix` is older than the oldest supported version.
    NixTooOld,
    /// `nix` failed, or its output could not be understood.
    NixFailed,
    /// The answer is larger than its limit.
    OutputTooLarge,
    /// The evaluation exceeded its memory limit.
    OutOfMemory,
    /// The call exceeded its time limit.
    TimedOut,
    /// The call was cancelled.
    Cancelled,
    /// Too many calls run at once.
    Busy,
    /// This program failed because of a defect or of a failure of the system.
    Internal,
}

impl Code {
    /// The message of this code, without any text from Nix, the flake or a host.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::InvalidInput => "an argument is wrong",
            Self::UnknownHost => "the flake has no such host",
            Self::UnknownOutput => "the flake has no such output",
            Self::ToolDisabled => "the tool is disabled",
            Self::InvalidSettings => "the settings are wrong",
            Self::FlakeNotFound => "there is no flake.nix",
            Self::FlakeExposes => {
                "evaluating the flake would copy private files to the store, which every user can read"
            }
            Self::SyntaxError => "the file is not valid Nix",
            Self::MissingAttribute => "an attribute is missing",
            Self::UndefinedVariable => "a variable is not defined",
            Self::ArgumentMismatch => "a function is called with the wrong arguments",
            Self::TypeMismatch => "a value has the wrong type",
            Self::InfiniteRecursion => "a value depends on itself",
            Self::AssertionFailed => "an assertion failed",
            Self::Throw => "the configuration called `throw`",
            Self::Abort => "the configuration called `abort`",
            Self::UnknownOption => "an option is set that no module declares",
            Self::ConflictingOptions => "an option has conflicting definitions",
            Self::UndefinedOption => "an option without a default is not set",
            Self::MissingInput => "an input of the flake does not exist",
            Self::LockFileOutdated => "flake.lock does not match flake.nix",
            Self::UntrackedFile => "Git does not track a file, so Nix does not see it",
            Self::MissingFile => "a file does not exist",
            Self::ImpureAccess => "the configuration reads something that pure evaluation forbids",
            Self::UnfreePackage => "the licence of a package is not free",
            Self::BrokenPackage => "a package is marked broken, or does not support this system",
            Self::InsecurePackage => "a package has known vulnerabilities",
            Self::EvaluationFailed => "the evaluation failed",
            Self::HashMismatch => "the fetched content has another hash than the one declared",
            Self::BuilderFailed => "a build failed",
            Self::UnsupportedSystem => "neither this machine nor its builders can build this",
            Self::OutOfDisk => "no space is left on the disk",
            Self::DaemonUnreachable => "the Nix daemon cannot be reached",
            Self::NetworkUnreachable => "a download failed",
            Self::MissingPath => "a path is neither in the store nor in a substituter",
            Self::NeedsNetwork => "the network is needed, and may not be used",
            Self::RemoteFailed => "a program on the host failed",
            Self::ProgramUnusable => "a program is missing or cannot be started",
            Self::NixFailed => "nix failed",
            Self::TimedOut => "the time limit was exceeded",
            Self::OutOfMemory => "the evaluation exceeded its memory limit",
            Self::Cancelled => "cancelled",
            _ => "it failed",
        }
    }

    /// Whether asking again about the same flake gives the same error, so that the error may be cached with the answer.
    ///
    /// This is true of errors that depend on the flake's content alone. An error without a code of its own is not
    /// cached, because its cause is unknown. Errors about missing or untracked files are not cached, because they
    /// depend on files that Nix does not see. Errors about inputs are not cached, because they depend on the servers
    /// that provide them.
    #[must_use]
    pub(crate) fn is_cacheable(self) -> bool {
        match self {
            Self::SyntaxError
            | Self::MissingAttribute
            | Self::UndefinedVariable
            | Self::ArgumentMismatch
            | Self::TypeMismatch
            | Self::InfiniteRecursion
            | Self::AssertionFailed
            | Self::Throw
            | Self::Abort
            | Self::UnknownOption
            | Self::ConflictingOptions
            | Self::UndefinedOption
            | Self::UnknownOutput
            | Self::ImpureAccess
            | Self::UnfreePackage
            | Self::BrokenPackage
            | Self::InsecurePackage => true,
            Self::InvalidInput
            | Self::UnknownHost
            | Self::ToolDisabled
            | Self::InvalidSettings
            | Self::FlakeNotFound
            | Self::FlakeExposes
            | Self::MissingInput
            | Self::LockFileOutdated
            | Self::UntrackedFile
            | Self::GitFailed
            | Self::DirtyFlake
            | Self::MissingFile
            | Self::EvaluationFailed
            | Self::HashMismatch
            | Self::BuilderFailed
            | Self::UnsupportedSystem
            | Self::OutOfDisk
            | Self::DaemonUnreachable
            | Self::NetworkUnreachable
            | Self::MissingPath
            | Self::NeedsBuild
            | Self::NeedsNetwork
            | Self::SshNotFound
            | Self::ScratchUnusable
            | Self::NoTarget
            | Self::HostUnreachable
            | Self::UnknownHostKey
            | Self::ChangedHostKey
            | Self::AccessDenied
            | Self::RemoteFailed
            | Self::UnknownPlan
            | Self::UnknownGeneration
            | Self::PlanOutdated
            | Self::UntrustedPath
            | Self::RolledBack
            | Self::RollbackFailed
            | Self::UnreachableAfterRollback
            | Self::RolloutStopped
            | Self::PlanExpired
            | Self::InvalidPlan
            | Self::ApprovalRequired
            | Self::ApprovalDeclined
            | Self::InvalidApproval
            | Self::ApprovalSpent
            | Self::UntrustedSettings
            | Self::StateUnusable
            | Self::NixNotFound
            | Self::NixTooOld
            | Self::ProgramUnusable
            | Self::NixFailed
            | Self::OutputTooLarge
            | Self::OutOfMemory
            | Self::TimedOut
            | Self::Cancelled
            | Self::Busy
            | Self::Internal => false,
        }
    }
}
