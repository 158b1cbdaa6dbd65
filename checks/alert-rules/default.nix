# Checks with promtool that the alert rules fire when they should, and only then.
{ pkgs, ... }:

let
  # The values that tests.yaml expects: the defaults of the options.
  groups = import ../../modules/services/monitoring/rules.nix {
    diskFreePercent = 10;
    backupMaxAgeHours = 36;
    rebootGrace = "3d";
  };
  rules = pkgs.writeText "rules.json" (builtins.toJSON { inherit groups; });
in
pkgs.runCommand "alert-rules" { nativeBuildInputs = [ pkgs.prometheus.cli ]; } ''
  ln -s ${rules} rules.json
  ln -s ${./tests.yaml} tests.yaml
  promtool check rules rules.json
  promtool test rules tests.yaml
  touch $out
''
