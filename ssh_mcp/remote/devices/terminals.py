"""The open terminals of this server: one remote pseudo-terminal each, with the screen that its output makes."""

from __future__ import annotations

import asyncio
import codecs
import secrets
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import InvalidArgument, PlatformNotSupported
from ssh_mcp.guard.shared import guard_for
from ssh_mcp.redaction.values import MARKER
from ssh_mcp.remote.admission import handle
from ssh_mcp.remote.devices.hang_up import hang_up, needed, new_leader
from ssh_mcp.remote.devices.keys import named, sequence, typed
from ssh_mcp.remote.devices.printed import plain_text
from ssh_mcp.remote.host import connection_of
from ssh_mcp.results.terminals import TerminalClosed, TerminalCursor, TerminalScreenResult
from transports.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ssh_mcp.guard.guard import GuardedText
    from ssh_mcp.remote.caller import Caller
    from ssh_mcp.remote.devices.screen import TerminalScreen
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import CommandLine, Terminal

MAX_TERMINALS: Final = 8
"""Open terminals of a server."""
MAX_TIMEOUT: Final = 600
"""Seconds that one call may wait for output."""
IDLE_LIMIT: Final = 1800.0
"""Seconds without a call after which a terminal is closed."""
_TEND_EVERY: Final = 30.0
_QUIET: Final = 0.25
"""Seconds without output after which a screen counts as drawn."""
_NO_ECHO: Final = 1.0
"""Seconds that a call waits for a first output: a password prompt shows none."""
_FIRST: Final = 5.0
"""Seconds that a program gets to draw its first screen."""
_CHUNK: Final = 16 * 1024
_BREATH: Final = 0.02
"""Pause behind each chunk: rendering costs some 0.3 ms a KiB, and a flood must not take the whole event loop."""
_ARRIVED: Final = 64 * 1024
"""Characters of output since the last keys in which ``wait_for`` is looked for."""


class OpenTerminal:
    """One terminal, its screen, and the task that keeps the screen up to date."""

    def __init__(self, host: RemoteHost, terminal: Terminal, screen: TerminalScreen) -> None:
        self.id = handle(f"t-{secrets.token_hex(4)}", host.settings.mcp_instance)
        self.alias = host.alias
        self.identity = host.call.caller.identity
        self.used = time.monotonic()
        self.lock = anyio.Lock()
        self.screen = screen
        self.ended = False
        self.shown: str | None = None
        self.leader: int | None = None
        """The session leader on a host that does not hang it up by itself."""
        self._connection = connection_of(host)
        self._terminal = terminal
        self._arrived = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._event = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    @property
    def exit_code(self) -> int | None:
        return self._terminal.status

    async def check_lost(self) -> None:
        """Raises MasterLost where the connection has ended, and not only what ran here."""
        await self._terminal.check_lost()

    async def _follow(self) -> None:
        """Feed the screen. Ends with the terminal."""
        try:
            while data := await self._terminal.read(_CHUNK):
                replies = self.screen.feed(data)
                self._arrived = (self._arrived + self._decoder.decode(data))[-_ARRIVED:]
                self._event.set()
                if replies:
                    await self._terminal.write(replies)
                if len(data) == _CHUNK:
                    await anyio.sleep(_BREATH)
        except TransportError:
            pass  # it has ended while a reply of ours was under way
        finally:
            self.ended = True
            self._event.set()

    async def type(self, data: str) -> None:
        """Forget what was printed before, and send."""
        self._arrived = ""
        self._event.clear()
        if data:
            await self._terminal.write(data.encode("utf-8", "surrogateescape"))

    async def resize(self, columns: int | None, rows: int | None) -> None:
        """In characters; None: as it is."""
        now = self.screen.size
        columns, rows = columns or now[0], rows or now[1]
        _check_size(columns, rows)
        self.screen.resize(columns, rows)
        await self._terminal.resize(columns, rows)

    async def settle(self, timeout: float, first: float) -> None:
        """Until output came and paused, or none came for ``first`` seconds, or it ended."""
        with anyio.move_on_after(timeout):
            with anyio.move_on_after(first):
                await self._output()
            while not self.ended:
                self._event.clear()
                with anyio.move_on_after(_QUIET) as quiet:
                    await self._output()
                if quiet.cancelled_caught:
                    return

    async def until(self, wanted: str, timeout: float) -> bool:
        """Until ``wanted`` was printed, or it ended. False at the time limit and where it ended without."""
        row = self.screen.cursor[0]
        self.screen.take_changed(row)
        with anyio.move_on_after(timeout):
            while True:
                if wanted in plain_text(self._arrived) or wanted in self.screen.take_changed(row):
                    await self.settle(_QUIET * 2, _QUIET)
                    return True
                if self.ended:
                    return False
                self._event.clear()
                await self._output()
        return False

    async def _output(self) -> None:
        if not self.ended:
            await self._event.wait()

    async def aclose(self) -> None:
        """End it. Idempotent."""
        leader = None if self.ended else self.leader
        self._task.cancel()
        await self._terminal.aclose()
        if leader is not None:
            await hang_up(self._connection, leader)
        await asyncio.wait((self._task,))


