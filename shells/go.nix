# For Go.
{ pkgs, ... }:

pkgs.mkShell {
  packages = [
    pkgs.go
    pkgs.gopls
    pkgs.gotools
    pkgs.golangci-lint
    pkgs.delve
  ];
  shellHook = ''
    echo "go: Go with gopls, golangci-lint and delve"
  '';
}
