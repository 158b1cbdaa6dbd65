# What is enabled, and by which definition.
{
  decided,
  enabledBelow,
  ownServices,
  ownUnits,
  ...
}:
let
  inherit (builtins) concatMap;
  below =
    set:
    map (
      name:
      let
        place = decided [
          set
          name
          "enable"
        ];
      in
      { service = "${set}.${name}"; } // (if place == null then { } else place)
    ) (enabledBelow set);
  units =
    kind: map (unit: { service = "systemd.${kind}.${unit.name}"; } // unit.place) (ownUnits kind);
in
{
  rows =
    concatMap below [
      "services"
      "virtualisation"
      "networking"
    ]
    ++ map (service: { service = "services.${service.name}"; } // service.place) ownServices
    ++ concatMap units [
      "services"
      "timers"
      "sockets"
    ];
  unknown = [ ];
}
