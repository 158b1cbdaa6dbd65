# Makes a development shell of shells/NAME.nix, a set with
#   summary   a description in one line, which the shell prints when it starts
#   programs  the programs that the shell must have; its check looks for each of them
#   packages  the packages that these programs come from
# and any other argument of `mkShell`.
{ pkgs, inputs }:
name:
let
  shell = import ../shells/${name}.nix { inherit pkgs inputs; };
in
pkgs.mkShell (
  removeAttrs shell [
    "programs"
    "summary"
  ]
  // {
    name = "${name}-shell";
    shellHook = ''
      echo ${pkgs.lib.escapeShellArg "${name}: ${shell.summary}"}
    '';
    passthru = { inherit (shell) programs; };
  }
)
