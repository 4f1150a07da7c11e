"""Servers whose sessions lead no process group of their own: what one command's end must leave alone."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from tests.integration.conftest import UserFactory
from tests.integration.process_table import Trace
from tests.integration.session_rig import connected
from tests.peers.accounts import Account, make_chroot, move_home
from tests.peers.other_servers import start_dropbear, start_tinysshd
from tests.peers.sshd import Sshd, kill_all
from transports.openssh.connection import OpenSSHConnection

Start = Callable[[Path, Account], Sshd]


@pytest.fixture(scope="module", params=[start_dropbear, start_tinysshd], ids=["dropbear", "tinysshd"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, throwaway_users: UserFactory
) -> Iterator[Sshd]:
    home = make_chroot()
    account = move_home(throwaway_users("other", "/bin/sh"), home / "home")
    started = request.param(tmp_path_factory.mktemp("other"), account)
    yield started
    started.stop()
    shutil.rmtree(home)


@pytest.fixture(params=["setsid", "no setsid"])
async def host(
    server: Sshd, control_dir: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenSSHConnection]:
    if request.param == "no setsid":
        from transports.openssh.sessions import runner
        from transports.openssh.shell.frame import remote_command

        def without(nonce: str) -> bytes:
            return remote_command(nonce).replace(b"command -v setsid", b"false")

        monkeypatch.setattr(runner, "remote_command", without)
    async with connected(server, control_dir) as connection:
        yield connection


@pytest.fixture
def traces() -> Iterator[list[Trace]]:
    made = [Trace() for _ in range(4)]
    yield made
    for each in made:
        kill_all(each.processes())


async def test_a_timeout_ends_what_its_command_started_and_nothing_else(
    host: OpenSSHConnection, server: Sshd, traces: list[Trace]
) -> None:
    neighbour, goes, stubborn, _ = traces
    async with anyio.create_task_group() as tasks:
        survived: list[bytes] = []

        async def live() -> None:
            done = await host.run(f"{neighbour.sleep} & echo $! >$HOME/pid; wait $!; echo survived")
            survived.append(done.stdout)

        tasks.start_soon(live)
        await anyio.to_thread.run_sync(neighbour.wait_for)
        process = await host.start("while read l; do echo $l; done")
        done = await host.run(f"(trap '' TERM; {stubborn.sleep}; {stubborn.sleep}) & {goes.sleep} | cat", timeout=2)
        assert done.timed_out
        await anyio.to_thread.run_sync(goes.wait_gone)
        await anyio.to_thread.run_sync(stubborn.wait_gone)
        await process.write(b"still here\n")
        assert await process.read("stdout") == b"still here\n"
        await process.signal("TERM", children_only=True)
        await process.aclose()
        assert neighbour.processes()
        await host.run("kill $(cat $HOME/pid)")
    assert survived == [b"survived\n"]
    assert server.process.poll() is None


async def test_exit_codes_and_files_are_those_of_any_host(host: OpenSSHConnection) -> None:
    for code in (0, 3, 255):
        assert (await host.run(f"exit {code}")).exit_code == code
    for _ in range(12):
        assert (await host.run("cat", stdin=b"x" * 100_000)).stdout == b"x" * 100_000
