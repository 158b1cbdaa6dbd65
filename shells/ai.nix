# AI assistants for the command line, with this server as a tool.
{ pkgs, inputs }:

let
  agents = inputs.llm-agents.packages.${pkgs.stdenv.hostPlatform.system};
in
{
  summary = "claude, codex, copilot, gemini and opencode; Claude Code finds pantheros through .mcp.json in this folder";
  programs = [
    "claude"
    "codex"
    "copilot"
    "gemini"
    "git"
    "opencode"
    "pantheros-mcp"
  ];
  packages = [
    agents.claude-code
    agents.codex
    agents.copilot-cli
    agents.gemini-cli
    agents.opencode
    pkgs.git
    pkgs.pantheros-mcp
  ];
}
