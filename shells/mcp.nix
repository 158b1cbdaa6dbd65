# What .github/mcp-servers.json starts, and a client to look at it with.
{ pkgs, ... }:

{
  summary = "pantheros-mcp as .github/mcp-servers.json starts it; npx @modelcontextprotocol/inspector looks at it";
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
