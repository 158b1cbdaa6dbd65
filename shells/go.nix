# For Go.
{ pkgs, ... }:

{
  summary = "Go with gopls, golangci-lint and delve";
  programs = [
    "dlv"
    "go"
    "goimports"
    "golangci-lint"
    "gopls"
  ];
  packages = [
    pkgs.delve
    pkgs.go
    pkgs.golangci-lint
    pkgs.gopls
    pkgs.gotools
  ];
}
