# What `nix flake check` builds.
{
  lib,
  pkgs,
  hosts,
}:
let
  inherit (builtins)
    any
    attrNames
    attrValues
    elem
    filter
    length
    ;
  check =
    name: script:
    pkgs.mkDerivation {
      inherit name;
      installPhase = ''
        ${script}
        echo ok >"$out"
      '';
    };
  configs = map (host: host.config) (attrValues hosts);
  names = map (config: config.networking.hostName) configs;
  lockedOut = filter (
    config:
    any (port: !elem port config.networking.firewall.allowedTCPPorts) config.services.openssh.ports
  ) configs;
in
{
  hosts-have-unique-names = check "hosts-have-unique-names" ''
    echo "${toString (length names)} hosts: ${toString names}"
    [ ${toString (length names)} = ${toString (length (attrNames (lib.genAttrs names (_: null))))} ]
  '';

  ssh-gets-through-the-firewall = check "ssh-gets-through-the-firewall" ''
    for host in ${toString (map (config: config.networking.hostName) lockedOut)}; do
      echo "$host: the firewall is closed for SSH"
      exit 1
    done
  '';

  hello-panther-says-hello = check "hello-panther-says-hello" ''
    ${pkgs.hello-panther}/bin/hello-panther world
  '';

  fails-on-purpose = check "fails-on-purpose" ''
    echo "expected: a fleet without faults"
    echo "found: this check, which fails on purpose"
    exit 1
  '';
}
