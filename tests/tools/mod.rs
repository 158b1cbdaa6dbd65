//! The tools on real flakes, with every real Nix there is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod bad_input;
mod build;
mod cancel;
mod daemon;
mod endless;
mod fleet;
mod forms;
mod heavy;
mod imports;
mod layouts;
mod leaves;
mod many;
mod order;
mod pages;
mod read;
mod strict;
