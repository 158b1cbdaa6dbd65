{ pkgs }:
{
  default = pkgs.mkShell {
    packages = with pkgs; [
      nixfmt
      age
      sops
      jq
      shop-release
    ];
  };

  backend = pkgs.mkShell {
    packages = with pkgs; [
      go
      gopls
      golangci-lint
      postgresql_17
      redis
    ];
    shellHook = ''
      export SHOP_ENV=development
    '';
  };

  frontend = pkgs.mkShell {
    packages = with pkgs; [
      nodejs_24
      pnpm
      imagemagick
    ];
  };
}
