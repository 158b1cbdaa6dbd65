{
  description = "A small fleet of NixOS hosts that needs no nixpkgs, no network and no inputs";

  outputs =
    { self }:
    let
      lib = import ./lib;
      mkHost = import ./lib/mk-host.nix lib;

      # `broken-on-purpose` does not evaluate, to demonstrate an evaluation error.
      hosts = lib.genAttrs [
        "broken-on-purpose"
        "db"
        "mail"
        "web"
      ] (name: mkHost [ ./hosts/${name}/configuration.nix ]);

      forAllSystems =
        f:
        lib.genAttrs [
          "aarch64-linux"
          "x86_64-linux"
        ] (system: f (import ./packages { inherit lib system; }));
    in
    {
      nixosConfigurations = hosts;

      nixosModules = {
        default = ./modules;
        deploy = ./modules/deploy.nix;
        nginx = ./modules/nginx.nix;
        openssh = ./modules/openssh.nix;
      };

      packages = forAllSystems (pkgs: {
        default = pkgs.hello-panther;
        inherit (pkgs)
          backup-job
          fails-to-build
          fmt
          hello-panther
          nginx
          nginx-config
          openssh
          postfix
          postgresql
          slow-on-purpose
          ;
      });

      devShells = forAllSystems (pkgs: import ./shells.nix { inherit pkgs; });

      checks = forAllSystems (pkgs: import ./checks.nix { inherit lib pkgs hosts; });

      apps = forAllSystems (
        pkgs:
        let
          app = package: {
            type = "app";
            program = "${package}/bin/${package.meta.mainProgram}";
            meta = { inherit (package.meta) description; };
          };
        in
        {
          default = app pkgs.hello-panther;
          backup = app pkgs.backup-job;
        }
      );

      formatter = forAllSystems (pkgs: pkgs.fmt);

      overlays.default = _final: prev: {
        inherit (self.packages.${prev.stdenv.hostPlatform.system}) backup-job hello-panther;
      };

      templates = {
        default = {
          path = ./templates/default;
          description = "A fleet of one host, on nixpkgs";
        };
        host = {
          path = ./templates/host;
          description = "One more host, with a disk layout";
        };
      };
    };
}
