"""What a command had said before its link was lost reaches the caller: guarded and bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from ssh_mcp.remote.exec.partial_output import SHOWN_CHARS
from tests.faults.proxy import Port, Proxy
from tests.faults.rig import named
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.integration.session_rig import connected
from tests.peers.sshd import Sshd
from transports.errors import MasterLost, PartialOutput

SAYS = "echo line one; echo DB_PASSWORD=hunter2hunter2; echo careful >&2; printf half"


@dataclass
class Link:
    sshd: Sshd
    port: Port

    @property
    def host(self) -> Host:
        return Host(replace(self.sshd, port=self.port.number))


@pytest.fixture
def link(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.05)
    proxy = Proxy()
    port = proxy.new("h", sshd.port)
    sshd.known_hosts.write_text(sshd.known_hosts_line() + replace(sshd, port=port.number).known_hosts_line())
    yield Link(sshd, port)
    proxy.close()


@pytest.mark.parametrize("backend", ["native", "process", "direct"])
async def test_a_lost_command_brings_what_it_had_said(link: Link, trace: Trace, control_dir: str, backend: str) -> None:
    to = {"port": link.port.number}
    async with connected(link.sshd, control_dir, backend, destination=to, max_connections_per_host=1) as host:
        seen = {"stdout": 0, "stderr": 0}

        def sink(stream: str, data: bytes) -> None:
            seen[stream] += len(data)
            if seen == {"stdout": 100_000, "stderr": 4}:
                link.port.cut()

        with anyio.fail_after(30), pytest.raises(MasterLost) as lost:
            await host.run(f"yes | head -c 100000; echo err >&2; {trace.sleep}", stdout_cap=10, on_output=sink)
        said = lost.value.partial
        assert said is not None
        if backend == "direct":  # there ssh itself says on stderr that the connection broke
            assert said.stderr.startswith(b"err\n")
            said = replace(said, stderr=b"err\n", stderr_total=4)
        assert said == PartialOutput(b"y\n" * 5, b"err\n", 100_000, 4)


async def _lost(server: McpServer, link: Link, trace: Trace, tool: str, **arguments: Any) -> str:
    """The text of a call whose link is cut once all that its command had to say has come."""
    said = ""
    async with anyio.create_task_group() as tasks:

        async def strike() -> None:
            await anyio.to_thread.run_sync(trace.wait_for)
            for _ in range(2):  # by the same master, behind the output
                await server.call("ssh_exec_run", host="web", command="echo on")
            link.port.cut()

        tasks.start_soon(strike)
        with anyio.fail_after(60):
            if tool == "ssh_broadcast":
                done = await server.call(tool, hosts=["web"], **arguments)
                said = done["errors"]["web"]
            else:
                said = await server.refused(tool, **arguments)
    return said


TOOLS = {
    "ssh_exec_run": "command",
    "ssh_exec_run_streaming": "command",
    "ssh_exec_script": "script",
    "ssh_broadcast": "command",
    "ssh_shell_exec": "command",
    "ssh_sudo_exec": "command",
    "ssh_sudo_run_script": "script",
}


@pytest.mark.parametrize("tool", TOOLS)
async def test_the_caller_gets_it_with_its_secrets_masked(
    mcp_server: McpServerFactory, link: Link, trace: Trace, tool: str
) -> None:
    async with mcp_server({"web": link.host}, ssh_max_connections_per_host=1) as server:
        arguments: dict[str, Any] = {TOOLS[tool]: f"{SAYS}; {trace.sleep}"}
        if tool == "ssh_shell_exec":
            arguments["session_id"] = (await server.call("ssh_shell_open", host="web"))["session_id"]
        elif tool != "ssh_broadcast":
            arguments["host"] = "web"
        text = await _lost(server, link, trace, tool, **arguments)
        sentences, _, told = text.partition("\n")
        assert named(text)
        assert sentences.startswith("MasterLost: ")
        first, second, third, fourth, *stderr = told.split("\n")
        assert first == "stdout until then (40 bytes):"
        assert (second, fourth) == ("line one", "half")
        assert third.startswith("DB_PASSWORD=<sha:")
        assert stderr == ["stderr until then (8 bytes):", "careful"]
        assert "hunter2" not in text


COUNT = "i=10000; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; "
CAP = 60_000


async def _lines(mcp_server: McpServerFactory, link: Link, trace: Trace, command: str) -> list[str]:
    async with mcp_server({"web": link.host}, ssh_stdout_cap_bytes=CAP) as server:
        text = await _lost(server, link, trace, "ssh_exec_run", host="web", command=command + trace.sleep)
    assert len(text) < SHOWN_CHARS + 500
    return text.split("\n")[1:]


@pytest.mark.parametrize("times", [1, 2])
async def test_of_a_long_output_the_end_is_returned(
    mcp_server: McpServerFactory, link: Link, trace: Trace, times: int
) -> None:
    headline, *lines = await _lines(mcp_server, link, trace, COUNT * times)
    assert headline == f"stdout until then ({CAP * times} bytes, the last {len(lines) * 6} characters):"
    assert lines == [str(i) for i in range(20000 - len(lines), 20000)]
    assert SHOWN_CHARS - 6 < len(lines) * 6 <= SHOWN_CHARS


async def test_of_a_silent_command_it_is_said_that_nothing_came(
    mcp_server: McpServerFactory, link: Link, trace: Trace
) -> None:
    assert await _lines(mcp_server, link, trace, "") == ["Nothing of its output had arrived."]


@pytest.mark.parametrize("tool", ["ssh_exec_run", "ssh_shell_exec"])
async def test_its_recording_has_it_too_and_says_that_it_is_not_all(
    mcp_server: McpServerFactory, link: Link, trace: Trace, tmp_path: Path, tool: str
) -> None:
    records = tmp_path / "records"
    async with mcp_server({"web": link.host}, ssh_record_dir=str(records)) as server:
        own = {"host": "web"}
        if tool == "ssh_shell_exec":
            own = {"session_id": (await server.call("ssh_shell_open", host="web"))["session_id"]}
        await _lost(server, link, trace, tool, command=f"{SAYS}; {trace.sleep}", **own)
        line = next(line for line in server.audit() if line["tool"] == tool and line["result"] == "error")
    shown = (records / f"{line['recording']}.cast").read_text()
    assert "line one" in shown
    assert "The recording of this command ends here." in shown
    assert "hunter2" not in shown
