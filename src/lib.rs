//! pantherOS for machines: an MCP server that gives an assistant typed, safe hands on a NixOS fleet.
//!
//! The map, from the outside in; arrows point downwards only (`tests/structure.rs` holds us to it):
//!
//! - [`cli`] — one file per subcommand; [`mcp`] — the protocol surface: handler, transports, progress.
//! - [`tools`] — one file per tool; its `mod.rs` is the catalogue both of the above read.
//! - [`flake`], [`disko`], [`search`], [`deploy`] — the domain: what a flake holds, what a disk layout
//!   means, what can be found, what a machine runs and how that is changed. They know nothing of MCP:
//!   they take a [`progress::Call`] and return their own types.
//! - [`audit`] — what is recorded of every deployment.
//! - [`nix`] — the `nix` command: evaluation, building, the store, diagnostics, and the log reader.
//! - [`ssh`] — other machines, through the system's OpenSSH.
//! - [`process`] — the only place that spawns.
//! - [`scratch`] — folders that last as long as the program; [`state`] — a private folder and whole files in it; [`canonical`] — one form for each JSON value.
//! - [`causes`] — what fails for one cause is told once; [`config`], [`policy`], [`schema`], [`diagnostic`], [`names`], [`progress`], [`metrics`], [`text`],
//!   [`platform`], [`random`], [`reading`], [`time`], [`user`] — what everything shares.

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
