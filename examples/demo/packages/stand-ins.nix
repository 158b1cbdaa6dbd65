# Stand-ins for programs: each has the program's name, version and description, and prints that it is a stand-in.
{ pkgs }:
let
  standIn =
    pname: version: description:
    pkgs.mkTree {
      inherit pname version;
      buildPhase = ''
        for part in core modules ${pname}; do
          echo "  CC       src/$part.o"
        done
        echo "  LD       ${pname}"
      '';
      tree."bin/${pname}" = pkgs.program ''
        echo "${pname} ${version} (a stand-in: it does nothing)"
      '';
      meta = {
        inherit description;
        mainProgram = pname;
      };
    };
in
builtins.mapAttrs (pname: { version, description }: standIn pname version description) {
  cargo = {
    version = "1.89.0";
    description = "Downloads your Rust project's dependencies and builds your project";
  };
  gptfdisk = {
    version = "1.0.10";
    description = "Set of text-mode partitioning tools for GPT disks";
  };
  just = {
    version = "1.42.4";
    description = "Handy way to save and run project-specific commands";
  };
  nginx = {
    version = "1.28.0";
    description = "Reverse proxy and lightweight web server";
  };
  nodejs_22 = {
    version = "22.18.0";
    description = "Event-driven I/O framework for the V8 JavaScript engine";
  };
  openssh = {
    version = "10.0p2";
    description = "Implementation of the SSH protocol";
  };
  postfix = {
    version = "3.10.3";
    description = "Fast, easy to administer, and secure mail server";
  };
  postgresql = {
    version = "17.5";
    description = "Powerful, open source object-relational database system";
  };
  rust-analyzer = {
    version = "2025-08-04";
    description = "Language server for the Rust language";
  };
  rustc = {
    version = "1.89.0";
    description = "Safe, concurrent, practical language (compiler)";
  };
}
// {
  linux = pkgs.mkTree rec {
    pname = "linux";
    version = "6.12.41";
    configurePhase = ''
      echo "  HOSTCC   scripts/kconfig/conf"
      echo "#"
      echo "# configuration written to .config"
      echo "#"
    '';
    buildPhase = ''
      for part in init kernel mm fs ipc security crypto block drivers net; do
        echo "  CC       $part/main.o"
        echo "  AR       $part/built-in.a"
      done
      echo "  LD       vmlinux"
      echo "Kernel: bzImage is ready  (#1-NixOS)"
    '';
    tree.bzImage = pkgs.file "Linux ${version}: a stand-in\n";
    meta.description = "Linux kernel";
  };

  # Removed, as nixpkgs does it. A development shell still asks for it.
  nodejs_18 = throw "'nodejs_18' has reached its end of life and has been removed; use 'nodejs_22' instead";
}
