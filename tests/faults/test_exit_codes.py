"""An exit code is the command's own, or that of a command that was killed; a lost link is never one."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress

import anyio
import psutil
import pytest

from tests.integration.session_rig import connected
from tests.peers.sshd import Sshd
from transports.api import Completed
from transports.errors import TransportError
from transports.openssh.connection import OpenSSHConnection

WHOLE = b"begun\nall\n"
ROUNDS = 12


def _command(code: int) -> str:
    return f"sh -c 'echo begun; sleep 0.1; echo all; sleep 0.1; exit {code}'"


def _harm(server: Sshd, host: OpenSSHConnection, rng: random.Random, kind: str) -> None:
    victims = server.session_processes()
    if kind == "some":  # of the commands and their frames, not of the link
        victims = rng.sample(victims, min(3, len(victims)))
    elif kind == "master":
        victims = [psutil.Process(s.pid) for s in host.sessions() if s.pid and psutil.pid_exists(s.pid)]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            if kind != "some" or victim.name() != "sshd":
                victim.kill()


def _verdict(done: Completed, code: int) -> str:
    """``right``, ``killed`` (and it says so), or what is wrong."""
    if done.exit_code == code and done.stdout == WHOLE:
        return "right"
    if done.exit_code in (-1, 137) and WHOLE.startswith(done.stdout):
        return "killed"
    return f"{done.exit_code} instead of {code}, {len(done.stdout)} bytes of output"


@pytest.mark.parametrize("backend", ["native", "process"])
@pytest.mark.parametrize("kind", ["some", "login", "master"])
async def test_whatever_is_killed_no_exit_code_is_wrong(
    sshd: Sshd, control_dir: str, monkeypatch: pytest.MonkeyPatch, backend: str, kind: str
) -> None:
    monkeypatch.setattr("transports.openssh.masters.pool.SHORT_LIFE", 0.0)
    rng = random.Random(f"{backend} {kind}")
    seen: Counter[str] = Counter()
    async with connected(sshd, control_dir, backend) as host:

        async def one(code: int) -> None:
            try:
                seen[_verdict(await host.run(_command(code)), code)] += 1
            except TransportError as error:
                seen[type(error).__name__] += 1

        for _ in range(ROUNDS):
            with anyio.fail_after(60):
                await _ready(host)
                async with anyio.create_task_group() as tasks:
                    for _ in range(4):
                        tasks.start_soon(one, rng.choice([0, 0, 1, 3, 7, 255]))
                    await anyio.sleep(rng.random() * 0.25)  # any moment will do
                    _harm(sshd, host, rng, kind)
    # Killed before it began: then the host seems to run nothing at all.
    assert set(seen) <= {"right", "killed", "MasterLost", "ConnectError", "SessionRefused"}, seen
    assert seen["right"] < 4 * ROUNDS, "nothing was ever hit"


async def _ready(host: OpenSSHConnection) -> None:
    while True:
        with suppress(TransportError):
            await host.run("true", idempotent=True)
            return
        await anyio.sleep(0.1)
