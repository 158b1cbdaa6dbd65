# SSH, the only way to log in to a host: by key, never as root, with current algorithms.
{ config, lib, ... }:

let
  settings = config.services.openssh.settings;
in
{
  config = {
    services.openssh = {
      enable = true;
      openFirewall = true;
      # Only declared keys are accepted: a key that a user, or a program of the user, adds in the home folder would stay
      # valid after its removal from fleet/keys.nix.
      authorizedKeysInHomedir = false;
      # Clients of the last ten years need no RSA host key.
      hostKeys = [
        {
          path = "/etc/ssh/ssh_host_ed25519_key";
          type = "ed25519";
        }
      ];
      settings = {
        PasswordAuthentication = false;
        KbdInteractiveAuthentication = false;
        AuthenticationMethods = "publickey";
        PermitRootLogin = "no";
        PermitEmptyPasswords = false;
        X11Forwarding = false;
        AllowAgentForwarding = false;

        KexAlgorithms = [
          "mlkem768x25519-sha256"
          "sntrup761x25519-sha512"
          "sntrup761x25519-sha512@openssh.com"
          "curve25519-sha256"
          "curve25519-sha256@libssh.org"
        ];
        Ciphers = [
          "chacha20-poly1305@openssh.com"
          "aes256-gcm@openssh.com"
          "aes128-gcm@openssh.com"
        ];
        Macs = [
          "hmac-sha2-512-etm@openssh.com"
          "hmac-sha2-256-etm@openssh.com"
        ];

        # After failed logins, sshd itself blocks the source address, for longer each time. This needs no second daemon
        # that reads logs and writes firewall rules (sshd_config(5), OpenSSH 9.8).
        # Each key that an agent offers counts as a try. Keys cannot be guessed, so a lower limit gains nothing.
        MaxAuthTries = 6;
        LoginGraceTime = 30;
        MaxStartups = "10:30:60";
        PerSourceMaxStartups = 10;
        PerSourcePenalties = "authfail:10s noauth:5s grace-exceeded:20s crash:90s max:15m min:15s";

        # A dead connection is detected within a minute and a half.
        ClientAliveInterval = 30;
        ClientAliveCountMax = 3;
      };
    };

    assertions = [
      {
        assertion = config.services.openssh.enable && config.services.openssh.ports != [ ];
        message = "SSH is the only way to reach a host of this fleet: services.openssh must stay enabled, with a port.";
      }
      {
        assertion = !settings.PasswordAuthentication && !settings.KbdInteractiveAuthentication;
        message = "services.openssh.settings allows passwords: hosts of this fleet accept only keys.";
      }
      {
        assertion = settings.PermitRootLogin == "no";
        message = "services.openssh.settings.PermitRootLogin is ${settings.PermitRootLogin}: root must not log in; users become root with sudo.";
      }
      {
        assertion = config.services.openssh.authorizedKeysFiles == [ "/etc/ssh/authorized_keys.d/%u" ];
        message = "services.openssh.authorizedKeysFiles is ${toString config.services.openssh.authorizedKeysFiles}: only declared keys may be accepted, which are in /etc/ssh/authorized_keys.d/%u.";
      }
      {
        assertion =
          !config.networking.firewall.enable
          || lib.all (
            port: lib.elem port config.networking.firewall.allowedTCPPorts
          ) config.services.openssh.ports;
        message = "The firewall would block SSH: networking.firewall.allowedTCPPorts must contain ${toString config.services.openssh.ports}.";
      }
      {
        assertion = lib.elem config.pantheros.deploy.port config.services.openssh.ports;
        message = "pantheros.deploy.port is ${toString config.pantheros.deploy.port}, on which SSH does not listen: the next deployment could not reach the host.";
      }
    ];
  };
}
