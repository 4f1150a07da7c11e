"""Hosts that let us in and then say nothing, or never stop: every call ends by itself, and the server goes on."""

from __future__ import annotations

from pathlib import Path

import anyio
import psutil
import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServerFactory
from tests.integration.session_rig import connected
from tests.peers.sshd import Sshd
from transports.openssh.sessions import runner, watch

PATIENCE = 120.0
"""Seconds until a test that hangs is given up."""
SILENT = "exec sleep 1000"
ENDLESS = "exec yes"


def forced(tmp_path: Path, text: str) -> str:
    """A ForceCommand with this shell text."""
    script = tmp_path / "forced"
    script.write_text(f"#!/bin/sh\n{text}\n")
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize("behaviour", [SILENT, ENDLESS, f"{ENDLESS} >&2"])
async def test_a_shell_that_never_begins_is_not_waited_for(
    mcp_server: McpServerFactory,
    sshd_factory: SshdFactory,
    shared_sshd: Sshd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    behaviour: str,
) -> None:
    monkeypatch.setattr(runner, "BEGIN_SECONDS", 0.5)
    sshd = sshd_factory(force_command=forced(tmp_path, behaviour))
    async with mcp_server({"web": sshd, "good": shared_sshd}, ssh_connect_timeout=2) as server:
        with anyio.fail_after(PATIENCE):
            text = await server.refused("ssh_shell_open", host="web")
        assert text.startswith(
            "SessionRefused: The host opened a session but started no shell in it within 2 s: the command never began."
        )
        assert text.endswith("Look at the account's login shell, startup files and ForceCommand.")
        assert server.audit()[-1]["error"] == "SessionRefused"
        assert (await server.call("ssh_shell_list"))["count"] == 0
        assert (await server.call("ssh_exec_run", host="good", command="echo on"))["stdout"] == "on\n"


@pytest.mark.parametrize("transport", ["direct", "process"])
async def test_a_command_that_never_begins_is_not_waited_for_without_mux_either(
    mcp_server: McpServerFactory,
    sshd_factory: SshdFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transport: str,
) -> None:
    monkeypatch.setattr(runner, "LOGIN_SECONDS", 2.0)
    sshd = sshd_factory(force_command=forced(tmp_path, SILENT))
    async with mcp_server({"web": sshd}, ssh_transport=transport, ssh_connect_timeout=2) as server:
        with anyio.fail_after(PATIENCE):
            text = await server.refused("ssh_exec_run", host="web", command="true", timeout=1)
    assert text.startswith(
        "SessionRefused: The host opened a session but started no shell in it within 2 s: the command never began."
    )


async def test_a_host_that_falls_silent_cannot_hold_a_command_beyond_its_timeout(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "silent"
    sshd = sshd_factory(force_command=forced(tmp_path, f'[ -e {silent} ] && {SILENT}\neval "$SSH_ORIGINAL_COMMAND"'))
    async with mcp_server({"web": sshd}) as server:
        opened = await server.call("ssh_shell_open", host="web")
        silent.touch()
        monkeypatch.setattr(runner, "ENDING_SECONDS", 0.5)
        with anyio.fail_after(PATIENCE):
            done = await server.call(
                "ssh_shell_exec", session_id=opened["session_id"], command="echo begun; sleep 1000", timeout=1
            )
        assert (done["timed_out"], done["stdout"]) == (True, "begun\n")
        assert (await server.call("ssh_shell_list"))["count"] == 0


async def test_a_watch_that_never_begins_is_closed_with_its_connection(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_GOODBYE_SECONDS", 0.1)
    first, second = tmp_path / "first", tmp_path / "second"
    later = f"if [ -e {first} ]; then : > {second}; {SILENT}; fi\n: > {first}\n"
    sshd = sshd_factory(force_command=forced(tmp_path, later + 'eval "$SSH_ORIGINAL_COMMAND"'))
    before = psutil.Process().num_fds()
    async with connected(sshd, control_dir, "native") as host:
        process = await host.start("read line")
        with anyio.fail_after(PATIENCE):
            while not second.exists():
                await anyio.sleep(0.01)
            await process.write(b"end\n")
            assert await process.wait() == 0
        await process.aclose()
    assert psutil.Process().num_fds() == before
