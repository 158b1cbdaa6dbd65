# Builds this repository's crate and runs the tests that need nothing else; `default` has what tools/test needs.
{ pkgs, ... }:

{
  summary = "Cargo, Clippy, rustfmt and rust-analyzer; cargo build, cargo test --lib";
  programs = [
    "cargo"
    "cargo-clippy"
    "cargo-fmt"
    "git"
    "rust-analyzer"
    "rustc"
    "rustfmt"
  ];
  packages = [
    pkgs.cargo
    pkgs.clippy
    pkgs.git
    pkgs.rust-analyzer
    pkgs.rustc
    pkgs.rustfmt
  ];
  # For rust-analyzer, which reads the standard library.
  RUST_SRC_PATH = pkgs.rustPlatform.rustLibSrc;
}
