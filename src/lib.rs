//! An MCP server with which an assistant inspects, builds and deploys a NixOS fleet.
//!
//! The modules from the outside in. Each may use only those below it (`tests/structure.rs` checks this):
//!
//! - [`cli`] — one file per subcommand; [`mcp`] — the protocol surface: handler, transports, progress.
//! - [`tools`] — one file per tool; `mod.rs` has the catalogue of all tools.
//! - [`flake`], [`disko`], [`search`], [`deploy`] — the domain: flakes, disk layouts, packages and options, deployments. They
//!   do not depend on MCP: they take a [`progress::Call`] and return their own types.
//! - [`audit`] — the log of deployments.
//! - [`nix`] — the `nix` command: evaluation, builds, the store, diagnostics, and its log.
//! - [`ssh`] — connections to hosts with the system's OpenSSH.
//! - [`process`] — the only module that starts processes.
//! - [`scratch`] — temporary folders; [`state`] — a private folder with atomic files; [`canonical`] — canonical JSON.
//! - [`config`] — the settings; [`advice`] — the words of hints; [`causes`] — groups failures by cause; [`policy`], [`schema`], [`diagnostic`], [`names`],
//!   [`progress`], [`metrics`], [`text`], `platform`, [`random`], [`reading`], [`redact`], [`time`], [`user`], [`stderr`] — shared by all modules.

mod advice;
mod audit;
mod canonical;
mod causes;
mod cli;
mod config;
mod deploy;
mod diagnostic;
mod disko;
mod flake;
mod mcp;
mod metrics;
mod names;
mod nix;
mod platform;
mod policy;
mod process;
mod progress;
mod random;
mod reading;
mod redact;
mod schema;
mod scratch;
mod search;
mod ssh;
mod state;
mod stderr;
mod text;
mod time;
mod tools;
mod user;

pub use cli::{CommandLine, run};

/// What the tests and benches of this package use. It is no interface for others, and changes without notice.
#[doc(hidden)]
pub mod testing {
    pub mod audit {
        pub use crate::audit::{AuditEvent, AuditRecord};
    }
    pub mod config {
        pub use crate::config::{
            ApprovalMethod, DeploySettings, FlakeInfluence, GuardCondition, KEYS, MergeRule, Overrides,
            SettingKey, Settings, SettingsFile, ZeroMeaning,
        };
    }
    pub mod deploy {
        pub use crate::deploy::{
            ApprovalError, Approvals, Decision, Nobody, PLAN_VERSION, Plan, SUPERVISOR_SCRIPT, StoredPlan,
        };
    }
    pub mod diagnostic {
        pub use crate::diagnostic::{Code, Diagnostic, TRACE_LIMIT};
    }
    pub mod flake {
        pub use crate::flake::explain::EXPLAIN;
        pub use crate::flake::set_values::SET_VALUES;
        pub use crate::flake::{PathStep, UnreadPart};
    }
    pub mod mcp {
        pub use crate::mcp::{http, stdio};
    }
    pub mod names {
        pub use crate::names::PlanId;
    }
    pub mod nix {
        pub use crate::nix::{diagnostics, log};
    }
    pub mod process {
        pub use crate::process::LINE_LIMIT;
    }
    pub mod progress {
        pub use crate::progress::{Call, HEARTBEAT};
    }
    pub mod ssh {
        pub use crate::ssh::{RemoteLimits, SshConnections, SshSettings, SshTarget};
    }
    pub mod state {
        pub use crate::state::StateFolder;
    }
    pub mod time {
        pub use crate::time::Timestamp;
    }
    pub mod tools {
        pub use crate::tools::{
            CallSlot, Context, Effect, FOREIGN_TEXT_FIELDS, Reach, Services, ToolEntry, catalogue, find,
            names,
        };
    }
}
