# A host with all modules of this flake boots without a failed unit.
{ self, pkgs, ... }:

pkgs.testers.runNixOSTest {
  name = "boot";

  nodes.machine = {
    imports = [ self.nixosModules.default ];
    pantheros = {
      profiles.server.enable = true;
      users.keys = {
        admin = [
          "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzxSIWGsRPZ9nPqGiTTTvp7kjkPlhXIVSUhTvN5qPDa admin"
        ];
        deploy = [ ];
      };
    };
  };

  testScript = ''
    machine.wait_for_unit("multi-user.target")
    machine.wait_for_open_port(22)
    machine.wait_for_open_port(9100, "127.0.0.1")

    failed = machine.succeed("systemctl list-units --failed --plain --no-legend").strip()
    assert failed == "", f"units failed: {failed}"

    # Only SSH listens on addresses that other machines can reach.
    listening = machine.succeed("ss --listening --tcp --numeric --no-header").splitlines()
    public = {line.split()[3].rsplit(":", 1)[1] for line in listening if not line.split()[3].startswith(("127.", "[::1]"))}
    assert public == {"22"}, f"ports open to others: {public}"

    machine.succeed("sudo --user admin sudo --non-interactive true")
    machine.fail("sudo --user nobody sudo --non-interactive true")
  '';
}
