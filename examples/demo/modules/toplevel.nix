# The system itself: what a generation of a host's profile points to.
{
  config,
  pkgs,
  ...
}:
let
  inherit (config.system) build nixos;
  inherit (config.networking) hostName;
  failed = builtins.filter (entry: !entry.assertion) config.assertions;
in
{
  config.system.build.toplevel =
    if failed != [ ] then
      throw "\nFailed assertions:\n${
        builtins.concatStringsSep "\n" (map (entry: "- ${entry.message}") failed)
      }"
    else
      pkgs.mkTree {
        name = "nixos-system-${hostName}-${nixos.label}";
        buildPhase = ''
          echo "putting together ${hostName} ${nixos.version}"
          echo "  ${toString (builtins.length (builtins.attrNames config.systemd.services))} services"
          echo "  ${toString (builtins.length (builtins.attrNames config.environment.etc))} entries in /etc"
        '';
        tree = {
          activate = pkgs.program ''
            echo "setting up /etc..."
          '';
          "bin/switch-to-configuration" = pkgs.program (
            builtins.replaceStrings
              [ "@hostName@" "@version@" "@services@" ]
              [
                hostName
                nixos.version
                (builtins.concatStringsSep ", " (
                  map (name: "${name}.service") (builtins.attrNames config.systemd.services)
                ))
              ]
              (builtins.readFile ./switch-to-configuration.sh)
          );
          etc = pkgs.link "${build.etc}/etc";
          init = pkgs.program ''
            echo "booting ${hostName} ${nixos.version}"
          '';
          initrd = pkgs.link "${build.initialRamdisk}/initrd";
          kernel = pkgs.link "${build.kernel}/bzImage";
          kernel-params = pkgs.file (toString config.boot.kernelParams);
          nixos-version = pkgs.file nixos.version;
          sw = pkgs.link "${config.system.path}";
          system = pkgs.file config.nixpkgs.hostPlatform.system;
        };
        meta.description = "The whole system of ${hostName}";
      };
}
