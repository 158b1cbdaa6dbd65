# What working on this repository takes: the shells `rust` and `nix` in one.
{ pkgs, inputs, ... }:

pkgs.mkShell {
  inputsFrom = [
    (import ./rust.nix { inherit pkgs; })
    (import ./nix.nix { inherit pkgs; })
  ];
  packages = [ inputs.nixos-anywhere.packages.${pkgs.stdenv.hostPlatform.system}.default ];
  RUST_SRC_PATH = pkgs.rustPlatform.rustLibSrc;
  shellHook = ''
    echo "pantherOS: tools/test runs every test, ./deploy.sh --help deploys, cargo run -- demo shows the server at work"
  '';
}