class Terminals:
    """All of one server."""

    def __init__(self) -> None:
        self._open: dict[str, OpenTerminal] = {}
        self._opening = 0
        self._tending: asyncio.Task[None] | None = None
        self._one_at_a_time = anyio.Lock()

    async def open(self, host: RemoteHost, command: str | None, columns: int, rows: int) -> TerminalScreenResult:
        """Raises InvalidArgument beyond the limit, CommandNotAllowed, what approval and connecting raise."""
        _check_size(columns, rows)
        screen = _blank(columns, rows)

        permitted = host.commands.permit_typed(command or "")
        host.call.note_command(f"terminal {command or 'login shell'}")
        self._require_room()
        await host.call.confirm_command((host, permitted))
        self._require_room()
        self._opening += 1
        try:
            terminal = await self._begin(host, screen, permitted.wire() if command else None)
        finally:
            self._opening -= 1
        if self._tending is None:
            self._tending = asyncio.get_running_loop().create_task(self._tend())
        try:
            await terminal.settle(_FIRST, _FIRST)
            return await self._result(host, terminal, None)
        except BaseException:  # nobody has its id
            self._open.pop(terminal.id, None)
            await terminal.aclose()
            raise

    async def _begin(self, host: RemoteHost, screen: TerminalScreen, line: CommandLine | None) -> OpenTerminal:
        connection = connection_of(host)
        if not await needed(connection):
            terminal = OpenTerminal(host, await connection.terminal(line, *screen.size), screen)
            self._open[terminal.id] = terminal
            return terminal
        async with self._one_at_a_time:
            terminal = OpenTerminal(host, await connection.terminal(line, *screen.size), screen)
            self._open[terminal.id] = terminal
            terminal.leader = await new_leader(connection, [each.leader for each in self._open.values()])
            return terminal

    def _require_room(self) -> None:
        if len(self._open) + self._opening >= MAX_TERMINALS:
            raise InvalidArgument(f"{MAX_TERMINALS} terminals are open.", "Close one with ssh_terminal_close.")

    def find(self, terminal_id: str, caller: Caller) -> OpenTerminal:
        """Raises InvalidArgument for an id that is not the caller's."""
        terminal = self._open.get(terminal_id)
        if terminal is None or terminal.identity != caller.identity:
            raise InvalidArgument(f"There is no terminal {terminal_id[:40]!r}.", "Open one with ssh_terminal_open.")
        return terminal

    async def send(
        self,
        host: RemoteHost,
        terminal: OpenTerminal,
        text: str,
        keys: Sequence[str],
        *,
        wait_for: str | None,
        timeout: float,
    ) -> TerminalScreenResult:
        """Type, and wait until the screen has caught up. Calls on one terminal wait for each other."""
        if not 0 < timeout <= MAX_TIMEOUT:
            raise InvalidArgument(f"timeout is {timeout}.", f"Seconds, at most {MAX_TIMEOUT}.")
        permitted = host.commands.permit_typed(typed(text, keys))
        # What is typed may be a password, and even its hash would reveal a short one.
        pressed = named(keys)
        count = len(text) + len(keys) - len(pressed)
        host.call.note_command(f"terminal {terminal.id} {count} characters {' '.join(pressed)}".rstrip())
        if text or keys:
            await host.call.confirm_command((host, permitted))
        async with terminal.lock:
            data = text.replace("\r\n", "\r").replace("\n", "\r")
            data += sequence(keys, application=terminal.screen.application_keys)
            terminal.used = time.monotonic()
            if not (terminal.ended and not data):
                await terminal.type(data)
            matched = None
            if wait_for is not None:
                matched = await terminal.until(wait_for, timeout)
            else:
                await terminal.settle(timeout, min(timeout, _NO_ECHO))
            terminal.used = time.monotonic()
            return await self._result(host, terminal, matched)

    async def _result(self, host: RemoteHost, terminal: OpenTerminal, matched: bool | None) -> TerminalScreenResult:
        """A terminal whose end was shown is closed."""
        screen = terminal.screen.text
        changed, terminal.shown = screen != terminal.shown, screen
        shown, rows = _masked(host, terminal.screen)
        row, column = terminal.screen.cursor
        warnings = list(shown.warnings)
        if terminal.ended:
            self._open.pop(terminal.id, None)
            try:
                await terminal.check_lost()
            except TransportError as lost:
                warnings.append(f"{lost.what} Open a new terminal.")
            await terminal.aclose()
        columns, height = terminal.screen.size
        return TerminalScreenResult(
            terminal_id=terminal.id,
            host=host.name,
            columns=columns,
            rows=height,
            screen="\n".join(shown.text.split("\n")[-rows:]),
            cursor=TerminalCursor(row=row, column=column),
            changed=changed,
            ended=terminal.ended,
            exit_code=terminal.exit_code if terminal.ended else None,
            matched=matched,
            output_warnings=warnings,
        )

    async def close(self, terminal_id: str, caller: Caller) -> TerminalClosed:
        """An unknown id is not an error: it is closed."""
        terminal = self._open.get(terminal_id)
        if terminal is None or terminal.identity != caller.identity:
            return TerminalClosed(terminal_id=terminal_id, closed=False)
        del self._open[terminal_id]
        await terminal.aclose()
        return TerminalClosed(terminal_id=terminal_id, closed=True)

    async def _tend(self) -> None:
        while True:
            await anyio.sleep(_TEND_EVERY)
            now = time.monotonic()
            for terminal in [t for t in self._open.values() if now - t.used > IDLE_LIMIT and not t.lock.locked()]:
                del self._open[terminal.id]
                with suppress(TransportError):
                    await terminal.aclose()

    async def aclose(self) -> None:
        """End all. Bounded."""
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait((self._tending,))
        terminals, self._open = list(self._open.values()), {}
        await asyncio.gather(*(t.aclose() for t in terminals), return_exceptions=True)


