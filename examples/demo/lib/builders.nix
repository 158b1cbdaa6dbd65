# Derivations without nixpkgs. `build.sh` explains how a tree is built with a shell that has no mkdir.
{ system }:
let
  inherit (builtins)
    attrNames
    attrValues
    concatStringsSep
    filter
    groupBy
    head
    isString
    length
    mapAttrs
    replaceStrings
    split
    ;

  quote = text: "'" + replaceStrings [ "'" ] [ "'\\''" ] text + "'";
  topOf = path: head (filter isString (split "/" path));

  # `derivation` with the attributes that tools expect. No cache has these derivations, so substitution is off.
  withMeta =
    {
      meta ? { },
      passthru ? { },
      ...
    }@args:
    derivation (
      {
        inherit system;
        name = "${args.pname}-${args.version}";
        allowSubstitutes = false;
        preferLocalBuild = true;
      }
      // removeAttrs args [
        "meta"
        "passthru"
      ]
    )
    // {
      meta = {
        platforms = [
          "x86_64-linux"
          "aarch64-linux"
        ];
      }
      // meta;
    }
    // passthru;
in
rec {
  # An entry of a tree: a file, a program, a link.
  file = content: {
    type = "0";
    mode = "0000644";
    target = "";
    inherit content;
  };
  program = content: file "#!/bin/sh\n${content}" // { mode = "0000755"; };
  link =
    target:
    file ""
    // {
      inherit target;
      type = "2";
      mode = "0000777";
    };

  # One file, written by a shell: each phase is a script, and the last phase writes `$out`.
  mkDerivation =
    args:
    withMeta (
      {
        builder = "/bin/sh";
        args = [
          "-eu"
          ./build.sh
        ];
        phases = [
          "configurePhase"
          "buildPhase"
          "installPhase"
        ];
      }
      // args
    );

  # One file with a fixed text.
  writeText =
    name: text:
    mkDerivation {
      inherit name text;
      installPhase = ''printf '%s' "$text" >"$out"'';
    };

  # A folder: `{ "bin/hello" = program "echo hello"; }`.
  mkTree =
    { tree, ... }@args:
    let
      name = args.name or "${args.pname}-${args.version}";
      tops = attrNames (groupBy topOf (attrNames tree));
      single = length tops == 1;
      prefix = if single then "" else "root/";
      entry =
        path: e: "entry ${e.type} ${e.mode} ${quote (prefix + path)} ${quote e.target} ${quote e.content}";
      common = removeAttrs args [
        "tree"
        "configurePhase"
        "buildPhase"
      ];

      archive = mkDerivation {
        name = "${name}.tar";
        configurePhase = args.configurePhase or "";
        buildPhase = args.buildPhase or "";
        installPhase = ''
          {
          ${concatStringsSep "\n" (attrValues (mapAttrs entry tree))}
          zeros 1024
          } >"$out"
        '';
      };

      # Nix's builder requires a single top-level entry, and names it `channelName`.
      unpacked =
        name: channelName: extra:
        withMeta (
          extra
          // {
            inherit name channelName;
            builder = "builtin:unpack-channel";
            src = archive;
          }
        );
    in
    if single then
      unpacked name (head tops) common
    else
      joinTrees (common // { paths = [ "${unpacked "${name}-root" "root" { }}/root" ]; });

  # One folder with links into several, by the builder that `nix-env` uses for profiles. It adds a `manifest.nix`.
  joinTrees =
    { paths, ... }@args:
    withMeta (
      removeAttrs args [ "paths" ]
      // {
        builder = "builtin:buildenv";
        manifest = builtins.toFile "manifest.nix" "[ ]\n";
        derivations = map (path: "true 5 1 ${path}") paths; # active, priority, one output
      }
    );

  # A derivation for `nix develop`, which requires bash as the builder.
  mkShell =
    {
      packages ? [ ],
      ...
    }@args:
    withMeta (
      {
        builder = "/bin/bash";
        args = [
          "-c"
          "export >$out"
        ];
        outputs = [ "out" ];
        nativeBuildInputs = packages;
        buildInputs = [ ];
      }
      // removeAttrs args [ "packages" ]
      // {
        shellHook = ''
          export PATH=${concatStringsSep ":" (map (package: "${package}/bin") packages)}:$PATH
          ${args.shellHook or ""}'';
      }
    );
}
