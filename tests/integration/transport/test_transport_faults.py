"""Faults on a real sshd: what is lost says so, nothing is done twice, and the next call works."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import anyio
import psutil
import pytest

from tests.integration.conftest import SshdFactory, UserFactory, masters_of
from tests.integration.session_rig import connected, quiet_user, running_on, still_running
from tests.peers.sshd import Sshd, wait_until
from transports.errors import ConnectError, MasterLost, TransportError
from transports.openssh.connection import OpenSSHConnection
from transports.openssh.transport import OpenSSHTransport, choose_backend

T = TypeVar("T")


@pytest.fixture
def server(sshd_factory: SshdFactory, throwaway_users: UserFactory) -> Sshd:
    return sshd_factory(user=quiet_user(throwaway_users))


@pytest.fixture(params=["native", "process"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def host(server: Sshd, control_dir: str, backend: str) -> AsyncIterator[OpenSSHConnection]:
    async with connected(server, control_dir, backend) as connection:
        yield connection


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory that every account may write to."""
    with tempfile.TemporaryDirectory(prefix="smcp-f-", dir="/tmp") as name:
        Path(name).chmod(0o777)
        yield Path(name)


def _master_pids(host: OpenSSHConnection) -> list[int]:
    return [status.pid for status in host.sessions() if status.pid is not None]


def _kill_masters(host: OpenSSHConnection) -> None:
    for pid in _master_pids(host):
        os.kill(pid, signal.SIGKILL)


FAULTS: dict[str, Callable[[OpenSSHConnection, Sshd], object]] = {
    "the master is killed": lambda host, _: _kill_masters(host),
    "sshd's session is killed": lambda _, server: server.kill_sessions(),
}


@pytest.fixture(params=FAULTS)
def strike(request: pytest.FixtureRequest, host: OpenSSHConnection, server: Sshd) -> Callable[[], object]:
    return lambda: FAULTS[request.param](host, server)


async def test_what_happens_while_idle_the_next_call_does_not_notice(
    host: OpenSSHConnection, server: Sshd, strike: Callable[[], object]
) -> None:
    assert (await host.run("echo one")).stdout == b"one\n"
    files = await host.files()
    await files.stat("/")
    strike()
    with anyio.fail_after(30):
        assert (await _eventually(lambda: host.run("echo two"))).stdout == b"two\n"
        assert (await _eventually(lambda: _stat(host))) == "directory"
    assert server.logins() == 2


async def _stat(host: OpenSSHConnection) -> str:
    return (await (await host.files()).stat("/")).kind


async def _eventually(call: Callable[[], Awaitable[T]]) -> T:
    """Where a connection dies, ssh needs a moment to notice; a call in that moment may see the loss itself, once."""
    try:
        return await call()
    except MasterLost:
        return await call()


async def test_a_command_under_way_is_lost_and_the_next_one_reconnects(
    host: OpenSSHConnection, server: Sshd, scratch: Path, strike: Callable[[], object]
) -> None:
    lost: list[TransportError] = []

    async def victim() -> None:
        try:
            await host.run(f"echo run >>{scratch}/runs; sleep 4741")
        except MasterLost as error:
            lost.append(error)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(victim)
            while not running_on(server, "sleep 4741"):
                await asyncio.sleep(0.01)
            strike()
        assert [error.sent for error in lost] == [True]
        assert (await host.run("echo next")).stdout == b"next\n"
    assert (scratch / "runs").read_text() == "run\n"
    _end_orphans("sleep 4741")


async def test_only_what_may_be_repeated_is_and_only_once(
    host: OpenSSHConnection, server: Sshd, scratch: Path, strike: Callable[[], object]
) -> None:
    results: list[bytes] = []

    async def victim() -> None:
        command = f"echo run >>{scratch}/runs; [ $(wc -l <{scratch}/runs) -gt 1 ] || sleep 4742; echo done"
        results.append((await host.run(command, idempotent=True)).stdout)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(victim)
            while not running_on(server, "sleep 4742"):
                await asyncio.sleep(0.01)
            strike()
    assert results == [b"done\n"]
    assert (scratch / "runs").read_text() == "run\nrun\n"
    _end_orphans("sleep 4742")


def _end_orphans(text: str) -> None:
    """A lost connection leaves the remote command behind: it is pending clean-up."""
    for pid in still_running(text):
        os.kill(pid, signal.SIGKILL)


