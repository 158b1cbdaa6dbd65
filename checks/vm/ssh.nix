# SSH lets in who has a key, and nobody by password, nobody as root.
{ self, pkgs, ... }:

let
  # Of no use outside this test.
  keys = import "${pkgs.path}/nixos/tests/ssh-keys.nix" pkgs;
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
      # Even a user who has a password does not get in by it.
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

    with subtest("a key lets its user in, who may become root"):
        client.succeed(f"{batch} admin@server sudo --non-interactive true")

    with subtest("root does not get in, not even by key"):
        client.fail(f"{batch} root@server true")

    with subtest("a password does not let anybody in"):
        output = client.fail("${passwordLogin} deploy@server true 2>&1")
        assert "Permission denied (publickey)" in output, output
        client.fail("${passwordLogin} root@server true")

    with subtest("sshd says so itself"):
        settings = server.succeed("sshd -T").lower().splitlines()
        for line in [
            "passwordauthentication no",
            "kbdinteractiveauthentication no",
            "permitrootlogin no",
            "authenticationmethods publickey",
        ]:
            assert line in settings, f"{line} is not set"

    with subtest("who keeps failing is shut out for a while"):
        for _ in range(12):
            client.execute("ssh -o BatchMode=yes -o ConnectTimeout=5 -o PubkeyAuthentication=no admin@server true")
        client.fail(f"{batch} admin@server true")
  '';
}
