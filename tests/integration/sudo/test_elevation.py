"""Hosts without sudo: doas and sudo-rs, the real ones, behind a real sshd."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.process_table import Trace, carriers, trace  # noqa: F401 - a fixture
from tests.integration.sudo_accounts import (
    NOPASSWD,
    PASSWORD,
    WITH_PASSWORD,
    SudoUser,
    host_of,
    password_command,
    sudo_user,  # noqa: F401 - a fixture
)
from tests.peers.elevation import doas_only, sudo_rs_only, sudo_rs_path
from tests.peers.sshd import Sshd


async def works_as_root(server: McpServer, place: Path, program: str) -> None:
    """One call of each family: commands, scripts, files, jobs."""
    info = await server.call("ssh_host_info", host="web")
    assert info["capabilities"]["elevation"] == program
    done = await server.call("ssh_sudo_exec", host="web", command="id -un; cat; echo to stderr >&2; exit 3")
    assert (done["stdout"], done["stderr"], done["exit_code"]) == ("root\n", "to stderr\n", 3)
    done = await server.call("ssh_sudo_run_script", host="web", script="#!/bin/sh\nid -u\n")
    assert done["stdout"] == "0\n"
    path = str(place / "file of root")
    await server.call("ssh_sudo_write", host="web", path=path, content_text="one\ntwo\n", mode="0600")
    assert (place / "file of root").stat().st_uid == 0
    await server.call("ssh_sudo_edit", host="web", path=path, old_string="two", new_string="three")
    assert (await server.call("ssh_sudo_read", host="web", path=path))["content_text"] == "one\nthree\n"
    job = await server.call("ssh_job_start", host="web", command="id -un; exit 4", sudo=True, wait=20)
    assert (job["state"], job["exit_code"], job["stdout"]) == ("exited", 4, "root\n")


async def ends_what_runs_as_root(server: McpServer, trace: Trace) -> None:
    """At a timeout and on cancellation."""
    with anyio.fail_after(40):
        done = await server.call("ssh_sudo_exec", host="web", command=f"echo begun; {trace.sleep} | cat", timeout=2)
    assert (done["timed_out"], done["stdout"]) == (True, "begun\n")
    await anyio.to_thread.run_sync(trace.wait_gone)
    arguments = {"host": "web", "command": f"trap '' TERM; {trace.sleep}; {trace.sleep}", "timeout": 100}
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: server.client.call_tool("ssh_sudo_exec", arguments))
            await anyio.to_thread.run_sync(trace.wait_for)
            tasks.cancel_scope.cancel()
    await anyio.to_thread.run_sync(trace.wait_gone)


def sudo_rs_host(sshd_factory: SshdFactory, *, as_sudo: bool) -> Sshd:
    return sshd_factory(
        inside=sudo_rs_only(as_sudo=as_sudo), extra=[f"SetEnv PATH={sudo_rs_path()}:/usr/local/bin:/usr/bin:/bin"]
    )


@pytest.mark.parametrize("as_sudo", [True, False])
async def test_sudo_rs_serves_where_sudo_does_not(
    mcp_server: McpServerFactory,
    sshd_factory: SshdFactory,
    sudo_user: SudoUser,
    tmp_path: Path,
    trace: Trace,
    as_sudo: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a password, which nobody but sudo-rs may see."""
    caplog.set_level(logging.DEBUG)
    sshd = sudo_rs_host(sshd_factory, as_sudo=as_sudo)
    host = host_of(sudo_user(WITH_PASSWORD), sshd)
    async with mcp_server({"web": host}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        await works_as_root(server, tmp_path, "sudo-rs")
        await ends_what_runs_as_root(server, trace)
        shown: list[Any] = []
        async with anyio.create_task_group() as tasks:

            async def run() -> None:
                shown.append(await server.call("ssh_sudo_exec", host="web", command=f"env; {trace.sleep}", timeout=3))

            tasks.start_soon(run)
            await anyio.to_thread.run_sync(trace.wait_for)
            assert await anyio.to_thread.run_sync(carriers, PASSWORD) == []
        for place in (caplog.text, server.audit_file.read_text(), json.dumps(shown), sshd.log_text()):
            assert "4711" not in place


async def test_what_sudo_rs_refuses_is_named(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, sudo_user: SudoUser, tmp_path: Path
) -> None:
    sshd = sudo_rs_host(sshd_factory, as_sudo=False)
    user = sudo_user(WITH_PASSWORD)
    with anyio.fail_after(60):
        for settings, words in (
            ({"ssh_sudo_password_cmd": password_command(tmp_path, "wrong")}, "sudo-rs refused the password"),
            ({}, "sudo-rs asks for a password and none is configured"),
        ):
            async with mcp_server({"web": host_of(user, sshd)}, **settings) as server:
                text = await server.refused("ssh_sudo_exec", host="web", command="id")
                assert text.startswith(f"SudoFailed: {words}"), text


async def test_doas_serves_where_there_is_no_sudo(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, sudo_user: SudoUser, tmp_path: Path, trace: Trace
) -> None:
    """A configured password (another host's, by the keyring's default) does not get in its way."""
    user = sudo_user()
    sshd = sshd_factory(inside=doas_only(f"permit nopass {user.name} as root"))
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        await works_as_root(server, tmp_path, "doas")
        await ends_what_runs_as_root(server, trace)


@pytest.mark.parametrize(
    ("rules", "words", "remedy"),
    [
        ("permit {user} as root", "doas asks for a password on this host", "permit nopass LOGIN"),
        ("permit nopass root", "The login user has no doas rights", "doas.conf"),
    ],
)
async def test_what_doas_refuses_is_named(
    mcp_server: McpServerFactory,
    sshd_factory: SshdFactory,
    sudo_user: SudoUser,
    rules: str,
    words: str,
    remedy: str,
) -> None:
    user = sudo_user(NOPASSWD)
    sshd = sshd_factory(inside=doas_only(rules.format(user=user.name)))
    async with mcp_server({"web": host_of(user, sshd)}) as server:
        with anyio.fail_after(30):
            for tool, what in (
                ("ssh_sudo_exec", {"command": "id"}),
                ("ssh_sudo_read", {"path": "/etc/shadow"}),
                ("ssh_job_start", {"command": "id", "sudo": True}),
            ):
                text = await server.refused(tool, host="web", **what)
                assert text.startswith(f"SudoFailed: {words}"), text
                assert remedy in text
