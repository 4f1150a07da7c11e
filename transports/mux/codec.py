"""The multiplexing protocol without I/O: both halves of one control connection.

Theory. A control connection carries packets both ways (``messages``). Both sides begin with one HELLO. Then the client
sends requests, each under a request id of its own choice, and the master replies to each of them once, under that id:

====================  =====================================================
request               reply (any of them may instead get FAILURE or PERMISSION_DENIED)
====================  =====================================================
NEW_SESSION           SESSION_OPENED with a session id; later TTY_ALLOC_FAIL (perhaps) and EXIT (perhaps), which carry
                      the session id and no request id
ALIVE_CHECK           ALIVE
TERMINATE             OK, or the connection just ends
STOP_LISTENING        OK
OPEN_FWD              OK, or REMOTE_PORT for a remote forwarding of port 0
CLOSE_FWD             OK
NEW_STDIO_FWD         SESSION_OPENED once the far end is connected
====================  =====================================================

A connection carries at most one session. ``receive_data`` only stores; ``next_event`` decides: a message, ``None``
while more bytes are needed, ``CLOSED`` after the peer's end of file. What breaks these rules is a ProtocolError, after
which the connection is of no further use. Descriptors travel beside the packets, one byte each, straight behind
NEW_SESSION: whoever reads on the master's side must not read past ``bytes_wanted`` or it swallows them.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal

from transports.errors import ProtocolError
from transports.mux.messages import (
    MUX_VERSION,
    PACKET_MAX,
    Alive,
    AliveCheck,
    CloseForward,
    Exit,
    Failure,
    FromClient,
    FromMaster,
    Hello,
    NewSession,
    NewStdioForward,
    Ok,
    OpenForward,
    PermissionDenied,
    RemotePort,
    Reply,
    Request,
    SessionOpened,
    StopListening,
    Terminate,
    TtyAllocFail,
    decode_from_client,
    decode_from_master,
    encode,
)

_LENGTH_BYTES: Final = 4


class Closed(Enum):
    """The peer has ended the connection."""

    CLOSED = "closed"


CLOSED: Final = Closed.CLOSED
_REPLIES: Final[dict[type[Request], tuple[type[Reply], ...]]] = {
    NewSession: (SessionOpened,),
    NewStdioForward: (SessionOpened,),
    AliveCheck: (Alive,),
    Terminate: (Ok,),
    StopListening: (Ok,),
    OpenForward: (Ok, RemotePort),
    CloseForward: (Ok,),
}


class _Packets:
    """Bytes in, packets out; holds at most one packet's worth more than it was given at once."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False

    def receive_data(self, data: bytes) -> None:
        """Store bytes from the peer. Raises ProtocolError behind the end of file."""
        if self._ended:
            raise ProtocolError("The mux peer sent data behind its end of file.")
        self._buffer += data

    def receive_eof(self) -> None:
        """The peer sends no more."""
        self._ended = True

    @property
    def bytes_wanted(self) -> int:
        """How many bytes complete the packet at hand (or its length field)."""
        held = len(self._buffer)
        return _LENGTH_BYTES - held if held < _LENGTH_BYTES else max(0, self._length() + _LENGTH_BYTES - held)

    def _length(self) -> int:
        length = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        # mux.c: a packet holds at least its type, and at most 256 KiB.
        if not _LENGTH_BYTES <= length <= PACKET_MAX:
            raise ProtocolError(f"The mux peer announced a packet of {length} bytes.")
        return length

    def next_packet(self) -> bytes | Literal[Closed.CLOSED] | None:
        if len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + self._length()
            if len(self._buffer) >= end:
                packet = bytes(self._buffer[_LENGTH_BYTES:end])
                del self._buffer[:end]
                return packet
        if not self._ended:
            return None
        if self._buffer:
            raise ProtocolError("The mux peer ended the connection inside a packet.")
        return CLOSED


def _check_hello(message: Hello, *, seen: bool) -> None:
    if seen:
        raise ProtocolError("The mux peer greeted twice.")
    # Section 1: a client should refuse a master of another version.
    if message.version != MUX_VERSION:
        raise ProtocolError(
            f"The mux peer speaks version {message.version} of the protocol, not {MUX_VERSION}.",
            "Update OpenSSH.",
            sent=False,
        )


