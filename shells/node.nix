# For JavaScript and TypeScript, with the LTS release of Node.
{ pkgs, ... }:

{
  summary = "Node 24 with npm, pnpm, TypeScript and its language server";
  programs = [
    "node"
    "npm"
    "npx"
    "pnpm"
    "tsc"
    "typescript-language-server"
  ];
  packages = [
    pkgs.nodejs_24
    pkgs.pnpm
    pkgs.typescript
    pkgs.typescript-language-server
  ];
}
