# The home-manager configuration of `admin` on this host.
{ pkgs, ... }:

{
  programs = {
    bash = {
      enable = true;
      historyControl = [
        "erasedups"
        "ignorespace"
      ];
    };
    git.enable = true;
    tmux = {
      enable = true;
      historyLimit = 50000;
      mouse = true;
    };
  };

  home.packages = [
    pkgs.fd
    pkgs.ripgrep
  ];
}
