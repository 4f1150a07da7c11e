"""A listening socket of ours on loopback whose connections are carried through a host.

The far side's bytes come through a pipe, because only so the end of one direction can be passed on: ssh closes the
descriptor that it writes to, and a socket that is read from elsewhere does not notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import anyio

from transports.errors import TransportError

if TYPE_CHECKING:
    from transports.api import ForwardedStream

LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 64
_STREAMS_MAX: Final = 256
"""Connections of one forward at the same time; more wait in the backlog."""
_PIPE_BYTES: Final = 1 << 20
_F_SETPIPE_SZ: Final = 1031

Target = Callable[[socket.socket, tuple[int, int]], Awaitable["ForwardedStream"]]
"""Connects an accepted socket: its descriptors to read from and to write to. Raises TransportError or a Refusal."""


def listen(port: int | None) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises OSError where ``port`` is taken; None lets the system choose."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if port is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((LOOPBACK, port or 0))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


class Acceptor:
    """Serves one listening socket until it is closed."""

    def __init__(self, sock: socket.socket, target: Target) -> None:
        self._sock = sock
        self._target = target
        self._streams: set[asyncio.Task[None]] = set()
        self._sockets: set[socket.socket] = set()
        self._room = asyncio.Semaphore(_STREAMS_MAX)
        self.used_at = asyncio.get_running_loop().time()
        self.port: int = sock.getsockname()[1]
        self._task = asyncio.get_running_loop().create_task(self._accept())

    @property
    def connections(self) -> int:
        """Connections that are carried now."""
        return len(self._streams)

    @property
    def idle_seconds(self) -> float:
        """Since the last connection ended; 0 while there is one."""
        return 0.0 if self._streams else asyncio.get_running_loop().time() - self.used_at

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                conn, _ = await loop.sock_accept(self._sock)
            except OSError:
                return
            self._sockets.add(conn)
            task = loop.create_task(self._carry(conn))
            self._streams.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._streams.discard(task)
        self._room.release()
        self.used_at = asyncio.get_running_loop().time()

    async def _carry(self, conn: socket.socket) -> None:
        try:
            conn.setblocking(False)
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await carry(conn, self._target)
        except (OSError, TransportError, ValueError):
            # the client sees its connection close; opening the forward has shown that the target accepts connections
            pass
        finally:
            self._sockets.discard(conn)
            conn.close()

    async def aclose(self) -> None:
        """Refuse new connections at once and end those that are carried."""
        self._sock.close()
        self._task.cancel()
        for conn in self._sockets:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        for task in tuple(self._streams):
            task.cancel()
        await asyncio.gather(self._task, *self._streams, return_exceptions=True)


async def carry(conn: socket.socket, target: Target) -> None:
    """Carry one accepted connection to its end."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else os.pipe()
    try:
        _widen(read_end)
        try:
            stream = await target(conn, (conn.fileno(), write_end))
        finally:
            os.close(write_end)
        try:
            await _drain(read_end, conn)
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_WR)
            await stream.wait()
        finally:
            stream.close()
    finally:
        os.close(read_end)


def _widen(pipe: int) -> None:
    """A larger pipe, where the system has them: fewer wake-ups per megabyte."""
    with contextlib.suppress(OSError, ImportError, AttributeError):
        import fcntl

        fcntl.fcntl(pipe, _F_SETPIPE_SZ, _PIPE_BYTES)


async def _drain(pipe: int, conn: socket.socket) -> None:
    """Everything that comes out of ``pipe``, into ``conn``; inside the kernel where it has splice(2)."""
    if not hasattr(os, "splice"):
        await _drain_by_hand(pipe, conn)
        return
    while True:
        try:
            if os.splice(pipe, conn.fileno(), _PIPE_BYTES, flags=os.SPLICE_F_NONBLOCK) == 0:
                return
        except BlockingIOError:
            await anyio.wait_readable(pipe)
            await anyio.wait_writable(conn)


async def _drain_by_hand(pipe: int, conn: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    os.set_blocking(pipe, False)
    while True:
        try:
            data = os.read(pipe, _PIPE_BYTES)
        except BlockingIOError:
            await anyio.wait_readable(pipe)
            continue
        if not data:
            return
        await loop.sock_sendall(conn, data)
