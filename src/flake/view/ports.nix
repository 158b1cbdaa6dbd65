# What listens where, and what the firewall opens.
{
  attempt,
  decided,
  enabledBelow,
  host,
  isOn,
  known,
  names,
  options,
  ownPlace,
  ownServices,
  ownUnits,
  text,
  valueOr,
  ...
}:
let
  inherit (builtins)
    attrNames
    concatLists
    concatMap
    elem
    filter
    fromJSON
    head
    isAttrs
    isInt
    isList
    isString
    mapAttrs
    match
    split
    ;
  inherit (options.definitions) judge;
  inherit (options.places) placeOf;
  inherit (options.paths) follow;

  portOf =
    value:
    if isInt value then
      value
    else if isString value && match "[1-9][0-9]{0,4}" value != null then
      fromJSON value
    else
      null;
  listOf = value: if isList value then value else [ value ];
  # Addresses of one setting: a list, or text with commas or blanks. No address means all of them.
  addressesOf =
    value:
    if value == null || value == [ ] || value == "" then
      [ null ]
    else if isString value then
      filter (part: isString part && part != "") (split "[, ]+" value)
    else
      map text (listOf value);

  # `instance` is the name of one of several, or null.
  row =
    instance: listener: address: port: place:
    {
      inherit instance address port;
      inherit (listener) service;
      protocol = listener.protocol or "tcp";
    }
    // (if place == null then { } else place);

  # --- services of the table ----------------------------------------------------------------------------------------

  # The rows of a listener whose port and address are at these paths; `enabled` is the path that enables it.
  rowsAt =
    instance: listener: port: address: enabled:
    let
      found = if port == null then null else valueOr null port;
      ports = filter (port: port != null && port != 0) (
        map portOf (
          if found == null then
            if listener ? usual_port then [ listener.usual_port ] else [ ]
          else
            listOf found
        )
      );
      addresses = addressesOf (
        let
          set = if address == null then null else valueOr null address;
        in
        if set == null then listener.usual_address or null else set
      );
      placed = if found == null then null else decided port;
      place = if placed == null then decided enabled else placed;
    in
    concatMap (port: map (address: row instance listener address port place) addresses) ports;

  isEnabled =
    service:
    isOn [
      "services"
      service
      "enable"
    ];
  rowsOf =
    listener:
    let
      path = name: if listener ? ${name} then names listener.${name} else null;
      enabled = [
        "services"
        listener.service
        "enable"
      ];
    in
    if listener ? each then
      let
        all = names listener.each;
        instances = valueOr { } all;
        isOn' =
          name:
          attempt false (
            isAttrs instances.${name} && (listener.always or false || instances.${name}.enable or false == true)
          );
        at = name: field: if listener ? ${field} then all ++ [ name ] ++ names listener.${field} else null;
      in
      concatMap (
        name:
        rowsAt (if name == "" then null else name) listener (at name "port") (at name "address") (
          all ++ [ name ] ++ (if listener.always or false then [ ] else [ "enable" ])
        )
      ) (filter isOn' (attrNames (if isAttrs instances then instances else { })))
    else if !isEnabled listener.service then
      [ ]
    else if listener ? sockets && valueOr [ ] (path "sockets") != [ ] then
      concatMap (
        socket:
        let
          ports = if socket.port or null == null then listOf (valueOr [ ] (path "port")) else [ socket.port ];
        in
        map (port: row null listener socket.addr port (decided (path "sockets"))) ports
      ) (valueOr [ ] (path "sockets"))
    else if listener ? virtual_hosts then
      virtualHosts listener (path "virtual_hosts") enabled
    else if listener ? text then
      [ ]
    else
      rowsAt null listener (path "port") (path "address") enabled;

  # nginx listens for each virtual host (nixos/modules/services/web-servers/nginx).
  virtualHosts =
    listener: at: enabled:
    let
      hosts = valueOr { } at;
      usual = fallback: name: valueOr fallback (names "services.nginx.${name}");
      rowsFor =
        name:
        let
          virtual = hosts.${name};
          tls = virtual.onlySSL or false || virtual.addSSL or false || virtual.forceSSL or false;
          plain = !(virtual.onlySSL or false);
          place =
            let
              found = decided (at ++ [ name ] ++ (if virtual.listen or [ ] != [ ] then [ "listen" ] else [ ]));
            in
            if found == null then decided enabled else found;
          addresses = [ null ];
          usualPorts =
            (if plain then [ (usual 80 "defaultHTTPListenPort") ] else [ ])
            ++ (if tls then [ (usual 443 "defaultSSLListenPort") ] else [ ]);
        in
        if virtual.listen or [ ] != [ ] then
          map (
            listen:
            row name listener (listen.addr or null) (
              if listen.port or null == null then 80 else listen.port
            ) place
          ) virtual.listen
        else
          concatMap (address: map (port: row name listener address port place) usualPorts) (
            if virtual.listenAddresses or [ ] != [ ] then virtual.listenAddresses else addresses
          );
    in
    concatMap (name: attempt [ ] (rowsFor name)) (attrNames hosts);

  # --- sockets of systemd -------------------------------------------------------------------------------------------

  sockets = valueOr { } (names "systemd.sockets");
  socketRows = concatMap (
    name:
    let
      socket = sockets.${name};
      streams =
        protocol: list:
        concatMap (
          said:
          let
            parts = match "(.*:)?([1-9][0-9]{0,4})" (text said);
          in
          if parts == null then
            [ ]
          else
            [
              (row name
                {
                  inherit protocol;
                  service = "systemd socket";
                }
                (if head parts == null then null else head (match "(.*):" (head parts)))
                (fromJSON (builtins.elemAt parts 1))
                (decided (names "systemd.sockets" ++ [ name ]))
              )
            ]
        ) (listOf list);
    in
    attempt [ ] (
      if socket.enable or true then
        streams "tcp" (socket.listenStreams or [ ]) ++ streams "udp" (socket.listenDatagrams or [ ])
      else
        [ ]
    )
  ) (attrNames (if isAttrs sockets then sockets else { }));

  # --- the firewall -------------------------------------------------------------------------------------------------

  firewallPath = name: names "networking.firewall.${name}";
  # The open ports of an option, each definition with its place.
  opened =
    path:
    let
      found = follow 8 path;
      winners = (judge found.at found.definitions).winners;
      isRead = found.kind == "option" || found.kind == "part";
      rangeOf =
        value:
        if isAttrs value then
          { inherit (value) from to; }
        else
          {
            from = value;
            to = value;
          };
      value = valueOr [ ] path;
    in
    if isRead && winners != [ ] then
      concatMap (
        definition: attempt [ ] (map (value: rangeOf value // placeOf definition) (listOf definition.value))
      ) winners
    else
      map rangeOf (listOf value);
  openings = path: {
    tcp = opened (path ++ [ "allowedTCPPorts" ]) ++ opened (path ++ [ "allowedTCPPortRanges" ]);
    udp = opened (path ++ [ "allowedUDPPorts" ]) ++ opened (path ++ [ "allowedUDPPortRanges" ]);
  };
  interfaces = valueOr { } (firewallPath "interfaces");
  hasFirewall = host.config.networking ? firewall;
  firewall =
    if !hasFirewall then
      null
    else
      openings (names "networking.firewall")
      // {
        enable = isOn (firewallPath "enable");
        place = decided (firewallPath "enable");
        trusted = map text (valueOr [ ] (firewallPath "trustedInterfaces"));
        interfaces = mapAttrs (name: _: openings (firewallPath "interfaces" ++ [ name ])) (
          if isAttrs interfaces then interfaces else { }
        );
      };

  # --- what is not known --------------------------------------------------------------------------------------------

  about =
    what: why: place:
    { inherit what why; } // (if place == null then { } else place);
  # Rules in text. nixpkgs has some of its own.
  textRules =
    concatMap
      (
        path:
        let
          place = ownPlace (names path);
        in
        if place == null then [ ] else [ (about path "rules" place) ]
      )
      [
        "networking.firewall.extraCommands"
        "networking.firewall.extraInputRules"
        "networking.nftables.ruleset"
        "networking.nftables.rulesetFile"
        "networking.nftables.tables"
        "networking.nat.forwardPorts"
      ];
  listed = known.without_ports ++ map (listener: listener.service) known.listeners;
  # Services of which the table knows the instances.
  withInstances = concatMap (
    listener: if listener ? each then [ (builtins.elemAt (names listener.each) 1) ] else [ ]
  ) known.listeners;
  configured = map (listener: listener.service) (filter (listener: listener ? text) known.listeners);
  services = enabledBelow "services";
  unlisted =
    map (
      service:
      about "services.${service}" "service" (decided [
        "services"
        service
        "enable"
      ])
    ) (filter (service: !elem service listed || elem service configured) services)
    ++ map (service: about "services.${service.name}" "service" service.place) (
      filter (service: !elem service.name (listed ++ withInstances)) ownServices
    )
    ++
      concatMap
        (
          set:
          map
            (
              name:
              about "${set}.${name}" "service" (decided [
                set
                name
                "enable"
              ])
            )
            (filter (name: set != "networking" || !elem name known.networking_without_ports) (enabledBelow set))
        )
        [
          "virtualisation"
          "networking"
        ];
  # Units of services whose ports are known.
  listedUnits = listed ++ [ "sshd" ];
  units = map (unit: about "systemd.services.${unit.name}" "unit" unit.place) (
    filter (unit: !elem unit.name listedUnits) (ownUnits "services")
  );
  containers = valueOr { } (names "virtualisation.oci-containers.containers");
  containerRows = concatMap (
    name:
    if
      containers.${name}.ports or [ ] != [ ]
      || elem "--network=host" (containers.${name}.extraOptions or [ ])
    then
      [
        (about "virtualisation.oci-containers.containers.${name}" "container" (
          decided (names "virtualisation.oci-containers.containers" ++ [ name ])
        ))
      ]
    else
      [ ]
  ) (attrNames (if isAttrs containers then containers else { }));
in
{
  inherit firewall;
  rows = concatLists [
    (concatMap rowsOf known.listeners)
    socketRows
  ];
  unknown = concatLists [
    textRules
    unlisted
    units
    containerRows
  ];
}
