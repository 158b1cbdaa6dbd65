# Packages that fail, or are slow, on purpose.
{ pkgs }:
{
  fails-to-build = pkgs.mkDerivation {
    pname = "fails-to-build";
    version = "0.1.0";
    configurePhase = ''
      echo "checking for a working compiler... yes"
      echo "checking for libpanther >= 2.0... no (found 1.9)"
    '';
    buildPhase = ''
      echo "  CC       src/main.o"
      echo "  CC       src/claws.o"
      echo "src/claws.c:42:5: error: implicit declaration of function 'panther_pounce'" >&2
      echo "   42 |     panther_pounce(prey);" >&2
      echo "      |     ^~~~~~~~~~~~~~" >&2
      echo "make: *** [Makefile:7: src/claws.o] Error 1" >&2
      exit 2
    '';
    installPhase = ''
      echo never >"$out"
    '';
    meta.description = "Fails in its build phase on purpose, after some lines of log";
  };

  slow-on-purpose = pkgs.mkDerivation {
    pname = "slow-on-purpose";
    version = "0.1.0";
    buildPhase = ''
      step=0
      while [ "$step" -lt 100 ]; do
        step=$((step + 1)) count=0
        while [ "$count" -lt 100000 ]; do count=$((count + 1)); done
        echo "step $step of 100"
      done
    '';
    installPhase = ''
      echo "worth the wait" >"$out"
    '';
    meta.description = "Takes its time on purpose, to watch a build's progress or to cancel it";
  };
}
