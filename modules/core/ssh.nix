# SSH is the only way in: by key, never as root, with algorithms of today.
{ config, lib, ... }:

let
  settings = config.services.openssh.settings;
in
{
  config = {
    services.openssh = {
      enable = true;
      openFirewall = true;
      # The declared keys are all there are: one that a user, or something that runs as them, adds at home would
      # outlive its removal from fleet/keys.nix.
      authorizedKeysInHomedir = false;
      # RSA keys of hosts are of no use to clients of the last ten years.
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

        # Failed logins: sshd itself shuts out the address they come from, for longer each time, which needs no
        # second daemon that reads logs and writes firewall rules (sshd_config(5), OpenSSH 9.8).
        # Each key an agent offers is a try. Nobody guesses a key, so there is no gain in fewer.
        MaxAuthTries = 6;
        LoginGraceTime = 30;
        MaxStartups = "10:30:60";
        PerSourceMaxStartups = 10;
        PerSourcePenalties = "authfail:10s noauth:5s grace-exceeded:20s crash:90s max:15m min:15s";

        # A connection that is gone is noticed within a minute and a half.
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
        message = "services.openssh.settings lets passwords in: hosts of this fleet are reached by key only.";
      }
      {
        assertion = settings.PermitRootLogin == "no";
        message = "services.openssh.settings.PermitRootLogin is ${settings.PermitRootLogin}: root does not log in, users become root with sudo.";
      }
      {
        assertion = config.services.openssh.authorizedKeysFiles == [ "/etc/ssh/authorized_keys.d/%u" ];
        message = "services.openssh.authorizedKeysFiles is ${toString config.services.openssh.authorizedKeysFiles}: only declared keys let anybody in, which are in /etc/ssh/authorized_keys.d/%u.";
      }
      {
        assertion =
          !config.networking.firewall.enable
          || lib.all (
            port: lib.elem port config.networking.firewall.allowedTCPPorts
          ) config.services.openssh.ports;
        message = "The firewall would shut SSH out: networking.firewall.allowedTCPPorts has to contain ${toString config.services.openssh.ports}.";
      }
      {
        assertion = lib.elem config.pantheros.deploy.port config.services.openssh.ports;
        message = "pantheros.deploy.port is ${toString config.pantheros.deploy.port}, on which SSH does not listen: the next deployment could not reach the host.";
      }
    ];
  };
}
