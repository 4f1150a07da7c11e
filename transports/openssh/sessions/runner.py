"""Commands on one host: opening an execution in the pool, feeding it, ending it, and saying how it ended."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import anyio

from transports.api import Completed, OutputSink
from transports.errors import (
    ConnectError,
    MasterLost,
    MasterStalled,
    RemoteError,
    SessionRefused,
    TransportError,
)
from transports.mux.client import NoSlot
from transports.openssh.login.log import clean
from transports.openssh.masters.pool import Lease, Pool
from transports.openssh.sessions.cleanup import ENDING_SECONDS, PendingCleanup
from transports.openssh.sessions.execution import Collector, Execution
from transports.openssh.sessions.running import Running, until
from transports.openssh.sessions.session import Backend, Handle, Session, SessionEvents
from transports.openssh.sessions.stdin import deliver, finished_while_fed
from transports.openssh.sessions.watch import LinkWatch
from transports.openssh.shell.frame import (
    BARE_MAX,
    COMMAND_MAX,
    FRAME_STATUS,
    Processes,
    behind,
    check_command,
    end_group_script,
    leaving,
    remote_command,
    signal_name,
    signal_script,
)
from transports.refusals import account_refusal

BEGIN_SECONDS: Final = 2.0
"""How long an ending waits for the process group of what it is to end."""
SETTLE_SECONDS: Final = 1.0
"""How long an ended command's pipes may take to close."""
LINGER_SECONDS: Final = 0.25
"""How long a complete command's pipes may stay open before a background child is said to hold them. Nothing of the
command's own output is waited for here, so it only has to outlast the way of an end of file over the network."""
LOGIN_SECONDS: Final = 150.0
"""How long a login and the first mark of its only session may take (no master). sshd itself gives a login two minutes
(LoginGraceTime)."""
REFUSAL_SECONDS: Final = 10.0
"""How long a call tries for a slot on a host that refuses sessions although we hold none."""
T = TypeVar("T")


