"""Windowed reading and writing of one open file: the base of every bulk operation.

Both pumps work from the engine's callbacks, without an await a chunk, and keep about 2 MiB in flight whatever the chunk
size (one 32 KiB request at a time gives 0.6 MB/s over 50 ms of round-trip time, 2 MiB gives 35).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from transports.errors import ProtocolError, TransportError
from transports.sftp.codec import DataPart, read_packet, write_header
from transports.sftp.engine import Engine, Event
from transports.sftp.messages import Status, StatusCode
from transports.sftp.status import status_error

WINDOW: Final = 2 * 1024 * 1024
"""Bytes requested or sent whose reply has not come yet, per transfer."""
_LEAST_CHUNK: Final = 4096
"""Smallest chunk, bytes, however short the server's replies become."""

Sink = Callable[[memoryview], None]
"""Takes a ReadPump's bytes in order, without gaps. The view is only valid during the call. May raise OSError and
TransportError, which end the pump."""


class _Asked:
    """One READ on its way. ``held`` keeps bytes that came before those that precede them in the file."""

    __slots__ = ("again", "got", "held", "length", "offset")

    def __init__(self, offset: int, length: int, *, again: int = 0) -> None:
        self.offset = offset
        self.length = length
        self.got = 0
        self.held = bytearray()
        self.again = again
        """Length of the short reply that made us ask for the rest, else 0."""


class ReadPump:
    """Reads from ``offset`` up to ``length`` bytes on (None: the end of the file) and hands them to ``sink`` in order.

    ``done`` returns the number of bytes, or fails with the first error in file order, after everything before it was
    delivered. ``size`` is the file's size as far as it is known: it spares questions beyond the end.
    """

    def __init__(
        self,
        engine: Engine,
        handle: bytes,
        path: str,
        sink: Sink,
        *,
        chunk: int,
        offset: int = 0,
        length: int | None = None,
        size: int | None = None,
    ) -> None:
        self._engine = engine
        self._handle = handle
        self._path = path
        self._sink = sink
        self._chunk = chunk
        self._begin = self._position = self._next = offset
        self._end = None if length is None else offset + length
        self._known = length is not None
        self._size = size
        self._asked: dict[int, _Asked] = {}
        self._held: dict[int, _Asked] = {}
        self._error: Exception | None = None
        self.backlog = 0
        """Bytes that the sink took but has not dealt with: they count against the window. It calls ``more`` later."""
        self.done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(_looked_at)

    @property
    def error(self) -> Exception | None:
        """The failure that the server reported, if there was one."""
        return self._error

    @property
    def delivered(self) -> int:
        """Bytes handed to the sink so far."""
        return self._position - self._begin

    def start(self) -> None:
        """Send the first requests. Raises MasterLost where the channel has ended."""
        self._engine.check()
        if self._end is None or self._end - self._begin > WINDOW:
            self._engine.widen()
        self.more()
        self._settle()

    def more(self) -> None:
        """Ask for as much as the window allows."""
        if self.done.done() or self._engine.lost is not None:
            return
        while self._next - self._position + self.backlog < self._window() and self._may_ask():
            length = self._chunk if self._end is None else min(self._chunk, self._end - self._next)
            self._ask(_Asked(self._next, length))
            self._next += length

    def stop(self) -> None:
        """Ask for nothing more and discard what still comes."""
        for request_id in self._asked:
            self._engine.abandon(request_id)
        self._asked.clear()
        self._held.clear()
        if not self.done.done():
            self.done.cancel()

    def _window(self) -> int:
        """Of a file whose size nobody knows a little is asked first, or a short one would cost many vain questions."""
        if self._known or self._size is not None:
            return WINDOW
        return min(WINDOW, 2 * (self._chunk + self.delivered))

    def _may_ask(self) -> bool:
        if self._end is not None and self._next >= self._end:
            return False
        # beyond the size that the server reported, one request at a time is enough to find the end
        return self._size is None or self._next < self._size or not self._asked

    def _ask(self, asked: _Asked) -> None:
        request_id = self._engine.new_id()
        self._asked[request_id] = asked
        packet = read_packet(request_id, self._handle, asked.offset, asked.length)
        self._engine.submit(request_id, lambda event: self._on_event(request_id, asked, event), packet)

    # --- replies ------------------------------------------------------------------------------------------------------

    def _on_event(self, request_id: int, asked: _Asked, event: Event) -> None:
        if isinstance(event, DataPart):
            if event.total > asked.length:
                raise ProtocolError("The SFTP server sent more data than was requested.")
            self._on_data(asked, event.view)
            if event.last:
                self._on_complete(asked, event.total)
        elif isinstance(event, TransportError):
            self.fail(event)
            return
        elif not isinstance(event, Status) or event.code == StatusCode.OK:
            raise ProtocolError("The SFTP server replied to READ with neither DATA nor a failure.")
        elif event.code == StatusCode.EOF:
            self._ends_at(asked.offset)
        else:
            self._error = status_error(event, "read", self._path)
            self._ends_at(asked.offset)
        if not isinstance(event, DataPart) or event.last:
            self._asked.pop(request_id, None)
            self.more()
        self._settle()

    def _on_data(self, asked: _Asked, view: memoryview) -> None:
        position = asked.offset + asked.got
        asked.got += len(view)
        if position != self._position:
            asked.held += view
            self._held[asked.offset] = asked
            return
        self._deliver(view)
        while self._held and (front := self._held.pop(self._position, None)) is not None:
            data, front.held = front.held, bytearray()
            self._deliver(memoryview(data))

    def _deliver(self, view: memoryview) -> None:
        if self._end is not None:
            view = view[: max(self._end - self._position, 0)]
        try:
            self._sink(view)
        except (OSError, TransportError) as error:
            self.fail(error)
        self._position += len(view)

    def _on_complete(self, asked: _Asked, total: int) -> None:
        """Short DATA is not the end of the file, unless it is empty or is where the server said that the file ends."""
        if asked.again and total:
            self._chunk = max(min(self._chunk, asked.again), _LEAST_CHUNK)
        if total == asked.length:
            return
        end = asked.offset + total
        if total == 0 or end == self._size:
            self._ends_at(end)
        elif not self.done.done() and self._engine.lost is None:
            self._ask(_Asked(end, asked.length - total, again=total))

    def _ends_at(self, offset: int) -> None:
        self._end = offset if self._end is None else min(self._end, offset)

    def fail(self, error: Exception) -> None:
        """End with ``error``, now."""
        if not self.done.done():
            self.done.set_exception(error)
            self.stop()

    def _settle(self) -> None:
        if self.done.done() or self._end is None or self._position < self._end:
            return
        if self._error is not None:
            self.done.set_exception(self._error)
        else:
            self.done.set_result(self.delivered)
        self.stop()


