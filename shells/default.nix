# For work on this repository: the shells `rust` and `nix`, and the programs that tools/test and deploy.sh run.
{ pkgs, inputs }:

let
  rust = import ./rust.nix { inherit pkgs inputs; };
  nix = import ./nix.nix { inherit pkgs inputs; };
in
rust
// {
  summary = "tools/test runs every test, ./deploy.sh --help deploys, cargo run -- demo demonstrates the server";
  programs =
    rust.programs
    ++ nix.programs
    ++ [
      "bats"
      "cmp"
      "jq"
      "node"
      "nixos-anywhere"
      "npm"
      "openssl"
      "ps"
      "restic"
      "shellcheck"
      "ssh"
      "sshd"
      "unshare"
    ];
  packages =
    rust.packages
    ++ nix.packages
    ++ [
      inputs.nixos-anywhere.packages.${pkgs.stdenv.hostPlatform.system}.default
      pkgs.bats
      pkgs.diffutils
      pkgs.jq
      pkgs.nodejs_24
      pkgs.openssh
      pkgs.openssl
      pkgs.procps
      pkgs.restic
      pkgs.shellcheck
      pkgs.util-linux
    ];
}