class Runner:
    """Runs commands on one host's sessions.

    ``ready`` may hand out a frame that was opened ahead. ``connect_seconds`` is how long an open session may take to
    say its first mark: a login shell that never becomes our frame is not waited for.
    """

    def __init__(
        self,
        pool: Pool[Handle],
        backend: Backend,
        connect_seconds: float,
        ready: Callable[[OutputSink], Awaitable[Running | None]] | None = None,
    ) -> None:
        self.pool = pool
        self.backend = backend
        self._connect_seconds = connect_seconds
        self._ready = ready
        self._pending = PendingCleanup(lambda script: self._aside(lambda _certain: script))
        self.watch = LinkWatch(pool, self.start)

    # --- opening ------------------------------------------------------------------------------------------------------

    async def start(
        self, sink: OutputSink, *, bare: str | None = None, lease: Lease[Handle] | None = None, only: bool = False
    ) -> Running:
        """An execution that waits for its command (or runs ``bare`` as the login shell takes it).

        ``only`` on this lease or not at all: what nobody has asked for must not log in, nor wait for a slot.
        """

        async def begin(on: Lease[Handle]) -> Running:
            return await self._begin(sink, bare, on)

        return (await self._establish(begin, lease, only=only))[0]

    async def subsystem(self, name: str, events: SessionEvents) -> tuple[Session, Lease[Handle]]:
        """A subsystem's session and its lease."""

        async def begin(on: Lease[Handle]) -> Session:
            return await self.backend.open(on.handle, name.encode(), events, subsystem=True)

        return await self._establish(begin, None)

    async def session(self, begin: Callable[[Lease[Handle]], Awaitable[T]]) -> tuple[T, Lease[Handle]]:
        """Another kind of session, which ``begin`` opens on a lease, and the lease."""
        return await self._establish(begin, None)

    async def _establish(
        self, begin: Callable[[Lease[Handle]], Awaitable[T]], lease: Lease[Handle] | None, *, only: bool = False
    ) -> tuple[T, Lease[Handle]]:
        """What ``begin`` makes on a lease. A refusal for want of slots waits; masters found dead are replaced once."""
        loop = asyncio.get_running_loop()
        lease = lease or await self.pool.acquire()
        replacements = 0 if only else None
        refused_since: float | None = None
        while True:
            try:
                made = await begin(lease)
            except NoSlot:
                alone = lease.master.used <= 1
                # Nothing was ever opened on this master, by nobody: then it is not about how many.
                never = alone and lease.master.opened == 0 and not lease.handle.adopted
                now = loop.time()
                refused_since = (refused_since or now) if alone else None
                if only or never or (refused_since is not None and now - refused_since > REFUSAL_SECONDS):
                    if only:
                        lease.refused()
                    lease.release()
                    raise
                lease = await lease.after_refusal()
            except MasterLost as error:
                final = await self._lose(lease, error)
                if replacements is None:  # those that are up may be as dead; behind them a fresh one comes
                    replacements = len(self.pool.handles()) + 1
                if final or replacements == 0:
                    raise
                replacements -= 1
                lease = await self.pool.acquire()
            except ConnectError as error:
                lease.release()
                self.pool.login_failed(error)
                raise
            except BaseException:
                lease.release()
                raise
            else:
                lease.opened()
                self._pending.start()
                return made, lease

    async def _lose(self, lease: Lease[Handle], error: MasterLost) -> bool:
        """Give a master up; whether another one would be no better: a login just worked, and then nothing."""
        stalled = isinstance(error, MasterStalled)
        fresh = lease.master.opened == 0 and not lease.handle.adopted
        try:
            if stalled and lease.current:
                await self.backend.retire(lease.handle)
        except BaseException:
            lease.release()
            raise
        lease.lost()
        return stalled and fresh

    async def silence(self, lease: Lease[Handle]) -> MasterStalled | None:
        """Whether the host is silent on the master of ``lease``: it does not even open another session there."""
        beside = self.pool.try_acquire(on=lease.master) if lease.current and not self.pool.masterless else None
        if beside is None:
            return None
        try:
            running = await self.start(Collector(0, 0), lease=beside, only=True)
        except MasterStalled as error:
            return error
        except TransportError:
            return None
        running.close()
        return None

    async def _begin(self, sink: OutputSink, bare: str | None, lease: Lease[Handle]) -> Running:
        nonce = secrets.token_hex(8) if bare is None else None
        execution = Execution(nonce, sink)
        command = remote_command(nonce) if nonce is not None else (bare or "").encode("utf-8", "surrogateescape")
        execution.session = await self.backend.open(lease.handle, command, execution, subsystem=False)
        running = Running(execution, lease)
        if nonce is not None and not self.backend.confirms:
            try:
                await self._until_begun(running)
            except BaseException:
                execution.close()
                raise
        execution.on_gone = lease.release
        if execution.gone:
            lease.release()
        return running

    @property
    def begin_seconds(self) -> float:
        """How long a session may take to say its first mark; without a master that includes the login."""
        return LOGIN_SECONDS if self.backend.masterless else self._connect_seconds

    async def _until_begun(self, running: Running) -> None:
        """Wait for the first mark, also behind a slow login; a master that is dead or frozen is not waited for."""
        execution = running.execution
        loop = asyncio.get_running_loop()
        seconds = self.begin_seconds
        give_up = loop.time() + seconds
        while not execution.begun.done():
            if (left := give_up - loop.time()) <= 0:
                raise never_said(seconds, execution.said_before())
            with anyio.move_on_after(min(self._connect_seconds, left)):
                await until(execution.begun)
            if not execution.begun.done():
                error = await self.backend.diagnose(running.lease.handle, None, "", began=False)
                if error is not None:
                    raise error
        if execution.processes is None:
            raise await self.never_began(running)

    # --- running ------------------------------------------------------------------------------------------------------

    async def run(
        self,
        command: str,
        *,
        stdin: bytes | AsyncIterator[bytes] | None,
        timeout: float | None,
        collector: Collector,
        framed: bool,
        leaves: bool = False,
        prelude: str = "",
    ) -> Completed:
        """One command to its end. See ``transports.api.Connection.run``."""
        check_command(command, COMMAND_MAX if framed else BARE_MAX)
        ahead = await self._ready(collector) if framed and self._ready is not None else None
        running = ahead or await self.start(collector, bare=None if framed else command)
        self._pending.start()
        started = asyncio.get_running_loop().time()
        try:
            with anyio.move_on_after(timeout) as scope:
                nonce, text = running.execution.nonce, behind(prelude, command, sent=running.prelude)
                if leaves and nonce is not None:
                    text = leaving(nonce, text)
                await self._drive(running, text if framed else None, stdin)
            if scope.cancelled_caught:
                await self.end(running)
                if framed and running.execution.processes is None:
                    raise never_said(timeout or 0, running.execution.said_before())
            elif not running.execution.over.done():
                with anyio.move_on_after(LINGER_SECONDS):
                    await until(running.execution.over)
            duration = asyncio.get_running_loop().time() - started
            return await self._completed(running, collector, duration, timed_out=scope.cancelled_caught)
        except BaseException:
            await self.end(running)
            raise
        finally:
            running.close()

    async def _drive(self, running: Running, command: str | None, stdin: bytes | AsyncIterator[bytes] | None) -> None:
        execution = running.execution
        whole = stdin if isinstance(stdin, bytes) else None
        chunks = None if isinstance(stdin, bytes) else stdin
        if command is None:
            execution.send_stdin(whole, more=chunks is not None)
        else:
            with anyio.move_on_after(self.begin_seconds):
                await deliver(execution, command, whole, more=chunks is not None)
                await until(execution.begun)
            if not execution.begun.done():
                raise await self.never_said(running)
            if execution.processes is None:  # another program took its place, and may never end
                with anyio.move_on_after(SETTLE_SECONDS):
                    await execution.finished()
                return
            self.watch.over(running)
        if chunks is None:
            await execution.finished()
        else:
            await finished_while_fed(execution, chunks)

    async def _completed(
        self, running: Running, collector: Collector, duration: float, *, timed_out: bool
    ) -> Completed:
        execution = running.execution
        status = execution.status
        if not timed_out:
            try:
                status = await self.outcome(running)
            except MasterLost as lost:
                lost.partial = collector.partial_output()
                raise
        code = -1 if timed_out or status is None else status
        return Completed(
            exit_code=code,
            signal=signal_name(code) if execution.nonce is not None else None,
            stdout=collector.kept("stdout"),
            stderr=collector.kept("stderr"),
            stdout_total=collector.totals["stdout"],
            stderr_total=collector.totals["stderr"],
            duration=duration,
            timed_out=timed_out,
            lingering=execution.lingering and not running.unended,
            unended=running.unended,
        )

    async def outcome(self, running: Running) -> int | None:
        """The status of a complete execution; None where it was killed together with its frame.

        Raises MasterLost, SessionRefused, or for a direct login what that raised.
        """
        execution = running.execution
        if execution.eaten:
            raise SessionRefused(
                "The account's startup files read from stdin and took the command with them; it was not run.",
                "Make them leave stdin alone in sessions that are not interactive.",
                sent=False,
                no_shell=True,
            )
        if execution.marked_status is not None:
            return execution.marked_status
        if execution.nonce is not None and execution.processes is None:
            error: TransportError | None = await self.never_began(running)
        else:
            # Without a frame the command went with the opening of the session.
            began = execution.nonce is not None or execution.has_stdout or self.backend.confirms
            error = await self.diagnose(running, began=began)
        if error is None:
            return execution.status if execution.nonce is None else None
        if isinstance(error, MasterLost):
            running.lease.lost()
            self._leave_pending(running)
        raise error

    async def diagnose(self, running: Running, *, began: bool) -> TransportError | None:
        """The backend's view of an end without a mark."""
        execution = running.execution
        said = execution.last_words() if began else execution.said_before()
        return await self.backend.diagnose(running.lease.handle, execution.status, said, began=began)

    async def never_began(self, running: Running) -> TransportError:
        """Why a frame never said its first mark, and whether its command may have run all the same."""
        execution = running.execution
        said = execution.said_before()
        error = await self.diagnose(running, began=execution.command_sent)
        if error is not None:
            return error
        if (refusal := account_refusal(execution.noise())) is not None:
            says = f" The host says: {clean(said).rstrip('.')}." if said else ""
            return SessionRefused(
                f"The account {refusal.what}; the command was not run.{says}",
                refusal.remedy,
                sent=False,
                no_shell=True,
            )
        says = f" and says: {clean(said).rstrip('.')}" if said else ""
        remedy = "Give the account a POSIX shell whose startup files leave it in place."
        if execution.taken:
            return SessionRefused(
                f"The account's startup files, or a ForceCommand, replace its shell with another program; the command "
                f"was not run{f'. The host says: {clean(said)}' if said else ''}.",
                "Make startup files do so in interactive sessions only.",
                sent=False,
                no_shell=True,
            )
        if execution.exit_status == FRAME_STATUS:
            return SessionRefused(
                "The command was run, but the account's startup files send all output elsewhere; none of it arrived.",
                "Make them leave stdout and stderr alone in sessions that are not interactive.",
            )
        if execution.exit_status is None and execution.command_sent:
            return SessionRefused(
                f"The session was ended on the host before the command began{says}; whether it ran is not known.",
                remedy,
            )
        refused = SessionRefused(
            f"The host does not run commands for this account{says}. The command was not run.",
            remedy,
            sent=False,
            no_shell=True,
        )
        refused.broke_off = execution.exit_status is None and not execution.command_sent and not said
        return refused

    async def never_said(self, running: Running) -> TransportError:
        """Why a session that is still open has not said its first mark in time. It is left to be cleaned up."""
        error = await self.backend.diagnose(running.lease.handle, None, "", began=False)
        if isinstance(error, MasterLost):
            running.lease.lost()
        self._leave_pending(running)
        return error or never_said(self.begin_seconds, running.execution.said_before())

    # --- ending -------------------------------------------------------------------------------------------------------

    async def end(self, running: Running) -> None:
        """End what still runs, and close: TERM, grace, KILL for the remote group. Shielded, bounded, idempotent."""
        execution = running.execution
        try:
            if execution.command_sent and not running.settled:
                if execution.complete.done():
                    self._leave_pending(running)
                else:
                    running.settled = True
                    with anyio.move_on_after(ENDING_SECONDS, shield=True):
                        await self._end_group(running)
        finally:  # no shield of anyio's keeps asyncio's own ``Task.cancel`` out
            running.close()

    async def _end_group(self, running: Running) -> None:
        execution = running.execution
        with anyio.move_on_after(BEGIN_SECONDS):
            await until(execution.begun)
        processes, nonce = execution.processes, execution.nonce
        if nonce is None or execution.marked_status is not None:
            return
        if processes is None:
            if not execution.begun.done():
                self._pending.lost(nonce, None)
            return
        ended = False
        try:
            await self._aside(lambda certain: end_group_script(nonce, processes, certain=certain), running)
            ended = True
        except TransportError:
            return
        finally:
            if not ended:  # no way to the host any more: it is made up for when there is one
                running.unended = True
                self._pending.unended(nonce, processes)
        with anyio.move_on_after(SETTLE_SECONDS):
            await until(execution.over)

    def _leave_pending(self, running: Running) -> None:
        """The session broke off under its command: that is hung up on when the host is reached again."""
        nonce = running.execution.nonce
        if running.settled or nonce is None or running.execution.marked_status is not None:
            return
        running.settled = True
        self._pending.lost(nonce, running.execution.processes)
        if self.pool.handles() and not self.backend.masterless:  # by another of the host's masters
            self._pending.start()

    async def aclose(self) -> None:
        """Run no more clean-up, watch nothing."""
        await self._pending.aclose()
        await self.watch.aclose()

    async def _aside(self, script: Callable[[bool], str], beside: Running | None = None) -> int | None:
        """Run a script of our own from a second session, best on the master of ``beside``; its exit status.

        The script is made once it is known whether it will run over the very connection on which ``beside`` is open.
        """
        lease = await self.pool.acquire(ending=True, prefer=beside.lease.master.index if beside else None)
        aside = await self.start(Collector(0, 0), lease=lease)
        try:
            text = script(beside is not None and self._same_link(aside, beside))
            await deliver(aside.execution, text, ahead=False)
            await until(aside.execution.complete)
            return aside.execution.marked_status
        finally:
            aside.close()

    def _same_link(self, one: Running, other: Running) -> bool:
        """Whether both are open on one connection: then what the other's frame said of itself still holds."""
        if self.backend.masterless or other.execution.gone or other.execution.exited:
            return False
        return (one.lease.master, one.lease.generation) == (other.lease.master, other.lease.generation)

    async def signal(self, running: Running, name: str, *, children_only: bool) -> None:
        """Send a signal to an execution's process group. Raises RemoteError where it is gone, or the host is silent."""
        nonce, processes = _framed(running.execution)
        status = None
        with anyio.move_on_after(ENDING_SECONDS) as limit:
            status = await self._aside(
                lambda certain: signal_script(nonce, processes, name, children_only=children_only, certain=certain),
                running,
            )
        if limit.cancelled_caught:
            raise RemoteError("The host did not reply when its command was to be signalled.", sent=False)
        if status != 0:
            raise RemoteError("The remote command has already ended.", "Nothing was signalled.", sent=False)


def never_said(seconds: float, said: str) -> SessionRefused:
    """A host that opens sessions and starts no shell in them: another program, or none. ``said``: its words."""
    says = f" It says: {clean(said).rstrip('.')}." if said else ""
    return SessionRefused(
        f"The host opened a session but started no shell in it within {seconds:g} s: the command never began.{says}",
        "Look at the account's login shell, startup files and ForceCommand.",
        sent=False,
        no_shell=True,
    )


def _framed(execution: Execution) -> tuple[str, Processes]:
    if execution.nonce is None or execution.processes is None:
        raise RemoteError("The remote command has no process group that we know of.", sent=False)
    return execution.nonce, execution.processes
