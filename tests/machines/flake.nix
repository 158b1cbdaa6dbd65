# Hosts whose systems have units for a real systemd. fleet.json has the revision, the hosts, and `units`: each unit's text by
# its name, with `@out@` for the path of the system.
{
  outputs =
    _:
    let
      fleet = builtins.fromJSON (builtins.readFile ./fleet.json);
      each =
        f: set: builtins.concatStringsSep "" (map (name: f name set.${name}) (builtins.attrNames set));
      put =
        path: text:
        "mkdir -p $out/${dirOf path} && cp ${builtins.toFile (baseNameOf path) text} $out/${path}\n";
      wanted = text: builtins.match ".*\nWantedBy=multi-user.target\n.*" text != null;
      toplevel =
        host: config:
        derivation {
          name = "nixos-system-${host}-${fleet.revision}";
          system = "x86_64-linux";
          builder = "/bin/sh";
          facts = builtins.toJSON (import ./facts.nix { inherit config; });
          script = ''
            PATH=/bin:/usr/bin
            set -eu
            ${each (name: put "etc/systemd/system/${name}") fleet.units}
            wants=$out/etc/systemd/system/multi-user.target.wants
            mkdir -p $wants $out/sw/bin $out/etc/pantheros
            ${each (name: text: if wanted text then "ln -s ../${name} $wants/${name}\n" else "") fleet.units}
            ${each put (fleet.files or { })}
            echo "$facts" >$out/etc/pantheros/facts.json
            ${put "bin/switch-to-configuration" (builtins.readFile ./switch-to-configuration.sh)}
            ${put "activate" (builtins.readFile ./activate.sh)}
            chmod -R u+w $out
            chmod +x $out/bin/* $out/activate
            # As in NixOS, programs of the system do not need /bin/sh.
            for file in $(find $out -type f); do
              sed -i "1s|^#!/bin/sh|#!$out/sw/bin/sh|; s|@out@|$out|g" "$file"
            done
            cp /bin/sh $out/sw/bin/sh
          '';
          args = [
            "-c"
            "eval \"$script\""
          ];
        };
      host =
        name: facts:
        let
          config = {
            networking.hostName = name;
            system.stateVersion = "25.05";
            system.build.toplevel = toplevel name config // {
              type = "derivation";
            };
            pantheros.deploy = {
              targetHost = name;
              user = "root";
              tags = [ "all" ];
            }
            // facts;
          };
        in
        {
          inherit config;
        };
    in
    {
      nixosConfigurations = builtins.mapAttrs host fleet.hosts;
    };
}
