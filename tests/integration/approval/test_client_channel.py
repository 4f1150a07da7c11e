"""A person in the loop through the client that calls: two client libraries, both protocol eras, a real host."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import SSETransport, StreamableHttpTransport
from mcp.shared.exceptions import MCPError

from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.integration.surface_rig import environment, serving
from tests.peers.sshd import Sshd

ASK = ["command:touch"]
Call = Callable[..., Awaitable[tuple[bool, str]]]
Person = Callable[[str], Awaitable[mcp_types.ElicitResult]]


def says(action: str, content: dict[str, Any] | None = None) -> Person:
    async def reply(_text: str) -> mcp_types.ElicitResult:
        return mcp_types.ElicitResult(action=action, content=content)  # type: ignore[arg-type]

    return reply


YES = says("accept", {"approve": True})


@asynccontextmanager
async def fastmcp_client(server: McpServer, mode: str, person: Person) -> AsyncIterator[Call]:
    async def handler(message: str, _type: Any, _params: Any, _context: Any) -> Any:
        said = await person(message)
        return ElicitResult(action=said.action, content=said.content)

    assert server.app is not None
    async with Client(server.app.server, mode=mode, elicitation_handler=handler) as client:

        async def call(tool: str, **arguments: Any) -> tuple[bool, str]:
            done = await client.call_tool(tool, arguments, raise_on_error=False)
            return not done.is_error, "".join(getattr(b, "text", "") for b in done.content)

        yield call


@asynccontextmanager
async def sdk_client(server: McpServer, mode: str, person: Person) -> AsyncIterator[Call]:
    async def callback(_context: Any, params: Any) -> Any:
        return await person(params.message)

    assert server.app is not None
    low = server.app.server._mcp_server
    async with mcp.Client(low, mode=mode, elicitation_callback=callback) as client:  # type: ignore[arg-type]

        async def call(tool: str, **arguments: Any) -> tuple[bool, str]:
            done = await client.call_tool(tool, arguments)
            return not done.is_error, "".join(getattr(b, "text", "") for b in done.content)

        yield call


ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
LIBRARIES = pytest.mark.parametrize("connect", [fastmcp_client, sdk_client])


@ERAS
@LIBRARIES
@pytest.mark.parametrize(
    ("person", "ends"),
    [
        (YES, None),
        (says("accept", {"approve": False}), "ApprovalDenied"),
        (says("accept", {}), "ApprovalDenied"),
        (says("decline"), "ApprovalDenied"),
        (says("cancel"), "ApprovalDenied"),
    ],
)
async def test_only_a_yes_runs_the_command(
    connect: Any, mode: str, person: Person, ends: str | None, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark, shown = tmp_path / "mark", []

    async def seen(text: str) -> mcp_types.ElicitResult:
        shown.append(text)
        return await person(text)

    async with mcp_server({"web": sshd}, ssh_ask=ASK) as server, connect(server, mode, seen) as call:
        fine, text = await call("ssh_exec_run", host="web", command=f"touch {mark}")
        line = server.audit()[-1]
    assert len(shown) == 1
    assert f"touch {mark}" in shown[0]
    assert "web" in shown[0]
    assert sshd.user in shown[0]
    assert "command:touch" in shown[0]
    assert mark.exists() is fine is (ends is None)
    assert line["approval"]["outcome"] == ("granted" if fine else "denied")
    assert line["approval"]["channel"] == "client"
    if ends:
        assert text.startswith(f"{ends}: ")


# --- silence, failure, replay ----------------------------------------------------------------------------------------


@LIBRARIES
@pytest.mark.parametrize("reachable", [True, False])
async def test_a_client_that_never_replies_ends_as_pending_and_nothing_ran(
    connect: Any, reachable: bool, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"

    async def silent(_text: str) -> mcp_types.ElicitResult:
        await anyio.sleep_forever()
        raise AssertionError

    async with (
        mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=1) as server,
        connect(server, "legacy", silent) as call,
    ):
        assert server.app is not None
        server.app.fleet.approvals.operator_reachable = reachable
        fine, text = await call("ssh_exec_run", host="web", command=f"touch {mark}")
        assert not fine
        assert text.startswith("ApprovalPending: ")
        assert ("ssh-mcp approve" in text) is reachable
        assert server.audit()[-1]["approval"]["outcome"] == "pending"
        assert (await call("ssh_exec_run", host="web", command="true"))[0]
    assert not mark.exists()


async def test_a_client_that_declares_forms_and_cannot_show_them_leaves_it_to_the_operator(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"

    async def broken(_text: str) -> mcp_types.ElicitResult:
        raise MCPError(-32603, "no window here")

    async with (
        mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=1) as server,
        sdk_client(server, "legacy", broken) as call,
    ):
        _, text = await call("ssh_exec_run", host="web", command=f"touch {mark}")
        assert text.startswith("ApprovalPending: ")
        assert server.app is not None
        server.app.fleet.approvals.channel = "client"
        _, text = await call("ssh_exec_run", host="web", command=f"touch {mark}")
        assert text.startswith("ApprovalRequired: ")
    assert not mark.exists()


@ERAS
@LIBRARIES
async def test_two_calls_asked_at_once_get_their_own_replies(
    connect: Any, mode: str, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    both, ends = anyio.Event(), {}
    asked: list[str] = []

    async def person(text: str) -> mcp_types.ElicitResult:
        asked.append(text)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return await says("accept", {"approve": f"touch {tmp_path}/yes" in text})(text)

    async with mcp_server({"web": sshd}, ssh_ask=ASK) as server, connect(server, mode, person) as call:

        async def run(name: str) -> None:
            ends[name] = (await call("ssh_exec_run", host="web", command=f"touch {tmp_path}/{name}"))[0]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run, "yes")
            tasks.start_soon(run, "no")
    assert ends == {"yes": True, "no": False}
    assert (tmp_path / "yes").exists()
    assert not (tmp_path / "no").exists()


@ERAS
async def test_a_client_that_leaves_while_it_is_asked_runs_nothing(
    mode: str, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=30) as server:
        async with anyio.create_task_group() as tasks:

            async def leave(_text: str) -> mcp_types.ElicitResult:
                tasks.cancel_scope.cancel()
                await anyio.sleep_forever()
                raise AssertionError

            async def calling() -> None:
                async with fastmcp_client(server, mode, leave) as call:
                    await call("ssh_exec_run", host="web", command=f"touch {mark}")

            tasks.start_soon(calling)
        assert (await server.call("ssh_exec_run", host="web", command="true"))["exit_code"] == 0
        assert server.app is not None
        assert not [p for p in server.app.fleet.approvals.pending() if p.waiting]
    assert not mark.exists()


async def test_a_state_is_good_once_unaltered_and_for_its_own_arguments(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    yes: dict[str, Any] = {"approve": mcp_types.ElicitResult(action="accept", content={"approve": True})}
    log = tmp_path / "log"
    arguments = {"host": "web", "command": f"touch {log}.$$"}
    async with mcp_server({"web": sshd, "db": sshd}, ssh_ask=ASK) as server:
        assert server.app is not None
        low = server.app.server._mcp_server
        async with mcp.Client(low, mode="2026-07-28", elicitation_callback=_unused) as client:  # type: ignore[arg-type]

            async def leg(given: dict[str, Any], state: str | None, tool: str = "ssh_exec_run") -> Any:
                return await client.session.call_tool(
                    tool, given, input_responses=yes, request_state=state, allow_input_required=True
                )

            first = await leg(arguments, None)  # a yes without a question is none
            assert isinstance(first, mcp_types.InputRequiredResult)
            state = first.request_state
            assert state is not None
            wrong: list[tuple[dict[str, Any], str, str]] = [
                ({**arguments, "host": "db"}, state, "ssh_exec_run"),
                ({**arguments, "timeout": 9}, state, "ssh_exec_run"),
                ({**arguments, "command": f"touch {log}.x"}, state, "ssh_exec_run"),
                (arguments, state, "ssh_sudo_exec"),
                (arguments, state[:-2] + ("AA" if state[-2:] != "AA" else "BB"), "ssh_exec_run"),
                (arguments, "v1.AAAA", "ssh_exec_run"),
            ]
            for given, sent, tool in wrong:
                with pytest.raises(MCPError):
                    await leg(given, sent, tool)
                assert [server.audit()[-1][k] for k in ("tool", "error")] == [tool, "ApprovalRequired"]
            assert list(tmp_path.glob("log.*")) == []
            done = await leg(arguments, state)
            assert isinstance(done, mcp_types.CallToolResult)
            assert not done.is_error
            assert len(list(tmp_path.glob("log.*"))) == 1
            replayed = await leg(arguments, state)
            assert isinstance(replayed, mcp_types.CallToolResult)
            assert replayed.is_error
            assert len(list(tmp_path.glob("log.*"))) == 1


async def _unused(_context: Any, _params: Any) -> Any:
    raise AssertionError


async def test_a_host_that_changed_its_meaning_is_asked_about_again(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    """Between question and reply the operator reloads hosts.toml: the yes was for the other login."""
    mark = tmp_path / "mark"
    shown = []

    async with mcp_server({"web": sshd}, ssh_ask=ASK) as server:

        async def person(text: str) -> mcp_types.ElicitResult:
            shown.append(text)
            if len(shown) == 1:
                server.hosts_file.write_text(server.hosts_file.read_text().replace(sshd.user, "someone-else"))
                assert server.app is not None
                server.app.fleet.reload_inventory()
                return await YES(text)
            return await says("decline")(text)

        async with fastmcp_client(server, "2026-07-28", person) as call:
            fine, text = await call("ssh_exec_run", host="web", command=f"touch {mark}")
    assert not fine
    assert text.startswith("ApprovalDenied: ")
    assert len(shown) == 2
    assert "someone-else" in shown[1]
    assert not mark.exists()


# --- what is asked, and how often ------------------------------------------------------------------------------------


class Counting:
    """A person who says yes and remembers the questions."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    async def __call__(self, text: str) -> mcp_types.ElicitResult:
        self.questions.append(text)
        return await YES(text)


