{
  lib,
  rustPlatform,
  installShellFiles,
  makeBinaryWrapper,
  runtimeShellPackage,
  coreutils,
  curl,
  gitMinimal,
  gnugrep,
  openssh,
}:

let
  inherit (lib) fileset;
  manifest = lib.importTOML ./Cargo.toml;
in
rustPlatform.buildRustPackage {
  pname = "pantheros-mcp";
  inherit (manifest.package) version;

  # Only what the build reads: a change to the documents or the fleet rebuilds nothing.
  src = fileset.toSource {
    root = ./.;
    fileset = fileset.unions [
      ./Cargo.toml
      ./Cargo.lock
      ./clippy.toml
      ./src
      # Cargo.toml names each benchmark, and cargo rejects a manifest whose files are missing.
      ./benches
      ./examples/demo
      # The unit tests, which the check phase runs, include these at compile time.
      ./tests/fixtures/disko
    ];
  };
  cargoLock.lockFile = ./Cargo.lock;

  nativeBuildInputs = [
    installShellFiles
    makeBinaryWrapper
  ];

  # The unit tests only. The integration tests need a real nix, an sshd and Node: `tools/test` runs
  # them.
  cargoTestFlags = [ "--lib" ];
  nativeCheckInputs = [
    curl
    gitMinimal
    openssh
  ];

  postInstall = ''
    installShellCompletion --cmd pantheros-mcp \
      --bash <($out/bin/pantheros-mcp completions bash) \
      --fish <($out/bin/pantheros-mcp completions fish) \
      --zsh <($out/bin/pantheros-mcp completions zsh)
    # Git detects whether a flake changed, ssh reaches hosts, curl runs their health checks, and a script compares the
    # units of two systems. Programs on PATH come first; nix is left out, so that the machine's own nix is used.
    wrapProgram $out/bin/pantheros-mcp --suffix PATH : ${
      lib.makeBinPath [
        coreutils
        curl
        gitMinimal
        gnugrep
        openssh
        runtimeShellPackage
      ]
    }
  '';

  meta = {
    description = manifest.package.description;
    license = lib.licenses.mit;
    mainProgram = "pantheros-mcp";
    platforms = lib.platforms.linux;
  };
}
