# For this repository's crate and its unit tests; the shell `default` has the programs for tools/test.
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
