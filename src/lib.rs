//! pantherOS for machines: an MCP server that gives an assistant typed, safe hands on a NixOS fleet.
//!
//! The map, from the outside in; arrows point downwards only (`tests/structure.rs` holds us to it):
//!
//! - [`cli`] — one file per subcommand; [`mcp`] — the protocol surface: handler, both eras, transports.
//! - [`tools`] — one file per tool; its `mod.rs` is the catalogue both of the above read.
//! - [`flake`], [`disko`] — the domain: what a flake holds, what a disk layout means. They know
//!   nothing of MCP: they take a [`progress::Progress`] and a cancellation token and return their own types.
//! - [`nix`] — the `nix` command: evaluation, building, the store, diagnostics, and the log reader.
//! - [`process`] — the only place that spawns.
//! - [`config`], [`diagnostic`], [`names`], [`progress`], [`text`] — what everything shares.

pub mod diagnostic;
pub mod disko;
pub mod names;
pub mod nix;
pub mod process;
pub mod progress;
pub mod text;
