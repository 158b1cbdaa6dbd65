# Shell commands that give a toplevel the files of a NixOS system: what `shape` contains, at the places and in the forms
# in which nixpkgs puts them.
shape:
let
  each =
    f: set: builtins.concatStringsSep "" (map (name: f name set.${name}) (builtins.attrNames set));
  # A file in the store whose path differs with its content, as `environment.etc` makes it.
  stored = name: text: builtins.toFile (builtins.replaceStrings [ "/" " " ] [ "-" "-" ] name) text;
  link =
    path: target: "mkdir -p \"$out/etc/${dirOf path}\" && ln -s ${target} \"$out/etc/${path}\"\n";
  copied =
    path: mode:
    "echo ${mode} >$out/etc/${path}.mode\necho +0 >$out/etc/${path}.uid\necho +0 >$out/etc/${path}.gid\n";
  unit =
    name: line:
    "mkdir -p $out/etc/systemd/system && echo \"${line}\" >$out/etc/systemd/system/${name}\n";
  started =
    text:
    derivation {
      name = "firewall-start";
      system = "x86_64-linux";
      builder = "/bin/sh";
      inherit text;
      args = [
        "-c"
        "PATH=/bin:/usr/bin; mkdir -p $out/bin; printf %s \"$text\" >$out/bin/firewall-start"
      ];
    };
  folder =
    files:
    derivation {
      name = "folder";
      system = "x86_64-linux";
      builder = "/bin/sh";
      args = [
        "-c"
        "PATH=/bin:/usr/bin; mkdir $out; ${each (name: text: "echo ${text} >$out/${name};") files}"
      ];
    };
  optional = name: f: if shape ? ${name} then f shape.${name} else "";
in
optional "kernel_params" (text: "printf %s '${text}' >$out/kernel-params\n")
+ optional "fstab" (text: link "fstab" (stored "etc-fstab" text))
+ optional "users" (
  users:
  let
    list = stored "users-groups.json" (builtins.toJSON users);
    script = stored "update-users-groups.pl" "";
  in
  ''
    echo "/perl/bin/perl \\" >$out/activate
    echo "-w ${script} ${list}" >>$out/activate
  ''
)
+ optional "userborn" (
  users:
  unit "userborn.service" "ExecStart=/bin/userborn ${stored "userborn.json" (builtins.toJSON users)} /etc"
)
+ optional "firewall" (
  text: unit "firewall.service" "ExecStart=@${started text}/bin/firewall-start firewall-start"
)
+ optional "nftables" (text: unit "nftables.service" "ExecStart=${stored "nftables-rules" text}")
+ optional "keys" (
  each (
    user: text:
    link "ssh/authorized_keys.d/${user}" (stored "${user}-authorized_keys" text)
    + copied "ssh/authorized_keys.d/${user}" "0444"
  )
)
+ optional "etc" (each (path: text: link path (stored "etc-${path}" text)))
+ optional "modes" (each copied)
+ optional "folders" (each (path: files: link path (folder files)))
# A file that names another one in the store, and one whose store path changes although its content does not.
+ optional "build" (
  build:
  link "names-a-build.conf" (stored "etc-names-a-build.conf" "run ${stored "program" build}\n")
  + link "same.conf" (stored "etc-same-${build}" "same\n")
)
