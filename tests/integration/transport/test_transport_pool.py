"""Sessions against what a real sshd allows: MaxSessions, waiting, further masters, the reserved slot, backoff."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.integration.conftest import SshdFactory, UserFactory
from tests.integration.session_rig import connected, quiet_user, running_on, still_running
from tests.peers.sshd import Sshd, free_port
from transports.api import Auth, AuthMethod
from transports.errors import AuthenticationFailed, ConnectError, SessionRefused
from transports.openssh.connection import OpenSSHConnection


@pytest.fixture
def user(throwaway_users: UserFactory) -> str | None:
    return quiet_user(throwaway_users)


async def _many(host: OpenSSHConnection, count: int, command: str = "echo {}") -> None:
    results: dict[int, bytes] = {}

    async def one(i: int) -> None:
        done = await host.run(command.format(i))
        assert done.exit_code == 0
        results[i] = done.stdout

    with anyio.fail_after(90):
        async with anyio.create_task_group() as tasks:
            for i in range(count):
                tasks.start_soon(one, i)
    assert results == {i: b"%d\n" % i for i in range(count)}


@pytest.mark.parametrize("backend", ["native", "process"])
@pytest.mark.parametrize("max_sessions", [1, 3, 10])
async def test_a_hundred_calls_at_once_all_succeed(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, max_sessions: int, backend: str
) -> None:
    server = sshd_factory(max_sessions=max_sessions, user=user)
    async with connected(server, control_dir, backend) as host:
        await _many(host, 100)
        assert "waiting=0" in repr(host)
        assert server.logins() <= 4


async def test_a_hundred_slow_calls_spread_over_all_masters_and_the_limit_is_learned(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    server = sshd_factory(max_sessions=3, user=user)
    async with connected(server, control_dir) as host:
        await _many(host, 40, "sleep 0.3; echo {}")
        assert server.logins() == 4
        assert host.pool.slots.limit <= 4


@pytest.mark.parametrize("backend", ["native", "process"])
async def test_a_host_with_one_session_a_connection_still_enforces_timeouts(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, backend: str
) -> None:
    server = sshd_factory(max_sessions=1, user=user)
    async with connected(server, control_dir, backend, max_connections_per_host=1) as host:
        with anyio.fail_after(30):
            done = await host.run("echo said; sleep 4731", timeout=0.7)
            assert (done.timed_out, done.stdout) == (True, b"said\n")
            assert not still_running("sleep 4731")
            assert (await host.run("echo next")).stdout == b"next\n"
        assert server.logins() == 2  # the second is for endings alone


async def test_endings_need_not_wait_behind_a_full_house(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    server = sshd_factory(max_sessions=3, user=user)
    async with connected(server, control_dir, max_connections_per_host=1) as host:
        timed_out: list[bool] = []

        async def one() -> None:
            timed_out.append((await host.run("sleep 4732", timeout=1)).timed_out)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(6):
                    tasks.start_soon(one)
        assert timed_out == [True] * 6
        assert not still_running("sleep 4732")
        assert server.logins() <= 2


@pytest.mark.parametrize("backend", ["native", "process"])
async def test_an_idle_file_channel_gives_way_where_it_holds_the_only_slot(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, backend: str
) -> None:
    server = sshd_factory(max_sessions=1, user=user)
    async with connected(server, control_dir, backend, max_connections_per_host=1) as host:
        with anyio.fail_after(30):
            for _ in range(2):
                assert (await (await host.files()).stat("/")).kind == "directory"
                assert (await host.run("echo fine")).stdout == b"fine\n"
        assert server.logins() == 1


@pytest.mark.parametrize("backend", ["native", "process"])
async def test_a_host_that_allows_no_session_at_all_says_so_soon(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, backend: str
) -> None:
    server = sshd_factory(max_sessions=0, user=user)
    async with connected(server, control_dir, backend) as host:
        with anyio.fail_after(9), pytest.raises(SessionRefused, match="no further session"):
            await host.run("true")


@pytest.mark.parametrize("backend", ["native", "process"])
async def test_commands_without_our_frame_wait_for_their_slot_too(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, backend: str
) -> None:
    server = sshd_factory(max_sessions=2, user=user)
    async with connected(server, control_dir, backend, max_connections_per_host=2) as host:
        codes: list[int] = []

        async def one() -> None:
            codes.append((await host.run("exit 7", framed=False)).exit_code)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(one)
        assert codes == [7] * 20


async def test_a_file_channel_counts_as_a_session(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    server = sshd_factory(user=user)
    async with connected(server, control_dir) as host:
        await host.files()
        assert [s.active_channels for s in host.sessions()] == [1]
        assert await host.files() is await host.files()


async def test_a_session_costs_no_process_on_our_side(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    import psutil

    server = sshd_factory(user=user)
    async with connected(server, control_dir) as host:
        await host.login()
        before = {p.pid for p in psutil.Process().children(recursive=True)}
        process = await host.start("echo on; cat")
        await process.read("stdout")
        await (await host.files()).stat("/")
        local = {p.pid for p in psutil.Process().children(recursive=True)}
        assert local - before <= {p.pid for p in server.session_processes()}
        await process.aclose()


# --- the session opened ahead ---------------------------------------------------------------------------------------


async def _settled(host: OpenSSHConnection, sessions: int) -> None:
    """Wait until that many sessions are open on the first master."""
    with anyio.fail_after(10):
        while host.pool.slots.masters[0].used != sessions or (host._warm is not None and host._warm._opening):
            await asyncio.sleep(0.005)


async def test_after_a_command_one_frame_waits_for_the_next_and_means_the_same(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    server = sshd_factory(user=user)
    async with connected(server, control_dir) as host:
        assert (await host.run("exit 3")).exit_code == 3
        await _settled(host, 1)
        assert host._warm is not None
        assert host._warm._waiting is not None
        waiting = host._warm._waiting.execution
        await waiting.begun
        assert waiting.processes is not None
        done = await host.run("echo $$; cat; kill -TERM $$", stdin=b"in")
        assert int(done.stdout.split()[0]) == waiting.processes.child  # it was that one
        assert (done.exit_code, done.signal, done.stdout.split()[1:]) == (143, "TERM", [b"in"])
        await _settled(host, 1)
        done = await host.run("echo said; sleep 4733", timeout=0.5)
        assert (done.timed_out, done.stdout) == (True, b"said\n")
        assert not still_running("sleep 4733")


async def test_commands_one_right_behind_the_other_open_one_session_each(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sshd_factory(user=user)
    async with connected(server, control_dir) as host:
        backend, opened = host.runner.backend, 0
        really_open = backend.open

        async def counting(*args: Any, **kwargs: Any) -> Any:
            nonlocal opened
            opened += 1
            await asyncio.sleep(0)
            return await really_open(*args, **kwargs)

        monkeypatch.setattr(backend, "open", counting)
        for _ in range(5):
            await host.run("true")
            while host._warm is not None and host._warm._opening and not host._warm._on_its_way:
                await asyncio.sleep(0)  # the next command comes while the session ahead is being opened
        await _settled(host, 1)
        assert opened == 6  # the first command's, and one ahead after each


async def test_a_waiting_frame_that_died_is_no_loss(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    server = sshd_factory(user=user)
    async with connected(server, control_dir) as host:
        await host.run("true")
        await _settled(host, 1)
        assert host._warm is not None
        assert host._warm._waiting is not None
        await host._warm._waiting.execution.begun
        for process in running_on(server, "read -r _c"):
            process.kill()
        await _settled(host, 0)
        assert (await host.run("echo fine")).stdout == b"fine\n"


async def test_no_frame_waits_where_slots_are_few(
    sshd_factory: SshdFactory, control_dir: str, user: str | None
) -> None:
    server = sshd_factory(max_sessions=3, user=user)
    async with connected(server, control_dir, max_connections_per_host=1) as host:
        await _many(host, 20, "sleep 0.1; echo {}")
        assert host.pool.slots.limit == 3
        await host.run("true")
        await asyncio.sleep(0.1)  # a frame would have been opened by now; none being there is what is judged
        assert host.pool.slots.masters[0].used == 0


# --- logins that fail -----------------------------------------------------------------------------------------------


async def test_a_failed_login_is_not_repeated_at_once(
    sshd_factory: SshdFactory, control_dir: str, tmp_path: Path, user: str | None
) -> None:
    server = sshd_factory(authorized_keys="", user=user)
    async with connected(server, control_dir) as host:
        errors: list[BaseException] = []

        async def one() -> None:
            try:
                await host.run("true")
            except AuthenticationFailed as error:
                errors.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
        await one()
        assert len(errors) == 21
        assert len({str(e) for e in errors}) == 1
        assert len({id(e) for e in errors}) == 21  # each its own, or their tracebacks would grow together
        assert server.log_text().count("Connection from") == 1


@pytest.mark.parametrize("backend", ["native", "process", "direct"])
async def test_a_login_that_cannot_be_raises_the_same_error_whatever_carries_it(
    shared_sshd: Sshd, control_dir: str, backend: str
) -> None:
    async with connected(shared_sshd, control_dir, backend, destination={"port": free_port()}) as host:
        for call in (host.login, lambda: host.run("true"), host.files, lambda: host.start("true")):
            with pytest.raises(ConnectError, match="refused the connection") as error:
                await call()
            assert not error.value.sent


async def test_after_the_backoff_the_next_call_tries_again(
    sshd_factory: SshdFactory, control_dir: str, user: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.05)
    server = sshd_factory(authorized_keys="", user=user)
    async with connected(server, control_dir) as host:
        with pytest.raises(AuthenticationFailed):
            await host.run("true")
        server.authorized_keys.write_text(server.key.with_suffix(".pub").read_text())
        await asyncio.sleep(0.06)
        assert (await host.run("echo in")).stdout == b"in\n"


async def test_wrong_credentials_are_an_authentication_failure_in_direct_sessions_too(
    shared_sshd: Sshd, control_dir: str, tmp_path: Path
) -> None:
    from tests.peers.sshd import keygen

    auth = Auth(method=AuthMethod.KEY, key=str(keygen(tmp_path / "other")))
    async with connected(shared_sshd, control_dir, "direct", destination={"auth": auth}) as host:
        with pytest.raises(AuthenticationFailed):
            await host.run("true")
    assert os.path.isdir(tmp_path)
