# What .github/mcp-servers.json starts, and a client to look at it with.
{ pkgs, ... }:

pkgs.mkShell {
  packages = [
    pkgs.git
    pkgs.jq
    pkgs.nodejs_24
    pkgs.openssh
    pkgs.pantheros-mcp
    pkgs.uv
  ];
  shellHook = ''
    echo "mcp: pantheros-mcp as .github/mcp-servers.json starts it; npx @modelcontextprotocol/inspector looks at it"
  '';
}
