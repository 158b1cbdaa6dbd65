# The fleet's own packages.
{ lib, pkgs }:
{
  hello-panther = pkgs.mkTree {
    pname = "hello-panther";
    version = "1.2.0";
    buildPhase = ''
      echo "sharpening claws"
      echo "grooming whiskers"
    '';
    tree = {
      "bin/hello-panther" = pkgs.program ''
        echo "Hello from the panther, ''${1:-friend}!"
      '';
    };
    meta = {
      description = "Greets like a panther would";
      mainProgram = "hello-panther";
    };
  };

  # One file, written by one shell script; a host overrides the sites.
  nginx-config = lib.makeOverridable (
    { virtualHosts }:
    pkgs.mkDerivation {
      pname = "nginx-config";
      version = "1.0.0";
      sites = builtins.attrNames virtualHosts;
      buildPhase = ''
        for site in $sites; do
          echo "checking $site"
        done
      '';
      installPhase = ''
        {
          echo "events { }"
          echo "http {"
          for site in $sites; do
            echo "  server { listen 80; server_name $site; root /var/www/$site; }"
          done
          echo "}"
        } >"$out"
      '';
      meta.description = "The web server's configuration, checked and in one file";
    }
  ) { virtualHosts."fleet.example" = { }; };

  backup-job = pkgs.mkTree {
    pname = "backup-job";
    version = "0.3.1";
    tree = {
      "bin/backup-job" = pkgs.program ''
        echo "would back up /home and /var/lib, verify the copy, and prune what is older than 30 days"
      '';
    };
    meta = {
      description = "Nightly backup of a host, with a restore drill";
      mainProgram = "backup-job";
    };
  };

  fmt = pkgs.mkTree {
    pname = "fmt";
    version = "1.0.0";
    tree = {
      "bin/fmt" = pkgs.program ''
        exec nixfmt "$@"
      '';
    };
    meta = {
      description = "Formats Nix files with the nixfmt of your PATH";
      mainProgram = "fmt";
    };
  };
}
