# A mistake on purpose: the attribute is `hostName`. Nix reports the position and suggests the right name.
{ config, ... }:
{
  users.motd = ''
    Welcome to ${config.networking.hostname}, be gentle with it.
  '';
}
