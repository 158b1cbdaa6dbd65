{
  mkShell,
  cargo,
  clippy,
  deadnix,
  git,
  nixfmt,
  nodejs_22,
  openssh,
  rust-analyzer,
  rustc,
  rustfmt,
  shellcheck,
  statix,
}:

mkShell {
  packages = [
    cargo
    clippy
    deadnix
    git
    nixfmt
    nodejs_22
    openssh
    rust-analyzer
    rustc
    rustfmt
    shellcheck
    statix
  ];
  shellHook = ''
    echo "pantherOS: tools/test runs every test, cargo run -- demo shows the server at work"
  '';
}
