{ pkgs, ... }:
{
  home.stateVersion = "24.11";
  home.packages = [ pkgs.gimp ];
  programs.git = {
    enable = true;
    settings.user.email = "otto@example.org";
  };
  programs.thunderbird = {
    enable = true;
    profiles.otto.isDefault = true;
  };
}