def _masked(host: RemoteHost, screen: TerminalScreen) -> tuple[GuardedText, int]:
    """What is above the screen and on it, and how many rows at the end are the screen's.

    Where joining full rows shows another secret than the rows by themselves, it is joined.
    """
    guard = guard_for(host.policy.redaction).knowing(host.call.known_secrets)
    text, joined = screen.text, screen.joined
    shown = guard.text(screen.above + text)
    if joined != text:
        whole = guard.text(screen.above + joined)
        if _markers(whole.text) != _markers(shown.text):
            return whole, joined.count("\n") + 1
    return shown, text.count("\n") + 1


def _markers(text: str) -> list[str]:
    return [found[0] for found in MARKER.finditer(text)]


def _check_size(columns: int, rows: int) -> None:
    if not (20 <= columns <= 400 and 5 <= rows <= 200):
        raise InvalidArgument(
            f"{columns} columns by {rows} rows.", "A terminal has 20 to 400 columns and 5 to 200 rows."
        )


def _blank(columns: int, rows: int) -> TerminalScreen:
    """An empty screen. Raises PlatformNotSupported where the extra is not installed."""
    try:
        from ssh_mcp.remote.devices.screen import TerminalScreen  # late: pyte is an extra
    except ImportError:
        raise PlatformNotSupported(
            "This server has no terminal emulation.", "The operator installs it: pip install 'ssh-mcp[terminal]'."
        ) from None
    return TerminalScreen(columns, rows)
