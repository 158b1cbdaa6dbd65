# The mistake, on purpose: the attribute is `hostName`. Nix says where, and what was meant.
{ config, ... }:
{
  users.motd = ''
    Welcome to ${config.networking.hostname}, be gentle with it.
  '';
}
