# For Python; `uv` makes virtual environments, as `python -m venv` does.
{ pkgs, ... }:

pkgs.mkShell {
  packages = [
    pkgs.python3
    pkgs.uv
    pkgs.ruff
    pkgs.basedpyright
  ];
  shellHook = ''
    echo "python: Python 3 with uv, ruff and basedpyright; a virtual environment: uv venv"
  '';
}
