//! The supervisor on real machines: whatever goes wrong, a machine ends on the new system or the old.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
mod machine;

mod commands;
mod deaths;
mod disk;
mod neighbours;
mod outcomes;
mod refusals;
mod shells;
mod signatures;
mod starts;
mod versions;