class WritePump:
    """Writes blocks one behind the other from ``offset`` on.

    ``on_room`` is called whenever a reply makes room in the window. After a failure ``put`` raises it.
    """

    def __init__(self, engine: Engine, handle: bytes, path: str, *, chunk: int, offset: int = 0) -> None:
        self._engine = engine
        self._handle = handle
        self._path = path
        self.chunk = chunk
        """Largest block sent in one request, bytes."""
        self._begin = self._next = offset
        self._unanswered: deque[list[int]] = deque()
        """``[offset, length, replied]`` in file order."""
        self.in_flight = 0
        """Bytes sent whose reply has not come."""
        self._error: TransportError | None = None
        self._error_at = -1
        self._waiter: asyncio.Future[None] | None = None
        self.on_room: Callable[[], None] | None = None

    @property
    def room(self) -> int:
        """Bytes that may be put now."""
        return WINDOW - self.in_flight

    @property
    def contiguous(self) -> int:
        """The offset up to which everything is known to be written."""
        return self._unanswered[0][0] if self._unanswered else self._next

    @property
    def written(self) -> int:
        """Bytes known to be written, without a gap."""
        return self.contiguous - self._begin

    @property
    def error(self) -> TransportError | None:
        """The failure that ended the pump."""
        return self._error

    def put(self, data: bytes | memoryview) -> None:
        """Send ``data``, which must not change until its reply has come. Raises FileError and MasterLost."""
        if self._error is not None:
            raise self._error
        view = memoryview(data)
        for start in range(0, len(view), self.chunk):
            self._write(view[start : start + self.chunk])

    async def wait_room(self) -> None:
        """Return when something may be put, or raise the failure."""
        while self._error is None and self.room <= 0:
            await self._wait()
        if self._error is not None:
            raise self._error

    async def finish(self) -> int:
        """Wait for all replies; the number of bytes written. Raises the first failure in file order."""
        while self.in_flight and (self._error is None or self._engine.lost is None):
            await self._wait()
        if self._error is not None:
            raise self._error
        return self.written

    def _write(self, view: memoryview) -> None:
        if self._next - self._begin > WINDOW:
            self._engine.widen()
        request_id = self._engine.new_id()
        entry = [self._next, len(view), 0]
        head = write_header(request_id, self._handle, self._next, len(view))
        self._engine.submit(request_id, lambda event: self._on_event(entry, event), head, view)
        self._unanswered.append(entry)
        self.in_flight += len(view)
        self._next += len(view)

    def _on_event(self, entry: list[int], event: Event) -> None:
        if isinstance(event, TransportError):
            self._error = self._error or event
        elif not isinstance(event, Status):
            raise ProtocolError("The SFTP server replied to WRITE with something other than a status.")
        else:
            self.in_flight -= entry[1]
            if event.code == StatusCode.OK:
                self._answered(entry)
            elif self._error is None or entry[0] < self._error_at:
                self._error, self._error_at = status_error(event, "write", self._path), entry[0]
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self.on_room is not None:
            self.on_room()

    def _answered(self, entry: list[int]) -> None:
        entry[2] = 1
        while self._unanswered and self._unanswered[0][2]:
            self._unanswered.popleft()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


def _looked_at(done: asyncio.Future[int]) -> None:
    """Mark the exception of an abandoned task as retrieved."""
    if not done.cancelled():
        done.exception()
