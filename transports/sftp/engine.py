"""The SFTP client's engine: a request table, one reader, one writer.

Requests go out at once and in order; replies may come in any order and find their handler by request id. A reply to a
request that nobody waits for any more is discarded, and a handle that such a reply brings is closed.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Final

import anyio

from transports.channel import ByteChannel
from transports.errors import (
    MasterLost,
    ProtocolError,
    RemoteError,
    SessionRefused,
    SFTPSubsystemUnavailable,
    TransportError,
)
from transports.refusals import account_refusal
from transports.sftp import messages as m
from transports.sftp.codec import DataPart, ReplyReader, encode
from transports.sftp.link import Link, link_to
from transports.sftp.paths import shown
from transports.wire import U32_MAX

Event = m.Reply | DataPart | TransportError
Handler = Callable[[Event], None]
"""Called with a request's reply (DATA: with each part of it), or with the error that ends the channel. Must not raise
anything but ProtocolError."""

_NOISE_LIMIT: Final = 2048
"""Bytes of text before VERSION that are kept for the message."""
_NOISE_QUIET: Final = 0.3
"""Seconds to wait for the rest of such text."""
STALLED: Final = 120.0
"""Seconds without a byte after which a server that has not replied is given up: an fsync of gigabytes takes a while."""
STALLED_ABANDONED: Final = 10.0
"""The same while it works on a request that nobody waits for: sftp-server replies to nothing else meanwhile, and a read
of /proc/kmsg or of a dead network file system never ends."""


class Engine:
    """One SFTP channel. Made by ``start``; all of it runs in the event loop's thread."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._pending: dict[int, Handler] = {}
        self._last_id = 0
        self._outgoing: list[bytes | memoryview] = []
        self._flushing = False
        self._version: asyncio.Future[m.Version] = self._loop.create_future()
        self._head = bytearray()
        self._noisy = False
        self.lost: TransportError | None = None
        self._closing: asyncio.Task[None] | None = None
        self.last_used = self._loop.time()
        self._replied_at = self._suspected = self._probed = self.last_used
        self._probing: asyncio.Task[None] | None = None
        self._watching: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls, channel: ByteChannel, timeout: float) -> tuple[Engine, m.Version]:
        """Speak INIT and wait for VERSION.

        Raises SFTPSubsystemUnavailable where no usable SFTP replies within ``timeout`` seconds, MasterLost where the
        connection ends; the channel is closed then.
        """
        engine = cls(link_to(channel))
        engine._link.start(engine._received, engine._ended)
        engine._link.send([encode(m.Init())])
        try:
            with anyio.fail_after(timeout):
                version = await engine._version
        except TimeoutError:
            await engine.close()
            raise SFTPSubsystemUnavailable(
                f"The host's SFTP subsystem did not reply within {timeout:g} s.",
                "See whether its login shell waits for input, or whether the host is overloaded.",
            ) from None
        except BaseException:
            await engine.close()
            raise
        return engine, version

    @property
    def pending(self) -> int:
        """Requests without a reply."""
        return len(self._pending)

    def widen(self) -> None:
        """Bulk data is about to come."""
        self._link.widen()

    # --- requests -----------------------------------------------------------------------------------------------------

    def new_id(self) -> int:
        """An id that no outstanding request carries."""
        while True:
            self._last_id = (self._last_id + 1) & U32_MAX
            if self._last_id not in self._pending:
                return self._last_id

    def submit(self, request_id: int, handler: Handler, *packet: bytes | memoryview) -> None:
        """Send one encoded request, together with all that this turn of the event loop asks: one system call, and one
        wake-up of ssh, sshd and the server, instead of many.

        Raises MasterLost where the channel has ended.
        """
        self.check()
        if not self._pending:
            self._replied_at = self._loop.time()
        if self._watching is None:
            self._watching = self._loop.call_later(STALLED_ABANDONED, self._look)
        self._pending[request_id] = handler
        self._outgoing.extend(packet)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    async def ask(self, build: Callable[[int], m.Request]) -> m.Reply:
        """Send the request that ``build`` makes of an id and await its reply.

        Cancelling does not undo a request that was sent: its reply is discarded, and a handle in it closed.
        """
        future: asyncio.Future[m.Reply] = self._loop.create_future()
        request = build(self.new_id())
        self.submit(request.request_id, lambda event: self._settle(future, event), encode(request))
        self.last_used = self._loop.time()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._discard(future.result())
            else:
                self.abandon(request.request_id)
            raise

    def send_close(self, handle: bytes) -> None:
        """Close a handle without waiting for the reply."""
        if self.lost is None:
            request_id = self.new_id()
            self.submit(request_id, _ignore, encode(m.Close(request_id, handle)))

    def abandon(self, request_id: int) -> None:
        """Nobody waits for this request's reply any more."""
        if request_id in self._pending:
            self._pending[request_id] = self._discard

    def check(self) -> None:
        """Raises MasterLost where the channel has ended; nothing was sent then."""
        if self.lost is not None:
            raise MasterLost("The SFTP channel has ended.", "Call again: a new one will be opened.", sent=False)

    def _look(self) -> None:
        """Give a server up that is silent, so that the next call opens a channel that works."""
        self._watching = None
        if not self._pending or self.lost is not None:
            return
        silent = self._loop.time() - self._replied_at
        if silent >= STALLED_ABANDONED and self._suspected != self._replied_at:
            # A reply may be there that a busy event loop has not read yet.
            self._suspected = self._replied_at
            self._watching = self._loop.call_later(0.1, self._look)
        elif silent >= STALLED:
            self._lose(
                RemoteError(
                    f"The host's SFTP service has not replied for {STALLED:g} s.",
                    "Check whether the file is on a device or a network file system that hangs; the next call opens a"
                    " new channel.",
                )
            )
        elif silent >= STALLED_ABANDONED and self._discard in self._pending.values():
            self._lose(MasterLost("The host's SFTP service is blocked by a request that was given up.", "Call again."))
        else:
            if silent >= STALLED_ABANDONED and self._probed != self._replied_at:
                self._probed = self._replied_at
                self._probing = self._loop.create_task(self._probe(self._replied_at))
            left = STALLED_ABANDONED - silent if silent < STALLED_ABANDONED else 1.0
            self._watching = self._loop.call_later(max(left, 0.05), self._look)

    async def _probe(self, replied_at: float) -> None:
        """Give the channel up where the whole host is silent, and not only a server that is busy."""
        error = await self._link.silence()
        if error is not None and replied_at == self._replied_at and self._pending:
            self._lose(error)

    def _discard(self, event: Event) -> None:
        if isinstance(event, m.Handle):
            self.send_close(event.handle)

    def _settle(self, future: asyncio.Future[m.Reply], event: Event) -> None:
        if isinstance(event, DataPart):
            raise ProtocolError("The SFTP server sent DATA where none was requested.")
        if future.done():
            # its task was cancelled and has not run since
            self._discard(event)
        elif isinstance(event, TransportError):
            future.set_exception(event)
        else:
            future.set_result(event)

    def _flush(self) -> None:
        self._flushing = False
        if self._outgoing:
            buffers, self._outgoing = self._outgoing, []
            self._link.send(buffers)

    # --- replies ------------------------------------------------------------------------------------------------------

    def _received(self, view: memoryview) -> None:
        if self.lost is not None:
            return
        self._replied_at = self._loop.time()
        try:
            if not self._version.done():
                self._first_bytes(view)
            else:
                self._dispatch(view)
        except ProtocolError as error:
            self._lose(error)
        self._flush()

    def _dispatch(self, view: memoryview) -> None:
        pending = self._pending
        for event in self._reader.feed(view):
            if isinstance(event, m.Version):
                if self._version.done():
                    raise ProtocolError("The SFTP server sent VERSION twice.")
                self._version.set_result(event)
                continue
            if isinstance(event, DataPart) and not event.last:
                handler = pending.get(event.request_id)
            else:
                handler = pending.pop(event.request_id, None)
            if handler is None:
                raise ProtocolError("The SFTP server replied to a request that was not sent, or replied twice.")
            try:
                handler(event)
            except ProtocolError as error:
                handler(copy.copy(error))  # no longer pending, so it is failed here
                raise

    def _first_bytes(self, view: memoryview) -> None:
        """Before VERSION: see whether it is SFTP that speaks, or a login shell's rc file."""
        self._head += view[: _NOISE_LIMIT + 5]
        if self._noisy:
            del self._head[_NOISE_LIMIT:]
            return
        if len(self._head) < 5:
            return
        length = int.from_bytes(self._head[:4], "big")
        if length > m.SFTP_MAX_MSG_LENGTH or self._head[4] != m.SSH2_FXP_VERSION:
            self._noisy = True
            self._loop.call_later(_NOISE_QUIET, self._noise)
            return
        if len(view) > _NOISE_LIMIT + 5:
            raise ProtocolError("The SFTP server's first packet is longer than it can be.")
        head, self._head = bytes(self._head), bytearray()
        self._dispatch(memoryview(head))
        if not self._version.done():
            self._head = bytearray(head)
            self._reader = ReplyReader()

    def _noise(self) -> None:
        text = bytes(self._head).decode("utf-8", "replace").strip()
        self._lose(
            SFTPSubsystemUnavailable(
                f"The host's SFTP channel begins with text instead of SFTP: {shown(text)}.",
                "Silence the account's shell rc files for sessions that are not interactive, or have the host's "
                "administrator set `Subsystem sftp internal-sftp`.",
            )
        )

    # --- the end ------------------------------------------------------------------------------------------------------

    def _ended(self, error: TransportError | None) -> None:
        if self._noisy:
            self._noise()
        elif self._version.done():
            self._lose(error or MasterLost("The host ended the SFTP session."))
        elif error is None or isinstance(error, SessionRefused):
            said = self._link.stderr_text().strip()
            refusal = account_refusal(said)
            self._lose(
                SFTPSubsystemUnavailable(
                    f"The account {refusal.what}, so the host starts no SFTP. It says: {shown(said.rstrip('.'))}.",
                    refusal.remedy,
                )
                if refusal is not None
                else SFTPSubsystemUnavailable(
                    f"The host offers no SFTP subsystem{f' and says {shown(said)}' if said else ''}.",
                    "Have `Subsystem sftp` enabled in its sshd_config, and the account allowed to use it.",
                )
            )
        else:
            self._lose(error)

    def _lose(self, error: TransportError) -> None:
        """End the channel: all who wait get the error."""
        if self.lost is not None:
            return
        self.lost = error
        if self._watching is not None:
            self._watching.cancel()
        if self._probing is not None and self._probing is not asyncio.current_task(self._loop):
            self._probing.cancel()
        waiting, self._pending = self._pending, {}
        self._outgoing.clear()
        if not self._version.done():
            self._version.set_exception(error)
        for handler in waiting.values():
            handler(copy.copy(error))
        self._closing = self._loop.create_task(self._link.close())

    async def close(self) -> None:
        """End the channel from our side. Idempotent."""
        self._lose(MasterLost("The SFTP channel was closed on our side."))
        if self._version.done() and not self._version.cancelled():
            self._version.exception()  # mark the exception as retrieved
        if self._closing is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.gather(self._closing, return_exceptions=True)


def _ignore(_event: Event) -> None:
    """For requests whose outcome changes nothing."""
