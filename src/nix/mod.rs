//! The `nix` command: what it says on the way, and what went wrong.

pub mod diagnostics;
pub mod log;