class MuxClientCodec(_Packets):
    """The client's half. ``send`` gives the bytes to be written."""

    def __init__(self) -> None:
        super().__init__()
        self._greeted = False
        self._hello_seen = False
        self._outstanding: dict[int, type[Request]] = {}
        self._next_id = 0
        self._session_asked = False
        self._session_id: int | None = None
        self._exited = False

    def next_request_id(self) -> int:
        """A request id not used before on this connection."""
        self._next_id += 1
        return self._next_id - 1

    def send(self, message: FromClient) -> bytes:
        """Bytes of one message. Raises ValueError where the message is not allowed now."""
        if isinstance(message, Hello):
            if self._greeted:
                raise ValueError("HELLO is sent once")
            self._greeted = True
            return encode(message)
        if not self._greeted:
            raise ValueError("HELLO comes first")
        if message.request_id in self._outstanding:
            raise ValueError(f"request id {message.request_id} is still outstanding")
        if isinstance(message, NewSession | NewStdioForward):
            if self._session_asked:
                raise ValueError("one session per connection")
            self._session_asked = True
        data = encode(message)
        self._outstanding[message.request_id] = type(message)
        return data

    def next_event(self) -> FromMaster | Literal[Closed.CLOSED] | None:
        """The master's next message, CLOSED, or None where more bytes are needed. Raises ProtocolError."""
        packet = self.next_packet()
        if not isinstance(packet, bytes):
            return packet
        message = decode_from_master(packet)
        if isinstance(message, Hello):
            _check_hello(message, seen=self._hello_seen)
            self._hello_seen = True
        elif not self._hello_seen:
            raise ProtocolError("The mux master did not greet first.")
        elif isinstance(message, Exit | TtyAllocFail):
            self._check_session(message)
        else:
            self._check_reply(message)
        return message

    def _check_reply(self, reply: Reply) -> None:
        asked = self._outstanding.pop(reply.request_id, None)
        if asked is None:
            raise ProtocolError(f"The mux master replied to request {reply.request_id}, which is not open.")
        if not isinstance(reply, PermissionDenied | Failure) and type(reply) not in _REPLIES[asked]:
            raise ProtocolError(f"The mux master replied to {asked.__name__} with {type(reply).__name__}.")
        if isinstance(reply, SessionOpened):
            self._session_id = reply.session_id

    def _check_session(self, message: Exit | TtyAllocFail) -> None:
        if self._session_id is None or message.session_id != self._session_id:
            raise ProtocolError(f"The mux master spoke of session {message.session_id}, which is not ours.")
        if self._exited:
            raise ProtocolError("The mux master spoke of a session that had ended.")
        self._exited = isinstance(message, Exit)


class MuxServerCodec(_Packets):
    """The master's half: lets a test play the master."""

    def __init__(self) -> None:
        super().__init__()
        self._greeted = False
        self._hello_seen = False
        self._outstanding: dict[int, type[Request]] = {}
        self._sessions: set[int] = set()

    def send(self, message: FromMaster) -> bytes:
        """Bytes of one message. Raises ValueError where the message is not allowed now."""
        if isinstance(message, Hello):
            if self._greeted:
                raise ValueError("HELLO is sent once")
            self._greeted = True
            return encode(message)
        if not self._greeted:
            raise ValueError("HELLO comes first")
        if isinstance(message, Exit | TtyAllocFail):
            if message.session_id not in self._sessions:
                raise ValueError(f"session {message.session_id} is not open")
            if isinstance(message, Exit):
                self._sessions.discard(message.session_id)
            return encode(message)
        asked = self._outstanding.pop(message.request_id, None)
        if asked is None:
            raise ValueError(f"request {message.request_id} is not open")
        if not isinstance(message, PermissionDenied | Failure) and type(message) not in _REPLIES[asked]:
            raise ValueError(f"the reply to {asked.__name__} cannot be {type(message).__name__}")
        if isinstance(message, SessionOpened):
            self._sessions.add(message.session_id)
        return encode(message)

    def next_event(self) -> FromClient | Literal[Closed.CLOSED] | None:
        """The client's next message, CLOSED, or None where more bytes are needed. Raises ProtocolError."""
        packet = self.next_packet()
        if not isinstance(packet, bytes):
            return packet
        message = decode_from_client(packet)
        if isinstance(message, Hello):
            _check_hello(message, seen=self._hello_seen)
            self._hello_seen = True
            return message
        if not self._hello_seen:
            raise ProtocolError("The mux client did not greet first.")
        if message.request_id in self._outstanding:
            raise ProtocolError(f"The mux client used request id {message.request_id} twice.")
        self._outstanding[message.request_id] = type(message)
        return message
