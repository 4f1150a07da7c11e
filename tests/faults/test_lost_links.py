"""A command whose link breaks is ended on its host: at once by the watch there, or when the host is reached again."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import psutil
import pytest

from tests.faults.proxy import Port, Proxy
from tests.faults.raw import environment, raw_server
from tests.integration.conftest import masters_of
from tests.integration.mcp_server import Host
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.integration.session_rig import connected, running_on
from tests.peers.other_servers import start_dropbear_for_root
from tests.peers.sshd import Sshd, kill_all, wait_until
from transports.errors import MasterLost, TransportError
from transports.openssh.connection import OpenSSHConnection

BACKENDS = ["native", "process", "direct"]


@dataclass
class Link:
    """A host behind the proxy."""

    sshd: Sshd
    port: Port
    control_dir: str

    def connected(self, backend: str) -> AbstractAsyncContextManager[OpenSSHConnection]:
        config = {"keepalive_interval": 1.0, "connect_timeout": 3.0, "max_connections_per_host": 1}
        return connected(self.sshd, self.control_dir, backend, destination={"port": self.port.number}, **config)

    def kill_clients(self) -> None:
        """The masters, or where there are none the ssh processes that carry a session each."""
        ours = [p for p in psutil.Process().children() if p.name() == "ssh"]
        kill_all([*masters_of(self.control_dir), *ours])


@pytest.fixture
def link(sshd: Sshd, control_dir: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Link]:
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.05)
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_MAX", 0.2)
    monkeypatch.setattr("transports.openssh.masters.pool.SHORT_LIFE", 0.0)
    proxy = Proxy()
    port = proxy.new("h", sshd.port)
    sshd.known_hosts.write_text(sshd.known_hosts_line() + replace(sshd, port=port.number).known_hosts_line())
    yield Link(sshd, port, control_dir)
    proxy.close()


@pytest.fixture(params=BACKENDS)
async def host(link: Link, request: pytest.FixtureRequest) -> AsyncIterator[OpenSSHConnection]:
    async with link.connected(request.param) as connection:
        yield connection


LOSSES: dict[str, Callable[[Link], None]] = {
    "cut": lambda link: link.port.cut(),
    "closed": lambda link: link.port.cut(reset=False),
    "stalled": lambda link: link.port.hold(),
    "client killed": lambda link: link.kill_clients(),
}


async def _lose(host: OpenSSHConnection, link: Link, trace: Trace, loss: str, *, watched: bool = False) -> None:
    """A silent command without end, and the loss of its connection; over when the call has returned."""
    async with anyio.create_task_group() as tasks:

        async def strike() -> None:
            await anyio.to_thread.run_sync(trace.wait_for)
            if watched:
                await _watched(host)
            await anyio.to_thread.run_sync(LOSSES[loss], link)

        tasks.start_soon(strike)
        with anyio.fail_after(60), pytest.raises(MasterLost) as lost:
            pytest.fail(f"it ended: {await host.run(trace.sleep)}")
        assert lost.value.sent


def _frames(link: Link) -> int:
    """How many of our frames wait or run on the host: commands, a session opened ahead, watches."""
    return len(running_on(link.sshd, "sh -c _k="))


async def _watched(host: OpenSSHConnection) -> None:
    with anyio.fail_after(20):
        while not any(watch.session for watch in host.runner.watch._watches.values()):
            await anyio.sleep(0.01)
        for _ in range(2):  # what the watch was told has passed the link when these have
            await host.run("true")


async def _back(host: OpenSSHConnection) -> None:
    for _ in range(100):
        try:
            with anyio.fail_after(30):
                assert (await host.run("echo back", idempotent=True)).stdout == b"back\n"
        except TransportError:
            await anyio.sleep(0.1)
        else:
            return
    raise AssertionError("the host did not come back")


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_command_whose_connection_is_lost_is_ended_when_the_host_is_reached_again(
    host: OpenSSHConnection, link: Link, trace: Trace, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    monkeypatch.setattr("transports.openssh.sessions.watch.WATCH_AFTER", 1000.0)
    await _lose(host, link, trace, loss)
    assert trace.processes(), "sshd tells it nothing"
    link.port.cut()
    await _back(host)
    await anyio.to_thread.run_sync(trace.wait_gone)


@pytest.mark.parametrize("backend", ["native", "process"])
@pytest.mark.parametrize("loss", ["cut", "closed", "client killed"])
async def test_a_watched_command_whose_connection_is_lost_is_ended_though_nobody_calls_again(
    link: Link, trace: Trace, monkeypatch: pytest.MonkeyPatch, backend: str, loss: str
) -> None:
    monkeypatch.setattr("transports.openssh.sessions.watch.WATCH_AFTER", 0.1)
    async with link.connected(backend) as host:
        await _lose(host, link, trace, loss, watched=True)
        await anyio.to_thread.run_sync(trace.wait_gone)
        await anyio.to_thread.run_sync(wait_until, lambda: not link.sshd.session_processes(), "the sessions' end")


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_was_left_running_by_a_command_that_ended_outlives_the_connection(
    link: Link, trace: Trace, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr("transports.openssh.sessions.watch.WATCH_AFTER", 0.05)
    async with link.connected(backend) as host:
        done = await host.run(f"{trace.sleep} >/dev/null 2>&1 </dev/null & sleep 0.3; echo started")
        assert done.stdout == b"started\n"
        link.port.cut()
        await _back(host)
        await _back(host)
        assert trace.processes()


@pytest.mark.parametrize("backend", BACKENDS)
async def test_what_runs_under_nohup_outlives_the_loss_of_the_command_that_started_it(
    link: Link, trace: Trace, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr("transports.openssh.sessions.watch.WATCH_AFTER", 0.1)
    async with link.connected(backend) as host:
        stays = Trace()
        try:
            async with anyio.create_task_group() as tasks:

                async def strike() -> None:
                    await anyio.to_thread.run_sync(trace.wait_for)
                    await anyio.to_thread.run_sync(stays.wait_for)
                    link.port.cut()

                tasks.start_soon(strike)
                with anyio.fail_after(30), pytest.raises(MasterLost):
                    await host.run(f"nohup {stays.sleep} >/dev/null 2>&1 </dev/null & {trace.sleep}")
            await _back(host)
            await anyio.to_thread.run_sync(trace.wait_gone)
            assert stays.processes()
        finally:
            kill_all(stays.processes())


@pytest.mark.parametrize("backend", ["native", "process"])
async def test_another_server_on_the_same_master_keeps_its_commands(
    link: Link, trace: Trace, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """The first one goes without a word (its sessions are dropped), the second one's command runs to its end."""
    monkeypatch.setattr("transports.openssh.sessions.watch.WATCH_AFTER", 0.1)
    other = Trace()
    try:
        async with link.connected(backend) as first, link.connected(backend) as second:
            process = await second.start(f"{other.sleep}; echo late")
            gone = await first.start(trace.sleep)
            await anyio.to_thread.run_sync(trace.wait_for)
            await anyio.to_thread.run_sync(other.wait_for)
            await _watched(first)
            await _watched(second)
            assert [s.pid for s in first.sessions()] == [s.pid for s in second.sessions()]
            await gone.terminate()
            await anyio.to_thread.run_sync(trace.wait_gone)
            assert other.processes()
            kill_all(other.processes())
            with anyio.fail_after(30):
                assert await process.read("stdout") == b"late\n"
                assert await process.wait() == 0
            await process.aclose()
    finally:
        kill_all(other.processes())


