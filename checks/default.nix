# What `nix flake check` builds: hosts, shells, lints, the crate, and tests in virtual machines, which need KVM.
{
  pkgs,
  self,
  lib,
}:

let
  inherit (pkgs.stdenv.hostPlatform) system;
  fleet = import ../fleet;
  source = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.gitTracked ../.;
  };

  prefixed = prefix: lib.mapAttrs' (name: value: lib.nameValuePair "${prefix}-${name}" value);
  hosts = lib.mapAttrs (name: _: self.nixosConfigurations.${name}.config.system.build.toplevel) (
    lib.filterAttrs (_: hostSystem: hostSystem == system) fleet.hosts
  );

  # Runs a lint on every Nix file except the tests' fixtures, many of which are wrong on purpose.
  lint =
    name: package: command:
    pkgs.runCommand name { nativeBuildInputs = [ package ]; } ''
      cd ${source}
      find . -name '*.nix' -not -path './tests/*' -print0 | xargs -0 -n 1 ${command}
      touch $out
    '';

  # Checks that a shell has its programs and prints its summary in one line.
  started =
    name: shell:
    pkgs.runCommand "shell-${name}"
      {
        inherit (shell)
          buildInputs
          nativeBuildInputs
          programs
          shellHook
          ;
      }
      ''
        said=$(bash -c "$shellHook")
        if [[ $said != ${name}:* || $said == *$'\n'* ]]; then
          printf 'the shell printed:\n%s\n' "$said"
          exit 1
        fi
        for program in $programs; do
          type -P "$program" || { printf 'there is no %s\n' "$program"; exit 1; }
        done | tee $out
      '';

  # checks/NAME/default.nix and checks/vm/NAME.nix, found by listing: a new file is a new check.
  named =
    folder: names: lib.genAttrs names (name: import (folder + "/${name}") { inherit pkgs self; });
  folders = lib.attrNames (
    lib.filterAttrs (name: type: type == "directory" && name != "vm") (builtins.readDir ./.)
  );
  # A file contains one test, or a set of tests by name.
  machines = lib.concatMapAttrs (
    file: _:
    let
      name = lib.removeSuffix ".nix" file;
      tests = import (./vm + "/${file}") { inherit pkgs self; };
    in
    if lib.isDerivation tests then { ${name} = tests; } else prefixed name tests
  ) (builtins.readDir ./vm);
in
prefixed "host" hosts
// prefixed "shell" (lib.mapAttrs started self.devShells.${system})
// named ./. folders
// {
  # Its build runs the tests that need neither Nix nor SSH; tools/test runs the others.
  inherit (pkgs) pantheros-mcp;
  formatting = lint "formatting" pkgs.nixfmt "nixfmt --check";
  deadnix = lint "deadnix" pkgs.deadnix "deadnix --fail";
  statix = lint "statix" pkgs.statix "statix check";
  shellcheck = pkgs.runCommand "shellcheck" { nativeBuildInputs = [ pkgs.shellcheck ]; } ''
    cd ${source}
    shellcheck -x deploy.sh tools/setup tools/test tools/demo tools/bench tools/lint-nix tools/eval-fleet tools/render-units tools/deploy/*.sh .ci/run
    shellcheck --shell=sh tools/mcp
    shellcheck --shell=bash modules/core/*.sh modules/services/*/*.sh
    touch $out
  '';
}
// lib.optionalAttrs (system == "x86_64-linux") (prefixed "vm" machines)
