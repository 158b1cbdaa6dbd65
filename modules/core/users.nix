# The users of a host: people and the deploying user, with SSH keys and without passwords.
{ config, lib, ... }:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.users;

  # A line as in a .pub file, with or without options before the key. The key types are those that ssh-keygen(1) makes.
  publicKey =
    types.addCheck types.singleLineStr (
      line:
      builtins.match "([^#]* )?(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\\.com) AAAA[A-Za-z0-9+/]+={0,3}( .*)?\n?" line
      != null
    )
    // {
      description = "public SSH key, as the line in a .pub file";
    };

  hasKey =
    user: user.openssh.authorizedKeys.keys != [ ] || user.openssh.authorizedKeys.keyFiles != [ ];
  # Without root, which cannot log in.
  administrators = lib.filter (user: user.isNormalUser && lib.elem "wheel" user.extraGroups) (
    lib.attrValues config.users.users
  );
  reachable = lib.any hasKey administrators;
in
{
  options.pantheros.users.keys = mkOption {
    type = types.attrsOf (types.listOf publicKey);
    default = { };
    example = {
      admin = [ "ssh-ed25519 AAAAC3Nz… alice@laptop" ];
    };
    description = ''
      Users and the public SSH keys that they log in with. Each user may become root with `sudo`, which asks
      for no password, because users have none.
    '';
  };

  config = {
    users = {
      # Removes users that are not declared.
      mutableUsers = false;
      # NixOS refuses to evaluate a system that nobody can log in to. Here that is a warning, so that a
      # fresh clone evaluates, and an entry in `refusals`, so that it is not deployed.
      allowNoPasswordLogin = !reachable;
      users = lib.mapAttrs (name: keys: {
        isNormalUser = true;
        description = lib.mkDefault "${name}, by SSH key";
        extraGroups = [ "wheel" ];
        openssh.authorizedKeys = { inherit keys; };
      }) cfg.keys;
    };

    security.sudo = {
      wheelNeedsPassword = false;
      execWheelOnly = true;
    };

    pantheros.deploy.refusals =
      if !reachable then
        [
          {
            code = "no_authorized_keys";
            message = "no user who may become root has an SSH key, so deploying would lock everybody out: add one to fleet/keys.nix";
          }
        ]
      else
        lib.optional (!hasKey config.users.users.${config.pantheros.deploy.user}) {
          code = "deploying_user_has_no_key";
          message = "the deploying user `${config.pantheros.deploy.user}` has no SSH key, so this would be the last deployment: add one to fleet/keys.nix, or set another pantheros.deploy.user";
        };

    warnings = lib.mkIf (!reachable) [
      "No SSH key is authorized for anybody who may become root: this host must not be deployed. Add one to fleet/keys.nix."
    ];

    assertions = [
      {
        assertion = lib.elem config.pantheros.deploy.user (map (user: user.name) administrators);
        message = "pantheros.deploy.user is ${config.pantheros.deploy.user}, which is not a user of this host who may become root: set it to one of pantheros.users.keys.";
      }
    ];
  };
}
