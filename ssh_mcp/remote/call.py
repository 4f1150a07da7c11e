"""One tool call as the remote room sees it: where its audit facts go, and how it tells the client of progress."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ssh_mcp.remote.caller import Caller

if TYPE_CHECKING:
    from ssh_mcp.audit.sinks import AuditCall
    from ssh_mcp.remote.fleet import Fleet
    from ssh_mcp.remote.host import RemoteHost

PROGRESS_AFTER = 1.0
"""Seconds a call must have lasted before it sends its first progress notification."""

PROGRESS_EVERY = 0.5
"""Seconds between two progress notifications."""

ProgressSender = Callable[[float, float | None, str | None], Awaitable[None]]


async def no_progress(_done: float, _total: float | None, _message: str | None) -> None:
    """For callers that did not ask for progress."""


@dataclass(slots=True)
class Call:
    """Handed to tools that need no single host, and carried by every ``RemoteHost``."""

    fleet: Fleet
    record: AuditCall
    send_progress: ProgressSender = no_progress
    caller: Caller = field(default_factory=Caller)
    started: float = field(default_factory=time.monotonic)
    warnings: list[str] = field(default_factory=list)
    hosts: list[RemoteHost] = field(default_factory=list)
    _last_progress: float = 0.0

    async def host(self, name: str) -> RemoteHost:
        """Resolve one name to a host that carries its policy. Raises HostNotAllowed, HostBlocked."""
        host = await self.fleet.host(name, self)
        self.hosts.append(host)
        return host

    async def progress(self, done: float, total: float | None = None, message: str | None = None) -> bool:
        """Tell the client, at most twice a second and only once the call has lasted a second. False: not told now."""
        now = time.monotonic()
        if now - self.started < PROGRESS_AFTER or now - self._last_progress < PROGRESS_EVERY:
            return False
        self._last_progress = now
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.send_progress(done, total, message)
        return True

    def note_path(self, canonical: str) -> None:
        """The audit line hashes the canonical paths that the call touches."""
        self.record.path(canonical)

    def note_command(self, text: str) -> None:
        """The audit line hashes the command without its secrets: a short password could be found by its hash."""
        from ssh_mcp.redaction.engine import redact_output, rules_from  # late: its patterns are a tenth of the start
        from ssh_mcp.redaction.values import MARKER

        masked = redact_output(text, rules_from(self.fleet.inventory.default_redaction)).text
        self.record.command(MARKER.sub("***", masked))

    def note_exit(self, exit_code: int) -> None:
        self.record.exit_code(exit_code)

    def note_bypass(self) -> None:
        """A redact-listed path was delivered raw."""
        self.record.redact_bypass()

    def warn(self, text: str) -> None:
        """A remark for the result's output_warnings."""
        if text not in self.warnings:
            self.warnings.append(text)
