"""A person in the loop through a terminal: the runtime socket, ``ssh-mcp approve``, ``deny`` and ``status``."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from ssh_mcp.approval.store import state_directory
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.server.operator import client, messages
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

ASK = ["command:touch"]


async def ssh_mcp(*words: str) -> tuple[int, str]:
    """One command in another terminal of the same user."""
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "ssh_mcp", *words], check=False, capture_output=True, text=True, timeout=60
        )
    )
    return done.returncode, done.stdout + done.stderr


async def question() -> str:
    """The id of the one question that waits, once there is one."""
    while True:
        replies = await anyio.to_thread.run_sync(lambda: list(client.ask_all(messages.ApprovalsRequest())))
        ids = [a.id for _, r in replies if isinstance(r, messages.ApprovalsReply) for a in r.approvals if a.waiting]
        if ids:
            return ids[0]
        await anyio.sleep(0.02)


async def while_asked(server: McpServer, then: Callable[[str], Any], **arguments: Any) -> tuple[bool, str]:
    """Make a call that is asked about; ``then(id)`` runs while it waits."""
    result: list[tuple[bool, str]] = []

    async def call() -> None:
        done = await server.client.call_tool("ssh_exec_run", arguments, raise_on_error=False)
        result.append((not done.is_error, "".join(getattr(b, "text", "") for b in done.content)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        await then(await question())
    return result[0]


async def test_approve_lets_the_waiting_call_run_and_deny_refuses_it(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with mcp_server({"web": sshd}, ssh_ask=ASK) as server:

        async def deny(question_id: str) -> None:
            code, said = await ssh_mcp("deny", question_id)
            assert (code, "Refused" in said) == (0, True)

        fine, text = await while_asked(server, deny, host="web", command=f"touch {mark}")
        assert not fine
        assert text.startswith("ApprovalDenied: ")
        assert not mark.exists()
        assert server.audit()[-1]["approval"]["outcome"] == "denied"

        async def approve(question_id: str) -> None:
            code, said = await ssh_mcp("approve", "--list")
            assert (code, question_id in said, f"touch {mark}" in said) == (0, True, True)
            code, said = await ssh_mcp("status")
            assert (code, "ssh_exec_run" in said, question_id in said) == (0, True, True)
            code, said = await ssh_mcp("approve", question_id)
            assert (code, "It runs now" in said) == (0, True)

        fine, _ = await while_asked(server, approve, host="web", command=f"touch {mark}")
        assert fine
        assert mark.exists()
        note = server.audit()[-1]["approval"]
        assert (note["outcome"], note["channel"], bool(note["who"])) == ("granted", "operator", True)
        assert note["waited_ms"] > 0


async def test_a_yes_that_comes_too_late_is_for_the_same_call_alone_and_once(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark, other = tmp_path / "mark", tmp_path / "other"
    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=1) as server:
        text = await server.refused("ssh_exec_run", host="web", command=f"touch {mark}")
        assert text.startswith("ApprovalPending: ")
        (question_id,) = re.findall(r"ssh-mcp approve (\w+)", text)
        code, said = await ssh_mcp("approve", question_id)
        assert (code, "made again" in said) == (0, True)
        assert (await server.refused("ssh_exec_run", host="web", command=f"touch {other}")).startswith(
            "ApprovalPending"
        )
        assert (await server.refused("ssh_sudo_exec", host="web", command=f"touch {mark}")).startswith(
            "ApprovalPending"
        )
        assert not mark.exists()
        await server.call("ssh_exec_run", host="web", command=f"touch {mark}")
        assert mark.exists()
        assert server.audit()[-1]["approval"]["grant"]
        assert (await server.refused("ssh_exec_run", host="web", command=f"touch {mark}")).startswith("ApprovalPending")
        assert not other.exists()


async def test_a_no_that_comes_too_late_reaches_the_same_call(sshd: Sshd, mcp_server: McpServerFactory) -> None:
    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=1) as server:
        text = await server.refused("ssh_exec_run", host="web", command="touch /nowhere/x")
        (question_id,) = re.findall(r"ssh-mcp approve (\w+)", text)
        assert (await ssh_mcp("deny", question_id))[0] == 0
        text = await server.refused("ssh_exec_run", host="web", command="touch /nowhere/x")
        assert text.startswith("ApprovalDenied: ")
        assert (await ssh_mcp("approve", question_id))[0] == 1


async def test_a_grant_serves_equal_calls_in_every_server_until_it_is_withdrawn(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    grants: list[str] = []

    async def approve(question_id: str) -> None:
        code, said = await ssh_mcp("approve", question_id, "--minutes", "5")
        assert code == 0
        grants.extend(re.findall(r"Grant (\w+)\.", said))

    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=30) as server:
        assert (await while_asked(server, approve, host="web", command=f"touch {mark}"))[0]
    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=1) as server:  # the first one is gone
        mark.unlink()
        await server.call("ssh_exec_run", host="web", command=f"touch {mark}")
        assert mark.exists()
        _, said = await ssh_mcp("approve", "--list", "--json")
        listed = json.loads(said)
        assert [g["id"] for g in listed["grants"]] == grants
        assert not listed["grants"][0]["once"]
        assert (await ssh_mcp("approve", "--revoke", grants[0]))[0] == 0
        assert (await ssh_mcp("approve", "--revoke", grants[0]))[0] == 1
        text = await server.refused("ssh_exec_run", host="web", command=f"touch {mark}")
        assert text.startswith("ApprovalPending: ")


async def test_two_equal_calls_at_once_are_two_questions_and_one_yes_runs_one(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    command = f"touch {log}.$$"
    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_seconds=3) as server:
        ends: list[str] = []

        async def call() -> None:
            done = await server.client.call_tool(
                "ssh_exec_run", {"host": "web", "command": command}, raise_on_error=False
            )
            ends.append("ran" if not done.is_error else "".join(getattr(b, "text", "") for b in done.content))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            tasks.start_soon(call)
            first = await question()
            assert (await ssh_mcp("approve", first))[0] == 0
        assert sorted(e.partition(":")[0] for e in ends) == ["ApprovalPending", "ran"]
        assert len(list(tmp_path.glob("log.*"))) == 1


async def test_killing_the_server_while_it_asks_runs_nothing_and_leaves_no_question(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path, control_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setenv("XDG_RUNTIME_DIR", control_dir)
    async with mcp_server({"web": sshd}, stdio=True, ssh_ask=ASK) as server, anyio.create_task_group() as tasks:

        async def call() -> None:
            with pytest.raises(Exception):  # noqa: B017 - however the library says that its server is gone
                await server.client.call_tool("ssh_exec_run", {"host": "web", "command": f"touch {mark}"})

        tasks.start_soon(call)
        question_id = await question()
        (path, reply) = next(iter(client.ask_all(messages.StatusRequest())))
        assert isinstance(reply, messages.StatusReply)
        os.kill(reply.pid, signal.SIGKILL)
    assert path.exists()
    assert not mark.exists()
    assert (await ssh_mcp("approve", question_id))[0] == 1
    assert (await ssh_mcp("status"))[0] == 1


@pytest.mark.parametrize("ending", ["leaves", "TERM"])
async def test_a_server_that_stops_while_it_asks_runs_nothing_and_leaves_no_socket(
    ending: str,
    sshd: Sshd,
    mcp_server: McpServerFactory,
    tmp_path: Path,
    control_dir: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setenv("XDG_RUNTIME_DIR", control_dir)
    async with mcp_server({"web": sshd}, stdio=True, ssh_ask=ASK) as server, anyio.create_task_group() as tasks:

        async def call() -> None:
            with contextlib.suppress(Exception):  # however the library says that its server is gone
                await server.client.call_tool("ssh_exec_run", {"host": "web", "command": f"touch {mark}"})

        tasks.start_soon(call)
        await question()
        (path, reply) = next(iter(client.ask_all(messages.StatusRequest())))
        assert isinstance(reply, messages.StatusReply)
        if ending == "TERM":
            os.kill(reply.pid, signal.SIGTERM)
        else:
            tasks.cancel_scope.cancel()
    with anyio.fail_after(20):
        while path.exists():
            await anyio.sleep(0.05)
    assert not mark.exists()
    (line,) = server.audit()
    assert line["approval"]["outcome"] == "pending"


PEER = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(10)
    peer.connect(sys.argv[1])
    try:
        peer.sendall(b'{"request": "status"}\\n')
        print(peer.recv(1 << 20))
    except OSError:
        print(b"")
"""


