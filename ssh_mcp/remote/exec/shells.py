"""Shell sessions: one remote ``sh`` each, in which cwd, environment and functions last from call to call.

What is said to that shell, and why it survives timeouts, is in ``shell_text``. Here: which sessions there are, one
command after the other in each, and what becomes of a session whose command is stuck, cancelled or cut off.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.remote.admission import handle
from ssh_mcp.remote.alongside import alongside
from ssh_mcp.remote.caller import Caller
from ssh_mcp.remote.exec.marked import MarkedStream
from ssh_mcp.remote.exec.partial_output import partial_output_in_errors
from ssh_mcp.remote.exec.shell_text import LAST_WORDS, SESSION, line
from ssh_mcp.remote.host import connection_of
from ssh_mcp.results.exec import ExecResult, ShellClosed, ShellExecResult, ShellList, ShellListEntry, ShellOpened
from ssh_mcp.tokens import command as own_command
from transports.api import Completed, OutputSink, RemoteProcess, StreamName
from transports.errors import MasterLost, PartialOutput, TransportError

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted import Runnable
    from ssh_mcp.remote.host import RemoteHost

MAX_SESSIONS = 16
"""Open sessions per server."""

MAX_PER_HOST = 4

IDLE_LIMIT = 1800.0
"""Seconds of quiet after which a session is closed."""

TEND_EVERY = 60.0
"""Seconds between two looks for such sessions."""

GRACE = 2.0
"""Seconds between TERM at a timeout and KILL for what ignores it."""

GIVE_UP = 3.0
"""Seconds after KILL before the whole session is given up."""

SETTLE = 5.0
"""Seconds that an interrupted session may take to say that it is ready for the next command."""


@dataclass(slots=True)
class ShellSession:
    """One live remote shell."""

    id: str
    host_name: str
    alias: str
    process: RemoteProcess
    cwd: str
    identity: str
    """Whose it is: for others there is no such session."""
    opened: float = field(default_factory=time.monotonic)
    used: float = field(default_factory=time.monotonic)
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    ended: str | None = None
    """Why the session can no longer be used, as a sentence."""


class Shells:
    """All shell sessions of this server."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._sessions: dict[str, ShellSession] = {}
        self._opening: Counter[str] = Counter()
        self._clock = clock

    async def open(self, host: RemoteHost) -> ShellOpened:
        """Start a session. Raises InvalidArgument beyond the limits."""
        await self.close_idle()
        self._require_room(host)
        self._opening[host.alias] += 1
        try:
            session = await self._start(host)
        finally:
            self._opening[host.alias] -= 1
        self._sessions[session.id] = session
        return ShellOpened(session_id=session.id, host=host.name, cwd=session.cwd)

    def _require_room(self, host: RemoteHost) -> None:
        here = [s for s in self._sessions.values() if s.alias == host.alias]
        count, total = len(here) + self._opening[host.alias], len(self._sessions) + self._opening.total()
        if count >= MAX_PER_HOST or total >= MAX_SESSIONS:
            own = [s.id for s in here or self._sessions.values() if s.identity == host.call.caller.identity]
            raise InvalidArgument(
                f"{count} shell sessions are open on {host.name} and {total} in all, the limit.",
                f"Close one with ssh_shell_close ({', '.join(own[:4])})." if own else "Try again later.",
            )

    async def _start(self, host: RemoteHost) -> ShellSession:
        process = await connection_of(host).start(own_command(SESSION).wire())
        session = ShellSession(
            id=handle(secrets.token_hex(6), host.settings.mcp_instance),
            host_name=host.name,
            alias=host.alias,
            process=process,
            cwd="",
            identity=host.call.caller.identity,
        )
        try:
            done = await self._run(
                session, host, host.commands.in_default_dir(own_command(":")), host.settings.ssh_connect_timeout
            )
            if done.exit_code != 0:
                raise InvalidArgument(
                    f"The shell on {host.name} could not start in {host.policy.paths.default_dir}.",
                    "The operator corrects default_dir in hosts.toml.",
                )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await process.aclose()
            raise
        return session

    def find(self, session_id: str, caller: Caller) -> ShellSession:
        """Raises InvalidArgument where the caller has no such session (any more)."""
        session = self._sessions.get(session_id)
        if session is None or session.identity != caller.identity:
            raise InvalidArgument(
                f"There is no shell session {session_id[:40]!r}.", "ssh_shell_list shows the open ones; open a new one."
            )
        return session

    async def execute(
        self, host: RemoteHost, session: ShellSession, text: str, timeout: float | None
    ) -> ShellExecResult:
        """Decide about one command and run it in a session; calls on one session wait for each other.

        ``exit`` ends the session and is not an error. Raises MasterLost where the link went down under it.
        """
        host.call.note_command(text)
        async with session.lock:
            if session.ended:
                raise InvalidArgument(session.ended, "Open a new one with ssh_shell_open.")
            permitted = host.commands.permit(text, directory=session.cwd)
            await host.call.confirm_command((host, permitted), where=session.cwd)
            kept = host.commands.kept_output()
            with partial_output_in_errors(host, kept):
                done = await self._run(session, host, permitted, host.commands.timeout(timeout), kept)
            session.used = self._clock()
        host.call.note_exit(done.exit_code)
        plain: ExecResult = host.commands.result(done, remarks=permitted.warnings, hint=_hint(session, done), kept=kept)
        made = ShellExecResult(**plain.model_dump(), session_id=session.id, cwd=session.cwd)
        made.long_texts.update(plain.long_texts)
        return made

    async def _run(
        self,
        session: ShellSession,
        host: RemoteHost,
        command: Runnable,
        timeout: float,
        kept: OutputSink | None = None,
    ) -> Completed:
        mark = secrets.token_hex(16)
        out = MarkedStream(mark, host.settings.ssh_stdout_cap_bytes, None if kept is None else partial(kept, "stdout"))
        err = MarkedStream(mark, host.settings.ssh_stderr_cap_bytes, None if kept is None else partial(kept, "stderr"))
        began = self._clock()
        timed_out = False
        try:
            with anyio.move_on_after(timeout) as limit:
                await session.process.write(line(command.wire(), mark))
                await _read_both(session, out, err)
            if limit.cancelled_caught and not (out.ended and err.ended):
                timed_out = True
                await self._interrupt(session, out, err)
            status = await self._status(session, out)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._interrupt(session, out, err)
            raise
        except TransportError as error:
            _end_both(out, err)
            if session.ended is None:
                await self._lost(session, error)
                if isinstance(error, MasterLost):
                    error.partial = PartialOutput(out.kept, err.kept, out.total, err.total)
                raise
            status = -1
        _end_both(out, err)
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

    async def _lost(self, session: ShellSession, error: TransportError) -> None:
        self._give_up(session, "is gone: its connection was lost" if isinstance(error, MasterLost) else "has ended")
        with anyio.CancelScope(shield=True):
            await session.process.aclose()

    async def _interrupt(self, session: ShellSession, out: MarkedStream, err: MarkedStream) -> None:
        """End what the session's shell is doing; give the session up where that does not help."""
        try:
            await session.process.signal("TERM")
            with anyio.move_on_after(GRACE):
                await _read_both(session, out, err)
            if not (out.ended and err.ended):
                with anyio.move_on_after(GIVE_UP):
                    async with alongside(partial(_kill_children, session.process)):
                        await _read_both(session, out, err)
            if out.ended and err.ended and await self._settled(session, out):
                return
        except TransportError:
            self._give_up(session, "is gone: its connection was lost")
        else:
            self._give_up(session, "had to be ended: what it ran did not react to signals")
        await session.process.terminate()

    async def _settled(self, session: ShellSession, out: MarkedStream) -> bool:
        """Whether the shell takes commands again. A signal that arrived when it had just finished is still to be
        handled, and must not meet the next caller's command: it meets this one.
        """
        self._learn(session, out)
        mark = secrets.token_hex(16)
        streams = MarkedStream(mark, 0), MarkedStream(mark, 0)
        with anyio.move_on_after(SETTLE):
            await session.process.signal("KILL", children_only=True)  # what ran in the background
            await session.process.write(line(":", mark))
            await _read_both(session, *streams)
        return streams[0].trailer is not None

    def _learn(self, session: ShellSession, out: MarkedStream) -> int | None:
        """Exit code and directory from a trailer."""
        code, _, cwd = (out.trailer or "").partition(" ")
        session.cwd = cwd or session.cwd
        return int(code) if code.isdigit() else None

    async def _status(self, session: ShellSession, out: MarkedStream) -> int:
        if out.trailer is not None:
            return self._learn(session, out) or 0
        if session.ended:
            return -1
        code = await session.process.wait()
        if session.ended is None:
            self._give_up(session, f"has ended (exit {code})")
        await session.process.aclose()
        return code

    def _give_up(self, session: ShellSession, why: str) -> None:
        """Take a session off the list. ``why`` follows its name in a sentence."""
        session.ended = f"Shell session {session.id} on {session.host_name} {why}."
        self._sessions.pop(session.id, None)

    def list(self, caller: Caller | None = None) -> ShellList:
        """The caller's open sessions, oldest first; None: everybody's, for the operator."""
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
            if caller is None or s.identity == caller.identity
        ]
        return ShellList(sessions=entries, count=len(entries))

    async def close(self, session_id: str, caller: Caller | None = None) -> ShellClosed:
        """End a session and all it runs. An unknown id, or another caller's, is not an error: nothing is closed."""
        session = self._sessions.get(session_id)
        if session is None or (caller is not None and session.identity != caller.identity):
            return ShellClosed(session_id=session_id, closed=False)
        self._give_up(session, "was closed")
        with suppress(TransportError):
            await session.process.write(LAST_WORDS)
        await session.process.terminate()
        return ShellClosed(session_id=session_id, closed=True)

    async def close_idle(self) -> None:
        """Close what nobody used for ``IDLE_LIMIT`` seconds and is not running anything."""
        now = self._clock()
        for session in list(self._sessions.values()):
            if now - session.used > IDLE_LIMIT and not session.lock.locked():
                await self.close(session.id)

    @asynccontextmanager
    async def tended(self) -> AsyncIterator[None]:
        """While the block lasts, idle sessions are closed also when nobody asks for any.

        A task of asyncio's own: FastMCP leaves a lifespan from another task than it entered it.
        """
        task = asyncio.get_running_loop().create_task(self._tend())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))

    async def _tend(self) -> None:
        while True:
            await anyio.sleep(TEND_EVERY)
            with suppress(TransportError):
                await self.close_idle()

    async def aclose(self) -> None:
        """Close all sessions, at once."""
        async with anyio.create_task_group() as tasks:
            for session_id in list(self._sessions):
                tasks.start_soon(self.close, session_id)


def _end_both(out: MarkedStream, err: MarkedStream) -> None:
    """Nothing follows: of a session that was given up, too, all that came is shown."""
    out.close()
    err.close()


async def _read_both(session: ShellSession, out: MarkedStream, err: MarkedStream) -> None:
    async with alongside(partial(_pump, session.process, "stderr", err)):
        await _pump(session.process, "stdout", out)
        await err.finished.wait()


async def _pump(process: RemoteProcess, name: StreamName, stream: MarkedStream) -> None:
    while not stream.ended:
        data = await process.read(name)
        if not data:
            stream.close()
            return
        stream.feed(data)


async def _kill_children(process: RemoteProcess) -> None:
    """Again and again: what is started meanwhile is not to stay either."""
    while True:
        # Shielded: a signal that is on its way must not arrive in the middle of the session's next command.
        with anyio.CancelScope(shield=True):
            await process.signal("KILL", children_only=True)
        await anyio.sleep(0.1)


def _hint(session: ShellSession, done: Completed) -> str | None:
    if session.ended:
        return f"{session.ended} Open a new one with ssh_shell_open."
    if done.timed_out:
        return "The command was ended at its timeout; the session lives on."
    return None
