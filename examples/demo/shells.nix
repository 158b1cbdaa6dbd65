# Development shells.
{ pkgs }:
{
  default = pkgs.mkShell {
    name = "fleet";
    packages = [
      pkgs.just
      pkgs.openssh
      pkgs.fmt
    ];
    shellHook = ''
      echo "fleet: just, ssh and fmt"
    '';
    meta.description = "To look after the fleet";
  };

  rust = pkgs.mkShell {
    name = "rust";
    packages = [
      pkgs.rustc
      pkgs.cargo
      pkgs.rust-analyzer
    ];
    shellHook = ''
      echo "rust: rustc ${pkgs.rustc.version}, cargo and rust-analyzer"
    '';
    RUST_BACKTRACE = "1";
    meta.description = "To write Rust";
  };

  # It asks for a package that has been removed.
  broken-on-purpose = pkgs.mkShell {
    name = "broken-on-purpose";
    packages = [ pkgs.nodejs_18 ];
  };
}
