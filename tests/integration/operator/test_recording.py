"""Recordings of real shells, commands and jobs: what is in them, who can read them, and that they are proven."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import anyio.to_thread
import pytest

from ssh_mcp.errors import ConfigError
from ssh_mcp.recording.moments import Moment
from ssh_mcp.recording.recorder import Recorder
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

CANARY = "ghp_" + "Zk3" * 12


def shown(file: Path) -> str:
    return "".join(json.loads(line)[2] for line in file.read_text().splitlines()[1:])


async def ssh_mcp(server: McpServer, records: Path, *words: str) -> tuple[int, str, str]:
    env = {**os.environ, "SSH_AUDIT_FILE": str(server.audit_file), "SSH_RECORD_DIR": str(records)}
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-m", "ssh_mcp", "audit", *words], check=False, capture_output=True, text=True, env=env
        )
    )
    return done.returncode, done.stdout, done.stderr


async def test_commands_shells_and_jobs_are_recorded_masked_and_played(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    records = tmp_path / "records"
    async with mcp_server({"web": sshd}, ssh_record_dir=str(records), ssh_redact_output=False) as server:
        await server.call("ssh_exec_run", host="web", command=f"echo token={CANARY}; echo bad >&2; exit 3")
        shell = (await server.call("ssh_shell_open", host="web"))["session_id"]
        for command in ("cd /tmp", "pwd", f"export GITHUB_TOKEN={CANARY}; echo $GITHUB_TOKEN"):
            await server.call("ssh_shell_exec", session_id=shell, command=command)
        job = await server.call("ssh_job_start", host="web", command=f"echo job; echo token={CANARY}", wait=10)
        await server.call("ssh_job_output", host="web", job_id=job["job_id"])
        await server.call("ssh_host_ping", host="web")
        lines = server.audit()

        files = sorted(records.iterdir())
        kinds = sorted(next(k for k in ("command", "shell", "job") if f"-{k}-" in file.name) for file in files)
        assert kinds == ["command", "job", "shell"]
        assert stat.S_IMODE(records.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        everything = "".join(file.read_text() for file in files) + server.audit_file.read_text()
        assert CANARY not in everything

        session = next(file for file in files if file.stem.endswith(f"shell-{shell}"))
        text = shown(session)
        assert text.index("cd /tmp") < text.index("pwd") < text.index("\n/tmp\r\n") < text.index("GITHUB_TOKEN")
        assert {line.get("recording") for line in lines} == {None, *(file.stem for file in files)}

        code, out, err = await ssh_mcp(server, records, "play", shell)
        assert (code, err) == (0, "")
        assert "\n/tmp\n" in out
        cid = next(line["correlation_id"] for line in lines if line["tool"] == "ssh_exec_run")
        code, out, _ = await ssh_mcp(server, records, "play", cid)
        assert code == 0
        assert "bad" in out
        assert "exit 3" in out
        code, out, _ = await ssh_mcp(server, records, "play")
        assert len(out.splitlines()) == 3
        assert (await ssh_mcp(server, records, "play", "../../etc/passwd"))[0] == 1

        session.write_text(session.read_text().replace("pwd", "pwn"))
        code, _, err = await ssh_mcp(server, records, "play", shell)
        assert code == 1
        assert "CHANGED" in err


async def test_no_tool_reaches_the_recordings(sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path) -> None:
    records = tmp_path / "records"
    async with mcp_server({"web": sshd}, ssh_record_dir=str(records), ssh_local_transfer_roots=str(tmp_path)) as server:
        await server.call("ssh_exec_run", host="web", command="echo hello")
        (file,) = records.iterdir()
        text = await server.refused("ssh_upload", host="web", path="/tmp/x", local_path=str(file))
        assert text.startswith("LocalPathPolicyError: ")


def moment(number: int) -> Moment:
    return Moment("command", f"{number}", "web", "x" * 40_000, "true")


def test_old_recordings_go_by_age_and_by_bytes(tmp_path: Path) -> None:
    place = tmp_path / "records"
    recorder = Recorder(place, keep_days=1, max_bytes=100_000)
    for number in range(5):
        made = recorder.add([moment(number)], "t", [])
        os.utime(place / f"{made.name}.cast", (time.time() - 10 + number,) * 2)
    other = place / "notes.txt"
    other.write_text("not ours")
    recorder.tidy()
    assert [file.stem[-1] for file in sorted(place.glob("*.cast"))] == ["3", "4"]
    for file in place.glob("*.cast"):
        os.utime(file, (time.time() - 90_000,) * 2)
    recorder.tidy()
    assert list(place.iterdir()) == [other]


def test_a_recording_goes_on_in_another_process_with_the_right_hash(tmp_path: Path) -> None:
    import hashlib

    part = Moment("shell", "abc", "web", "one\n", "echo one")
    first = Recorder(tmp_path / "r", keep_days=1, max_bytes=1 << 20).add([part], "t", [])
    again = Recorder(tmp_path / "r", keep_days=1, max_bytes=1 << 20).add([part], "t", [])
    assert first.name == again.name
    (file,) = (tmp_path / "r").iterdir()
    assert again.sha256 == hashlib.sha256(file.read_bytes()).hexdigest() != first.sha256


def test_a_directory_that_others_can_write_to_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o775)
    (tmp_path / "open").chmod(0o775)
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "private")
    for name in ("open", "link"):
        with pytest.raises(ConfigError, match="nobody else can write to"):
            Recorder(tmp_path / name, keep_days=1, max_bytes=1 << 20)


async def test_a_terminal_is_recorded_in_its_size(sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path) -> None:
    pytest.importorskip("pyte")
    records = tmp_path / "records"
    async with mcp_server({"web": sshd}, ssh_record_dir=str(records)) as server:
        opened = await server.call("ssh_terminal_open", host="web", command="sh", columns=100, rows=30)
        assert (opened["columns"], opened["rows"]) == (100, 30)
        for columns in (100, 132, 132):
            await server.call("ssh_terminal_send", terminal_id=opened["terminal_id"], columns=columns, text="\n")
    (file,) = records.iterdir()
    first, *rest = map(json.loads, file.read_text().splitlines())
    assert (first["width"], first["height"]) == (100, 30)
    assert [(kind, text) for _, kind, text in rest if kind == "r"] == [("r", "132x30")]
    assert [kind for _, kind, _ in rest] == ["o", "o", "r", "o", "o"]
