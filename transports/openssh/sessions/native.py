"""Sessions over the control socket: three pipes of ours, whose far ends the master gets. No process is started.

The pipes' near ends are non-blocking and read by the event loop directly (``add_reader``, ``os.read``; figures in
``transports.pipes``).
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

import anyio

from transports.api import Destination, StreamName
from transports.errors import MasterLost, MasterStalled, TransportError
from transports.mux.client import MuxSession, alive_check, open_session
from transports.openssh.sessions.mastered import Mastered, Masters
from transports.openssh.sessions.session import WRITE_HIGH, BackendName, Handle, Session, SessionEvents
from transports.pipes import PipeWriter, widen

_READ_BYTES: Final = 256 * 1024
_PIPE_BYTES: Final = 64 * 1024
"""What a pipe holds by default (pipe(7)): a read of that much says that there is more where it came from."""


class _Reader:
    """The near end of an output pipe."""

    __slots__ = ("_grown", "_loop", "_paused", "_session", "_stream", "fd")

    def __init__(self, session: NativeSession, stream: StreamName, fd: int) -> None:
        os.set_blocking(fd, False)
        self._session = session
        self._stream: StreamName = stream
        self.fd = fd
        self._loop = asyncio.get_running_loop()
        self._paused = True
        self._grown = False

    def _readable(self) -> None:
        try:
            data = os.read(self.fd, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            if len(data) >= _PIPE_BYTES and not self._grown:
                self._grown = True
                widen(self.fd)
            self._session.events.data_received(self._stream, data)
        else:
            self.close()
            self._session.events.stream_ended(self._stream)

    def pause(self) -> None:
        if self.fd >= 0 and not self._paused:
            self._paused = True
            self._loop.remove_reader(self.fd)

    def resume(self) -> None:
        if self.fd >= 0 and self._paused:
            self._paused = False
            self._loop.add_reader(self.fd, self._readable)

    def close(self) -> None:
        if self.fd >= 0:
            self._loop.remove_reader(self.fd)
            os.close(self.fd)
            self.fd = -1


class NativeSession(Session):
    """See ``open_native``."""

    backend: BackendName = "native"

    def __init__(self, events: SessionEvents, mux: MuxSession, stdin: int, stdout: int, stderr: int) -> None:
        self.events = events
        self._mux = mux
        self._stdin = PipeWriter(stdin, WRITE_HIGH)
        self._out: dict[StreamName, _Reader] = {
            "stdout": _Reader(self, "stdout", stdout),
            "stderr": _Reader(self, "stderr", stderr),
        }
        self._exited = False
        self._closed = False
        mux.on_exit = self._exit
        mux.ended.add_done_callback(lambda _: self._gone())

    def _gone(self) -> None:
        # The master closes the control connection when the channel is closed on both sides; sshd counts it until then.
        self._exit()
        if not self._closed:
            self.events.session_gone()

    def _exit(self) -> None:
        if not self._exited and not self._closed:
            self._exited = True
            self.events.session_exited(self._mux.exit_value)

    def write(self, data: bytes) -> None:
        self._stdin.write((data,))

    async def drain(self) -> None:
        await self._stdin.drain()

    def close_stdin(self) -> None:
        self._stdin.finish()

    @property
    def stdin_open(self) -> bool:
        return self._stdin.open

    def pause(self, stream: StreamName) -> None:
        self._out[stream].pause()

    def resume(self, stream: StreamName) -> None:
        self._out[stream].resume()

    def pipes(self) -> tuple[int, int]:
        """Descriptors of stdout and stdin, for whoever moves the bytes by itself; both stay ours to close."""
        return self._out["stdout"].fd, self._stdin.fd

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._stdin.close()
            for reader in self._out.values():
                reader.close()
            self._mux.close()


def _pipe_ends(made: list[int]) -> tuple[int, int]:
    ends = os.pipe()
    made += ends
    return ends


async def open_native(
    control_path: str, command: bytes, events: SessionEvents, *, subsystem: bool = False, timeout: float = 10.0
) -> NativeSession:
    """A session on the master at ``control_path``, its channel open.

    ``command`` is for the login shell, or a subsystem's name; then stdout begins paused. Raises NoSlot or
    SessionRefused where the host says no, MasterLost where no master takes the request, and MasterStalled where the
    host does not reply within ``timeout`` seconds; nothing has been sent to the host then.
    """
    made: list[int] = []
    try:
        stdin_far, stdin_near = _pipe_ends(made)
        stdout_near, stdout_far = _pipe_ends(made)
        stderr_near, stderr_far = _pipe_ends(made)
        mux = await open_session(control_path, command, (stdin_far, stdout_far, stderr_far), subsystem=subsystem)
    except BaseException:
        for fd in made:
            os.close(fd)
        raise
    # While we hold the far ends too, no stream ever ends.
    for fd in (stdin_far, stdout_far, stderr_far):
        os.close(fd)
    session = NativeSession(events, mux, stdin_near, stdout_near, stderr_near)
    try:
        with anyio.fail_after(timeout):
            await asyncio.shield(mux.opened)
    except TimeoutError:
        session.close()
        raise MasterStalled(
            f"The host did not open a session within {timeout:g} s.",
            "Call again: a new connection is opened.",
            sent=False,
        ) from None
    except BaseException:
        session.close()
        raise
    session.resume("stderr")
    if not subsystem:
        session.resume("stdout")
    return session


async def lost_master(master: Handle, *, began: bool) -> MasterLost | None:
    """MasterLost where no master replies any more, else None: distinguishes a dead connection from a dead session."""
    if await alive_check(master.control_path) is not None:
        return None
    return MasterLost(
        "The connection to the host was lost while the session was open.",
        "What still runs there is ended by the next call. Call again; look first whether the command had an effect."
        if began
        else "Call again.",
        sent=began,
    )


class NativeBackend(Mastered):
    """Native sessions for a host; ``timeout`` bounds the opening, in seconds."""

    name: BackendName = "native"
    confirms = True
    opens_ahead = True

    def __init__(self, masters: Masters, destination: Destination, timeout: float) -> None:
        super().__init__(masters, destination)
        self._timeout = timeout

    async def open(self, master: Handle, command: bytes, events: SessionEvents, *, subsystem: bool) -> Session:
        return await open_native(master.control_path, command, events, subsystem=subsystem, timeout=self._timeout)

    async def diagnose(self, master: Handle, status: int | None, text: str, *, began: bool) -> TransportError | None:
        del text
        return await lost_master(master, began=began) if status is None else None

    async def aclose(self) -> None:
        """Nothing runs on our side."""
