# OpenSSH, with keys only.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.openssh;
  yesNo = value: if value then "yes" else "no";
in
{
  options.services.openssh = {
    enable = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = ''
        Whether to enable the OpenSSH secure shell daemon, which
        allows secure remote logins.
      '';
    };
    ports = lib.mkOption {
      type = lib.types.listOf lib.types.port;
      default = [ 22 ];
      description = "Specifies on which ports the SSH daemon listens.";
    };
    openFirewall = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether to open those ports in the firewall.";
    };
    settings = {
      PasswordAuthentication = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Specifies whether password authentication is allowed.";
      };
      KbdInteractiveAuthentication = lib.mkOption {
        type = lib.types.bool;
        default = true;
        description = "Specifies whether keyboard-interactive authentication is allowed.";
      };
      PermitRootLogin = lib.mkOption {
        type = lib.types.enum [
          "yes"
          "without-password"
          "prohibit-password"
          "forced-commands-only"
          "no"
        ];
        default = "prohibit-password";
        description = "Whether the root user can login using ssh.";
      };
    };
  };

  config = {
    # Defaults for the whole fleet; a host may override them.
    services.openssh = {
      enable = lib.mkDefault true;
      settings = {
        PasswordAuthentication = lib.mkDefault false;
        KbdInteractiveAuthentication = lib.mkDefault false;
        PermitRootLogin = lib.mkDefault "no";
      };
    };
    networking.firewall.allowedTCPPorts = lib.mkIf (cfg.enable && cfg.openFirewall) cfg.ports;
    environment = lib.mkIf cfg.enable {
      systemPackages = [ pkgs.openssh ];
      etc."ssh/sshd_config".text = ''
        ${builtins.concatStringsSep "\n" (map (port: "Port ${toString port}") cfg.ports)}
        PasswordAuthentication ${yesNo cfg.settings.PasswordAuthentication}
        KbdInteractiveAuthentication ${yesNo cfg.settings.KbdInteractiveAuthentication}
        PermitRootLogin ${cfg.settings.PermitRootLogin}
      '';
    };
    systemd.services = lib.mkIf cfg.enable {
      sshd = {
        description = "SSH Daemon";
        after = [ "network.target" ];
        serviceConfig.ExecStart = "${pkgs.openssh}/bin/sshd -D -f /etc/ssh/sshd_config";
      };
    };
  };
}