@pytest.mark.parametrize("backend", ["native", "process"])
async def test_the_watch_goes_when_nothing_runs_any_more(
    link: Link, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    monkeypatch.setattr("transports.openssh.sessions.watch.WATCH_AFTER", 0.05)
    async with link.connected(backend) as host:
        for _ in range(3):
            assert (await host.run("sleep 0.5; echo on")).stdout == b"on\n"
        await anyio.to_thread.run_sync(wait_until, lambda: _frames(link) <= 1, "the watch's end")
        assert (await host.run("echo on")).stdout == b"on\n"


@pytest.mark.parametrize(
    ("server_kind", "backend"), [("openssh", "native"), ("openssh", "process"), ("dropbear", "native")]
)
async def test_a_server_killed_with_9_leaves_no_command_behind(
    link: Link, trace: Trace, tmp_path: Path, server_kind: str, backend: str
) -> None:
    if server_kind == "dropbear":
        link = replace(link, sshd=start_dropbear_for_root(tmp_path))
    env = environment(tmp_path / "raw", link.control_dir, {"web": Host(link.sshd)}, ssh_transport=backend)
    async with raw_server(env) as server:
        arguments = {"host": "web", "command": trace.sleep, "timeout": 1000}
        await server.ask("tools/call", {"name": "ssh_exec_run", "arguments": arguments})
        await anyio.to_thread.run_sync(trace.wait_for)
        await anyio.to_thread.run_sync(wait_until, lambda: _frames(link) >= 2, "a watch beside the command")
        await server.call("ssh_exec_run", host="web", command="echo on")  # what the watch is told is sent by now
        os.kill(server.pid, signal.SIGKILL)
        await server.process.wait()
        await anyio.to_thread.run_sync(trace.wait_gone)
    if server_kind == "dropbear":
        link.sshd.stop()


async def test_a_session_that_is_only_opened_ahead_does_not_log_in_again(link: Link) -> None:
    async with link.connected("native") as host:
        ready = host._warm
        assert ready is not None
        with host._launcher.urgent.login():  # sessions are opened ahead when no login is under way
            await host.run("true")
            opening = ready._opening
            assert opening is not None
            await anyio.to_thread.run_sync(link.kill_clients)
            await anyio.to_thread.run_sync(wait_until, lambda: not link.sshd.session_processes(), "the sessions' end")
        await opening
        assert not ready.waiting
        assert not link.sshd.session_processes()
        assert (await host.run("echo back")).stdout == b"back\n"
