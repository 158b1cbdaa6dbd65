//! The numbers of Nix's activities, results and levels (`src/libutil/logging.hh`, `error.hh`).

/// Verbosity of a message (`Verbosity`): 0 is always printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u64);

impl Level {
    /// An error, or other output that is always printed, such as that of `builtins.trace`.
    pub const ERROR: Self = Self(0);
    /// A warning.
    pub const WARNING: Self = Self(1);
    /// Printed unless `--quiet` is given.
    pub const INFO: Self = Self(3);
    /// Printed with `-vv`.
    pub const CHATTY: Self = Self(5);
}

/// Defines an enum of Nix's numbers that keeps unknown ones.
macro_rules! numbers {
    ($(#[$documentation:meta])* $name:ident { $($(#[$item:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$documentation])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$item])* $variant,)+
            /// A number without a name here.
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
    /// Kind of activity (`ActivityType`).
    ActivityKind {
        /// An activity without a number of its own, such as evaluation.
        Unknown = 0,
        /// Copies a store path; fields: path, source store, destination store.
        CopyPath = 100,
        /// Downloads or uploads a file; field: URL.
        FileTransfer = 101,
        /// Builds and fetches the requested paths; carries the expected totals.
        Realise = 102,
        /// Sums up all [`Self::CopyPath`].
        CopyPaths = 103,
        /// Sums up all [`Self::Build`].
        Builds = 104,
        /// Builds a derivation; fields: derivation, machine, and two numbers that are always 1.
        Build = 105,
        /// Links equal files of the store.
        OptimiseStore = 106,
        /// Verifies the store.
        VerifyPaths = 107,
        /// Fetches a store path; fields: path, substituter.
        Substitute = 108,
        /// Asks a substituter about a path; fields: path, substituter.
        QueryPathInfo = 109,
        /// Runs the post-build hook; field: derivation.
        PostBuildHook = 110,
        /// Waits for a lock or a build slot; fields: derivation, path that is locked.
        BuildWaiting = 111,
        /// Fetches a flake input.
        FetchTree = 112,
    }
}

impl ActivityKind {
    /// Whether it adds to the store. The activities that sum up others always start, so they do not count.
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
    /// Kind of result that an activity reports (`ResultType`).
    ResultKind {
        /// A file was linked.
        FileLinked = 100,
        /// A line of a build's log.
        BuildLogLine = 101,
        /// A path without a signature by a trusted key.
        UntrustedPath = 102,
        /// A path whose contents do not match its hash.
        CorruptedPath = 103,
        /// The phase of a build.
        SetPhase = 104,
        /// Progress; fields: done, expected, running, failed.
        Progress = 105,
        /// The expected total of a kind of activity.
        SetExpected = 106,
        /// A line of the post-build hook's output.
        PostBuildLogLine = 107,
        /// A status line of fetching a flake input.
        FetchStatus = 108,
    }
}
