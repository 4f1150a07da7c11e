"""Sessions by starting an ssh process: what process and direct have in common.

asyncio's own subprocess transport does the moving, because it also works where descriptors cannot be watched (Windows).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Final, cast

from transports.api import StreamName
from transports.errors import LocalError
from transports.openssh.sessions.session import WRITE_HIGH, BackendName, Session, SessionEvents

_STREAMS: Final[dict[int, StreamName]] = {1: "stdout", 2: "stderr"}
_REAP_SECONDS: Final = 2.0
_FDS: Final[dict[StreamName, int]] = {"stdout": 1, "stderr": 2}


class _Protocol(asyncio.SubprocessProtocol):
    """Translates asyncio's callbacks into ``SessionEvents``."""

    def __init__(self, events: SessionEvents) -> None:
        self._events = events
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.SubprocessTransport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self.stdin_broken = False
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if not self.closed:
            self._events.data_received(_STREAMS[fd], data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if fd == 0:
            self.stdin_broken = True
            self._writable.set()
        elif not self.closed:
            self._events.stream_ended(_STREAMS[fd])

    def process_exited(self) -> None:
        assert self._transport is not None
        code = self._transport.get_returncode()
        if not self.gone.done():
            self.gone.set_result(None)
        if not self.closed:
            # A negative code is a signal that ended the local ssh, and so says nothing of the remote command.
            self._events.session_exited(code if code is not None and code >= 0 else None)
            self._events.session_gone()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def writable(self) -> None:
        await self._writable.wait()


class SpawnedSession(Session):
    """A local ssh process that carries one session. Made by ``Spawner``."""

    def __init__(self, backend: BackendName, transport: asyncio.SubprocessTransport, protocol: _Protocol) -> None:
        self.backend = backend
        self._transport = transport
        self._protocol = protocol
        self._stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        self._stdin.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_HIGH // 4)

    @property
    def pid(self) -> int:
        """The local ssh process."""
        return self._transport.get_pid()

    def write(self, data: bytes) -> None:
        if self.stdin_open and data:
            self._stdin.write(data)

    async def drain(self) -> None:
        await self._protocol.writable()

    def close_stdin(self) -> None:
        self._stdin.close()

    @property
    def stdin_open(self) -> bool:
        return not (self._protocol.stdin_broken or self._stdin.is_closing())

    def _reader(self, stream: StreamName) -> asyncio.ReadTransport:
        return cast("asyncio.ReadTransport", self._transport.get_pipe_transport(_FDS[stream]))

    def pause(self, stream: StreamName) -> None:
        reader = self._reader(stream)
        if not reader.is_closing() and reader.is_reading():
            reader.pause_reading()

    def resume(self, stream: StreamName) -> None:
        reader = self._reader(stream)
        if not reader.is_closing() and not reader.is_reading():
            reader.resume_reading()

    def close(self) -> None:
        self._protocol.closed = True
        self._protocol.resume_writing()
        self._transport.close()  # kills the local ssh where it still runs


class Spawner:
    """Starts ssh processes and sees them all ended."""

    def __init__(self, backend: BackendName) -> None:
        self._backend = backend
        self._living: dict[SpawnedSession, asyncio.Future[None]] = {}

    async def open(
        self, argv: Sequence[str], events: SessionEvents, *, env: Mapping[str, str] | None = None
    ) -> SpawnedSession:
        """Start ``argv`` (``env`` None: with our environment). Raises LocalError where it cannot be started."""
        loop = asyncio.get_running_loop()
        try:
            # A session of its own, so that a Ctrl-C in our terminal does not reach it.
            transport, protocol = await loop.subprocess_exec(
                lambda: _Protocol(events), *argv, env=env, start_new_session=os.name == "posix"
            )
        except OSError as error:
            raise LocalError(
                f"ssh could not be started ({error.strerror}).",
                "Check the installation with `ssh-mcp doctor`.",
                sent=False,
            ) from error
        session = SpawnedSession(self._backend, transport, protocol)
        self._living[session] = protocol.gone
        protocol.gone.add_done_callback(lambda _: self._living.pop(session, None))
        return session

    async def aclose(self) -> None:
        """Kill what still runs and wait (bounded) until it is reaped."""
        living = dict(self._living)
        for session in living:
            session.close()
        if living:
            await asyncio.wait(living.values(), timeout=_REAP_SECONDS)
