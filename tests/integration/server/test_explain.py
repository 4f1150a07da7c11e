"""ssh_explain against the real call: the same decision over commands, paths, tiers and docker flags."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.peers.sshd import Sshd

REFUSALS = (
    "PathNotAllowed", "PathRestricted", "RedactBypassBlocked", "CommandNotAllowed", "CommandIsCheatsheetMatch",
    "TierClosed", "InvalidArgument", "PlatformNotSupported", "ForwardNotAllowed", "HostBlocked", "LocalPathPolicyError",
)  # fmt: skip
ASKS = ("ApprovalRequired", "ApprovalPending", "ApprovalDenied")
PARTS = ("true", "echo a", "ls /nonexistent", "rm /nonexistent", "$x", "echo $(true)", "sh -c 'true'", "cat .env", "id")
JOINS = ("; ", " && ", " | ", " & ")
FLAGS = (["-e", "A=b"], ["--privileged"], ["-p", "80:80"], ["--pid=host"], ["-v", "/var/run/docker.sock:/x"], ["-x"])


def _commands(rng: random.Random) -> list[str]:
    made = {rng.choice(PARTS) + rng.choice(JOINS) + rng.choice(PARTS) for _ in range(40)}
    return sorted({*PARTS, *made, "echo x > /tmp/ssh-mcp-explain", "ls '", "cat /etc/hosts", "pwd"})


def _calls(place: Path, rng: random.Random) -> list[tuple[str, dict[str, Any]]]:
    paths = [f"{place}/{n}" for n in ("a", "shut/x", "x.key", ".env", "sub/../a", "asked/x")] + [
        "/etc/hosts",
        "",
        "a\n",
    ]
    calls: list[tuple[str, dict[str, Any]]] = [("ssh_exec_run", {"command": c}) for c in _commands(rng)]
    calls += [("ssh_exec_script", {"script": f"{head}true\necho x\n"}) for head in ("", "#!/usr/bin/perl\n", "id\n")]
    calls += [
        (tool, {"path": p}) for tool in ("ssh_sftp_stat", "ssh_sftp_download", "ssh_read_redacted") for p in paths
    ]
    calls += [("ssh_upload", {"path": p, "content_text": "x"}) for p in paths]
    calls += [("ssh_cp", {"src": a, "dst": b}) for a, b in itertools.product(paths[:6], paths[:6]) if a != b]
    calls += [("ssh_docker_run", {"image": "none", "args": f}) for f in FLAGS]
    calls += [("ssh_job_start", {"command": c, "sudo": s, "wait": 0}) for c in ("true", "id") for s in (False, True)]
    targets = ("127.0.0.1:9", "127.0.0.1:8", "::", "shut.example:9")
    calls += [("ssh_forward_open", {"target": t, "kind": k}) for t in targets for k in ("local", "remote")]
    calls += [("ssh_forward_open", {"target": "", "kind": "dynamic"})]
    calls += _whole_trees(place)
    calls += [("ssh_shell_open", {}), ("ssh_terminal_open", {}), ("ssh_terminal_open", {"command": "true"})]
    calls += [("ssh_device_run", {"commands": ["show version"]})]
    calls += [("ssh_upload", {"path": f"{place}/a", "local_path": "/etc/hosts"})]
    calls += [("ssh_sudo_exec", {"command": "true"}), ("ssh_apt_remove", {"packages": ["none-such"]})]
    return [*calls, ("ssh_sftp_stat", {"pat": "x"}), ("ssh_apt_install", {"packages": []})]


def _whole_trees(place: Path) -> list[tuple[str, dict[str, Any]]]:
    between = {"direction": "between", "other_host": "web"}
    trees = [f"{place}/{n}" for n in ("sub", "shut", "asked")] + ["/etc", "a\n"]
    calls: list[tuple[str, dict[str, Any]]] = [
        ("ssh_sync", {"remote_path": a, "other_path": f"{b}/new", **between})
        for a, b in itertools.product(trees, trees)
        if (a, b) != (f"{place}/sub", f"{place}/asked")  # an empty tree: there is nothing to ask about
    ]
    calls += [("ssh_sync", {"remote_path": f"{place}/sub", "other_path": f"{place}/new", "delete": True, **between})]
    calls += [("ssh_sync", {"remote_path": f"{place}/sub", "local_path": "/tmp"})]
    for tree in trees:
        calls += [("ssh_archive", {"action": "create", "archive": f"{tree}/new.tar", "paths": [f"{place}/a"]})]
        calls += [("ssh_archive", {"action": "create", "archive": f"{place}/new.tar", "paths": [tree]})]
        calls += [("ssh_archive", {"action": "extract", "archive": f"{place}/new.tar", "dest": f"{tree}/out"})]
    return [*calls, ("ssh_archive", {"action": "list", "archive": "/etc/none.tar"})]


async def _explained(
    server: McpServer, tool: str, arguments: dict[str, Any], *, on_host: bool = False
) -> dict[str, Any]:
    asked = {"host": "web", "tool": tool, "arguments": arguments, "on_host": on_host}
    done = await server.client.call_tool("ssh_explain", asked)
    assert isinstance(done.structured_content, dict)
    return done.structured_content


async def _really(server: McpServer, tool: str, arguments: dict[str, Any]) -> tuple[str, str]:
    """What the real call came to: allow, ask or deny, and its text."""
    done = await server.client.call_tool(tool, {"host": "web", **arguments}, raise_on_error=False)
    text = "".join(getattr(block, "text", "") for block in done.content)
    if not done.is_error:
        return "allow", text
    if text.startswith(ASKS):
        return "ask", text
    return ("deny" if text.startswith(REFUSALS) else "allow"), text


async def test_explain_and_the_real_call_agree(mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path) -> None:
    place = tmp_path / "place"
    for name in ("shut", "sub", "asked"):
        (place / name).mkdir(parents=True)
    for name in ("a", "shut/x", "x.key", ".env", "asked/x"):
        (place / name).write_text("plain\n")
    lines = [
        f'path_allowlist = ["{place}"]',
        f'restricted_paths = ["{place}/shut"]',
        "persistent_session = false",
        'restricted_globs = ["**/*.key"]',
        'command_allowlist = ["true", "echo", "ls", "sh", "cat", "rm"]',
        'forward_local = ["127.0.0.1:9", "shut.example:9"]',
        f'ask = ["command:rm", "write:{place}/asked/**", "ssh_apt_remove"]',
    ]
    differences = []
    settings = {"allow_sudo": False, "ssh_ask_seconds": "1", "ssh_hosts_blocklist": "shut.example"}
    async with mcp_server({"web": Host(sshd, lines=lines)}, **settings) as server:
        for tool, arguments in _calls(place, random.Random(7)):
            said = await _explained(server, tool, arguments)
            decision, text = await _really(server, tool, arguments)
            if said["decision"] != decision:
                differences.append((tool, arguments, said, text))
    assert not differences, differences[:3]


async def test_with_on_host_the_links_of_a_path_are_followed(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "link").symlink_to("/etc/hosts")
    async with mcp_server({"web": Host(sshd, lines=[f'path_allowlist = ["{place}"]'])}) as server:
        link = {"path": f"{place}/link"}
        blind = await _explained(server, "ssh_sftp_stat", link)
        assert blind["decision"] == "allow"
        assert any("links" in text for text in blind["unknown"])
        seen = await _explained(server, "ssh_sftp_stat", link, on_host=True)
        assert seen["decision"] == "deny"
        assert "unknown" not in seen or seen["unknown"] == []
        missing = {"path": f"{place}/no/x", "content_text": "a"}
        assert (await _explained(server, "ssh_upload", missing, on_host=True))["decision"] == "allow"


async def test_without_on_host_nothing_connects(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        await _explained(server, "ssh_exec_run", {"command": "id"})
        assert (await server.call("ssh_session_list")).get("count", 0) == 0
        for wrong in ({"host": "web", "tool": "ssh_nothing"}, {"host": "nohost", "tool": "ssh_host_ping"}):
            done = await server.client.call_tool("ssh_explain", wrong, raise_on_error=False)
            assert done.is_error


async def test_a_fleet_call_is_explained_as_the_call_of_its_tool(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    lines = ['command_allowlist = ["true", "id"]', 'ask = ["command:id"]']
    async with mcp_server({"web": Host(sshd, lines=lines)}, allow_sudo=False) as server:
        wanted = {
            "allow": ("ssh_exec_run", {"command": "true"}),
            "ask": ("ssh_exec_run", {"command": "id"}),
            "deny": ("ssh_exec_run", {"command": "rm x"}),
        }
        for decision, (tool, arguments) in wanted.items():
            said = await _explained(server, "ssh_fleet", {"tool": tool, "arguments": arguments})
            assert said["decision"] == decision, said
        closed = await _explained(server, "ssh_fleet", {"tool": "ssh_sudo_exec", "arguments": {"command": "id"}})
        assert (closed["decision"], closed["needs"]["setting"]) == ("deny", "ALLOW_SUDO")
        refusal = await server.refused("ssh_fleet", hosts=["web"], tool="ssh_sudo_exec", arguments={"command": "id"})
        assert refusal.startswith("TierClosed: ssh_sudo_exec is in the sudo tier")
        assert refusal.count("ALLOW_SUDO=true") == 1


async def test_a_secret_in_the_callers_own_command_is_not_repeated(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": Host(sshd, lines=['command_allowlist = ["uptime"]'])}) as server:
        for command in ("mysql -u root -phunter2x9 -e x", "curl -u admin:hunter2x9 https://x.example"):
            said = await _explained(server, "ssh_exec_run", {"command": command})
            assert said["decision"] == "deny"
            assert "hunter2x9" not in str(said)
