# The systems, hosts and development shells of this flake. The outputs are made from these lists.
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

  # The host whose system is the default package: a plain `nix build` builds a whole host, not only a program.
  defaultHost = "ovh-cloud";

  # Each shell is shells/NAME.nix; ./shell.nix documents what the file contains.
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
