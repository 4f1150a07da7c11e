"""Reading a directory with several READDIR requests on their way.

The server replies to the requests of one handle in order, each with the next hundred names. One request at a time costs
a round trip per hundred names (10,000 names over 50 ms: 5 s); with eight to sixteen it is next to nothing. When half of
the replies have come, as many requests follow in one go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from transports.api import DirectoryEntry
from transports.errors import FileError, FileErrorKind, ProtocolError, TransportError
from transports.sftp import messages as m
from transports.sftp.codec import encode
from transports.sftp.engine import Engine, Event
from transports.sftp.paths import shown
from transports.sftp.status import status_error

_FIRST: Final = 12
"""Requests sent at once for a directory whose size nobody knows yet: a thousand names in one round trip."""
_MOST: Final = 16
"""Requests on their way at most."""
NAMES_MAX: Final = 250_000
"""Names of one directory, all of which are held at once: some 150 MB. A hostile server need never end."""
CHARACTERS_MAX: Final = 64 * 1024 * 1024
"""The same in characters: SFTP itself bounds a name only by the packet."""


class Listing:
    """One open directory handle."""

    def __init__(self, engine: Engine, handle: bytes, path: str) -> None:
        self._engine = engine
        self._handle = handle
        self._path = path
        self._asked: deque[tuple[int, asyncio.Future[m.Reply]]] = deque()
        self._width = _FIRST
        self._names = self._characters = 0
        self._ended = self._closed = False

    async def next(self) -> list[DirectoryEntry] | None:
        """The next names without ``.`` and ``..``, or None at the end. Raises FileError and ProtocolError."""
        while not self._ended:
            if len(self._asked) < self._width // 2:
                while len(self._asked) < self._width:
                    self._ask()
            reply = await self._asked[0][1]
            self._asked.popleft()
            if isinstance(reply, m.Name):
                self._width = min(self._width * 2, _MOST)
                if entries := _checked(reply.entries):
                    self._count(entries)
                    return entries
                if not reply.entries:
                    raise ProtocolError("The SFTP server sent an empty list of names instead of the end.")
            elif isinstance(reply, m.Status) and reply.code == m.StatusCode.EOF:
                self._ended = True
            elif isinstance(reply, m.Status) and reply.code != m.StatusCode.OK:
                self._ended = True
                raise status_error(reply, "list", self._path)
            else:
                raise ProtocolError("The SFTP server replied to READDIR with neither names nor a status.")
        return None

    def _count(self, entries: list[DirectoryEntry]) -> None:
        self._names += len(entries)
        self._characters += sum(len(entry.name) for entry in entries)
        if self._names > NAMES_MAX or self._characters > CHARACTERS_MAX:
            self._ended = True
            raise FileError(
                FileErrorKind.FAILURE,
                self._path,
                f"{shown(self._path)} holds more names than can be listed ({NAMES_MAX}).",
                "Name the file that you want, or list it with a command on the host.",
            )

    def close(self) -> None:
        """Close the handle without waiting; replies still to come are discarded. Idempotent."""
        if self._closed:
            return
        self._closed = self._ended = True
        for request_id, future in self._asked:
            self._engine.abandon(request_id)
            future.cancel()
        self._asked.clear()
        self._engine.send_close(self._handle)

    def _ask(self) -> None:
        request_id = self._engine.new_id()
        future: asyncio.Future[m.Reply] = asyncio.get_running_loop().create_future()

        def settle(event: Event) -> None:
            if future.done():
                return
            if isinstance(event, TransportError):
                future.set_exception(event)
                future.exception()  # the first of them is raised; the others are no news
            elif isinstance(event, m.Status | m.Name):
                future.set_result(event)
            else:
                raise ProtocolError("The SFTP server replied to READDIR with neither names nor a status.")

        self._engine.submit(request_id, settle, encode(m.ReadDir(request_id, self._handle)))
        self._asked.append((request_id, future))


def _checked(entries: tuple[DirectoryEntry, ...]) -> list[DirectoryEntry]:
    """Without ``.`` and ``..``. Raises ProtocolError for what no file can be named."""
    kept = []
    for entry in entries:
        name = entry.name
        if name in (".", ".."):
            continue
        if "/" in name or "\0" in name or not name:
            raise ProtocolError(f"The SFTP server lists {shown(name)}, which is not a valid file name.")
        kept.append(entry)
    return kept
