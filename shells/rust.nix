# Builds and tests this repository's crate.
{ pkgs, ... }:

pkgs.mkShell {
  packages = [
    pkgs.bats
    pkgs.cargo
    pkgs.clippy
    pkgs.git
    pkgs.nodejs_24
    pkgs.openssh
    pkgs.rust-analyzer
    pkgs.rustc
    pkgs.rustfmt
    pkgs.shellcheck
  ];
  # For rust-analyzer, which reads the standard library.
  RUST_SRC_PATH = pkgs.rustPlatform.rustLibSrc;
  shellHook = ''
    echo "rust: Cargo, Clippy and rust-analyzer; tools/test runs every test of this repository"
  '';
}
