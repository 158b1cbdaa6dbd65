//! Finds packages of the pinned nixpkgs, or of the flake itself, and options of a host. Never asks a web service.

pub mod commands;
pub mod exact;
pub mod index;
pub mod overlays;
