//! The numbers Nix uses for what it does and reports (`src/libutil/logging.hh`, `error.hh`).

/// How important a message is (`Verbosity`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u64);

impl Level {
    /// An error, or anything `nix` always prints, such as the output of `builtins.trace`.
    pub const ERROR: Self = Self(0);
    /// A warning.
    pub const WARNING: Self = Self(1);
    /// Shown unless asked for quiet.
    pub const INFO: Self = Self(3);
    /// Shown with `-vv`.
    pub const CHATTY: Self = Self(5);
}

/// Defines an enumeration of the numbers Nix uses, keeping those it does not know.
macro_rules! numbers {
    ($(#[$documentation:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$item])* $variant,)+
            /// A number this program has no name for.
            Other(u64),
        }

        impl From<u64> for $name {
            fn from(number: u64) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                }
            }
        }
    };
}

numbers! {
    /// What Nix is doing (`ActivityType`).
    ActivityKind {
        /// Anything without a number of its own, such as evaluating.
        Unknown = 0,
        /// Copying one store path: fields are the path, from where, to where.
        CopyPath = 100,
        /// Downloading or uploading a file: the field is its address.
        FileTransfer = 101,
        /// Building and fetching what was asked for; expectations hang on it.
        Realise = 102,
        /// All copying of store paths together.
        CopyPaths = 103,
        /// All building together.
        Builds = 104,
        /// One build: fields are the derivation, the machine, and two numbers that are always 1.
        Build = 105,
        /// Linking equal files of the store.
        OptimiseStore = 106,
        /// Checking the store.
        VerifyPaths = 107,
        /// Fetching one store path: fields are the path and from where.
        Substitute = 108,
        /// Asking a substituter about a path: fields are the path and whom.
        QueryPathInfo = 109,
        /// What runs after a build: the field is the derivation.
        PostBuildHook = 110,
        /// Waiting for a lock or a build slot: fields are the derivation and the path waited for.
        BuildWaiting = 111,
        /// Fetching a flake input.
        FetchTree = 112,
    }
}

impl ActivityKind {
    /// Whether it brings in what was not in the store: one by one, as the activities that sum them up start always.
    #[must_use]
    pub fn fetches_or_builds(self) -> bool {
        matches!(
            self,
            Self::CopyPath
                | Self::FileTransfer
                | Self::Build
                | Self::Substitute
                | Self::PostBuildHook
                | Self::FetchTree
        )
    }
}

numbers! {
    /// What an activity reports (`ResultType`).
    ResultKind {
        /// A file was linked.
        FileLinked = 100,
        /// A line of a build's log.
        BuildLogLine = 101,
        /// A path no trusted key signed.
        UntrustedPath = 102,
        /// A path whose contents changed.
        CorruptedPath = 103,
        /// The phase a build is in.
        SetPhase = 104,
        /// Done, expected, running, failed.
        Progress = 105,
        /// How much to expect of a kind of activity.
        SetExpected = 106,
        /// A line of what runs after a build.
        PostBuildLogLine = 107,
        /// What fetching a flake input says.
        FetchStatus = 108,
    }
}
