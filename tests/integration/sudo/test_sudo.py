"""sudo on a real sshd with the real sudo: where the password comes from, every way to be refused, endings, secrecy."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from ssh_mcp.remote.sudo.session import Progress, sudo_command
from ssh_mcp.tokens import arg, command
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.process_table import Trace, carriers, trace  # noqa: F401 - a fixture
from tests.integration.session_rig import connected
from tests.integration.sudo_accounts import (
    NOPASSWD,
    PASSWORD,
    WITH_PASSWORD,
    SudoUser,
    host_of,
    password_command,
    sudo_user,  # noqa: F401 - a fixture
)
from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.sshd import Sshd

WHO = "id -un; echo to stderr >&2; exit 3"


async def check_root(server: McpServer) -> None:
    done = await server.call("ssh_sudo_exec", host="web", command=WHO)
    assert (done["stdout"], done["stderr"], done["exit_code"]) == ("root\n", "to stderr\n", 3)
    assert (done["stdout_bytes"], done["stderr_bytes"]) == (5, 10)


# --- passwords ------------------------------------------------------------------------------------------------------


async def test_the_password_comes_from_a_command(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(WITH_PASSWORD)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        await check_root(server)
        assert server.audit()[-1]["exit_code"] == 3


async def test_nopasswd_needs_none(mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser) -> None:
    async with mcp_server({"web": host_of(sudo_user(NOPASSWD), sshd)}) as server:
        await check_root(server)


async def test_a_password_that_sudo_does_not_ask_for_never_reaches_the_command(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(NOPASSWD)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        done = await server.call("ssh_sudo_exec", host="web", command="cat; echo end")
        assert (done["stdout"], done["stderr"]) == ("end\n", "")


async def test_without_the_line_that_releases_it_the_root_shell_starts_nothing(
    sshd: Sshd, sudo_user: SudoUser, tmp_path: Path, control_dir: str
) -> None:
    """What a call leaves that is cancelled while sudo still looks at the password: end of file, and no more."""
    user = sudo_user(NOPASSWD)
    made = tmp_path / "made"
    line = sudo_command(command("touch", arg(str(made))), Progress(b"a-mark", b"a-prompt"), has_password=True)
    async with connected(sshd, control_dir, destination={"user": user.name}) as connection:
        done = await connection.run(line.wire(), stdin=f"{PASSWORD}\n".encode(), timeout=20)
    assert b"a-mark" in done.stderr
    assert done.exit_code == 125
    assert not made.exists()


async def test_the_keyring_goes_before_the_command_and_its_default_after(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring
    from keyring.backend import KeyringBackend

    entries = {("ssh-mcp-sudo", "web"): PASSWORD}

    class InMemory(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            return entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            entries[service, username] = password

    monkeypatch.setattr(keyring.core, "_keyring_backend", InMemory())  # type: ignore[no-untyped-call]
    user = sudo_user(WITH_PASSWORD)
    wrong = password_command(tmp_path, "wrong")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=wrong) as server:
        await check_root(server)
        entries.clear()
        entries["ssh-mcp-sudo", "default"] = PASSWORD
        assert "refused the password" in await server.refused("ssh_sudo_exec", host="web", command=WHO)
    async with mcp_server({"web": host_of(user, sshd)}) as server:
        await check_root(server)


# --- refusals -------------------------------------------------------------------------------------------------------


async def refused_soon(server: McpServer, tool: str = "ssh_sudo_exec", **arguments: Any) -> str:
    with anyio.fail_after(25):
        return await server.refused(tool, host="web", **(arguments or {"command": "id"}))


async def test_a_wrong_password_is_named_and_tried_once(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(WITH_PASSWORD)
    wrong = password_command(tmp_path, "not it")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=wrong) as server:
        text = await refused_soon(server)
        assert text.startswith("SudoFailed: sudo refused the password")


async def test_a_missing_password_is_named(mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser) -> None:
    async with mcp_server({"web": host_of(sudo_user(WITH_PASSWORD), sshd)}) as server:
        text = await refused_soon(server)
        assert text.startswith("SudoFailed: sudo asks for a password and none is configured")
        assert "ssh-mcp-sudo" in text


@pytest.mark.parametrize("with_password", [True, False])
async def test_an_account_without_rights_is_named(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path, with_password: bool
) -> None:
    user = sudo_user()
    command = password_command(tmp_path) if with_password else None
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=command) as server:
        text = await refused_soon(server)
        assert text.startswith("SudoFailed: ")
        assert ("no sudo rights" in text) is with_password, text


async def test_rights_for_one_program_alone_are_not_enough(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser
) -> None:
    user = sudo_user("{user} ALL=(root) NOPASSWD: /usr/bin/id")
    async with mcp_server({"web": host_of(user, sshd)}) as server:
        assert (await refused_soon(server)).startswith("SudoFailed: ")


async def test_requiretty_is_named(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(WITH_PASSWORD, "Defaults:{user} requiretty")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        assert "requiretty" in await refused_soon(server)


async def test_words_in_another_language_do_not_hang(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(
        WITH_PASSWORD,
        'Defaults:{user} passprompt="Passwort fuer %p: ", passprompt_override',
        'Defaults:{user} badpass_message="Das war nichts."',
        'Defaults:{user} authfail_message="Anmeldung gescheitert."',
    )
    wrong = password_command(tmp_path, "not it")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=wrong) as server:
        text = await refused_soon(server)
        assert text.startswith("SudoFailed: ")
        assert "nichts" in text or "refused the password" in text
    right = password_command(tmp_path)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=right) as server:
        await check_root(server)


async def test_a_second_prompt_of_pam_ends_in_an_error(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    """As with a one-time password behind the first one."""
    need(
        list(Path("/lib").glob("*/security/pam_ftp.so")), "pam_ftp, which asks with words of its own, is not installed"
    )
    user = sudo_user()
    pam = f"auth required pam_unix.so\nauth required pam_ftp.so users={user.name}\naccount required pam_permit.so\n"
    sudo_user(WITH_PASSWORD, pam=pam + "session required pam_permit.so\n")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        with anyio.fail_after(40):
            text = await server.refused("ssh_sudo_exec", host="web", command="id")
        assert text.startswith("SudoFailed: ")
        with anyio.fail_after(15):
            text = await server.refused("ssh_sudo_exec", host="web", command="id", timeout=2)
        assert text.startswith("SudoFailed: "), "the call's own timeout holds for the asking too"


async def test_a_host_without_sudo_is_named(
    mcp_server: McpServerFactory, sshd_factory: Any, throwaway_users: Any, tmp_path: Path
) -> None:
    place = peers_dir() / "bin-without-sudo"
    place.mkdir(exist_ok=True)
    with contextlib.suppress(FileExistsError):
        (place / "sh").symlink_to("/bin/sh")
    sshd = sshd_factory(extra=[f"SetEnv PATH={place}"])
    async with mcp_server(
        {"web": host_of(throwaway_users("sudo", "/bin/sh", PASSWORD), sshd)},
        ssh_sudo_password_cmd=password_command(tmp_path),
    ) as server:
        assert "no sudo" in await refused_soon(server)


async def test_a_password_command_that_fails_or_hangs_is_named(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = sudo_user(WITH_PASSWORD)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd="echo secret >&2; exit 4") as server:
        text = await refused_soon(server)
        assert "gave no password (exit 4)" in text
        assert "secret" not in text
    monkeypatch.setattr("ssh_mcp.remote.sudo.password.COMMAND_TIMEOUT", 0.5)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd="sleep 77") as server:
        assert "did not reply" in await refused_soon(server)


async def test_a_keyring_that_hangs_or_breaks_is_passed_over(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring

    def broken(_service: str, _user: str) -> str:
        raise ValueError("D-Bus says no")

    def stuck(_service: str, _user: str) -> None:
        time.sleep(1.5)

    user = sudo_user(NOPASSWD)
    async with mcp_server({"web": host_of(user, sshd)}) as server:
        monkeypatch.setattr(keyring, "get_password", broken)
        await check_root(server)
        monkeypatch.setattr(keyring, "get_password", stuck)
        monkeypatch.setattr("ssh_mcp.remote.sudo.password.KEYRING_TIMEOUT", 0.2)
        await check_root(server)


# --- commands -------------------------------------------------------------------------------------------------------


async def test_a_script_runs_as_root_from_stdin(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(WITH_PASSWORD)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        done = await server.call("ssh_sudo_run_script", host="web", script="id -un\ncat\necho 'äb'\nexit 6\n")
        assert (done["stdout"], done["stderr"], done["exit_code"]) == ("root\näb\n", "", 6)
        done = await server.call(
            "ssh_sudo_run_script", host="web", script="#!/usr/bin/env python3\nimport os\nprint(os.geteuid())\n"
        )
        assert done["stdout"] == "0\n"


@pytest.mark.parametrize("pty", ["use_pty", "!use_pty"])
async def test_large_output_is_exact_with_and_without_sudos_pty(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, pty: str
) -> None:
    user = sudo_user(NOPASSWD, f"Defaults:{{user}} {pty}")
    async with mcp_server(
        {"web": host_of(user, sshd)}, ssh_stdout_cap_bytes=3000000, ssh_result_max_bytes=3000000
    ) as server:
        done = await server.call(
            "ssh_sudo_exec",
            host="web",
            command="head -c 2500000 /dev/zero | tr '\\0' x; printf '\\r\\n\\n'; echo e >&2",
        )
        assert done["stdout"] == "x" * 2500000 + "\r\n\n"
        assert (done["stdout_bytes"], done["stderr"]) == (2500003, "e\n")


async def test_an_allowlist_holds_for_commands_and_scripts_as_root_too(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser
) -> None:
    user = sudo_user(NOPASSWD)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_command_allowlist="id") as server:
        assert (await server.call("ssh_sudo_exec", host="web", command="id -un"))["stdout"] == "root\n"
        text = await server.refused("ssh_sudo_exec", host="web", command="id; reboot")
        assert text.startswith("CommandNotAllowed: ")
        text = await server.refused("ssh_sudo_run_script", host="web", script="id\nreboot")
        assert text.startswith("CommandNotAllowed: ")


# --- endings --------------------------------------------------------------------------------------------------------

WORKS = {
    "a plain sleep": "{sleep}",
    "a pipeline": "{sleep} | {sleep}",
    "children in the background": "{sleep} & {sleep} & wait",
    "a process that ignores TERM": "sh -c \"trap '' TERM HUP INT; {sleep}; {sleep}\"",
    "the timeout program": "timeout 900 {sleep}",
}


@pytest.mark.parametrize("pty", ["use_pty", "!use_pty"])
@pytest.mark.parametrize("name", list(WORKS))
async def test_a_timeout_ends_all_that_runs_as_root(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, trace: Trace, tmp_path: Path, name: str, pty: str
) -> None:
    user = sudo_user(WITH_PASSWORD, f"Defaults:{{user}} {pty}")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        command = "echo begun; " + WORKS[name].format(sleep=trace.sleep)
        with anyio.fail_after(40):
            done = await server.call("ssh_sudo_exec", host="web", command=command, timeout=2)
        assert done["timed_out"]
        assert (done["stdout"], done["exit_code"]) == ("begun\n", -1)
        await anyio.to_thread.run_sync(trace.wait_gone)


@pytest.mark.parametrize("pty", ["use_pty", "!use_pty"])
@pytest.mark.parametrize("name", list(WORKS))
async def test_a_cancelled_call_ends_all_that_runs_as_root(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, trace: Trace, tmp_path: Path, name: str, pty: str
) -> None:
    user = sudo_user(WITH_PASSWORD, f"Defaults:{{user}} {pty}")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        arguments = {"host": "web", "command": WORKS[name].format(sleep=trace.sleep), "timeout": 100}
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(lambda: server.client.call_tool("ssh_sudo_exec", arguments))
                await anyio.to_thread.run_sync(trace.wait_for)
                tasks.cancel_scope.cancel()
        await anyio.to_thread.run_sync(trace.wait_gone)
        await check_root(server)


@pytest.mark.parametrize("transport", ["process", "direct"])
async def test_sudo_works_the_same_over_the_other_transports(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, trace: Trace, tmp_path: Path, transport: str
) -> None:
    user = sudo_user(WITH_PASSWORD)
    settings = {"ssh_transport": transport, "ssh_sudo_password_cmd": password_command(tmp_path)}
    async with mcp_server({"web": host_of(user, sshd)}, **settings) as server:
        await check_root(server)
        done = await server.call("ssh_sudo_exec", host="web", command=f"{trace.sleep} | {trace.sleep}", timeout=2)
        assert done["timed_out"]
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_sudo_that_waits_for_a_person_is_waited_for_until_the_timeout(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    """As with a push to a phone, before and behind the password."""
    push = "auth optional pam_exec.so quiet /bin/sleep 4\n"
    pam = f"{push}auth required pam_unix.so\n{push}account required pam_permit.so\nsession required pam_permit.so\n"
    user = sudo_user(WITH_PASSWORD, "Defaults:{user} lecture=always", pam=pam)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        await check_root(server)
        with anyio.fail_after(40):
            text = await server.refused("ssh_sudo_exec", host="web", command="id", timeout=2)
        assert text.startswith("SudoFailed: sudo did not start the command within 2 s.")


# --- secrecy --------------------------------------------------------------------------------------------------------


async def test_the_password_is_in_no_argv_environment_log_audit_or_result(
    mcp_server: McpServerFactory,
    sshd: Sshd,
    sudo_user: SudoUser,
    trace: Trace,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Both sides are this machine: every process's arguments and environment are searched while commands run."""
    caplog.set_level(logging.DEBUG)
    user = sudo_user(WITH_PASSWORD)
    seen: list[str] = []
    answers: list[dict[str, Any]] = []
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        async with anyio.create_task_group() as tasks:

            async def run(tool: str, **what: str) -> None:
                answers.append(await server.call(tool, host="web", timeout=3, **what))

            tasks.start_soon(lambda: run("ssh_sudo_exec", command=f"env; {trace.sleep}"))
            tasks.start_soon(lambda: run("ssh_sudo_run_script", script=f"cat; env; {trace.sleep}"))
            for _ in range(20):
                seen += await anyio.to_thread.run_sync(carriers, PASSWORD)
                await anyio.sleep(0.1)
            await anyio.to_thread.run_sync(trace.wait_for, 2)
            seen += await anyio.to_thread.run_sync(carriers, PASSWORD)
        audit = server.audit_file.read_text()
    assert seen == []
    assert "uid" not in audit
    for place in (caplog.text, audit, json.dumps(answers), sshd.log_text()):
        assert PASSWORD not in place
        assert "4711" not in place
    assert not list(Path(os.getcwd()).glob("core*"))


