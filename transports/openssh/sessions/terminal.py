"""Sessions with a pseudo-terminal: an ssh of our own each, whose stdin is a terminal of this machine that nobody sees.

ssh takes the window's size and the modes for the far side from that terminal, and passes on a change of its size at
SIGWINCH (ssh(1), PROTOCOL.mux section 2). Its output comes through a pipe: a master that wrote into a terminal would
block, with every session that it carries, where we are slow to read.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import anyio

from transports.errors import LocalError, MasterLost, RemoteError, SessionRefused, TransportError
from transports.openssh.masters.pool import Lease
from transports.openssh.sessions.process import diagnose_client
from transports.openssh.sessions.runner import Runner, never_said
from transports.openssh.sessions.session import Backend, Handle

if sys.platform != "win32":
    import fcntl
    import termios

TERM: Final = "xterm-256color"
"""The terminal type that the far side writes for."""
_BUFFER_BYTES: Final = 256 * 1024
_POLL_SECONDS: Final = 0.005
"""Pause between two looks whether ssh has made its terminal raw, for which nothing can be awaited."""
_REAP_SECONDS: Final = 2.0
_SAID_BYTES: Final = 8192


class LocalTerminal:
    """A pseudo-terminal of this machine: the end that ssh gets, and ours."""

    def __init__(self, columns: int, rows: int) -> None:
        """Raises SessionRefused where this machine has none (Windows), LocalError where none is left."""
        if not hasattr(os, "openpty"):
            raise SessionRefused(
                "This machine has no pseudo-terminals.", "Run the server on Linux, macOS or a BSD.", sent=False
            )
        try:
            self.ours, self.theirs = os.openpty()
        except OSError as error:
            raise LocalError(
                f"No pseudo-terminal could be made ({error.strerror}).", "Close some terminals.", sent=False
            ) from error
        os.set_blocking(self.ours, False)
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        """In characters."""
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def raw(self) -> bool:
        """Whether ssh has taken it over, which it does once the session is open."""
        return not int(termios.tcgetattr(self.ours)[3]) & termios.ICANON

    def release(self) -> None:
        """Close the end that ssh has got."""
        if self.theirs >= 0:
            os.close(self.theirs)
            self.theirs = -1

    def close(self) -> None:
        """Idempotent."""
        self.release()
        if self.ours >= 0:
            os.close(self.ours)
            self.ours = -1


class SshTerminal:
    """``transports.api.Terminal``. Made by ``open_terminal``."""

    def __init__(self, process: asyncio.subprocess.Process, local: LocalTerminal, said: asyncio.Task[bytes]) -> None:
        self._process = process
        self._local = local
        self._said = said
        self._lease: Lease[Handle] | None = None
        self._backend: Backend | None = None
        self._writing = anyio.Lock()

    def hold(self, lease: Lease[Handle], backend: Backend) -> None:
        """Give the slot back once the session has ended, however it does."""
        self._lease = lease
        self._backend = backend
        reaper = asyncio.get_running_loop().create_task(self._process.wait())
        reaper.add_done_callback(lambda _: lease.release())

    async def begun(self, seconds: float) -> None:
        """Until ssh has opened the session, or has ended. Raises SessionRefused after ``seconds``."""
        with anyio.move_on_after(seconds):
            while self._process.returncode is None and not self._local.raw:  # noqa: ASYNC110 - a state of the kernel, of which nothing notifies
                await anyio.sleep(_POLL_SECONDS)
            return
        raise never_said(seconds, "")

    @property
    def status(self) -> int | None:
        return self._process.returncode

    async def said(self) -> str:
        """What ssh itself said, once it has ended."""
        return (await self._said).decode("utf-8", "replace")

    async def read(self, limit: int = 65536) -> bytes:
        assert self._process.stdout is not None
        data = await self._process.stdout.read(limit)
        if not data:
            with anyio.move_on_after(_REAP_SECONDS):
                await self._process.wait()
        return data

    async def check_lost(self) -> None:
        if self._process.returncode is None or self._lease is None or self._backend is None:
            return
        if (error := await _diagnose(self._backend, self._lease.handle, self, began=True)) is not None:
            raise error

    async def write(self, data: bytes) -> None:
        async with self._writing:
            left = memoryview(data)
            while left:
                if self._process.returncode is not None or self._local.ours < 0:
                    raise RemoteError("The terminal has ended.", "Open a new one.")
                try:
                    left = left[os.write(self._local.ours, left) :]
                except BlockingIOError:
                    await anyio.wait_writable(self._local.ours)
                except OSError as error:
                    raise MasterLost("The terminal's connection is gone.", "Open a new one.", sent=True) from error

    async def resize(self, columns: int, rows: int) -> None:
        if self._process.returncode is None and self._local.ours >= 0:
            self._local.resize(columns, rows)
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGWINCH)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            # Nothing but the end of our ssh ends the session: its host hangs the terminal up then (SIGHUP).
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            with anyio.move_on_after(_REAP_SECONDS):
                await self._process.wait()
            self._said.cancel()
            self._local.close()
            if self._lease is not None:
                self._lease.release()


async def open_terminal(runner: Runner, command: str | None, columns: int, rows: int) -> SshTerminal:
    """A terminal in which ``command`` (None: the login shell) runs. Raises what ``Runner.session`` raises."""

    async def begin(lease: Lease[Handle]) -> SshTerminal:
        argv, env = await runner.backend.terminal(lease.handle, command)
        made = await _start(argv, env, LocalTerminal(columns, rows))
        try:
            await made.begun(runner.begin_seconds)
            if (error := await _refused(runner, lease, made)) is not None:
                raise error
        except BaseException:
            await made.aclose()
            raise
        return made

    made, lease = await runner.session(begin)
    made.hold(lease, runner.backend)
    return made


async def _start(argv: Sequence[str], env: Mapping[str, str] | None, local: LocalTerminal) -> SshTerminal:
    try:
        # Our terminal controls it: where this process ends in whatever way, ssh is hung up and ends the session.
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=local.theirs,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**(os.environ if env is None else env), "TERM": TERM},
            start_new_session=True,
            preexec_fn=_take_terminal,
            limit=_BUFFER_BYTES,
        )
    except OSError as error:
        local.close()
        raise LocalError(
            f"ssh could not be started ({error.strerror}).", "Check the installation with `ssh-mcp doctor`.", sent=False
        ) from error
    local.release()
    return SshTerminal(process, local, asyncio.get_running_loop().create_task(_drained(process)))


def _take_terminal() -> None:
    """In the child, which leads a session of its own."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def _drained(process: asyncio.subprocess.Process) -> bytes:
    """The begin of what ssh says on stderr; all of it is read, so that it never waits for us."""
    assert process.stderr is not None
    said = b""
    while data := await process.stderr.read(4096):
        said += data[: _SAID_BYTES - len(said)]
    return said


async def _refused(runner: Runner, lease: Lease[Handle], made: SshTerminal) -> TransportError | None:
    """Why ssh ended before there was a session; None where there is one, or a short one that has ended already."""
    if made.status is None:
        return None
    return await _diagnose(runner.backend, lease.handle, made, began=False)


async def _diagnose(backend: Backend, master: Handle, ended: SshTerminal, *, began: bool) -> TransportError | None:
    said = await ended.said()
    if backend.masterless:
        return await backend.diagnose(master, ended.status, said, began=began)
    return await diagnose_client(master, ended.status, said, began=began)
