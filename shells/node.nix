# For JavaScript and TypeScript, with the Node that is supported longest.
{ pkgs, ... }:

pkgs.mkShell {
  packages = [
    pkgs.nodejs_24
    pkgs.pnpm
    pkgs.typescript
    pkgs.typescript-language-server
  ];
  shellHook = ''
    echo "node: Node 24 with npm, pnpm, TypeScript and its language server"
  '';
}
