# What there is in this flake: systems, hosts and development shells. Everything else follows from this page.
{
  # Systems that packages, shells and checks are made for.
  systems = [
    "x86_64-linux"
    "aarch64-linux"
  ];

  # Each host and the system it runs; its configuration is hosts/servers/NAME.
  hosts = {
    ovh-cloud = "x86_64-linux";
    hetzner-cloud = "x86_64-linux";
  };

  # The host whose system is the default package: a plain `nix build` makes a whole host, not only a program of it.
  defaultHost = "ovh-cloud";

  # Each shell is shells/NAME.nix; ./shell.nix says what is in there.
  shells = [
    "default"
    "nix"
    "rust"
    "node"
    "python"
    "go"
    "mcp"
    "ai"
  ];
}
