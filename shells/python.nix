# For Python; `uv` or `python -m venv` creates virtual environments.
{ pkgs, ... }:

{
  summary = "Python 3 with uv, ruff and basedpyright; a virtual environment: uv venv";
  programs = [
    "basedpyright"
    "python3"
    "ruff"
    "uv"
  ];
  packages = [
    pkgs.basedpyright
    pkgs.python3
    pkgs.ruff
    pkgs.uv
  ];
}
