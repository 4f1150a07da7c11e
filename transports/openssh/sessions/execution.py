"""One command on one session: from the bytes that a session pushes to "has begun", "is complete", "is over"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from transports.api import OutputSink, StreamName
from transports.errors import PartialOutput
from transports.openssh.sessions.session import Session
from transports.openssh.shell.frame import FrameDecoder, Processes, was_eaten

QUIET_SECONDS: Final = 2.0
"""Without our frame's last marks: how long both pipes may be silent behind the exit status before the rest is taken for
a background child's. EXIT may come before the last output (trap 2), and a slow link has pauses."""
_STDERR_KEPT: Final = 2048
_STREAMS: Final[tuple[StreamName, StreamName]] = ("stdout", "stderr")


class Collector:
    """Keeps the first bytes of both streams and counts the rest."""

    __slots__ = ("_caps", "_parts", "_sink", "totals")

    def __init__(self, stdout_cap: int, stderr_cap: int, sink: OutputSink | None = None) -> None:
        self._caps: dict[StreamName, int] = {"stdout": stdout_cap, "stderr": stderr_cap}
        self._parts: dict[StreamName, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.totals: dict[StreamName, int] = {"stdout": 0, "stderr": 0}
        self._sink = sink

    def __call__(self, stream: StreamName, data: bytes) -> None:
        part = self._parts[stream]
        self.totals[stream] += len(data)
        if (room := self._caps[stream] - len(part)) > 0:
            part += data if room >= len(data) else data[:room]
        if self._sink is not None:
            self._sink(stream, data)

    def kept(self, stream: StreamName) -> bytes:
        """What was kept of a stream."""
        return bytes(self._parts[stream])

    def partial_output(self) -> PartialOutput:
        """Both streams as far as they came."""
        return PartialOutput(self.kept("stdout"), self.kept("stderr"), self.totals["stdout"], self.totals["stderr"])


def _drop(stream: StreamName, data: bytes) -> None:
    """The sink of a closed session."""


class Execution:
    """The ``SessionEvents`` of one command.

    ``nonce`` None means a command without our frame. ``begun`` is done with the remote process ids (None: it ended
    without ever having begun, or another program reads its stdin), ``complete`` when all output of the command itself
    has been passed to ``sink``, ``over`` when the session is closed on the host too and has nothing more to say. A
    background child keeps ``over`` back, never ``complete``.
    """

    def __init__(self, nonce: str | None, sink: OutputSink) -> None:
        self._loop = asyncio.get_running_loop()
        self.nonce = nonce
        self.sink = sink
        self.session: Session | None = None
        self.command_sent = False
        self.has_stdout = False
        """Whether the command itself has said anything on stdout (a spawned ssh only ever speaks on stderr)."""
        self.on_gone: Callable[[], None] | None = None
        self.on_stream_done: Callable[[StreamName], None] | None = None
        self.begun: asyncio.Future[Processes | None] = self._loop.create_future()
        self.complete: asyncio.Future[None] = self._loop.create_future()
        self.over: asyncio.Future[None] = self._loop.create_future()
        self._refused: asyncio.Future[Exception] = self._loop.create_future()
        self.exited = False
        self.gone = False
        self._exit_status: int | None = None
        self._decoders: dict[StreamName, FrameDecoder] = {}
        if nonce is not None:
            self._decoders = {"stdout": FrameDecoder(nonce), "stderr": FrameDecoder(nonce)}
        self._done: set[StreamName] = set()
        self._ended: set[StreamName] = set()
        self._quiet: asyncio.TimerHandle | None = None
        self._last_data = 0.0
        self.stderr_head = b""
        self._stderr_tail = b""

    # --- what we do ---------------------------------------------------------------------------------------------------

    def send_command(self, line: bytes) -> None:
        """Send what ``frame.command_input`` or ``inert_input`` made of a command."""
        assert self.session is not None
        self.command_sent = True
        self.session.write(line)

    def send_stdin(self, stdin: bytes | None, *, more: bool = False) -> None:
        """Send ``stdin``; unless ``more`` follows, end of file behind it."""
        assert self.session is not None
        if stdin:
            self.session.write(stdin)
        if not more:
            self.session.close_stdin()

    def close(self) -> None:
        """Drop our side of the session. Whoever waits for one of the futures is released."""
        if self.session is not None:
            self.session.close()
        self.sink = _drop  # session and events refer to each other: what was kept must not wait for the collector
        self._finish()
        if not self.over.done():
            self.over.set_result(None)

    # --- what we know -------------------------------------------------------------------------------------------------

    @property
    def processes(self) -> Processes | None:
        """The remote process ids, once they are known."""
        return self.begun.result() if self.begun.done() else None

    @property
    def marked_status(self) -> int | None:
        """Exit status from the frame's last marks."""
        return next((d.status for d in self._decoders.values() if d.status is not None), None)

    @property
    def status(self) -> int | None:
        """Exit status from the frame, else from the session; None where it never arrived."""
        marked = self.marked_status
        return self._exit_status if marked is None else marked

    @property
    def exit_status(self) -> int | None:
        """Exit status from the session: for a frame ``FRAME_STATUS``, or that of what ran in its place."""
        return self._exit_status

    @property
    def taken(self) -> bool:
        """Whether another program read the command (see ``FrameDecoder``)."""
        return any(decoder.taken for decoder in self._decoders.values())

    @property
    def lingering(self) -> bool:
        """Whether somebody still held the pipes when the command's own output was complete."""
        return len(self._ended) < 2

    @property
    def eaten(self) -> bool:
        """Whether the command never reached its shell whole (see ``frame.was_eaten``)."""
        return self.nonce is not None and was_eaten(self.nonce, self.status or 0, self.stderr_head)

    def said_before(self) -> str:
        """What came instead of, or before, the frame's first marks: rc noise, a refusal's text, ssh's own messages.

        Without the lines in which a program that took the frame's place complains of the command.
        """
        return "\n".join(line for line in self.noise().split("\n") if not self.nonce or self.nonce not in line).strip()

    def noise(self) -> str:
        """The same with those lines, which may hold the command."""
        pieces = [decoder.noise for decoder in self._decoders.values()] or [self.stderr_head]
        return b"\n".join(piece.strip() for piece in pieces).decode("utf-8", "replace")

    def last_words(self) -> str:
        """The last bytes of stderr: where a spawned ssh says how its connection ended."""
        return self._stderr_tail.decode("utf-8", "replace")

    async def finished(self) -> None:
        """Until ``complete``. Raises what the sink raised, as soon as it did; it is passed nothing more then."""
        if not (self.complete.done() or self._refused.done()):
            await asyncio.wait((self.complete, self._refused), return_when=asyncio.FIRST_COMPLETED)
        if self._refused.done():
            raise self._refused.result()

    # --- what we hear (SessionEvents) ---------------------------------------------------------------------------------

    def data_received(self, stream: StreamName, data: bytes) -> None:
        self._last_data = self._loop.time()
        decoder = self._decoders.get(stream)
        if decoder is None:
            self._pass_on(stream, data)
            return
        payload = decoder.feed(data)
        if (decoder.processes is not None or decoder.taken) and not self.begun.done():
            self.begun.set_result(decoder.processes)
        if payload:
            self._pass_on(stream, payload)
        if decoder.status is not None:
            self._stream_done(stream)

    def stream_ended(self, stream: StreamName) -> None:
        decoder = self._decoders.get(stream)
        if decoder is not None and (rest := decoder.finish()):
            self._pass_on(stream, rest)
        self._ended.add(stream)
        self._stream_done(stream)
        self._check_over()

    def session_exited(self, status: int | None) -> None:
        self.exited = True
        self._exit_status = status
        if len(self._done) == 2:
            self._finish()
        else:
            self._last_data = self._loop.time()
            self._wait_for_quiet()

    def session_gone(self) -> None:
        self.gone = True
        if self.on_gone is not None:
            self.on_gone()
        self._check_over()

    def _pass_on(self, stream: StreamName, data: bytes) -> None:
        if stream == "stdout":
            self.has_stdout = True
        else:
            if len(self.stderr_head) < _STDERR_KEPT:
                self.stderr_head += data[: _STDERR_KEPT - len(self.stderr_head)]
            self._stderr_tail = (self._stderr_tail + data[-_STDERR_KEPT:])[-_STDERR_KEPT:]
        if not self._refused.done():
            try:
                self.sink(stream, data)
            except Exception as error:  # noqa: BLE001 - this is the reader of all sessions; ``finished`` raises it
                self._refused.set_result(error)

    def _stream_done(self, stream: StreamName) -> None:
        if stream not in self._done:
            self._done.add(stream)
            if self.on_stream_done is not None:
                self.on_stream_done(stream)
        if len(self._done) == 2 and (self.exited or self.status is not None):
            self._finish()

    def _wait_for_quiet(self) -> None:
        if self.complete.done():
            return
        left = self._last_data + QUIET_SECONDS - self._loop.time()
        if left <= 0:
            self._finish()
        else:
            self._quiet = self._loop.call_later(left, self._wait_for_quiet)

    def _finish(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        for stream in _STREAMS:
            if stream not in self._done:
                self._stream_done(stream)
        if not self.begun.done():
            self.begun.set_result(None)
        if not self.complete.done():
            self.complete.set_result(None)

    def _check_over(self) -> None:
        if self.gone and len(self._ended) == 2 and not self.over.done():
            self.over.set_result(None)