@ERAS
async def test_a_broadcast_asks_once_naming_the_hosts_that_would_run_it(
    mode: str, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    person = Counting()
    hosts: dict[str, Sshd | Host] = {
        "web": sshd,
        "db": Host(sshd, lines=['command_allowlist = ["uptime"]']),
        "cache": sshd,
    }
    async with mcp_server(hosts, ssh_ask=ASK) as server, fastmcp_client(server, mode, person) as call:
        fine, text = await call("ssh_broadcast", hosts=["web", "db", "cache", "nowhere"], command=f"touch {tmp_path}/b")
    assert fine
    assert len(person.questions) == 1
    assert "2 hosts: " in person.questions[0]
    assert "db" not in person.questions[0].split("\n")[0]
    assert '"succeeded":["web","cache"]' in text.replace(" ", "")


@ERAS
async def test_each_kind_of_call_asks_once_before_anything_runs(
    mode: str, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    person = Counting()
    target = tmp_path / "dir" / "file"
    rules = ["command:touch", f"write:{tmp_path}/dir/**", "ssh_host_notes_append", "sudo"]
    async with mcp_server({"web": sshd}, ssh_ask=rules) as server, fastmcp_client(server, mode, person) as call:
        assert server.app is not None

        async def asks(count: int, tool: str, **arguments: Any) -> str:
            before = len(person.questions)
            fine, text = await call(tool, **arguments)
            assert fine, text
            assert len(person.questions) - before == count, tool
            return text

        (tmp_path / "dir").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "dir")
        await asks(0, "ssh_exec_run", host="web", command="echo touch")
        await asks(1, "ssh_exec_run", host="web", command=f"echo a; sh -c 'touch {tmp_path}/x'")
        await asks(1, "ssh_exec_run_streaming", host="web", command=f"touch {tmp_path}/x")
        await asks(1, "ssh_exec_script", host="web", script=f"set -e\ntouch {tmp_path}/x\n")
        await asks(1, "ssh_upload", host="web", path=str(target), content_text="old\n")
        await asks(1, "ssh_edit", host="web", path=str(target), old_string="old", new_string="new")
        await asks(1, "ssh_deploy", host="web", path=str(target), content_text="more\n")
        await asks(0, "ssh_sftp_download", host="web", path=str(target))
        await asks(1, "ssh_cp", host="web", src=str(target), dst=f"{target}2")
        await asks(1, "ssh_mv", host="web", src=f"{target}2", dst=f"{target}3")
        await asks(1, "ssh_mv", host="web", src=f"{target}3", dst=str(tmp_path / "outside"))
        await asks(1, "ssh_link", host="web", src=str(target), dst=str(tmp_path / "second"))
        await asks(1, "ssh_mkdir", host="web", path=str(tmp_path / "dir" / "sub"))
        await asks(1, "ssh_upload", host="web", path=str(tmp_path / "link" / "n"), content_text="x")
        assert f"{tmp_path}/dir/n" in person.questions[-1]
        await asks(1, "ssh_transfer", src_host="web", src_path=str(target), dst_host="web", dst_path=f"{target}4")
        await asks(1, "ssh_delete", host="web", path=str(target))
        await asks(1, "ssh_delete_folder", host="web", path=str(tmp_path / "dir"), recursive=True)
        await asks(1, "ssh_host_notes_append", host="web", entry="a note")
        job_id = json.loads(await asks(1, "ssh_job_start", host="web", command=f"touch {tmp_path}/j", wait=10))[
            "job_id"
        ]
        await asks(0, "ssh_job_start", host="web", command="true", wait=10)
        assert ("web", job_id, "exited") in [(alias, job.id, job.state) for alias, job in server.app.fleet.jobs.seen()]
        session = json.loads(await asks(0, "ssh_shell_open", host="web"))["session_id"]
        await asks(0, "ssh_shell_exec", session_id=session, command="cd /tmp")
        await asks(1, "ssh_shell_exec", session_id=session, command=f"touch {tmp_path}/y")
        assert "in /tmp" in person.questions[-1]


async def test_policy_refuses_before_anybody_is_asked(sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path) -> None:
    person = Counting()
    host = Host(sshd, lines=[f'path_allowlist = ["{tmp_path}/in"]', 'command_allowlist = ["uptime"]'])
    rules = ["low-access", "dangerous", "command:touch", "write:/**"]
    (tmp_path / "in").mkdir()
    async with mcp_server({"web": host}, ssh_ask=rules) as server, fastmcp_client(server, "legacy", person) as call:
        refused: list[tuple[str, dict[str, Any], str]] = [
            ("ssh_exec_run", {"command": "touch /x"}, "CommandNotAllowed"),
            ("ssh_upload", {"path": "/etc/x", "content_text": ""}, "PathNotAllowed"),
            ("ssh_delete", {"path": "/etc/passwd"}, "PathNotAllowed"),
            ("ssh_delete", {"path": f"{tmp_path}/in/missing"}, "RemoteError"),
            ("ssh_mkdir", {"path": "/etc/new"}, "PathNotAllowed"),
            ("ssh_docker_exec", {"container": "c", "command": "touch /x"}, "CommandNotAllowed"),
            ("ssh_docker_run", {"image": "i", "options": ["--privileged"]}, ""),
        ]
        for tool, arguments, error in refused:
            fine, text = await call(tool, host="web", **arguments)
            assert not fine
            assert text.startswith(error), text
    assert person.questions == []


async def test_a_background_task_asks_through_its_task(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    fastmcp_tasks = pytest.importorskip("fastmcp_tasks")
    person = Counting()
    mark = tmp_path / "mark"
    async with mcp_server({"web": sshd}, ssh_ask=ASK, fastmcp_docket_url="memory://") as server:
        assert server.app is not None

        async def handler(message: str, _type: Any, _params: Any, _context: Any) -> Any:
            said = await person(message)
            return ElicitResult(action=said.action, content=said.content)

        async with Client(server.app.server, elicitation_handler=handler) as client:
            arguments = {"host": "web", "command": f"touch {mark}"}
            done = await (await fastmcp_tasks.call_tool_task(client, "ssh_exec_run_streaming", arguments)).result()
    assert not done.is_error
    assert len(person.questions) == 1
    assert mark.exists()


# --- other ways in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transport", "mode"), [("http", "legacy"), ("http", "2026-07-28"), ("sse", "legacy")], ids=str
)
async def test_the_question_reaches_a_client_over_http(transport: str, mode: str, tmp_path: Path) -> None:
    person = Counting()

    async def handler(message: str, _type: Any, _params: Any, _context: Any) -> Any:
        said = await person(message)
        return ElicitResult(action=said.action, content=said.content)

    env = environment(tmp_path, mcp_transport=transport, ssh_ask="ssh_server_info", ssh_ask_seconds="20")
    with serving(env) as server:
        kind = SSETransport if transport == "sse" else StreamableHttpTransport
        way = kind(server.url, headers={"Authorization": f"Bearer {server.token}"})
        async with Client(way, mode=mode, elicitation_handler=handler) as client:
            done = await client.call_tool("ssh_server_info", {})
        async with Client(way, mode=mode) as client:
            refused = await client.call_tool("ssh_host_list", {}, raise_on_error=False)
    assert done.structured_content
    assert len(person.questions) == 1
    assert "on this server" in person.questions[0]
    assert not refused.is_error


@ERAS
async def test_a_tool_that_is_called_through_the_search_asks_too(
    mode: str, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    person, mark = Counting(), tmp_path / "mark"
    arguments = {"host": "web", "command": f"touch {mark}"}
    async with (
        mcp_server({"web": sshd}, ssh_ask=ASK, ssh_enable_bm25=True) as server,
        fastmcp_client(server, mode, person) as call,
    ):
        fine, text = await call("call_tool", name="ssh_exec_run", arguments=arguments)
    assert fine, text
    assert mark.exists()
    assert len(person.questions) == 1
