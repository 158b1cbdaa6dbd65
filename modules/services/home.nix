# home-manager for the users of a host, with a limit on the size of its closure.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:

let
  inherit (lib) mkOption types;
  cfg = config.pantheros.home;
  hasHomeManager = options ? home-manager;

  homes = lib.mapAttrsToList (_: user: user.home.activationPackage) config.home-manager.users;

  # The size of a closure is known only after it is built, so this is a derivation and not an assertion.
  budgetCheck =
    pkgs.runCommand "home-closure-budget"
      {
        __structuredAttrs = true;
        exportReferencesGraph.closure = homes;
        budget = cfg.closureBudget;
        preferLocalBuild = true;
        nativeBuildInputs = [ pkgs.jq ];
      }
      ''
        size=$(jq '[.closure[].narSize] | add // 0' "$NIX_ATTRS_JSON_FILE")
        if [ "$size" -gt "$budget" ]; then
          {
            echo "The homes of this host take $size bytes, more than pantheros.home.closureBudget allows: $budget."
            echo "The largest store paths among them:"
            jq --raw-output '.closure | sort_by(-.narSize) | .[:15][] | "\(.narSize)\t\(.path)"' "$NIX_ATTRS_JSON_FILE"
            echo "Drop packages from home.nix, or raise the budget."
          } >&2
          exit 1
        fi
        echo "$size" >"''${outputs[out]}"
      '';
in
{
  options = {
    pantheros.home = {
      enable = lib.mkEnableOption "home-manager for users of this host";

      users = mkOption {
        type = types.attrsOf types.deferredModule;
        default = { };
        example = lib.literalExpression "{ alice = ./home.nix; }";
        description = "Each user's home-manager configuration. The users themselves are declared in `users.users`.";
      };

      closureBudget = mkOption {
        type = types.nullOr types.ints.positive;
        default = 2 * 1024 * 1024 * 1024;
        example = 1073741824;
        description = ''
          Maximum size in bytes of the closure of all homes of this host together. If it is larger, the system does
          not build, and so is never deployed; null sets no limit.
        '';
      };
    };
  };

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        assertions = [
          {
            assertion = hasHomeManager;
            message = "pantheros.home needs the NixOS module of home-manager: import home-manager.nixosModules.home-manager.";
          }
          {
            assertion = cfg.users != { };
            message = "pantheros.home is enabled, but no user has a home: add one to pantheros.home.users, or disable it.";
          }
        ]
        ++ lib.mapAttrsToList (name: _: {
          assertion = config.users.users.${name}.isNormalUser or false;
          message = "pantheros.home.users.${name} is the home of a user that users.users does not declare as a normal user.";
        }) cfg.users;
      }

      (lib.optionalAttrs hasHomeManager {
        home-manager = {
          # Uses the host's nixpkgs, with its overlays and its allowed licences.
          useGlobalPkgs = true;
          # Installs packages in /etc/profiles, so that they change with the generation.
          useUserPackages = true;
          # Renames a file that is in the way, instead of failing the activation.
          backupFileExtension = lib.mkDefault "before-home-manager";
          sharedModules = [
            { home.stateVersion = lib.mkDefault config.system.stateVersion; }
          ];
          inherit (cfg) users;
        };

        # In `system.checks` and not in the flake's checks, so that every build of the system runs it.
        system = lib.mkIf (cfg.closureBudget != null) {
          checks = [ budgetCheck ];
          build.homeClosureBudget = budgetCheck;
        };
      })
    ]
  );
}
