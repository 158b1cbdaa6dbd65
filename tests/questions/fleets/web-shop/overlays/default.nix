# The overlays, by purpose.
{
  tools = import ./tools.nix;
  pins = import ./pins.nix;
}
