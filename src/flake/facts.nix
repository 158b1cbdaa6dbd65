# What of a host's configuration decides how it is deployed, and whether it can be reached afterwards.
#
# A function from a host (`config`, and perhaps `pkgs`) to plain data. It needs no nixpkgs, so that it also
# works on hosts that are bare attribute sets. What a configuration does not have is null or empty.
# The server asks this of the flake, and `pantheros.deploy` puts the answer into every system it
# makes (/etc/pantheros/facts.json), where it can be read when the flake says something else.
host:
let
  inherit (builtins)
    attrNames
    elem
    filter
    map
    tryEval
    unsafeDiscardStringContext
    ;
  inherit (host) config;

  # `value` where it can be had, otherwise `fallback`; catches what `throw` and `assert` raise.
  attempt =
    fallback: value:
    let
      tried = tryEval value;
    in
    if tried.success then tried.value else fallback;

  deploy = config.pantheros.deploy or { };
  firewall = config.networking.firewall or { };
  secrets = config.services.onepassword-secrets or { };
  ssh = config.services.openssh or null;
  users = config.users.users or null;

  user =
    name:
    let
      keys = users.${name}.openssh.authorizedKeys or { };
    in
    {
      inherit name;
      wheel = elem "wheel" (users.${name}.extraGroups or [ ]);
      keys = map unsafeDiscardStringContext (keys.keys or [ ]);
      more_keys = keys.keyFiles or [ ] != [ ];
    };
in
{
  system = attempt null (
    config.nixpkgs.hostPlatform.system or host.pkgs.stdenv.hostPlatform.system or null
  );
  host_name = attempt null (config.networking.hostName or null);
  state_version = attempt null (config.system.stateVersion or null);
  build_on = deploy.buildOn or null;
  rollback_timeout = deploy.rollbackTimeout or null;
  activation_timeout = deploy.activationTimeout or null;
  substitute_on_target = deploy.substituteOnTarget or null;
  reboot_on_failure = deploy.rebootOnFailure or null;
  health_checks = deploy.healthChecks or [ ];
  refusals = map (refusal: { inherit (refusal) code message; }) (deploy.refusals or [ ]);
  ssh =
    if ssh == null then
      null
    else
      {
        enable = ssh.enable or false;
        ports = ssh.ports or [ 22 ];
        root_login = attempt null (ssh.settings.PermitRootLogin or null);
      };
  open_ports =
    if firewall ? allowedTCPPorts && firewall.enable or true then firewall.allowedTCPPorts else null;
  users =
    if users == null then
      null
    else
      map user (filter (name: name == "root" || users.${name}.isNormalUser or false) (attrNames users));
  sudo_asks = attempt null (config.security.sudo.wheelNeedsPassword or null);
  boot_devices = attempt [ ] (
    filter (device: device != "nodev") (config.boot.loader.grub.devices or [ ])
  );
  token_file =
    if secrets.enable or false then unsafeDiscardStringContext (toString secrets.tokenFile) else null;
}
