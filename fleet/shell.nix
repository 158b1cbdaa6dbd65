# Makes a development shell of shells/NAME.nix, which gives
#   summary   what the shell is, in one line; it is said when the shell starts
#   programs  what it promises; its check looks for each of them
#   packages  where these come from
# and whatever else `mkShell` takes.
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
