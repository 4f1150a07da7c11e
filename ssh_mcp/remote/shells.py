"""Shell sessions: one remote ``sh`` each, in which cwd, environment and functions last from call to call.

A command is given to the shell on its stdin, quoted as one word for ``eval``, between two markers that only this
session knows. It reads nothing from our stdin, so that it cannot eat the next command. A timeout sends USR1 to the
whole group: the command's children die of it, and the shell's trap leaves whatever loop or list it was in, so that
what stood behind the interrupted command does not run and the session lives on.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.remote.alongside import alongside
from ssh_mcp.remote.marked import MarkedStream
from ssh_mcp.results.exec import ExecResult, ShellClosed, ShellExecResult, ShellList, ShellListEntry, ShellOpened
from ssh_mcp.tokens import quote
from transports.api import Completed, RemoteProcess, StreamName
from transports.errors import MasterLost

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

MAX_SESSIONS = 16
"""Open sessions a server."""

MAX_PER_HOST = 4

IDLE_LIMIT = 1800.0
"""Seconds of quiet after which a session is closed."""

GRACE = 2.0
"""Seconds between the first signal at a timeout and KILL for what ignores it."""

GIVE_UP = 3.0
"""Seconds after KILL before the whole session is given up."""

_ABORT = "trap '__ssh_mcp_path=${__ssh_mcp_path-$PATH}; PATH=/nonexistent; break 999' USR1"
_RESTORE = 'if [ -n "${__ssh_mcp_path+x}" ]; then PATH=$__ssh_mcp_path; unset __ssh_mcp_path; fi'


@dataclass(slots=True)
class ShellSession:
    """One live remote shell."""

    id: str
    host_name: str
    alias: str
    process: RemoteProcess
    cwd: str
    opened: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    ended: str | None = None
    """Why the session can no longer be used, as a sentence."""


class Shells:
    """All shell sessions of this server."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions: dict[str, ShellSession] = {}
        self._clock = clock

    async def open(self, host: RemoteHost) -> ShellOpened:
        """Start a session. Raises InvalidArgument beyond the limits."""
        await self.close_idle()
        here = [s for s in self._sessions.values() if s.alias == host.alias]
        if len(here) >= MAX_PER_HOST or len(self._sessions) >= MAX_SESSIONS:
            ids = ", ".join(s.id for s in (here or list(self._sessions.values()))[:4])
            raise InvalidArgument(
                f"{len(here)} shell sessions are open on {host.name} and {len(self._sessions)} in all, the limit.",
                f"Close one with ssh_shell_close ({ids}).",
            )
        process = await host.connection.start("exec sh")
        session = ShellSession(secrets.token_hex(6), host.name, host.alias, process, cwd="")
        try:
            await process.write(f"exec 8>&1 9>&2\n{_ABORT}\n".encode())
            start = host.commands.in_default_dir(":")
            done = await self._run(session, host, start, host.settings.ssh_connect_timeout)
            if done.exit_code != 0:
                raise InvalidArgument(
                    f"The shell on {host.name} could not start in {host.policy.paths.default_dir}.",
                    "The operator mends default_dir in hosts.toml.",
                )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await process.aclose()
            raise
        self._sessions[session.id] = session
        return ShellOpened(session_id=session.id, host=host.name, cwd=session.cwd)

    def find(self, session_id: str) -> ShellSession:
        """Raises InvalidArgument where there is no such session (any more)."""
        session = self._sessions.get(session_id)
        if session is None:
            raise InvalidArgument(
                f"There is no shell session {session_id[:40]!r}.", "ssh_shell_list shows the open ones; open a new one."
            )
        return session

    async def execute(
        self, host: RemoteHost, session: ShellSession, text: str, timeout: float | None
    ) -> ShellExecResult:
        """Judge and run one command in a session; calls on one session wait for each other.

        ``exit`` ends the session and is no error. Raises MasterLost where the link went down under it.
        """
        host.call.note_command(text)
        host.commands.judge(text)
        async with session.lock:
            if session.ended:
                self._sessions.pop(session.id, None)
                raise InvalidArgument(session.ended, "Open a new one with ssh_shell_open.")
            done = await self._run(session, host, text, host.commands.timeout(timeout))
        session.used = self._clock()
        if session.ended:
            self._sessions.pop(session.id, None)
        host.call.note_exit(done.exit_code)
        plain: ExecResult = host.commands.result(done, hint=_hint(session, done))
        return ShellExecResult(**plain.model_dump(), session_id=session.id, cwd=session.cwd)

    async def _run(self, session: ShellSession, host: RemoteHost, text: str, timeout: float) -> Completed:
        mark = secrets.token_hex(16)
        settings = host.settings
        out = MarkedStream(mark, settings.ssh_stdout_cap_bytes)
        err = MarkedStream(mark, settings.ssh_stderr_cap_bytes)
        began = self._clock()
        await session.process.write(_framed(text, mark))
        timed_out = False
        try:
            with anyio.move_on_after(timeout) as limit:
                await self._read_both(session, out, err)
            if limit.cancelled_caught and not (out.ended and err.ended):
                timed_out = True
                await self._interrupt(session, out, err)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._interrupt(session, out, err)
            raise
        except MasterLost:
            session.ended = f"Shell session {session.id} on {session.host_name} is gone: its connection was lost."
            self._sessions.pop(session.id, None)
            raise
        status = await self._status(session, out)
        return Completed(
            exit_code=-1 if timed_out else status,
            signal=None,
            stdout=out.kept,
            stderr=err.kept,
            stdout_total=out.total,
            stderr_total=err.total,
            duration=self._clock() - began,
            timed_out=timed_out,
        )

    async def _read_both(self, session: ShellSession, out: MarkedStream, err: MarkedStream) -> None:
        async with alongside(partial(_pump, session.process, "stderr", err)):
            await _pump(session.process, "stdout", out)
            await err.finished.wait()

    async def _interrupt(self, session: ShellSession, out: MarkedStream, err: MarkedStream) -> None:
        """End what the session's shell is doing; give the session up where that does not help."""
        for signal, wait in (("USR1", GRACE), ("KILL", GIVE_UP)):
            with anyio.move_on_after(wait):
                async with alongside(partial(_repeat, session.process, signal)):
                    await self._read_both(session, out, err)
            if out.ended and err.ended:
                return
        session.ended = (
            f"Shell session {session.id} on {session.host_name} had to be ended: it did not react to signals."
        )
        self._sessions.pop(session.id, None)
        await session.process.terminate()

    async def _status(self, session: ShellSession, out: MarkedStream) -> int:
        if out.trailer is not None:
            code, _, cwd = out.trailer.partition(" ")
            session.cwd = cwd or session.cwd
            return int(code) if code.isdigit() else -1
        if session.ended:
            return -1
        code_now = await session.process.wait()
        session.ended = f"Shell session {session.id} on {session.host_name} has ended (exit {code_now})."
        await session.process.aclose()
        return code_now

    def list(self) -> ShellList:
        """The open sessions, oldest first."""
        now = self._clock()
        entries = [
            ShellListEntry(
                id=s.id,
                host=s.host_name,
                cwd=s.cwd,
                idle_seconds=round(now - s.used, 1),
                age_seconds=round(now - s.opened, 1),
            )
            for s in self._sessions.values()
        ]
        return ShellList(sessions=entries, count=len(entries))

    async def close(self, session_id: str) -> ShellClosed:
        """End a session and all it runs. An unknown id is not an error: it is closed."""
        session = self._sessions.pop(session_id, None)
        if session is None:
            return ShellClosed(session_id=session_id, closed=False)
        session.ended = f"Shell session {session.id} was closed."
        await session.process.terminate()
        return ShellClosed(session_id=session_id, closed=True)

    async def close_idle(self) -> None:
        """Close what nobody used for ``IDLE_LIMIT`` seconds and is not running anything."""
        now = self._clock()
        for session in list(self._sessions.values()):
            if now - session.used > IDLE_LIMIT and not session.lock.locked():
                await self.close(session.id)

    async def aclose(self) -> None:
        """Close all sessions."""
        for session_id in list(self._sessions):
            await self.close(session_id)


