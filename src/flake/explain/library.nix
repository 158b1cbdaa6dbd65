# The files of this folder that read options, for one host.
{
  values,
  definitions,
  modules,
  paths,
  places,
  set,
}:
host:
let
  known = {
    inherit values host;
    definitions = definitions { inherit values host; };
    modules = modules { inherit values host; };
    paths = paths {
      inherit values host;
      inherit (known) definitions modules;
    };
    places = places {
      inherit values host;
      inherit (known) definitions paths;
    };
    set = set {
      inherit values;
      inherit (known) definitions paths;
    };
  };
in
known