@pytest.mark.parametrize("startup", ["exec sh", "exec busybox sh", "exec bash --norc", "cat"])
async def test_a_program_in_the_place_of_the_shell_never_gets_the_password(
    mcp_server: McpServerFactory,
    sshd: Sshd,
    throwaway_users: Any,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    startup: str,
) -> None:
    need(startup == "cat" or shutil.which(startup.split()[1]), f"{startup} is not installed")
    caplog.set_level(logging.DEBUG)
    user = throwaway_users("sudorc", "/bin/bash", PASSWORD)
    (user.home / ".bashrc").write_text(startup + "\n")
    async with mcp_server({"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path)) as server:
        for tool, what in (("ssh_sudo_exec", {"command": "id"}), ("ssh_sudo_run_script", {"script": "id"})):
            text = await refused_soon(server, tool, **what)
            assert "was not run" in text
            assert "4711" not in text
        assert "4711" not in caplog.text + server.audit_file.read_text()


async def test_the_password_is_masked_where_a_command_shows_it(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser, tmp_path: Path
) -> None:
    user = sudo_user(WITH_PASSWORD)
    shown = tmp_path / "shown"
    shown.write_text(f"it is {PASSWORD}, said the file\n")
    async with mcp_server(
        {"web": host_of(user, sshd)}, ssh_sudo_password_cmd=password_command(tmp_path), ssh_redact_output=False
    ) as server:
        done = await server.call("ssh_sudo_exec", host="web", command=f"cat {shown}; cat {shown} >&2")
        assert (done["stdout"], done["stderr"]) == ("it is <sudo password>, said the file\n",) * 2


async def test_long_output_of_root_is_cut_and_kept_without_what_sudo_said(
    mcp_server: McpServerFactory, sshd: Sshd, sudo_user: SudoUser
) -> None:
    user = sudo_user(NOPASSWD)
    async with mcp_server({"web": host_of(user, sshd)}, ssh_stderr_cap_bytes=5000) as server:
        done = await server.call("ssh_sudo_exec", host="web", command="seq 1 100000 >&2; seq 1 300000")
        assert done["stdout"].endswith("\n300000\n")
        assert done["stderr"].startswith("1\n2\n")
        assert done["stderr"].endswith("\n100000\n")
        for stream, last in (("stdout", 300_000), ("stderr", 100_000)):
            kept = {"output_id": done["output_id"], "stream": stream, "max_bytes": 1 << 20}
            first = await server.call("ssh_output_read", **kept, first_lines=3)
            assert (first["text"], first["lines_total"]) == ("1\n2\n3\n", last)
