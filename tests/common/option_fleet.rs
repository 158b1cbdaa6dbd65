//! A fleet made with a module system, whose options have definitions of every kind.

use std::path::Path;

use super::fleet::Fleet;

/// The fleet of `tests/fixtures/explain`, and the flake that stands for its nixpkgs.
pub struct OptionFleet {
    pub fleet: Fleet,
    _nixpkgs: Fleet,
}

impl OptionFleet {
    pub fn new(nix: &Path) -> Self {
        let nixpkgs = Fleet::copied(nix, "tests/fixtures/explain/fixture-nixpkgs");
        let fleet = Fleet::copied(nix, "tests/fixtures/explain/fleet");
        let url = format!("git+file://{}", nixpkgs.folder().display());
        fleet.replace_and_lock("flake.nix", "NIXPKGS", &url);
        Self { fleet, _nixpkgs: nixpkgs }
    }
}
