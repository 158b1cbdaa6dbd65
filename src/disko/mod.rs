//! What a host's disk layout is and what is wrong with it, read from its evaluated `disko.devices`.
//!
//! [`PROBE`] says what to evaluate, [`Layout::from_probe`] takes the answer, [`draw()`] shows it to a
//! person. Nothing here runs anything or looks at a machine: a [`Hazard`] is only ever about what the
//! configuration says, and where it does not say enough there is none.
//!
//! Where the facts come from: disko's option types (`lib/types/*.nix` of nix-community/disko), the
//! NixOS options `boot.loader.*`, `fileSystems.*` and `swapDevices`, and the manuals of the programs
//! disko runs; each hazard names its own.

mod device;
mod draw;
mod facts;
pub mod hazards;
mod model;
mod parse;
mod part;
mod read;
mod size;
#[cfg(test)]
mod tests;

pub use draw::draw;
pub use hazards::{Hazard, HazardCode, Severity};
pub use model::{Layout, LayoutError, Mount, Node};
pub use part::LayoutPart;

/// A Nix function from how parts are read and a host's `config` to what [`Layout::from_probe`] reads.
pub const PROBE: &str = include_str!("probe.nix");
