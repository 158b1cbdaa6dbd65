# For the servers of .github/mcp-servers.json, and a client to inspect them.
{ pkgs, ... }:

{
  summary = "pantheros-mcp as .github/mcp-servers.json starts it; npx @modelcontextprotocol/inspector inspects it";
  programs = [
    "git"
    "jq"
    "node"
    "npx"
    "pantheros-mcp"
    "ssh"
    "uvx"
  ];
  packages = [
    pkgs.git
    pkgs.jq
    pkgs.nodejs_24
    pkgs.openssh
    pkgs.pantheros-mcp
    pkgs.uv
  ];
}
