"""The client's side of a control socket: the only I/O of this room.

One connection per request and one session per connection, as the protocol requires. POSIX only: sessions pass
descriptors.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

import anyio

from transports.errors import MasterLost, ProtocolError, SessionRefused, TransportError
from transports.mux.codec import CLOSED, MuxClientCodec
from transports.mux.messages import (
    Alive,
    AliveCheck,
    CloseForward,
    Exit,
    Failure,
    Forwarding,
    FromMaster,
    Hello,
    NewSession,
    NewStdioForward,
    Ok,
    OpenForward,
    PermissionDenied,
    RemotePort,
    Request,
    SessionOpened,
    StopListening,
    Terminate,
)

_RECV_BYTES: Final = 4096
_REQUEST_SECONDS: Final = 5.0
_FORWARD_SECONDS: Final = 15.0
"""The server is asked too: a round trip over the network, or a slow sshd."""
_CONNECT_PAUSE_SECONDS: Final = 0.01
_CONNECT_TRIES: Final = 500
_SEND_BUFFER_BYTES: Final = 512 * 1024
NO_SLOT_TEXT: Final = "Session open refused by peer"
"""mux.c, when the server refuses the channel: what MaxSessions looks like from here."""


class NoSlot(SessionRefused):
    """sshd accepts no further session on this connection just now (MaxSessions). Nothing was started."""


def refusal(reason: str) -> SessionRefused:
    """The error for a master's FAILURE or PERMISSION_DENIED text."""
    if NO_SLOT_TEXT in reason:
        return NoSlot(
            "The host accepts no further session on this connection.", "Try again or raise MaxSessions.", sent=False
        )
    return SessionRefused(f"ssh refused to open a session: {reason}.", sent=False)


def _lost(why: str) -> MasterLost:
    return MasterLost(
        f"The ssh master connection is gone ({why}).", "Call again: a new connection is opened.", sent=False
    )


async def _connect(path: str) -> socket.socket:
    """A connected non-blocking socket. Raises OSError.

    A full backlog is EAGAIN on a Unix socket and not "in progress": ``loop.sock_connect`` would take it for success.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        for _ in range(_CONNECT_TRIES):
            try:
                sock.connect(path)
            except BlockingIOError:
                await anyio.sleep(_CONNECT_PAUSE_SECONDS)
            else:
                return sock
        raise BlockingIOError("the master does not accept connections")
    except BaseException:
        sock.close()
        raise


# --- one request, one reply -----------------------------------------------------------------------------------------


async def _ask(path: str, request: Callable[[int], Request], timeout: float) -> FromMaster | None:
    """The reply to one request; None where the master closed, is silent for ``timeout`` seconds or sends nonsense."""
    try:
        with anyio.move_on_after(timeout):
            sock = await _connect(path)
            try:
                return await _exchange(sock, request)
            finally:
                sock.close()
    except (OSError, ProtocolError):
        return None
    return None


async def _exchange(sock: socket.socket, request: Callable[[int], Request]) -> FromMaster | None:
    loop = asyncio.get_running_loop()
    codec = MuxClientCodec()
    await loop.sock_sendall(sock, codec.send(Hello()) + codec.send(request(codec.next_request_id())))
    while True:
        event = codec.next_event()
        if event is CLOSED:
            return None
        if event is not None and not isinstance(event, Hello):
            return event
        if event is None:
            data = await loop.sock_recv(sock, _RECV_BYTES)
            codec.receive_data(data) if data else codec.receive_eof()


async def alive_check(path: str, timeout: float = _REQUEST_SECONDS) -> int | None:
    """Process id of the master that listens at ``path``; None where no master replies within ``timeout`` seconds.

    Works beside live sessions (PROTOCOL.mux section 4).
    """
    reply = await _ask(path, AliveCheck, timeout)
    return reply.pid if isinstance(reply, Alive) else None


async def terminate(path: str) -> None:
    """Make the master quit at once (section 5). Its OK usually never arrives, so that end of file is success too."""
    await _ask(path, Terminate, _REQUEST_SECONDS)


async def stop_listening(path: str) -> None:
    """Make the master take no further session and remove its socket (section 9); it ends with those it carries."""
    await _ask(path, StopListening, _REQUEST_SECONDS)


async def open_forward(path: str, forwarding: Forwarding) -> int:
    """Make the master listen and forward (section 6); the port that the host chose, or 0 where it was given.

    Raises SessionRefused with ssh's reason, MasterLost where no master takes the request.
    """
    reply = await _ask(path, lambda number: OpenForward(number, forwarding), _FORWARD_SECONDS)
    if isinstance(reply, Failure | PermissionDenied):
        raise SessionRefused(f"ssh refused to forward: {reply.reason}.", sent=False)
    if not isinstance(reply, Ok | RemotePort):
        raise _lost("it did not reply")
    return reply.port if isinstance(reply, RemotePort) else 0


async def close_forward(path: str, forwarding: Forwarding) -> bool:
    """Make the master stop listening (section 7). Before OpenSSH 10.1 True proves nothing: look whether it listens."""
    return isinstance(await _ask(path, lambda number: CloseForward(number, forwarding), _FORWARD_SECONDS), Ok)


# --- sessions -------------------------------------------------------------------------------------------------------


class MuxSession:
    """One session on a control connection of its own. Made by ``open_session``.

    ``opened`` is done when the channel is open, or fails with NoSlot, SessionRefused or MasterLost (nothing has reached
    the host then). ``ended`` is done when the control connection is: with the exit value, or None where none came (a
    refused exec, a kill by signal, a lost master: an alive check shows which). ``exit_value`` may be known before.
    """

    def __init__(self, sock: socket.socket, codec: MuxClientCodec) -> None:
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._codec = codec
        self.opened: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[int | None] = self._loop.create_future()
        self.exit_value: int | None = None
        self.on_exit: Callable[[], None] | None = None
        self._loop.add_reader(sock.fileno(), self._readable)

    def _readable(self) -> None:
        try:
            data = self._sock.recv(_RECV_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(_lost(error.strerror or "error"))
            return
        try:
            if data:
                self._codec.receive_data(data)
            else:
                self._codec.receive_eof()
            while (event := self._codec.next_event()) is not None:
                if event is CLOSED:
                    self._finish(_lost("it closed the session's socket"))
                    return
                self._handle(event)
        except ProtocolError as error:
            self._finish(error)

    def _handle(self, event: FromMaster) -> None:
        if isinstance(event, SessionOpened):
            if not self.opened.done():
                self.opened.set_result(None)
        elif isinstance(event, Failure | PermissionDenied):
            self._finish(refusal(event.reason))
        elif isinstance(event, Exit):
            self.exit_value = event.value
            if self.on_exit is not None:
                self.on_exit()

    def _finish(self, error: TransportError) -> None:
        self.close()
        if not self.opened.done():
            error.sent = False  # without a channel nothing gets to the host
            self.opened.set_exception(error)
            self.opened.exception()  # whoever waits sees it; nobody need wait

    def close(self) -> None:
        """Close the control connection. The remote command is *not* ended by that. Idempotent."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()
        if not self.ended.done():
            self.ended.set_result(self.exit_value)


