//! A nixpkgs of a few packages with a list of aliases, and a flake that pins it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::fleet::Fleet;

/// The packages. `SYSTEM` is the system.
const PACKAGES: &str = r#"{ system, config ? { }, overlays ? [ ] }: let
  tool = name: version: (derivation { inherit name system; builder = "/bin/sh"; }) // {
    pname = name; inherit version; meta = { description = "The ${name} of the little nixpkgs"; mainProgram = name; };
  };
  lib = { };
  genuine = {
    hyfetch = tool "hyfetch" "2.0"; fastfetch = tool "fastfetch" "2.1"; ripgrep = tool "ripgrep" "14.1";
    _7zz = tool "7zz" "26.01" // { meta.unfree = true; };
    function = x: x;
    members = { requests = tool "requests" "2.32"; old = throw "'old' was renamed to 'requests'"; };
    searched = { recurseForDerivations = true; inner = tool "inner" "1.0"; gone = throw "gone for good"; };
    path = ./.;
    stdenv.hostPlatform = { inherit system; };
    inherit lib;
  };
  self = genuine // (if config.allowAliases or true then import ./pkgs/top-level/aliases.nix lib self genuine else { });
in self"#;

const ALIASES: &str = r#"lib: self: super: with self; {
  rg-search = ripgrep;
  neofetch = throw "'neofetch' was removed. Consider 'hyfetch' or 'fastfetch'.";
  seven = assert !(super ? seven); _7zz;
}"#;

/// A flake that pins the little nixpkgs.
pub struct Little {
    pub fleet: Fleet,
    pub nixpkgs: Fleet,
    nix: PathBuf,
}

impl Little {
    pub fn new(nix: &Path) -> Self {
        Self::of(nix, &[("default.nix", PACKAGES), ("pkgs/top-level/aliases.nix", ALIASES)])
    }

    /// A flake that pins a nixpkgs of these files.
    pub fn of(nix: &Path, files: &[(&str, &str)]) -> Self {
        let flake =
            "{ outputs = _: { legacyPackages.x86_64-linux = import ./. { system = \"x86_64-linux\"; }; }; }";
        let nixpkgs = Fleet::committed(nix, &[&[("flake.nix", flake)], files].concat());
        let url = nixpkgs.folder().display().to_string();
        let flake = format!("{{ inputs.nixpkgs.url = \"git+file://{url}\"; outputs = _: {{ }}; }}");
        let fleet = Fleet::plain(nix, &[("flake.nix", &flake)]);
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "."]);
        let little = Self { fleet, nixpkgs, nix: nix.to_owned() };
        little.lock();
        little
    }

    /// Locks the newest nixpkgs.
    pub fn lock(&self) {
        let locked = self.fleet.by_hand(&["flake", "update"]);
        assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));
        self.fleet.git(&["add", "."]);
    }

    /// Makes evaluations of packages wait until [`Self::release`].
    pub fn hold(&self) {
        let go = self.go();
        let script = format!(
            "#!/bin/sh\ncase \" $* \" in *package_index*) while [ ! -e {go:?} ]; do sleep 0.02; done ;; esac\nexec {:?} \"$@\"\n",
            self.nix
        );
        let waiting = self.fleet.write_outside("nix-that-waits", &script);
        std::fs::set_permissions(&waiting, PermissionsExt::from_mode(0o755)).unwrap();
        self.fleet.write_outside("pantheros.toml", &format!("[nix]\nprogram = {waiting:?}\n"));
    }

    /// Lets the evaluations go on.
    pub fn release(&self) {
        self.fleet.write_outside("go", "");
    }

    fn go(&self) -> PathBuf {
        self.fleet.folder().with_file_name("go")
    }

    /// The files in the folder of the indexes whose names end with this.
    pub fn files(&self, suffix: &str) -> Vec<PathBuf> {
        let folder = self.fleet.home().join("cache/pantheros/index");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().ends_with(suffix)).collect()
    }
}
