"""Jobs over MCP on a real sshd: they outlive everything of ours, and what is said of them is true."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from ssh_mcp.remote.caller import Caller
from tests.integration.conftest import UserFactory, masters_of
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.integration.sudo_accounts import (
    PASSWORD,
    WITH_PASSWORD,
    SudoUser,
    host_of,
    password_command,
    sudo_user,  # noqa: F401 - a fixture
)
from tests.peers import need
from tests.peers.accounts import Account
from tests.peers.sshd import Sshd

TOKEN = "ghp_" + "a1B2c3D4e5" * 4


@pytest.fixture
def account(throwaway_users: UserFactory) -> Account:
    need(os.geteuid() == 0, "accounts of our own need root")
    return throwaway_users("jobs", "/bin/sh")


@pytest.fixture
def web(shared_sshd: Sshd, account: Account) -> Host:
    return Host(shared_sshd, user=account.name)


async def ended(server: McpServer, job_id: str, host: str = "web") -> dict[str, Any]:
    return await server.call("ssh_job_status", host=host, job_id=job_id, wait=20)


async def test_a_job_from_its_start_to_its_removal(mcp_server: McpServerFactory, web: Host, account: Account) -> None:
    async with mcp_server({"web": web}) as server:
        command = f"echo begun; echo token={TOKEN}; echo bad >&2; exit 7"
        done = await server.call("ssh_job_start", host="web", command=command, name="first", wait=20)
        assert (done["state"], done["exit_code"], done["name"], done["host"]) == ("exited", 7, "first", "web")
        assert done["stdout"].startswith("begun\ntoken=<sha:")
        assert done["stderr"] == "bad\n"
        assert (done["next_stdout"], done["next_stderr"]) == (done["stdout_bytes"], 4)
        (entry,) = (await server.call("ssh_job_list", host="web"))["jobs"]
        assert (entry["job_id"], entry["state"], entry["stderr_bytes"]) == (done["job_id"], "exited", 4)
        assert TOKEN not in json.dumps(entry)
        stored = account.home / ".ssh-mcp/jobs" / done["job_id"]
        assert stored.stat().st_mode & 0o777 == 0o700
        assert all(p.stat().st_mode & 0o077 == 0 for p in stored.iterdir())
        assert TOKEN not in (stored / "about").read_text()
        found = await server.call("ssh_job_output", host="web", job_id=done["job_id"], grep="ghp_|^begun|token")
        assert (found["lines_matched"], found["more"]) == (2, False)
        assert TOKEN not in found["text"]
        gone = await server.call("ssh_job_cancel", host="web", job_id=done["job_id"], remove=True)
        assert (gone["state"], gone.get("signal"), gone["removed"]) == ("exited", None, True)
        assert not stored.exists()
        assert (await server.refused("ssh_job_status", host="web", job_id=done["job_id"])).startswith("JobNotFound: ")
        lines = [line for line in server.audit() if line.get("job") == done["job_id"]]
        assert [line["tool"] for line in lines][:2] == ["ssh_job_end", "ssh_job_start"]
        assert (lines[0]["exit_code"], lines[0]["tier"], lines[0]["alias"]) == (7, "dangerous", "web")
        assert lines[0]["parent"] == lines[1]["correlation_id"]
        assert [line["tool"] for line in lines].count("ssh_job_end") == 1


async def test_output_by_cursor_while_it_grows(mcp_server: McpServerFactory, web: Host) -> None:
    expected = "".join(f"{i:04d} äöü€\n" for i in range(400))
    script = (
        "i=0; while [ $i -lt 400 ]; do printf '%04d äöü€\\n' $i; i=$((i+1)); [ $((i % 40)) != 0 ] || sleep 0.1; done"
    )
    async with mcp_server({"web": web}) as server:
        job = await server.call("ssh_job_start", host="web", command=script, wait=0)
        read, cursor, state, total = "", 0, "running", 0
        with anyio.fail_after(60):
            while state == "running" or cursor < total:
                piece = await server.call(
                    "ssh_job_output", host="web", job_id=job["job_id"], cursor=cursor, max_bytes=997
                )
                read, cursor, state = read + piece["text"], piece["cursor"], piece["state"]
                total = piece["bytes_total"]
        assert read == expected
        tail = await server.call("ssh_job_output", host="web", job_id=job["job_id"], last_lines=3)
        assert tail["text"] == "".join(expected.splitlines(keepends=True)[-3:])
        beyond = await server.refused("ssh_job_output", host="web", job_id=job["job_id"], cursor=10**6)
        assert beyond.startswith("InvalidArgument: ")
        wrong = await server.refused("ssh_job_output", host="web", job_id=job["job_id"], grep="(?=a)")
        assert wrong.startswith("InvalidArgument: The pattern cannot be used")


async def test_a_job_outlives_server_master_and_session_killed_with_9(
    mcp_server: McpServerFactory, web: Host, trace: Trace, control_dir: str, shared_sshd: Sshd
) -> None:
    async with mcp_server({"web": web}, stdio=True) as server:
        job = await server.call("ssh_job_start", host="web", command=f"{trace.sleep}; true", wait=0)
        assert job["state"] == "running"
        for process in psutil.process_iter(["cmdline"]):
            if "ssh_mcp" in (process.info["cmdline"] or []) and str(server.hosts_file.parent) == process.cwd():
                process.send_signal(signal.SIGKILL)
    async with mcp_server({"web": web}) as second:
        found = await second.call("ssh_job_status", host="web", job_id=job["job_id"])
        assert (found["state"], found["started"]) == ("running", job["started"])
        for master in masters_of(control_dir):
            master.kill()
        assert (await second.call("ssh_job_status", host="web", job_id=job["job_id"]))["state"] == "running"
        for process in shared_sshd.session_processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("sshd"):
                    process.kill()
        assert (await second.call("ssh_job_status", host="web", job_id=job["job_id"]))["state"] == "running"
        cancelled = await second.call("ssh_job_cancel", host="web", job_id=job["job_id"])
        assert (cancelled["state"], cancelled["signal"]) == ("cancelled", "TERM")
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_start_without_a_wait_leaves_its_session_and_the_next_call_finds_the_job(
    mcp_server: McpServerFactory, web: Host, trace: Trace
) -> None:
    async with mcp_server({"web": web}) as server:
        assert server.app is not None
        ledger = server.app.fleet.jobs
        await server.call("ssh_job_start", host="web", command="true", wait=20)
        assert ledger.quick("web")
        job = await server.call("ssh_job_start", host="web", command=f"echo ä; {trace.sleep}; true", wait=0)
        assert (job["state"], job["stdout_bytes"]) == ("running", 0)
        assert await server.call("ssh_exec_run", host="web", command="echo ${keep_sh-none}; type look") is not None
        seen = await server.call("ssh_job_status", host="web", job_id=job["job_id"], wait=1)
        assert (seen["state"], seen["stdout"]) == ("running", "ä\n")
        async with anyio.create_task_group() as tasks:  # a call that is cancelled at once: begun or not, never half
            tasks.start_soon(lambda: server.call("ssh_job_start", host="web", command=f"{trace.sleep}; true", wait=0))
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        for each in (await server.call("ssh_job_list", host="web"))["jobs"]:
            if each["state"] == "running":
                ended_ = await server.call("ssh_job_cancel", host="web", job_id=each["job_id"])
                assert (ended_["state"], ended_["signal"]) == ("cancelled", "TERM")
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_start_that_waits_returns_at_the_end_or_in_time_and_its_job_outlives_the_call(
    mcp_server: McpServerFactory, web: Host, trace: Trace
) -> None:
    async with mcp_server({"web": web}) as server:
        assert server.app is not None
        await server.call("ssh_job_start", host="web", command="true", wait=20)
        assert server.app.fleet.jobs.quick("web")
        job = await server.call("ssh_job_start", host="web", command="echo ä; echo e >&2; exit 3", wait=20, name="n")
        assert (job["state"], job["exit_code"], job["stdout"], job["stderr"]) == ("exited", 3, "ä\n", "e\n")
        job = await server.call("ssh_job_start", host="web", command=f"echo ö; {trace.sleep}; true", wait=0.5, name="n")
        assert (job["state"], job["stdout"], job["already_running"]) == ("running", "ö\n", False)
        for wait in (0, 5):
            again = await server.call("ssh_job_start", host="web", command="true", wait=wait, name="n")
            assert (again["job_id"], again["already_running"]) == (job["job_id"], True)
        assert (await server.call("ssh_job_cancel", host="web", job_id=job["job_id"]))["state"] == "cancelled"
        await anyio.to_thread.run_sync(trace.wait_gone)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: server.call("ssh_job_start", host="web", command=f"{trace.sleep}; true", wait=45))
            await anyio.to_thread.run_sync(trace.wait_for)
            tasks.cancel_scope.cancel()
        (left,) = (j for j in (await server.call("ssh_job_list", host="web"))["jobs"] if j["state"] == "running")
        assert (await server.call("ssh_job_cancel", host="web", job_id=left["job_id"]))["signal"] == "TERM"
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_cancelled_call_leaves_its_job_running(mcp_server: McpServerFactory, web: Host, trace: Trace) -> None:
    async with mcp_server({"web": web}) as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: server.call("ssh_job_start", host="web", command=f"{trace.sleep}; true", name="kept", wait=45)
            )
            await anyio.to_thread.run_sync(trace.wait_for)
            tasks.cancel_scope.cancel()
        again = await server.call("ssh_job_start", host="web", command=f"{trace.sleep}; true", name="kept", wait=0)
        assert (again["already_running"], again["state"]) == (True, "running")
        await server.call("ssh_job_cancel", host="web", job_id=again["job_id"])


async def test_the_same_name_from_two_servers_at_once_starts_one(
    mcp_server: McpServerFactory, web: Host, trace: Trace
) -> None:
    async with mcp_server({"web": web}) as one, mcp_server({"web": web}) as two:
        found: list[dict[str, Any]] = []

        async def start(server: McpServer) -> None:
            found.append(await server.call("ssh_job_start", host="web", command=trace.sleep, name="once", wait=0))

        async with anyio.create_task_group() as tasks:
            for server in (one, two, one, two):
                tasks.start_soon(start, server)
        assert len({job["job_id"] for job in found}) == 1
        assert sorted(job["already_running"] for job in found) == [False, True, True, True]
        listed = [await server.call("ssh_job_list", host="web") for server in (one, two)]
        assert [len([j for j in each["jobs"] if j["state"] == "running"]) for each in listed] == [1, 1]
        await two.call("ssh_job_cancel", host="web", job_id=found[0]["job_id"])


async def test_another_identity_sees_nothing_of_a_job(
    mcp_server: McpServerFactory, web: Host, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mcp_server({"web": web}) as server:
        job = await server.call("ssh_job_start", host="web", command=trace.sleep, name="mine", wait=0)
        monkeypatch.setattr("ssh_mcp.tools.registered.caller", lambda: Caller("somebody@else"))
        assert (await server.call("ssh_job_list", host="web"))["jobs"] == []
        for tool in ("ssh_job_status", "ssh_job_output", "ssh_job_cancel"):
            text = await server.refused(tool, host="web", job_id=job["job_id"])
            assert text.startswith("JobNotFound: "), tool
        other = await server.call("ssh_job_start", host="web", command="true", name="mine", wait=20)
        assert not other["already_running"]
        monkeypatch.undo()
        assert (await server.call("ssh_job_cancel", host="web", job_id=job["job_id"]))["state"] == "cancelled"


async def test_root_jobs_are_watched_without_root_and_ended_by_root(
    mcp_server: McpServerFactory, shared_sshd: Sshd, sudo_user: SudoUser, tmp_path: Path, trace: Trace
) -> None:
    user = sudo_user(WITH_PASSWORD)
    host = host_of(user, shared_sshd)
    settings = {"ssh_sudo_password_cmd": password_command(tmp_path, PASSWORD)}
    async with mcp_server({"web": host}, **settings) as server:
        done = await server.call("ssh_job_start", host="web", command="id -un; exit 4", sudo=True, wait=20)
        assert (done["state"], done["exit_code"], done["stdout"], done["sudo"]) == ("exited", 4, "root\n", True)
        timed = await server.call(
            "ssh_job_start", host="web", command=f"{trace.sleep}; true", sudo=True, timeout=1, wait=20
        )
        assert timed["state"] == "timed_out"
        job = await server.call("ssh_job_start", host="web", command=f"{trace.sleep} | cat", sudo=True, wait=0)
        closed = {**settings, "allow_sudo": False}
        async with mcp_server({"web": host}, **closed) as unprivileged:
            assert (await unprivileged.call("ssh_job_status", host="web", job_id=job["job_id"]))["state"] == "running"
            for tool, extra in (
                ("ssh_job_cancel", {"job_id": job["job_id"]}),
                ("ssh_job_start", {"command": "id", "sudo": True}),
            ):
                assert (await unprivileged.refused(tool, host="web", **extra)).startswith("TierClosed: ")
        assert (await server.call("ssh_job_cancel", host="web", job_id=job["job_id"]))["state"] == "cancelled"
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert PASSWORD not in json.dumps(server.audit())
    async with mcp_server({"web": host}, ssh_sudo_password_cmd=password_command(tmp_path, "wrong")) as server:
        text = await server.refused("ssh_job_start", host="web", command="id", sudo=True)
        assert text.startswith("SudoFailed: ")
        listed = await server.call("ssh_job_list", host="web")
        # the account's earlier jobs follow
        assert [job["state"] for job in listed["jobs"]][:3] == ["cancelled", "timed_out", "exited"]


async def test_policy_limits_and_places_that_cannot_be_written(
    mcp_server: McpServerFactory, web: Host, account: Account, shared_sshd: Sshd
) -> None:
    tight = Host(shared_sshd, user=account.name, lines=['command_allowlist = ["echo", "sleep"]'])
    options = {"ssh_job_max_output_bytes": 4096, "ssh_job_keep_hours": 0, "allow_any_command": False}
    async with mcp_server({"web": tight}, **options) as server:
        text = await server.refused("ssh_job_start", host="web", command="echo a; id")
        assert text.startswith("CommandNotAllowed: ")
        assert (await server.refused("ssh_job_start", host="web", command="echo", wait=46)).startswith(
            "InvalidArgument: "
        )
        assert (await server.refused("ssh_job_status", host="web", job_id="../../x")).startswith("InvalidArgument: ")
        done = await server.call("ssh_job_start", host="web", command="echo " + "x" * 9000, wait=20)
        assert (done["state"], done["exit_code"], done["stdout_bytes"]) == ("exited", 0, 3584)
        assert "SSH_JOB_MAX_OUTPUT_BYTES" in done["hint"]
        await anyio.sleep(1.1)  # jobs are kept no hours at all, and epochs are whole seconds
        assert (await server.call("ssh_job_list", host="web"))["jobs"] == []
        slow = await server.call("ssh_exec_run", host="web", command="sleep 20", timeout=1)
        assert "ssh_job_start" in slow["hint"]
    (account.home / ".ssh-mcp").rename(account.home / "away")
    (account.home / ".ssh-mcp").write_text("in the way")
    try:
        async with mcp_server({"web": web}) as server:
            text = await server.refused("ssh_job_start", host="web", command="echo")
            assert text.startswith("JobStoreUnavailable: ")
    finally:
        (account.home / ".ssh-mcp").unlink()


async def test_megabytes_of_output_are_counted_read_and_searched(mcp_server: McpServerFactory, web: Host) -> None:
    async with mcp_server({"web": web}) as server:
        command = "seq -f 'line %.0f of many' 1 400000"
        done = await server.call("ssh_job_start", host="web", command=command, wait=45)
        whole = "".join(f"line {i} of many\n" for i in range(1, 400001)).encode()
        assert (done["state"], done["stdout_bytes"]) == ("exited", len(whole))
        assert done["stdout"].endswith("line 400000 of many\n")
        assert "cursor=0" in done["hint"]
        found = await server.call("ssh_job_output", host="web", job_id=done["job_id"], grep="line [0-9]*99999 ")
        assert found["text"].split()[1::4] == ["99999", "199999", "299999", "399999"]
        assert (found["cursor"], found["more"]) == (len(whole), False)
        piece = await server.call("ssh_job_output", host="web", job_id=done["job_id"], cursor=5_000_000, max_bytes=9000)
        assert (
            hashlib.sha256(piece["text"].encode()).digest()
            == hashlib.sha256(whole[5_000_000 : piece["cursor"]]).digest()
        )


async def test_strange_names_and_commands_run_as_they_are_or_are_refused(
    mcp_server: McpServerFactory, web: Host
) -> None:
    async with mcp_server({"web": web}) as server:

        async def run(command: str, **more: Any) -> dict[str, Any]:
            done = await server.call("ssh_job_start", host="web", command=command, wait=more.pop("wait", 20), **more)
            done = await server.call("ssh_job_status", host="web", job_id=done["job_id"], wait=20)
            return {key: done[key] for key in ("state", "exit_code", "name", "stdout_bytes", "stdout")}

        name = "a'b\"c $(id) `id` \\ %41 ;&|"
        odd = await run("printf %s '$x' \"'\"; cat <<'E'\n`a`\\\n\nE\n# end", name=name)
        assert odd == {
            "state": "exited", "exit_code": 0, "name": name, "stdout_bytes": 9, "stdout": "$x'`a`\\\n\n"
        }  # fmt: skip
        for wait in (0, 20):
            long = await run(f": {'x' * 60_000}; echo {'é' * 10}", wait=wait)
            assert (long["state"], long["stdout"]) == ("exited", "é" * 10 + "\n")
            bad = await run("if", wait=wait)
            assert (bad["state"], bad["exit_code"]) == ("exited", 2)
        for name, command in (
            ("", "true"),
            ("a\nb", "true"),
            ("x" * 101, "true"),
            ("\0", "true"),
            ("a", "echo a\0b"),
            ("a", "x" * 100_000),
        ):
            text = await server.refused("ssh_job_start", host="web", command=command, name=name)
            assert "Traceback" not in text
            assert text.count("\n") == 0
        for job_id in ("..", "../../etc", "0" * 12, "0" * 13, "*", "ABCDEF012345", ""):
            text = await server.refused("ssh_job_status", host="web", job_id=job_id)
            assert text.startswith(("InvalidArgument: ", "JobNotFound: ")), text
