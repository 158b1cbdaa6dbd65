//! The tools on real flakes, with every Nix under test.

mod bad_input;
mod build;
mod cancel;
mod daemon;
mod disks;
mod endless;
mod evaluate;
mod explain;
mod fleet;
mod forms;
mod heavy;
mod imports;
mod inputs;
mod layouts;
mod leaves;
mod many;
mod order;
mod pages;
mod read;
mod shells;
mod strict;
mod views;
