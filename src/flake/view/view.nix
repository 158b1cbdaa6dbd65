# Views of a host: what many options make together, each row with the place that decides.
library:
{
  ports,
  services,
  access,
}:
# The readers of parts (`partsOf` in probes.nix).
parts:
{
  view,
  # The services whose ports are known: services.json.
  known,
}:
host:
let
  inherit (builtins)
    concatMap
    filter
    genList
    head
    isAttrs
    isString
    length
    seq
    split
    ;
  options = library host;
  inherit (options.values) attempt isOption text;
  inherit (options.places) decided valueAt;

  # Names that are separated by dots.
  names = path: filter (name: isString name && name != "") (split "\\." path);
  # A value, or `fallback` if there is none, or if it throws.
  valueOr =
    fallback: path:
    attempt fallback (
      let
        found = valueAt path;
      in
      if found == [ ] then fallback else seq (head found) (head found)
    );
  isOn = path: valueOr false path == true;

  # Services below a set of options, such as `services`, that are enabled.
  enabledBelow =
    set:
    let
      tree = host.options.${set} or { };
      isEnabled =
        name:
        let
          option = tree.${name}.enable or null;
        in
        attempt false (
          isAttrs tree.${name}
          && !(isOption tree.${name})
          && isOption option
          && option.visible or true != false
          && options.paths.aliasOf option == null
          && isOn [
            set
            name
            "enable"
          ]
        );
    in
    filter isEnabled (builtins.attrNames tree);

  # Services without an option `enable` that modules of the flake or of its inputs set, nixpkgs aside, with their places. Many
  # have instances, each with its own option.
  ownServices =
    let
      found = options.paths.follow 8 [ "services" ];
      own = filter (definition: !(options.definitions.isInNixpkgs definition.file)) (
        concatMap options.definitions.peel (found.state.definitions or [ ])
      );
      tree = host.options.services or { };
      # An alias of an option of an instance is no switch of the service.
      hasSwitch =
        service:
        isAttrs service
        && isOption (service.enable or null)
        && service.enable.visible or true != false
        && options.paths.aliasOf service.enable == null;
      isInstance =
        name:
        tree ? ${name}
        && !(isOption tree.${name} && options.paths.aliasOf tree.${name} != null)
        && !(hasSwitch tree.${name});
      of =
        name:
        filter (definition: definition.active == true && definition.value != { }) (
          concatMap options.definitions.settle (concatMap (options.definitions.selectOne name) own)
        );
      set = builtins.intersectAttrs tree (
        builtins.foldl' (
          names: definition: if isAttrs definition.value then names // definition.value else names
        ) { } own
      );
    in
    concatMap (
      name:
      let
        definitions = of name;
      in
      attempt [ ] (
        if isInstance name && definitions != [ ] then
          [
            {
              inherit name;
              place = options.places.placeOf (head definitions);
            }
          ]
        else
          [ ]
      )
    ) (builtins.attrNames set);

  # The units that modules of the flake or of its inputs define, nixpkgs aside, with their places.
  ownUnits =
    kind:
    let
      found = options.paths.follow 8 [
        "systemd"
        kind
      ];
      judged = options.definitions.judge found.at found.definitions;
      own = filter (definition: !(options.definitions.isInNixpkgs definition.file)) judged.winners;
    in
    if found.kind != "option" then
      [ ]
    else
      concatMap (
        definition:
        if isAttrs definition.value then
          map (name: {
            inherit name;
            place = options.places.placeOf (head (options.definitions.selectOne name definition));
          }) (builtins.attrNames definition.value)
        else
          [ ]
      ) own;

  # The place of the first definition of an option, those of nixpkgs aside, that adds something; null if there is none.
  ownPlace =
    path:
    let
      found = options.paths.follow 8 path;
      adds = value: attempt true (value != "" && value != { } && value != [ ] && value != null);
      own =
        if found.kind == "option" then
          filter (
            definition: !(options.definitions.isInNixpkgs definition.file) && adds definition.value
          ) (options.definitions.judge found.at found.definitions).winners
        else
          [ ];
    in
    attempt null (if own == [ ] then null else options.places.placeOf (head own));

  given = {
    inherit
      ownPlace
      ownServices
      decided
      enabledBelow
      host
      isOn
      known
      names
      options
      ownUnits
      text
      valueOr
      attempt
      ;
  };
  found =
    if view == "ports" then
      ports given
    else if view == "services" then
      services given
    else
      access given;
  listOf =
    name:
    let
      all = parts.enter [ name ] [ ] (seq (length found.${name}) found.${name});
    in
    genList (
      n:
      parts.part [
        name
        n
      ] null (builtins.elemAt all n)
    ) (length all);
in
seq (parts.enter [ ] { } host.config) (
  (if view == "ports" then { firewall = parts.part [ "firewall" ] null found.firewall; } else { })
  // {
    inherit (options.definitions) nixpkgs;
    rows = listOf "rows";
    unknown = listOf "unknown";
  }
)
