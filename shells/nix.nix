# For writing Nix: format, lint, explore, compare.
{ pkgs, ... }:

pkgs.mkShell {
  packages = [
    pkgs.deadnix
    pkgs.nil
    pkgs.nix-output-monitor
    pkgs.nixfmt
    pkgs.nvd
    pkgs.statix
  ];
  shellHook = ''
    echo "nix: nixfmt, statix and deadnix judge a file, nil serves an editor, nvd compares systems, nom shows builds"
  '';
}
