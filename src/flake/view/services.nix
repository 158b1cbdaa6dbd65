# What is enabled, and by which definition.
{
  decided,
  enabledBelow,
  known,
  ownServices,
  ownUnits,
  ...
}:
let
  inherit (builtins) concatMap elem filter;
  below =
    set:
    map
      (
        name:
        let
          place = decided [
            set
            name
            "enable"
          ];
        in
        { service = "${set}.${name}"; } // (if place == null then { } else place)
      )
      (
        filter (name: set != "networking" || !elem name known.networking_without_ports) (enabledBelow set)
      );
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