def _framed(text: str, mark: str) -> bytes:
    """What the session's shell reads for one command.

    ``command eval`` keeps a syntax error from ending the shell; the one-turn loop is what the abort trap breaks. The
    markers go to descriptors of their own, so that a session may redirect its stdout for good.
    """
    body = (
        f"{_RESTORE}; command printf '%s\\n' {mark} >&8; command printf '%s\\n' {mark} >&9\n"
        f"for __ssh_mcp_once in 1; do command eval {quote(text)} </dev/null; done\n"
        f"__ssh_mcp_code=$?; {_RESTORE}; {_ABORT}\n"
        f'command printf \'\\n%s %s %s\\n%s\\n\' {mark} "$__ssh_mcp_code" "$PWD" {mark} >&8\n'
        f"command printf '\\n%s 0\\n%s\\n' {mark} {mark} >&9\n"
    )
    return body.encode("utf-8", "surrogateescape")


async def _pump(process: RemoteProcess, name: StreamName, stream: MarkedStream) -> None:
    while not stream.ended:
        data = await process.read(name)
        if not data:
            stream.close()
            return
        stream.feed(data)


async def _repeat(process: RemoteProcess, signal: str) -> None:
    """Signal again and again: a list that goes on behind an interrupted function is interrupted too."""
    while True:
        # Shielded: a signal that is on its way must not arrive in the middle of the session's next command.
        with anyio.CancelScope(shield=True):
            await process.signal(signal, children_only=signal == "KILL")
        await anyio.sleep(0.2)


def _hint(session: ShellSession, done: Completed) -> str | None:
    if session.ended:
        return f"{session.ended} Open a new one with ssh_shell_open."
    if done.timed_out:
        return "The command was ended at its timeout; the session lives on."
    return None
