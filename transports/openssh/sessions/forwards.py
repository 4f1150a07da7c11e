"""Forwarding over a live master: streams to targets beyond the host, and ports that the host listens on for us.

A stream is a stdio forwarding (NEW_STDIO_FWD): the listener is the caller's own socket, so that its port is bound
before it is returned, closes with the process, and a closed one refuses at once. OPEN_FWD would leave the listener
with the master, which before OpenSSH 10.1 replies to CLOSE_FWD with OK even where it closed nothing.

Only the host can listen on its own ports. Which ones it does for whom lies beside the control socket, so that another
process closes what a killed one left; and a close is proven by a connection through the host that is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio

from transports.errors import MasterLost, SessionRefused
from transports.mux.client import MuxSession, NoSlot, close_forward, open_forward, open_stdio_forward
from transports.mux.messages import MUX_FWD_REMOTE, Forwarding
from transports.openssh.local.locks import turn

_LOOPBACK: Final = b"127.0.0.1"
_OPEN_SECONDS: Final = 30.0
"""Seconds for the far end to connect: sshd gives up by itself, but not every sshd does."""
_PROBE_SECONDS: Final = 5.0
_PROVE_TRIES: Final = 20
_PROVE_PAUSE: Final = 0.1


class Stream:
    """One stdio forwarding (``transports.api.ForwardedStream``)."""

    def __init__(self, session: MuxSession) -> None:
        self._session = session

    async def wait(self) -> None:
        await self._session.ended

    def close(self) -> None:
        self._session.close()


async def connect(path: str, host: str, port: int, fds: tuple[int, int]) -> Stream:
    """Carry ``fds`` to ``host``:``port`` through the master at ``path``. Raises SessionRefused, MasterLost."""
    session = await open_stdio_forward(path, host.encode(), port, fds)
    try:
        with anyio.fail_after(_OPEN_SECONDS):
            await session.opened
    except TimeoutError:
        session.close()
        raise SessionRefused(f"{host}:{port} did not reply through the host.", "Try again later.", sent=False) from None
    except NoSlot:  # a stream counts against no MaxSessions: the channel's only obstacle is the far end
        session.close()
        raise SessionRefused(
            f"The host does not connect to {host}:{port}.",
            "See that something listens there and that its sshd allows forwarding (AllowTcpForwarding, PermitOpen).",
            sent=False,
        ) from None
    except BaseException:
        session.close()
        raise
    return Stream(session)


@dataclass(slots=True)
class Listener:
    """A port of the host (``transports.api.RemoteListener``)."""

    path: str
    forwarding: Forwarding
    port: int
    _closed: bool = False

    async def listening(self) -> bool:
        return await _accepts(self.path, self.port)

    async def close(self) -> bool:
        if self._closed:
            return True
        # mux.c finds the forwarding by the port that was asked for, newer ones also by the one that was given
        await close_forward(self.path, self.forwarding)
        for _ in range(_PROVE_TRIES):
            if not await _accepts(self.path, self.port):
                self._closed = True
                await _note(self.path, remove=[self.port])
                return True
            await anyio.sleep(_PROVE_PAUSE)
            given = Forwarding(MUX_FWD_REMOTE, _LOOPBACK, self.port, *self._target)
            await close_forward(self.path, given)
        return False

    @property
    def _target(self) -> tuple[bytes, int]:
        return self.forwarding.connect_host, self.forwarding.connect_port


async def listen(path: str, port: int, target_host: str, target_port: int) -> Listener:
    """Make the host listen on its loopback for a target of this machine. Raises SessionRefused, MasterLost."""
    forwarding = Forwarding(MUX_FWD_REMOTE, _LOOPBACK, port, target_host.encode(), target_port)
    chosen = await open_forward(path, forwarding) or port
    listener = Listener(path, forwarding, chosen)
    await _note(path, add=listener)
    return listener


async def sweep(path: str) -> None:
    """Close what processes that are gone have left listening on the host of the master at ``path``."""
    if not await anyio.Path(f"{path}.fwd").exists():
        return
    left = [entry for entry in _read(path) if not _alive(entry["pid"])]
    for entry in left:
        target = str(entry["host"]).encode(), int(entry["target"])
        asked = Forwarding(MUX_FWD_REMOTE, _LOOPBACK, int(entry["asked"]), *target)
        await Listener(path, asked, int(entry["port"])).close()
    if left:
        await _note(path, remove=[int(entry["port"]) for entry in left])


async def _accepts(path: str, port: int) -> bool:
    """Whether the host's own port takes a connection, which is closed at once."""
    ours, far = socket.socketpair()
    with ours, far:
        try:
            with anyio.fail_after(_PROBE_SECONDS):
                session = await open_stdio_forward(path, _LOOPBACK, port, (far.fileno(), far.fileno()))
                try:
                    await session.opened
                finally:
                    session.close()
        except (SessionRefused, MasterLost):
            return False
        except TimeoutError:
            return True
    return True


def _alive(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _read(path: str) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        entries = json.loads(Path(f"{path}.fwd").read_text(encoding="utf-8"))
        return [{k: entry[k] for k in ("pid", "port", "asked", "host", "target")} for entry in entries]
    return []


async def _note(path: str, *, add: Listener | None = None, remove: Iterable[int] = ()) -> None:
    """Change the list beside the control socket; processes take turns."""
    gone = set(remove)
    with contextlib.suppress(OSError):
        async with turn(f"{path}.lock"):
            entries = [entry for entry in _read(path) if entry["port"] not in gone]
            if add is not None:
                host, target = add.forwarding.connect_host.decode(), add.forwarding.connect_port
                asked = add.forwarding.listen_port
                entries.append({"pid": os.getpid(), "port": add.port, "asked": asked, "host": host, "target": target})
            _write(f"{path}.fwd", entries)


def _write(path: str, entries: list[dict[str, Any]]) -> None:
    if not entries:
        Path(path).unlink(missing_ok=True)
        return
    temporary = f"{path}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(entries, file)
    Path(temporary).replace(path)
