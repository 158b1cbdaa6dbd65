# SSH accepts keys, and refuses passwords and root.
{ self, pkgs, ... }:

let
  # A key for this test only.
  keys = import (pkgs.path + "/nixos/tests/ssh-keys.nix") pkgs;
  passwordLogin = "sshpass -p secret ssh -o PreferredAuthentications=password,keyboard-interactive -o PubkeyAuthentication=no";
in
pkgs.testers.runNixOSTest {
  name = "ssh";

  nodes = {
    server = {
      imports = [ self.nixosModules.default ];
      pantheros.users.keys = {
        admin = [ keys.snakeOilEd25519PublicKey ];
        deploy = [ ];
      };
      # This user has a password, and must not be able to log in with it.
      users.users.deploy.password = "secret";
      users.users.root.openssh.authorizedKeys.keys = [ keys.snakeOilEd25519PublicKey ];
    };
    client.environment.systemPackages = [ pkgs.sshpass ];
  };

  testScript = ''
    start_all()
    server.wait_for_unit("sshd.service")
    server.wait_for_open_port(22)
    client.wait_for_unit("multi-user.target")

    client.succeed("install -m 0600 ${keys.snakeOilEd25519PrivateKey} /root/key")
    client.succeed("mkdir -p /root/.ssh && ssh-keyscan -t ed25519 server >/root/.ssh/known_hosts")
    batch = "ssh -o BatchMode=yes -o ConnectTimeout=10 -i /root/key"

    with subtest("a user logs in by key, and may become root"):
        client.succeed(f"{batch} admin@server sudo --non-interactive true")

    def denied(login: str) -> None:
        """Checks that sshd denies the login. The restart clears penalties, which would also deny the login."""
        server.succeed("systemctl restart sshd.service")
        server.wait_for_open_port(22)
        output = client.fail(f"{login} true 2>&1")
        assert "Permission denied (publickey)" in output, output

    with subtest("root does not get in, not even by key"):
        denied(f"{batch} root@server")

    with subtest("nobody logs in with a password"):
        denied("${passwordLogin} deploy@server")
        denied("${passwordLogin} root@server")

    with subtest("a key in a user's home is ignored"):
        server.succeed(
            "install --directory --owner=deploy --mode=700 /home/deploy/.ssh",
            "install --owner=deploy --mode=600 /etc/ssh/authorized_keys.d/admin /home/deploy/.ssh/authorized_keys",
        )
        denied(f"{batch} deploy@server")

    with subtest("sshd prints these settings"):
        settings = server.succeed("sshd -T").lower().splitlines()
        for line in [
            "passwordauthentication no",
            "kbdinteractiveauthentication no",
            "permitrootlogin no",
            "authenticationmethods publickey",
        ]:
            assert line in settings, f"{line} is not set"

    with subtest("after repeated failures, an address is blocked for a while, and not for ever"):
        for _ in range(5):
            client.execute("ssh -o BatchMode=yes -o ConnectTimeout=5 -o PubkeyAuthentication=no admin@server true")
        output = client.fail(f"{batch} admin@server true 2>&1")
        assert "Permission denied" not in output, output
        server.succeed("journalctl --unit=sshd.service | grep 'penalty:'")
        client.wait_until_succeeds(f"{batch} admin@server true", timeout=180)
  '';
}
