# Prometheus's node exporter, and facts about the host that it has no collector for.
{
  config,
  lib,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.monitoring.exporter;

  isIPv6 = lib.hasInfix ":";
  # The exporter's module appends the port to it.
  bracketed = if isIPv6 cfg.listenAddress then "[${cfg.listenAddress}]" else cfg.listenAddress;
  isLoopback = cfg.listenAddress == "::1" || lib.hasPrefix "127." cfg.listenAddress;
  isReachable = cfg.allowedAddresses != [ ] || cfg.interface != null;

  port = toString cfg.port;
  byFamily = lib.partition isIPv6 cfg.allowedAddresses;
  nftablesRule =
    family: addresses:
    lib.optionalString (addresses != [ ]) ''
      ${family} saddr { ${lib.concatStringsSep ", " addresses} } tcp dport ${port} accept comment "node exporter"
    '';
  iptablesRule =
    address:
    "${
      if isIPv6 address then "ip6tables" else "iptables"
    } -A nixos-fw -p tcp --source ${address} --dport ${port} -j nixos-fw-accept\n";

  hostFacts = pkgs.writeShellApplication {
    name = "pantheros-host-facts";
    runtimeInputs = [ pkgs.openssl ];
    text = builtins.readFile ./host-facts.sh;
  };
in
{
  options.pantheros.monitoring.exporter = {
    enable = lib.mkEnableOption "the Prometheus node exporter, with metrics about systemd units, backups, certificates and needed reboots";

    port = mkOption {
      type = types.port;
      default = 9100;
      description = "TCP port to listen on.";
    };

    allowedAddresses = mkOption {
      type = types.listOf (types.strMatching "[0-9a-fA-F.:]+(/[0-9]{1,3})?");
      default = [ ];
      example = [ "10.0.0.5" ];
      description = ''
        Addresses or networks that may fetch metrics, such as that of the monitoring host. The firewall blocks all
        others. Metrics are not encrypted, so use addresses of a private network or a tunnel.
      '';
    };

    interface = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "wg0";
      description = "Network interface on which every machine may fetch metrics, such as that of a private network.";
    };

    listenAddress = mkOption {
      type = types.str;
      default = if isReachable then "" else "127.0.0.1";
      defaultText = lib.literalMD "every address if `allowedAddresses` or `interface` is set, otherwise `127.0.0.1`";
      example = "10.0.0.2";
      description = "IP address to listen on; empty for every address.";
    };

    textfileDirectory = mkOption {
      type = types.path;
      default = "/var/lib/prometheus-node-exporter-textfile";
      description = "Folder whose files with the ending `.prom` are exported. Only root may write there.";
    };

    certificates = mkOption {
      type = types.listOf types.path;
      default = lib.mapAttrsToList (
        _: certificate: "${certificate.directory}/cert.pem"
      ) config.security.acme.certs;
      defaultText = lib.literalMD "every certificate of `security.acme`";
      description = "Certificates in PEM whose expiry time is exported.";
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = isLoopback || isReachable;
        message = ''
          pantheros.monitoring.exporter listens on ${cfg.listenAddress}, but the firewall blocks everybody. Add the
          monitoring host to `allowedAddresses`, set `interface` to a private network's, or do not set `listenAddress`.
        '';
      }
      {
        assertion = !isLoopback -> config.networking.firewall.enable;
        message = ''
          pantheros.monitoring.exporter would be open to every machine, because networking.firewall.enable
          is off.
        '';
      }
    ];

    services.prometheus.exporters.node = {
      enable = true;
      inherit (cfg) port;
      listenAddress = bracketed;
      enabledCollectors = [
        "processes"
        "systemd"
      ];
      extraFlags = [
        "--collector.systemd.enable-restarts-metrics"
        "--collector.textfile.directory=${cfg.textfileDirectory}"
      ];
    };

    systemd = {
      # nixpkgs' module hides /home, which can be a separate file system that fills up.
      services.prometheus-node-exporter.serviceConfig.ProtectHome = lib.mkForce "read-only";

      tmpfiles.settings."10-pantheros-textfiles".${cfg.textfileDirectory}.d = {
        mode = "0755";
        user = "root";
        group = "root";
      };

      services.pantheros-host-facts = {
        description = "Facts about this host for the node exporter";
        startAt = "*:0/5";
        serviceConfig = {
          Type = "oneshot";
          ExecStart = "${lib.getExe hostFacts} ${
            lib.escapeShellArgs ([ cfg.textfileDirectory ] ++ cfg.certificates)
          }";
          TimeoutStartSec = "1min";
          CapabilityBoundingSet = [ "CAP_DAC_READ_SEARCH" ];
          LockPersonality = true;
          MemoryDenyWriteExecute = true;
          NoNewPrivileges = true;
          PrivateDevices = true;
          PrivateNetwork = true;
          PrivateTmp = true;
          ProtectClock = true;
          ProtectControlGroups = true;
          ProtectHome = true;
          ProtectHostname = true;
          ProtectKernelLogs = true;
          ProtectKernelModules = true;
          ProtectKernelTunables = true;
          ProtectSystem = "strict";
          ReadWritePaths = [ cfg.textfileDirectory ];
          RestrictAddressFamilies = [ "AF_UNIX" ];
          RestrictNamespaces = true;
          RestrictRealtime = true;
          RestrictSUIDSGID = true;
          SystemCallArchitectures = "native";
          SystemCallFilter = [
            "@system-service"
            "~@privileged"
          ];
        };
      };
    };

    networking.firewall = {
      interfaces = lib.mkIf (cfg.interface != null) { ${cfg.interface}.allowedTCPPorts = [ cfg.port ]; };
      extraInputRules = lib.mkIf config.networking.nftables.enable (
        nftablesRule "ip" byFamily.wrong + nftablesRule "ip6" byFamily.right
      );
      extraCommands = lib.mkIf (!config.networking.nftables.enable) (
        lib.concatMapStrings iptablesRule cfg.allowedAddresses
      );
    };
  };
}
