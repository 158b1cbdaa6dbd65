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
      # Cargo.toml names each of them, and cargo refuses a manifest whose files are not there.
      ./benches
      ./examples/demo
      # What unit tests compile in; the check phase runs them.
      ./tests/fixtures/disko
    ];
  };
  cargoLock.lockFile = ./Cargo.lock;

  nativeBuildInputs = [
    installShellFiles
    makeBinaryWrapper
  ];

  # The integration tests need a real nix, an sshd and Node: `tools/test` runs them. What is left
  # needs none of them.
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
    # Git tells whether a flake changed, ssh reaches hosts, curl asks them whether they are well, and a script compares
    # the units of two systems. Those on PATH go first, and the nix that is used is the machine's own.
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