async def test_the_socket_is_this_users_alone(
    sshd: Sshd, mcp_server: McpServerFactory, control_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory keeps others out; where somebody opened it to them, the kernel's word about the peer does."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", control_dir)
    async with mcp_server({"web": sshd}):
        (path,) = client.sockets()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(runtime_directory().stat().st_mode) == 0o700
        if os.geteuid() != 0:
            pytest.skip("only root can be somebody else")
        for place, mode in ((path, 0o666), (path.parent, 0o711), (path.parent.parent, 0o711)):
            place.chmod(mode)

        def talk(user: int) -> str:
            code = [sys.executable, "-c", PEER, str(path), str(user)]
            return subprocess.run(code, capture_output=True, text=True, check=True).stdout

        assert "version" in await anyio.to_thread.run_sync(talk, 0)
        assert (await anyio.to_thread.run_sync(talk, 65534)).strip() == "b''"
    assert not path.exists()


async def test_what_is_no_request_is_said_to_be_none_and_the_next_one_is_served(
    sshd: Sshd, mcp_server: McpServerFactory
) -> None:
    def talk(path: Path) -> list[messages.Reply]:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(path))
            peer.sendall(b'{"request": "nonsense"}\n\xff\xfe\n[1]\n' + messages.encode(messages.GrantsRequest()))
            lines = peer.makefile("rb")
            return [messages.decode_reply(lines.readline()) for _ in range(4)]

    async with mcp_server({"web": sshd}):
        (path,) = client.sockets()
        replies = await anyio.to_thread.run_sync(talk, path)
    assert [r.reply for r in replies] == ["error", "error", "error", "grants"]


async def test_a_watcher_sees_the_audits_lines(sshd: Sshd, mcp_server: McpServerFactory) -> None:
    async with mcp_server({"web": sshd}) as server:
        (path,) = client.sockets()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect(str(path))
            peer.sendall(messages.encode(messages.WatchRequest()))
            while not server.app or not server.app.audit._watchers:
                await anyio.sleep(0.01)
            await server.call("ssh_host_list")
            reply = messages.decode_reply(await anyio.to_thread.run_sync(peer.makefile("rb").readline))
    assert isinstance(reply, messages.LineReply)
    assert json.loads(reply.line)["tool"] == "ssh_host_list"


async def test_a_client_without_forms_is_refused_at_once_where_only_the_client_may_be_asked(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with mcp_server({"web": sshd}, ssh_ask=ASK, ssh_ask_channel="client") as server:
        text = await server.refused("ssh_exec_run", host="web", command=f"touch {mark}")
    assert text.startswith("ApprovalRequired: ")
    assert not mark.exists()
    assert not (state_directory() / "key").exists()
