"""The runtime socket: one per server process, in the runtime directory, for this user alone.

It is the operator's side of a server: ``ssh-mcp status``, ``approve``, ``deny`` and the console talk to it. No tool
does, and none of it is reachable over MCP.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import ConfigError
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.server.operator.peer import is_ours, peer_uid, user_name

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ssh_mcp.audit.sinks import Audit
    from ssh_mcp.remote.fleet import Fleet
    from ssh_mcp.server.operator.messages import Request

SOCKETS: Final = "server-*.sock"
"""What the sockets of running servers are called in the runtime directory."""

MAX_PEERS: Final = 32
IDLE_SECONDS: Final = 600.0
_WATCH_LINES: Final = 1000
"""Audit lines kept for one watcher that reads slowly."""

_numbers = itertools.count()
logger = logging.getLogger("ssh_mcp")


class OperatorService:
    """Listens while ``listening()`` lasts, and replies from the server's own state."""

    def __init__(self, fleet: Fleet, audit: Audit) -> None:
        self._fleet = fleet
        self._audit = audit
        self._started = time.time()
        self._peers: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """The operator can reach this server while the block lasts; where that cannot be, a warning says why.

        Its tasks are asyncio's own: FastMCP leaves a lifespan from another task than it entered it.
        """
        server, path = None, None
        try:
            if not hasattr(asyncio, "start_unix_server"):
                raise ConfigError("Windows has no Unix sockets for Python.")
            path = _free_path()
            server = await asyncio.start_unix_server(self._accepted, path, limit=1 << 20)
            path.chmod(0o600)
            self._fleet.approvals.operator_reachable = True
        except (ConfigError, OSError) as error:
            logger.warning("ssh-mcp status and approve cannot reach this server: %s", error)
        try:
            yield
        finally:
            self._fleet.approvals.operator_reachable = False
            if server is not None:
                server.close()
            for task in tuple(self._peers):
                task.cancel()
            if path is not None:
                path.unlink(missing_ok=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._peers.add(task)
        try:
            uid = peer_uid(writer.get_extra_info("socket"))
            if is_ours(uid) and len(self._peers) <= MAX_PEERS:
                await self._serve(reader, writer, user_name(os.geteuid()))
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            pass  # a peer that left, sent a line without end, or nothing at all
        except asyncio.CancelledError:
            pass  # the server stops; asyncio before 3.12 logs a cancelled connection as a failed callback
        finally:
            self._peers.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, who: str) -> None:
        from ssh_mcp.server.operator import messages as m  # late: models that a server without an operator never needs

        while line := await asyncio.wait_for(reader.readline(), IDLE_SECONDS):
            try:
                request = m.decode_request(line)
            except ValueError as error:
                writer.write(m.encode(m.ErrorReply(error="unreadable", text=str(error))))
                await writer.drain()
                continue
            if isinstance(request, m.WatchRequest):
                await self._watch(reader, writer)
                return
            writer.write(m.encode(self._answer(request, who)))
            await writer.drain()

    def _answer(self, request: Request, who: str) -> BaseModel:
        from ssh_mcp.server.operator import messages as m
        from ssh_mcp.server.operator import status

        desk = self._fleet.approvals
        match request:
            case m.StatusRequest():
                return status.of(self._fleet, self._started)
            case m.ApprovalsRequest():
                return m.ApprovalsReply(approvals=status.approvals(desk))
            case m.DecideRequest(id=question_id, yes=yes, minutes=minutes):
                try:
                    found = desk.decide(question_id, yes=yes, who=who, minutes=minutes)
                except OSError as error:
                    return m.ErrorReply(error="failed", text=f"The grant cannot be kept: {error.strerror}.")
                if found is None or found.decision is None:
                    return m.ErrorReply(error="unknown_id", text="No question with this id waits here.")
                return m.DecidedReply(
                    yes=yes, runs=yes and found.waiting, grant=found.decision.grant, summary=found.question.summary()
                )
            case m.GrantsRequest():
                return m.GrantsReply(grants=status.grants(desk.store))
            case m.RevokeRequest(id=grant_id):
                return m.RevokedReply(revoked=desk.store.remove(grant_id))
        raise AssertionError(request)

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Audit lines as they are written, until the peer closes its side; a slow reader is sent how many it lost."""
        from ssh_mcp.server.operator import messages as m

        lines: asyncio.Queue[str] = asyncio.Queue(_WATCH_LINES)
        loop = asyncio.get_running_loop()
        lost = 0

        def keep(line: str) -> None:
            nonlocal lost
            try:
                lines.put_nowait(line)
            except asyncio.QueueFull:
                lost += 1

        async def pump() -> None:
            nonlocal lost
            while True:
                line = await lines.get()
                reply = m.LineReply(line=line, lost=lost)
                lost = 0
                writer.write(m.encode(reply))
                await writer.drain()

        pumping = loop.create_task(pump())
        with self._audit.watched(lambda line: loop.call_soon_threadsafe(keep, line)):
            try:
                closed = loop.create_task(reader.read())
                await asyncio.wait((pumping, closed), return_when=asyncio.FIRST_COMPLETED)
                closed.cancel()
            finally:
                pumping.cancel()
                with suppress(OSError, asyncio.CancelledError):
                    await pumping


def _free_path() -> Path:
    """A name for this process; those that killed servers left behind are removed. Raises ConfigError."""
    directory = runtime_directory()
    for left in directory.glob(SOCKETS):
        if not _answers(left):
            left.unlink(missing_ok=True)
    return directory / f"server-{os.getpid()}-{next(_numbers)}.sock"


def _answers(path: Path) -> bool:
    """Whether a server listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True
