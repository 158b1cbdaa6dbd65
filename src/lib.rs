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
//! - [`config`] — the settings; [`causes`] — groups failures by cause; [`policy`], [`schema`], [`diagnostic`], [`names`],
//!   [`progress`], [`metrics`], [`text`], `platform`, [`random`], [`reading`], [`time`], [`user`] — shared by all modules.

pub mod advice;
pub mod audit;
pub mod canonical;
pub mod causes;
pub mod cli;
pub mod config;
pub mod deploy;
pub mod diagnostic;
pub mod disko;
pub mod flake;
pub mod mcp;
pub mod metrics;
pub mod names;
pub mod nix;
mod platform;
pub mod policy;
pub mod process;
pub mod progress;
pub mod random;
pub mod reading;
pub mod schema;
pub mod scratch;
pub mod search;
pub mod ssh;
pub mod state;
pub mod stderr;
pub mod text;
pub mod time;
pub mod tools;
pub mod user;
