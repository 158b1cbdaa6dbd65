//! A host's disk layout and its hazards, read from the evaluated `disko.devices`.
//!
//! [`PROBE`] is the expression to evaluate, [`Layout::from_probe`] reads its result, [`draw()`] prints the layout.
//! Nothing here runs a program or looks at a machine: a [`Hazard`](hazards::Hazard) follows from the configuration alone, and a
//! configuration that leaves something open gives none.
//!
//! Sources: disko's option types (`lib/types/*.nix` of nix-community/disko), the NixOS options `boot.loader.*`,
//! `fileSystems.*` and `swapDevices`, and the manuals of the programs that disko runs; each module of hazards names its
//! own.

mod brief;
mod device;
mod draw;
mod facts;
pub mod hazards;
mod model;
mod parse;
mod part;
mod place;
mod read;
mod size;
#[cfg(test)]
mod tests;

pub use draw::draw;
pub use hazards::Severity;
pub use model::{Fate, Layout, Mount};

/// A Nix function from the readers of `probes.nix`, the platform and a host's `config` to the input of
/// [`Layout::from_probe`].
pub const PROBE: &str = include_str!("probe.nix");
/// A Nix function from a host and its `config` to the places of the entries of its layout; `places` in that input.
pub const PLACES: &str = include_str!("places.nix");
