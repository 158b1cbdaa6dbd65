# For Nix: formatter, linters, explorers, and tools to compare systems.
{ pkgs, ... }:

{
  summary = "nixfmt, statix and deadnix check a file, nil is the language server, nvd compares systems, nom shows builds";
  programs = [
    "deadnix"
    "nil"
    "nixfmt"
    "nom"
    "nvd"
    "statix"
  ];
  packages = [
    pkgs.deadnix
    pkgs.nil
    pkgs.nix-output-monitor
    pkgs.nixfmt
    pkgs.nvd
    pkgs.statix
  ];
}
