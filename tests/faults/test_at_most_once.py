"""A command is run at most once, and its input comes once and whole, wherever the link is cut."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tests.faults.proxy import Port, Proxy
from tests.integration.session_rig import connected
from tests.peers.sshd import Sshd
from transports.api import Completed
from transports.errors import TransportError
from transports.openssh.connection import OpenSSHConnection

STEPS = 40
QUICK = (("KexAlgorithms", "curve25519-sha256"),)
"""Each step costs a login, and the post-quantum exchange is half of one. Over ``direct`` it is cut too."""


@pytest.fixture
def port(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Iterator[Port]:
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.05)
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_MAX", 0.2)
    monkeypatch.setattr("transports.openssh.masters.pool.SHORT_LIFE", 0.0)
    proxy = Proxy()
    made = proxy.new("h", sshd.port)
    sshd.known_hosts.write_text(sshd.known_hosts_line() + replace(sshd, port=made.number).known_hosts_line())
    yield made
    proxy.close()


async def _warm(host: OpenSSHConnection, *, ahead: bool) -> None:
    while True:
        try:
            with anyio.fail_after(30):
                await host.run("true", idempotent=True)
        except TransportError:
            await anyio.sleep(0.05)
            continue
        break
    ready = host._warm
    if ready is None:
        return
    with anyio.move_on_after(5):
        while ahead and not ready.waiting:
            await anyio.sleep(0.005)
    if not ahead:
        while ready._opening is not None:
            await anyio.sleep(0.005)
        ready.drop()


async def _twice(text: bytes) -> AsyncIterator[bytes]:
    yield text
    yield text


@pytest.mark.parametrize(
    ("backend", "ahead"), [("native", False), ("native", True), ("process", False), ("direct", False)]
)
@pytest.mark.parametrize("stdin", [None, b"input\ninput\n", "stream"])
async def test_a_command_whose_connection_is_cut_at_any_byte_runs_at_most_once(
    sshd: Sshd, port: Port, control_dir: str, tmp_path: Path, backend: str, stdin: str | bytes | None, *, ahead: bool
) -> None:
    config = {"max_connections_per_host": 1, "connect_timeout": 5.0}
    whole = "ran\n" if stdin is None else "ran\ninput\ninput\n"
    async with connected(
        sshd,
        control_dir,
        backend,
        destination={"port": port.number, "options": () if backend == "direct" else QUICK},
        **config,
    ) as host:

        async def go(file: Path) -> Completed:
            given = _twice(b"input\n") if isinstance(stdin, str) else stdin
            return await host.run(f"echo ran >>{file}; cat >>{file}", stdin=given)

        total = 0
        steps = STEPS if backend == "native" else STEPS // 4  # there the command waits for the first mark
        for i in range(steps + 1):
            await _warm(host, ahead=ahead)
            file = tmp_path / f"f{i}"
            port.arm(total * i // steps if total else None, "cut")
            worked: Completed | None = None
            try:
                with anyio.fail_after(60):
                    worked = await go(file)
            except TransportError:
                pass
            total = total or port.seen()
            port.arm(None)
            await anyio.sleep(0.05 if not worked else 0)  # what still comes of it
            text = file.read_text() if file.exists() else ""
            assert text.count("ran\n") <= 1, f"cut at {i}/{steps} of {total}: {text!r}"
            if worked:
                assert text == whole, f"cut at {i}/{steps} of {total}: {text!r} {worked}"
            else:
                assert whole.startswith(text)
