{ stateVersion }:
{ pkgs, ... }:
{
  home = { inherit stateVersion; };
  home.packages = [
    pkgs.lazygit
    pkgs.fd
  ];
  programs.git = {
    enable = true;
    settings.user = {
      name = "Ada";
      email = "ada@shop.example.org";
    };
  };
  programs.tmux = {
    enable = true;
    historyLimit = 50000;
    keyMode = "vi";
  };
}