async def test_a_process_under_way_says_that_it_is_lost(host: OpenSSHConnection, strike: Callable[[], object]) -> None:
    process = await host.start("echo on; cat")
    assert await process.read("stdout") == b"on\n"
    strike()
    with anyio.fail_after(30):
        assert await process.read("stdout") == b""
        with pytest.raises(MasterLost):
            await process.wait()
        with pytest.raises(MasterLost):
            await process.write(b"x")
        await process.aclose()


async def test_a_transfer_under_way_is_lost_and_the_next_one_reconnects(
    host: OpenSSHConnection, scratch: Path, strike: Callable[[], object]
) -> None:
    big = scratch / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    big.chmod(0o644)
    files = await host.files()
    handle = await files.open(str(big), "r")
    taken = 0

    async def take() -> None:
        nonlocal taken
        async for chunk in handle.read_stream(0, None):
            taken += len(chunk)
            if taken >= 32 << 20 and taken - len(chunk) < 32 << 20:
                strike()

    with anyio.fail_after(60):
        with pytest.raises(MasterLost):
            await take()
        assert taken < 1 << 30
        again = await host.files()
        assert again is not files
        assert (await again.stat(str(big))).size == 1 << 30


async def test_a_frozen_master_is_noticed_and_replaced(server: Sshd, control_dir: str, backend: str) -> None:
    async with connected(server, control_dir, backend, connect_timeout=2) as host:
        await host.run("true")
        [pid] = _master_pids(host)
        os.kill(pid, signal.SIGSTOP)
        try:
            with anyio.fail_after(60):
                assert (await _eventually(lambda: host.run("echo back", idempotent=True))).stdout == b"back\n"
        finally:
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGCONT)


async def test_many_calls_at_the_moment_of_the_loss_share_one_new_login(
    host: OpenSSHConnection, server: Sshd, strike: Callable[[], object]
) -> None:
    await host.run("true")
    strike()
    results: list[bytes] = []

    async def one() -> None:
        results.append((await host.run("echo x", idempotent=True)).stdout)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(one)
    assert results == [b"x\n"] * 8
    assert server.logins() == 2


async def test_a_host_that_went_away_is_a_connect_error(host: OpenSSHConnection, server: Sshd) -> None:
    await host.run("true")
    server.stop()
    with anyio.fail_after(30), pytest.raises((ConnectError, MasterLost)):
        await host.run("true")
    with anyio.fail_after(30), pytest.raises(ConnectError):
        await host.run("true")


# --- closing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["native", "process", "direct"])
async def test_closing_the_transport_leaves_nothing_behind(server: Sshd, control_dir: str, kind: str) -> None:
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    descriptors = psutil.Process().num_fds()
    transport = OpenSSHTransport(server.transport_config(backend=kind, control_dir=control_dir))
    host = transport.connection(server.destination())
    assert transport.connection(server.destination()) is host
    await host.run("true")
    await host.run("true")
    await (await host.files()).stat("/")
    assert transport.backend == kind
    await transport.aclose()
    assert transport.sessions() == ()
    assert not masters_of(control_dir)
    wait_until(lambda: not server.session_processes(), "the end of all sessions")
    after = {p.pid for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE}
    assert after <= before
    assert psutil.Process().num_fds() <= descriptors + 1  # the process backend's child watcher may keep one
    with pytest.raises(TransportError):
        await host.run("true")


async def test_sessions_tell_who_is_logged_in_where(server: Sshd, control_dir: str) -> None:
    async with connected(server, control_dir) as host:
        assert host.sessions() == []
        login = await host.login()
        assert login.server_version is not None
        assert login.host_key_fingerprint == server.host_key_fingerprint
        [status] = host.sessions()
        assert (status.user, status.host, status.port) == (server.user, server.address, server.port)
        assert (status.transport, status.active_channels, status.via) == ("native", 0, ())
        assert status.pid in {p.pid for p in masters_of(control_dir)}
        process = await host.start("cat")
        assert host.sessions()[0].active_channels == 1
        await process.aclose()


async def test_a_quiet_file_channel_is_closed_and_opened_again_at_need(
    server: Sshd, control_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.openssh.connection.FILES_QUIET_SECONDS", 0.05)
    async with connected(server, control_dir) as host:
        first = await host.files()
        with anyio.fail_after(10):
            while host.sessions()[0].active_channels:
                await asyncio.sleep(0.01)
        second = await host.files()
        assert second is not first
        handle = await second.open("/etc/passwd", "r")
        await asyncio.sleep(1.2)  # beyond the quiet time and its check: a channel with an open file must outlive it
        assert (await handle.read(0, 4))[:4] == b"root"
        await handle.close()


def test_auto_is_native_where_descriptors_can_be_passed(server: Sshd) -> None:
    assert choose_backend(server.transport_config()) == "native"
