# The MCP server as a service: it answers another machine with the token, uses the Nix daemon, and runs as a dynamic user
# with few rights.
{ self, pkgs, ... }:

let
  port = 8750;
  tokenFile = "/var/lib/mcp-token";
in
pkgs.testers.runNixOSTest {
  name = "pantheros-mcp";

  nodes = {
    server = {
      imports = [ self.nixosModules.pantheros-mcp ];
      environment.systemPackages = [ pkgs.gitMinimal ];
      virtualisation = {
        memorySize = 2048;
        writableStore = true;
      };
      nix.settings.substituters = [ ];
      services.pantheros-mcp = {
        enable = true;
        flake = "/srv/fleet";
        listenAddress = "0.0.0.0";
        openFirewall = true;
        inherit port tokenFile;
        readOnly = true;
        settings.http.allowed_hosts = [ "server" ];
      };
    };
    client.environment.systemPackages = [ pkgs.curl ];
  };

  testScript = ''
    import json
    import shlex
    from typing import Any

    url = "http://server:${toString port}"
    unit = "pantheros-mcp.service"


    def curl(*arguments: str) -> str:
        return client.succeed(shlex.join(["curl", "--silent", "--show-error", "--max-time", "120", *arguments]))


    def status(*arguments: str) -> str:
        return curl("--output", "/dev/null", "--write-out", "%{http_code}", *arguments)


    def ask(method: str, parameters: dict[str, Any], *headers: str) -> dict[str, Any]:
        """Returns the result of one request, which arrives as JSON or as an event stream."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = curl("--fail-with-body", *post(json.dumps(body)), *headers)
        for line in answer.splitlines():
            text = line.removeprefix("data:").strip()
            if text.startswith("{"):
                message = json.loads(text)
                if message.get("id") == 1:
                    return message["result"]
        raise AssertionError(f"no answer to {method} in {answer}")


    def post(body: str) -> list[str]:
        return [
            "--header", f"Authorization: Bearer {token}",
            "--header", "Content-Type: application/json",
            "--header", "Accept: application/json, text/event-stream",
            "--dump-header", "/tmp/head",
            "--data", body,
            f"{url}/mcp",
        ]


    start_all()
    server.wait_for_unit("multi-user.target")
    client.wait_for_unit("multi-user.target")

    with subtest("without its token file it does not serve, and it starts once the file is there"):
        server.fail("ss --listening --numeric --tcp | grep :${toString port}")
        # A Git work tree that another user owns, such as an administrator.
        server.succeed(
            "cp --recursive --no-preserve=mode ${../../examples/demo} /srv/fleet",
            "git -C /srv/fleet init --quiet",
            "git -C /srv/fleet add --all",
            "git -C /srv/fleet -c user.name=test -c user.email=test@example.org commit --quiet --message=fleet",
        )
        token = server.succeed("umask 077; head --bytes=32 /dev/urandom | sha256sum | head --bytes=64 | tee ${tokenFile}")
        server.succeed(f"systemctl restart {unit}")
        server.wait_for_unit(unit)
        server.wait_for_open_port(${toString port})

    with subtest("requests without the token are rejected"):
        listing = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert status("--data", listing, f"{url}/mcp") == "401"
        # Also from the server's own machine.
        local = server.succeed(
            "curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1:${toString port}/mcp"
        )
        assert local == "401", local
        assert status("--header", "Authorization: Bearer 0123456789abcdef0123456789abcdef", f"{url}/metrics") == "401"
        assert status("--header", f"Authorization: Bearer {token}", f"{url}/metrics") == "200"
        assert status(f"{url}/healthz") == "200"
        assert status("--header", "Host: evil.example.org", f"{url}/healthz") == "403"

    with subtest("a session: initialize, the catalogue, a tool that runs nix"):
        started = ask(
            "initialize",
            {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
        )
        assert started["serverInfo"]["name"] == "pantheros", started
        head = client.succeed("cat /tmp/head").splitlines()
        session = next(line.split(":", 1)[1].strip() for line in head if line.lower().startswith("mcp-session-id:"))
        headers = ["--header", f"Mcp-Session-Id: {session}", "--header", "MCP-Protocol-Version: 2025-11-25"]
        ready = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert status(*post(ready), *headers) == "202"

        tools = {tool["name"] for tool in ask("tools/list", {}, *headers)["tools"]}
        assert "list_hosts" in tools, tools
        assert "build_host" not in tools, "readOnly leaves out tools that change the store"
        result = ask("tools/call", {"name": "list_hosts", "arguments": {}}, *headers)
        assert not result.get("isError"), result
        hosts = {host["name"] for host in result["structuredContent"]["hosts"]}
        assert {"db", "mail", "web"} <= hosts, hosts

    with subtest("it has few privileges"):
        process = server.succeed(f"systemctl show --property=MainPID --value {unit}").strip()
        user = int(server.succeed(f"ps --format uid= --pid {process}"))
        # The range systemd takes dynamic users from (systemd's docs/UIDS-GIDS.md).
        assert 61184 <= user <= 65519, user
        server.fail("grep pantheros-mcp /etc/passwd")
        server.succeed(f"grep --perl-regexp 'NoNewPrivs:\\s1' /proc/{process}/status")
        server.succeed(f"grep --perl-regexp 'CapBnd:\\s0+$' /proc/{process}/status")
        server.fail(f"grep --text --fixed-strings {token} /proc/{process}/environ /proc/{process}/cmdline")
        server.fail(f"journalctl --unit={unit} | grep --fixed-strings {token}")
        # The exposure level in tenths; it was 1.4 when this was written.
        server.succeed(f"systemd-analyze security --no-pager --threshold=20 {unit}")

    with subtest("it restarts after a crash and stops cleanly"):
        server.succeed(f"kill -KILL {process}")
        server.wait_until_succeeds(f"test $(systemctl show --property=MainPID --value {unit}) -ne {process}")
        server.wait_for_open_port(${toString port})
        server.succeed(f"systemctl stop {unit}")
        assert server.succeed(f"systemctl show --property=Result --value {unit}").strip() == "success"
  '';
}
