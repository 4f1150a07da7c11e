"""Several people at one server over HTTP: tokens, roles, handles of their own, rates, and two instances."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from fastmcp.server.auth.providers.jwt import RSAKeyPair
from mcp_types import Implementation

from tests.integration.redis_server import redis_url  # noqa: F401 - a fixture
from tests.integration.surface_rig import Serving, environment, private, serving, ssh_mcp
from tests.peers.sshd import Sshd

ISSUER, AUDIENCE = "https://login.example.net/", "ssh-mcp"
KEYS = RSAKeyPair.generate()
ROLES = """
[roles.operator]
hosts = ["@web"]
tiers = ["read", "low-access", "dangerous"]
ask = ["command:reboot"]
[roles.reader]
hosts = ["@web"]
[roles.all]
tiers = ["read", "low-access", "dangerous"]
[identities]
alice = "operator"
dave = "all"
"groups:dev" = "reader"
"""


def token(subject: str | None, *, keys: RSAKeyPair = KEYS, seconds: int = 600, **claims: Any) -> str:
    given = {"issuer": ISSUER, "audience": AUDIENCE, "scopes": ["ssh"], **claims}
    return keys.create_token(subject=subject or "", expires_in_seconds=seconds, **given)


def client(server: Serving, subject: str, mode: str = "auto", program: str = "tests", **claims: Any) -> Client[Any]:
    headers = {"Authorization": f"Bearer {token(subject, **claims)}"}
    about = Implementation(name=program, version="1")
    return Client(StreamableHttpTransport(server.url, headers=headers), mode=mode, client_info=about)


@pytest.fixture
def team(tmp_path: Path, sshd: Sshd) -> dict[str, str]:
    def host(alias: str, tags: str) -> str:
        return (
            f'[hosts.{alias}]\nhostname = "{sshd.address}"\nport = {sshd.port}\nuser = "{sshd.user}"\ntags = {tags}\n'
            f'path_allowlist = ["{tmp_path}"]\ncommand_allowlist = ["uname", "reboot", "seq"]\n'
            f'[hosts.{alias}.auth]\nmethod = "key"\nkey = "{sshd.key}"\nidentities_only = true\n'
        )

    hosts = host("web", '["web"]') + host("db", '["db"]')
    (tmp_path / "ssh_config").touch(mode=0o600)
    return environment(
        tmp_path,
        mcp_transport="http",
        mcp_auth="jwt",
        mcp_auth_issuer=ISSUER,
        mcp_auth_audience=AUDIENCE,
        mcp_auth_scopes="ssh",
        mcp_jwt_public_key_file=private(tmp_path / "key.pem", KEYS.public_key),
        ssh_hosts_file=private(tmp_path / "hosts.toml", hosts + ROLES),
        ssh_known_hosts=sshd.known_hosts,
        ssh_config_file=tmp_path / "ssh_config",
        ssh_audit_file=tmp_path / "audit.jsonl",
        allow_low_access_tools="true",
        allow_dangerous_tools="true",
    )


@contextmanager
def two(team: dict[str, str], tmp_path: Path) -> Iterator[tuple[Serving, Serving]]:
    one = {**team, "MCP_INSTANCE": "one", "SSH_AUDIT_FILE": str(tmp_path / "one.jsonl")}
    other = {**team, "MCP_INSTANCE": "other", "SSH_AUDIT_FILE": str(tmp_path / "other.jsonl")}
    with serving(one) as first, serving(other) as second:
        yield first, second


def status(server: Serving, path: str, bearer: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    try:
        connection.request("GET" if path == "/healthz" else "POST", path, None if path == "/healthz" else body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


async def refusal(connected: Client[Any], tool: str, /, **arguments: Any) -> str:
    result = await connected.call_tool(tool, arguments, raise_on_error=False)
    assert result.is_error, result
    return str(getattr(result.content[0], "text", ""))


async def test_only_tokens_of_the_issuer_for_this_server_are_let_in(team: dict[str, str]) -> None:
    with serving(team) as server:
        assert status(server, "/healthz") == 200
        refused = {
            "none": None,
            "noise": "x" * 40,
            "another key": token("alice", keys=RSAKeyPair.generate()),
            "another issuer": token("alice", issuer="https://evil.example/"),
            "another audience": token("alice", audience="mail"),
            "expired": token("alice", seconds=-10),
            "without the scope": token("alice", scopes=["mail"]),
            "without a subject": token(None),
            "not yet valid": token("alice", additional_claims={"nbf": int(time.time()) + 3600}),
            "without an end": token("alice", additional_claims={"exp": None}),
        }
        assert {why: status(server, "/mcp", given) for why, given in refused.items()} == dict.fromkeys(refused, 401)
        assert status(server, "/mcp", token("alice")) == 200


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_role_bounds_hosts_and_tiers_and_the_audit_names_the_identity(
    mode: str, team: dict[str, str], tmp_path: Path
) -> None:
    with serving(team) as server:
        async with client(server, "alice", mode) as alice, client(server, "mallory", mode) as mallory:
            assert (await alice.call_tool("ssh_exec_run", {"host": "web", "command": "uname"})).data.exit_code == 0
            assert [host.alias for host in (await alice.call_tool("ssh_host_list", {})).data.hosts] == ["web"]
            assert (await refusal(alice, "ssh_host_ping", host="db")).startswith("HostNotAllowed: db is not among")
            assert (await refusal(alice, "ssh_broadcast", hosts=["@db"], command="uname")).startswith("InvalidArgument")
            asked = await refusal(alice, "ssh_exec_run", host="web", command="reboot")
            assert asked.startswith("Approval"), asked
            assert "mallory has no role" in await refusal(mallory, "ssh_host_list")
        async with client(server, "bob", mode, additional_claims={"groups": ["qa", "dev"]}) as bob:
            assert (await bob.call_tool("ssh_host_ping", {"host": "web"})).data.reachable
            closed = await refusal(bob, "ssh_exec_run", host="web", command="uname")
            assert closed.startswith("IdentityNotAllowed: The role reader does not open the dangerous tier.")
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert {"alice", "bob", "mallory"} <= {line.get("identity") for line in lines}


async def test_an_explanation_and_a_fleet_call_are_bounded_by_the_role(team: dict[str, str]) -> None:
    transfer = {"src_host": "web", "src_path": "/a", "dst_host": "db", "dst_path": "/b"}
    reboot = {"tool": "ssh_exec_run", "arguments": {"command": "reboot"}}
    with serving({**team, "SSH_ASK_SECONDS": "1"}) as server:
        async with client(server, "alice") as alice:
            said = (await alice.call_tool("ssh_explain", {"host": "web", **reboot})).data
            assert (said.decision, said.needs.approval) == ("ask", "command:reboot")
            other = await refusal(alice, "ssh_explain", host="web", tool="ssh_transfer", arguments=transfer)
            assert other.startswith("HostNotAllowed: db is not among")
            whole = await refusal(alice, "ssh_fleet", hosts=["@web"], **reboot)
            assert whole.startswith("Approval"), whole
        async with client(server, "bob", additional_claims={"groups": ["dev"]}) as bob:
            said = (await bob.call_tool("ssh_explain", {"host": "web", **reboot})).data
            assert said.decision == "deny"
            assert "The role reader does not open the dangerous tier." in said.reasons[0].refusal
            assert said.reasons[0].rule == "roles.reader"


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("search", ["false", "true"])
async def test_a_role_is_listed_the_tools_that_it_may_call(mode: str, search: str, team: dict[str, str]) -> None:
    always = "ssh_host_ping,ssh_exec_run"
    with serving({**team, "SSH_ENABLE_BM25": search, "SSH_BM25_ALWAYS_VISIBLE": always}) as server:

        async def listed(subject: str, **claims: Any) -> set[str]:
            async with client(server, subject, mode, **claims) as connected:
                if search == "true":
                    assert (
                        "ssh_delete" not in str(await connected.call_tool("search_tools", {"query": "delete a file"}))
                        or subject == "alice"
                    )
                return {tool.name for tool in await connected.list_tools()}

        operator, reader = await listed("alice"), await listed("bob", additional_claims={"groups": ["dev"]})
        assert {"ssh_host_ping", "ssh_exec_run"} <= operator
        assert "ssh_host_ping" in reader
        assert "ssh_exec_run" not in reader
        assert await listed("mallory") <= {"search_tools", "call_tool"}


async def test_what_one_identity_opened_another_cannot_use(team: dict[str, str]) -> None:
    with serving({**team, "SSH_RESULT_MAX_BYTES": "300"}) as server:
        async with client(server, "alice") as alice, client(server, "dave") as dave:
            opened = (await alice.call_tool("ssh_shell_open", {"host": "web"})).data.session_id
            assert (await alice.call_tool("ssh_shell_list", {})).data.count == 1
            assert (await dave.call_tool("ssh_shell_list", {})).data.count == 0
            assert "no shell session" in await refusal(dave, "ssh_shell_exec", session_id=opened, command="uname")
            assert (await dave.call_tool("ssh_shell_close", {"session_id": opened})).data.closed is False
            ran = await alice.call_tool("ssh_shell_exec", {"session_id": opened, "command": "uname"})
            assert ran.data.stdout == "Linux\n"
            long = await alice.call_tool("ssh_exec_run", {"host": "web", "command": "seq 1000"})
            kept = long.data.output_id
            assert "no kept output" in await refusal(dave, "ssh_output_read", output_id=kept)
            assert (await alice.call_tool("ssh_output_read", {"output_id": kept})).data.text.startswith("1\n2\n")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_another_client_of_the_same_identity_does_not_read_what_a_result_left_out(
    mode: str, team: dict[str, str]
) -> None:
    with serving({**team, "SSH_RESULT_MAX_BYTES": "300"}) as server:
        async with client(server, "alice", mode) as one, client(server, "alice", mode, program="other") as other:
            kept = (await one.call_tool("ssh_exec_run", {"host": "web", "command": "seq 1000"})).data.output_id
            assert "no kept output" in await refusal(other, "ssh_output_read", output_id=kept)
            assert (await one.call_tool("ssh_output_read", {"output_id": kept})).data.text.startswith("1\n2\n")


async def test_a_token_for_the_name_of_the_local_user_is_not_the_local_user(team: dict[str, str]) -> None:
    with serving(team) as server:
        async with client(server, "local") as connected:
            assert "token:local has no role" in await refusal(connected, "ssh_host_list")


async def test_calls_beyond_the_rate_are_refused_for_that_identity_alone(team: dict[str, str]) -> None:
    with serving({**team, "MCP_RATE_LIMIT": "2"}) as server:
        async with client(server, "alice") as alice, client(server, "dave") as dave:
            for _ in range(2):
                await alice.call_tool("ssh_host_list", {})
            assert (await refusal(alice, "ssh_host_list")).startswith("RateLimited: alice made more than 2 calls")
            await dave.call_tool("ssh_host_list", {})


async def test_a_handle_of_another_instance_is_refused_by_its_name(team: dict[str, str], tmp_path: Path) -> None:
    with two(team, tmp_path) as (first, second):
        async with client(first, "alice") as here, client(second, "alice") as there:
            opened = (await here.call_tool("ssh_shell_open", {"host": "web"})).data.session_id
            assert opened.endswith("@one")
            wrong = await refusal(there, "ssh_shell_exec", session_id=opened, command="uname")
            assert wrong.startswith("WrongInstance: session_id belongs to the instance one, and this is other.")
            ran = await here.call_tool("ssh_shell_exec", {"session_id": opened, "command": "uname"})
            assert ran.data.exit_code == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"MCP_AUTH_ISSUER": ""}, "MCP_AUTH=jwt: needs MCP_AUTH_ISSUER."),
        ({"MCP_JWT_PUBLIC_KEY_FILE": ""}, "MCP_AUTH=jwt: needs MCP_JWT_JWKS_URI or MCP_JWT_PUBLIC_KEY_FILE"),
        ({"MCP_AUTH": "oidc"}, "MCP_AUTH=oidc: needs MCP_OIDC_CONFIG_URL, MCP_OIDC_CLIENT_ID"),
        ({"MCP_HTTP_LOCAL_OPEN": "true"}, "has no use for MCP_HTTP_TOKEN_FILE and MCP_HTTP_LOCAL_OPEN"),
        ({"MCP_JWT_ALGORITHM": "HS256"}, "MCP_JWT_ALGORITHM=HS256"),
        ({"MCP_INSTANCE": "a@b"}, "MCP_INSTANCE=a@b"),
    ],
)
async def test_settings_that_let_in_too_many_stop_the_start(
    change: dict[str, str], message: str, team: dict[str, str]
) -> None:
    done = ssh_mcp("serve", env={**team, "MCP_HTTP_PORT": "0", **change})
    assert done.returncode == 2
    assert message in done.stderr


async def test_a_task_that_one_instance_took_is_asked_for_at_another_by_its_owner_alone(
    team: dict[str, str], tmp_path: Path, redis_url: str
) -> None:
    import fastmcp_tasks as tasks

    with two({**team, "FASTMCP_DOCKET_URL": redis_url, "FASTMCP_DOCKET_NAME": "team"}, tmp_path) as (first, second):
        async with client(first, "alice") as here, client(second, "alice") as there, client(second, "dave") as other:
            arguments = {"host": "web", "command": "uname"}
            task = await tasks.call_tool_task(here, "ssh_exec_run_streaming", arguments)
            task._client = other
            with pytest.raises(Exception, match=r"(?i)not found|unknown|no such|invalid"):
                await task.result()
            task._client = there
            done: Any = await task.result()
            assert done.structured_content["stdout"] == "Linux\n"
