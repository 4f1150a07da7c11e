"""A subsystem session as a byte channel (``transports.channel``): what SFTP is spoken over."""

from __future__ import annotations

import asyncio
from typing import Final

import anyio

from transports.api import StreamName
from transports.errors import MasterLost, TransportError
from transports.mux.client import NoSlot
from transports.openssh.masters.pool import Lease
from transports.openssh.sessions.inbox import Inbox
from transports.openssh.sessions.native import NativeSession
from transports.openssh.sessions.process import SSH_FAILED
from transports.openssh.sessions.runner import SETTLE_SECONDS, Runner
from transports.openssh.sessions.running import until
from transports.openssh.sessions.session import Handle, Session

_BUFFER_HIGH: Final = 2 << 20
_STDERR_KEPT: Final = 8192


class SubsystemChannel:
    """Made by ``open_channel``. Over native sessions it hands out its pipes, which then move bulk data without us."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._loop = asyncio.get_running_loop()
        self._session: Session | None = None
        self._lease: Lease[Handle] | None = None
        self._inbox = Inbox("stdout", _BUFFER_HIGH)
        self._stderr = bytearray()
        self._closed = False
        self._received = False
        self.no_slot = False
        """Set where the session ended for want of slots, which a spawned ssh shows only afterwards."""
        self.broke_off = False
        """Set where it ended without an exit status: the host refused the subsystem, or its server was killed."""
        self._status: int | None = None
        self._exited: asyncio.Future[None] = self._loop.create_future()

    def attach(self, session: Session, lease: Lease[Handle]) -> None:
        """The session is open."""
        self._session = session
        self._lease = lease
        self._inbox.attach(session)

    # --- SessionEvents ------------------------------------------------------------------------------------------------

    def data_received(self, stream: StreamName, data: bytes) -> None:
        if stream == "stderr":
            self._stderr += data[: _STDERR_KEPT - len(self._stderr)]
            return
        self._received = True
        self._inbox.receive(data)

    def stream_ended(self, stream: StreamName) -> None:
        if stream == "stdout":
            self._inbox.end()

    def session_exited(self, status: int | None) -> None:
        self._status = status
        self._ended_session()

    def session_gone(self) -> None:
        """The slot is given back by ``close``, which whoever speaks over the channel calls at its end."""

    def _ended_session(self) -> None:
        if not self._exited.done():
            self._exited.set_result(None)

    # --- ByteChannel --------------------------------------------------------------------------------------------------

    def pipe_fds(self) -> tuple[int, int] | None:
        session = self._session
        if not isinstance(session, NativeSession) or not self._inbox.empty:
            return None
        self._inbox.pause()
        self._received = True  # by whoever reads the pipes: from here on a lost connection may have lost a reply
        return session.pipes()

    async def read(self, n: int) -> bytes:
        data = await self._inbox.read(n)
        if not data and not self._closed:
            await self._explain()
        return data

    async def _explain(self) -> None:
        """At the end of the stream: raises where the connection, and not only the session, has ended."""
        with anyio.move_on_after(SETTLE_SECONDS):
            await until(self._exited)
        if self._lease is None or self._closed:
            return
        said = "" if self._received else self.stderr_text()
        error = await self._runner.backend.diagnose(self._lease.handle, self._status, said, began=self._received)
        self.broke_off = error is None and self._status in {None, SSH_FAILED}
        if isinstance(error, NoSlot):
            self.no_slot = True
            self._lease.refused()
        if isinstance(error, MasterLost):
            self._lease.lost()
        if error is not None:
            raise error

    async def silence(self) -> TransportError | None:
        lease = self._lease
        return None if lease is None or self._closed else await self._runner.silence(lease)

    def write(self, data: bytes) -> None:
        if self._session is not None:
            self._session.write(data)

    async def drain(self) -> None:
        if self._session is None or self._closed:
            raise MasterLost("The channel is closed.", sent=False)
        await self._session.drain()
        if not self._session.stdin_open:
            raise MasterLost("The host ended the session.", "Call again: a new connection is opened.")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._session is not None:
            self._session.close()
        self._ended_session()
        self._inbox.end()
        if self._lease is not None:
            self._lease.release()

    def stderr_text(self) -> str:
        return self._stderr.decode("utf-8", "replace")


async def open_channel(runner: Runner, subsystem: str) -> SubsystemChannel:
    """A channel to a subsystem. Raises what ``Runner.subsystem`` raises; whether the host has it shows in ``read``."""
    channel = SubsystemChannel(runner)
    session, lease = await runner.subsystem(subsystem, channel)
    channel.attach(session, lease)
    return channel