def _send_with_descriptors(
    sock: socket.socket, codec: MuxClientCodec, request: NewSession | NewStdioForward, fds: Sequence[int]
) -> None:
    """HELLO, the request and its descriptors in one go.

    A master that got the request blocks until it has all descriptors, and with it every session it carries: so
    nothing here waits. What does not fit into the socket at once is an error, and the caller closes the socket. HELLO
    and the request go out together because each saved wake-up of the master is a tenth of a millisecond.
    """
    packet = codec.send(Hello()) + codec.send(request)
    if len(packet) > _SEND_BUFFER_BYTES // 8:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    if sock.send(packet) != len(packet):
        raise BlockingIOError("the master does not read")
    for fd in fds:
        # mm_receive_fd reads one byte with one descriptor at a time: each needs its own sendmsg.
        if socket.send_fds(sock, [b"\0"], [fd]) != 1:
            raise BlockingIOError("the master does not read")


async def open_session(path: str, command: bytes, fds: tuple[int, int, int], *, subsystem: bool = False) -> MuxSession:
    """Ask the master at ``path`` for a session (PROTOCOL.mux section 2) on stdin, stdout and stderr ``fds``.

    ``command`` is what sshd hands to the login shell (bytes, no NUL), or a subsystem's name. The descriptors stay the
    caller's, who closes them as soon as this returns or raises. Returns when everything is sent; await
    ``opened`` then. Raises MasterLost where no master takes the request, ValueError on a NUL or an overlong command.
    """
    return await _open(path, lambda number: NewSession(number, command, subsystem=subsystem), fds)


async def open_stdio_forward(path: str, host: bytes, port: int, fds: tuple[int, int]) -> MuxSession:
    """Carry the first descriptor's bytes to ``host``:``port``, as the server reaches it, and the replies to the second.

    PROTOCOL.mux section 8. As ``open_session``: ``opened`` is done once the far end is connected, or fails with
    SessionRefused and ssh's reason; ``ended`` once both directions are.
    """
    return await _open(path, lambda number: NewStdioForward(number, host, port), fds)


async def _open(path: str, request: Callable[[int], NewSession | NewStdioForward], fds: Sequence[int]) -> MuxSession:
    try:
        sock = await _connect(path)
    except OSError as error:
        raise _lost(error.strerror or "no reply") from error
    try:
        codec = MuxClientCodec()
        _send_with_descriptors(sock, codec, request(codec.next_request_id()), fds)
        return MuxSession(sock, codec)
    except OSError as error:
        sock.close()
        raise _lost(error.strerror or "it does not read") from error
    except BaseException:
        sock.close()
        raise
