"""The running servers as the console sees them: each one's state once a second, and its audit lines as they come.

Servers come and go: each is found by its socket in the runtime directory and forgotten when it no longer replies.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ssh_mcp.audit.reader import parse_line
from ssh_mcp.server.operator import messages as m
from ssh_mcp.server.operator.client import TIMEOUT, sockets
from ssh_mcp.server.operator.peer import is_ours, peer_uid

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ssh_mcp.audit.record import AuditRecord

EVERY: Final = 1.0
"""Seconds between two looks at a server."""

_GONE: Final = (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError)
logger = logging.getLogger("ssh_mcp.console")


@dataclass(slots=True)
class Seen:
    """One server. ``grants`` are those that it knows of."""

    path: Path
    status: m.StatusReply
    grants: list[m.GrantInForce] = field(default_factory=list)


async def ask(path: Path, request: BaseModel) -> m.Reply:
    """One server's reply. Raises OSError, ValueError, TimeoutError."""
    async with asyncio.timeout(TIMEOUT), _connected(path) as (reader, writer):
        writer.write(m.encode(request))
        return m.decode_reply(await reader.readuntil(b"\n"))


@asynccontextmanager
async def _connected(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path, limit=m.MAX_LINE)
    try:
        if not is_ours(peer_uid(writer.get_extra_info("socket"))):
            raise PermissionError(f"{path} does not belong to you")
        yield reader, writer
    finally:
        writer.close()


class Servers:
    """Watches every server while ``watch()`` runs. The callbacks are called in its task."""

    def __init__(self, changed: Callable[[], object], line: Callable[[AuditRecord], object]) -> None:
        self.seen: dict[Path, Seen] = {}
        self.lost = 0
        """Audit lines that went by unseen."""
        self._changed = changed
        self._line = line
        self._watchers: dict[Path, asyncio.Task[None]] = {}

    async def watch(self) -> None:
        """Look at the servers until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(EVERY)
        finally:
            for task in self._watchers.values():
                task.cancel()

    async def look(self) -> None:
        """One look at all of them."""
        paths = await asyncio.to_thread(sockets)
        found = await asyncio.gather(*(self._state(path) for path in paths))
        self.seen = {each.path: each for each in found if each is not None}
        for path in self.seen:
            if path not in self._watchers or self._watchers[path].done():
                self._watchers[path] = asyncio.create_task(self._follow(path))
        for path in [path for path in self._watchers if path not in self.seen]:
            self._watchers.pop(path).cancel()
        self._changed()

    async def _state(self, path: Path) -> Seen | None:
        try:
            status = await ask(path, m.StatusRequest())
            grants = await ask(path, m.GrantsRequest())
        except _GONE:
            return None
        if not isinstance(status, m.StatusReply):
            return None
        return Seen(path, status, grants.grants if isinstance(grants, m.GrantsReply) else [])

    async def _follow(self, path: Path) -> None:
        with suppress(*_GONE):
            async with _connected(path) as (reader, writer):
                writer.write(m.encode(m.WatchRequest()))
                while line := await reader.readline():
                    reply = m.decode_reply(line)
                    if isinstance(reply, m.LineReply):
                        self.lost += reply.lost
                        record = parse_line(reply.line.encode())
                        if record is not None:
                            self._line(record)

    async def decide(self, path: Path, question: str, *, yes: bool, minutes: int | None = None) -> str:
        """Settle one question; returns a sentence about what became of it."""
        try:
            reply = await ask(path, m.DecideRequest(id=question, yes=yes, minutes=minutes))
        except _GONE:
            return "That server is gone; nothing was decided."
        if isinstance(reply, m.ErrorReply):
            return reply.text
        if not isinstance(reply, m.DecidedReply) or not reply.yes:
            return "Refused. Nothing was run."
        until = f" Equal calls run for {minutes} minutes." if minutes else ""
        return ("Approved. It runs now." if reply.runs else "Approved. It runs when the call is made again.") + until

    async def revoke(self, grant: str) -> str:
        """Withdraw a grant, wherever it is kept; returns a sentence."""
        from ssh_mcp.approval.store import ApprovalStore

        gone = await asyncio.to_thread(ApprovalStore().remove, grant)
        for path in list(self.seen):
            with suppress(*_GONE):
                reply = await ask(path, m.RevokeRequest(id=grant))
                gone = gone or (isinstance(reply, m.RevokedReply) and reply.revoked)
        return f"Grant {grant} is withdrawn." if gone else f"There is no grant {grant} any more."
