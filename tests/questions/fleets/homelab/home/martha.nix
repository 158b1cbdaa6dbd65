{ pkgs, ... }:
{
  home.stateVersion = "24.11";
  home.packages = with pkgs; [
    gh
    lazygit
    exiftool
  ];
  home.sessionVariables.EDITOR = "hx";
  programs.helix = {
    enable = true;
    settings.theme = "onedark";
  };
  programs.git = {
    enable = true;
    settings.user.email = "martha@example.org";
    settings.user.name = "Martha";
  };
  programs.fish = {
    enable = true;
    shellAliases.ll = "ls -l";
  };
  programs.starship.enable = true;
  services.ssh-agent.enable = true;
}
