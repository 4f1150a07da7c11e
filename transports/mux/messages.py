"""Messages of OpenSSH's multiplexing protocol, version 4: values, and their bytes in both directions.

Source: ``PROTOCOL.mux`` and ``mux.c`` of openssh-portable; constants keep its names. Booleans are u32. Only what a
session and a forwarding need is here: no proxy mode. Bytes fields (command, environment) go over the wire as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from transports.errors import ProtocolError
from transports.wire import U32_MAX, Cursor, Writer

MUX_VERSION: Final = 4
PACKET_MAX: Final = 256 * 1024  # bytes behind the length field; mux.c closes the socket on more
NO_ESCAPE_CHAR: Final = U32_MAX

MUX_MSG_HELLO: Final = 0x00000001
MUX_C_NEW_SESSION: Final = 0x10000002
MUX_C_ALIVE_CHECK: Final = 0x10000004
MUX_C_TERMINATE: Final = 0x10000005
MUX_C_OPEN_FWD: Final = 0x10000006
MUX_C_CLOSE_FWD: Final = 0x10000007
MUX_C_NEW_STDIO_FWD: Final = 0x10000008
MUX_C_STOP_LISTENING: Final = 0x10000009
MUX_S_OK: Final = 0x80000001
MUX_S_PERMISSION_DENIED: Final = 0x80000002
MUX_S_FAILURE: Final = 0x80000003
MUX_S_EXIT_MESSAGE: Final = 0x80000004
MUX_S_ALIVE: Final = 0x80000005
MUX_S_SESSION_OPENED: Final = 0x80000006
MUX_S_REMOTE_PORT: Final = 0x80000007
MUX_S_TTY_ALLOC_FAIL: Final = 0x80000008

MUX_FWD_LOCAL: Final = 1
MUX_FWD_REMOTE: Final = 2


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of both sides (section 1). Extensions are kept, never acted on: 10.3 sends ("info", "0")."""

    version: int = MUX_VERSION
    extensions: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class NewSession:
    """Open a session (section 2); its three descriptors follow outside the packet stream. Empty command: a shell."""

    request_id: int
    command: bytes
    subsystem: bool = False
    tty: bool = False
    x11: bool = False
    agent: bool = False
    escape_char: int = NO_ESCAPE_CHAR
    terminal: bytes = b""
    environment: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class AliveCheck:
    """Ask for the master's pid (section 4)."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Terminate:
    """Make the master quit at once (section 5)."""

    request_id: int


@dataclass(frozen=True, slots=True)
class StopListening:
    """Make the master unlink its socket and end with its last channel (section 9)."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What OPEN_FWD and CLOSE_FWD are about (section 6): ``kind`` is MUX_FWD_LOCAL, _REMOTE or _DYNAMIC."""

    kind: int
    listen_host: bytes
    listen_port: int
    connect_host: bytes
    connect_port: int


@dataclass(frozen=True, slots=True)
class OpenForward:
    """Listen and forward (section 6). A remote forwarding of port 0 gets the port that the host chose as its reply."""

    request_id: int
    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class CloseForward:
    """Stop listening (section 7). Before OpenSSH 10.1 the master replies OK even where it closed nothing."""

    request_id: int
    forwarding: Forwarding


@dataclass(frozen=True, slots=True)
class NewStdioForward:
    """Carry two descriptors to ``host``:``port`` as the server reaches it (section 8 of PROTOCOL.mux, "stdio forward").

    The descriptors follow outside the packet stream. The document says that the port is a string; mux.c reads a u32.
    """

    request_id: int
    host: bytes
    port: int


@dataclass(frozen=True, slots=True)
class RemotePort:
    """The port that a remote forwarding of port 0 listens on (section 6)."""

    request_id: int
    port: int


@dataclass(frozen=True, slots=True)
class Ok:
    """The request was done (section 10)."""

    request_id: int


@dataclass(frozen=True, slots=True)
class PermissionDenied:
    """The master's own rules say no (section 10)."""

    request_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The request failed (section 10); ``reason`` is ssh's text, such as "Session open refused by peer"."""

    request_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The session's channel is open (section 2)."""

    request_id: int
    session_id: int


@dataclass(frozen=True, slots=True)
class Exit:
    """The remote command's exit value (section 2). Output may still follow it."""

    session_id: int
    value: int


@dataclass(frozen=True, slots=True)
class TtyAllocFail:
    """The server gave no terminal (section 2)."""

    session_id: int


@dataclass(frozen=True, slots=True)
class Alive:
    """The master's reply to an alive check (section 4)."""

    request_id: int
    pid: int


Request = NewSession | AliveCheck | Terminate | StopListening | OpenForward | CloseForward | NewStdioForward
FromClient = Hello | Request
Reply = Ok | PermissionDenied | Failure | SessionOpened | Alive | RemotePort
FromMaster = Hello | Reply | Exit | TtyAllocFail


def encode(message: FromClient | FromMaster) -> bytes:
    """One whole packet with its length. Raises ValueError on a NUL in a command and on a packet over PACKET_MAX."""
    writer = Writer()
    if isinstance(message, OpenForward | CloseForward | NewStdioForward):
        _write_forward_request(writer, message)
    else:
        _write(writer, message)
    if len(writer) > PACKET_MAX:
        raise ValueError(f"a mux packet of {len(writer)} bytes; {PACKET_MAX} is the most")
    return writer.framed()


_NUMBER_TYPES: Final[dict[type, int]] = {
    SessionOpened: MUX_S_SESSION_OPENED,
    Alive: MUX_S_ALIVE,
    RemotePort: MUX_S_REMOTE_PORT,
}
_BARE_TYPES: Final[dict[type, int]] = {
    AliveCheck: MUX_C_ALIVE_CHECK,
    Terminate: MUX_C_TERMINATE,
    StopListening: MUX_C_STOP_LISTENING,
    Ok: MUX_S_OK,
}


def _write_new_session(writer: Writer, message: NewSession) -> None:
    if b"\0" in message.command:
        raise ValueError("a NUL in a command: the master would close the socket")
    writer.u32(MUX_C_NEW_SESSION).u32(message.request_id).string(b"")
    for flag in (message.tty, message.x11, message.agent, message.subsystem):
        writer.u32(int(flag))
    writer.u32(message.escape_char).string(message.terminal).string(message.command)
    for entry in message.environment:
        writer.string(entry)


def _write(writer: Writer, message: FromClient | FromMaster) -> None:
    match message:
        case Hello(version, extensions):
            writer.u32(MUX_MSG_HELLO).u32(version)
            for name, value in extensions:
                writer.string(name).string(value)
        case NewSession():
            _write_new_session(writer, message)
        case PermissionDenied(request_id, reason):
            writer.u32(MUX_S_PERMISSION_DENIED).u32(request_id).string(reason.encode())
        case Failure(request_id, reason):
            writer.u32(MUX_S_FAILURE).u32(request_id).string(reason.encode())
        case Exit(session_id, value):
            writer.u32(MUX_S_EXIT_MESSAGE).u32(session_id).u32(value)
        case TtyAllocFail(session_id):
            writer.u32(MUX_S_TTY_ALLOC_FAIL).u32(session_id)
        case SessionOpened(request_id, value) | Alive(request_id, value) | RemotePort(request_id, value):
            writer.u32(_NUMBER_TYPES[type(message)]).u32(request_id).u32(value)
        case AliveCheck(request_id) | Terminate(request_id) | StopListening(request_id) | Ok(request_id):
            writer.u32(_BARE_TYPES[type(message)]).u32(request_id)


def _write_forward_request(writer: Writer, message: OpenForward | CloseForward | NewStdioForward) -> None:
    if isinstance(message, NewStdioForward):
        if b"\0" in message.host:
            raise ValueError("a NUL in a host name: the master would close the socket")
        writer.u32(MUX_C_NEW_STDIO_FWD).u32(message.request_id).string(b"").string(message.host).u32(message.port)
        return
    kind = MUX_C_OPEN_FWD if isinstance(message, OpenForward) else MUX_C_CLOSE_FWD
    _write_forwarding(writer.u32(kind).u32(message.request_id), message.forwarding)


def _write_forwarding(writer: Writer, forwarding: Forwarding) -> None:
    if b"\0" in forwarding.listen_host + forwarding.connect_host:
        raise ValueError("a NUL in a host name: the master would close the socket")
    writer.u32(forwarding.kind).string(forwarding.listen_host).u32(forwarding.listen_port)
    writer.string(forwarding.connect_host).u32(forwarding.connect_port)


def _read_forwarding(cursor: Cursor) -> Forwarding:
    return Forwarding(cursor.u32(), cursor.string(), cursor.u32(), cursor.string(), cursor.u32())


def _read_stdio_forward(cursor: Cursor) -> NewStdioForward:
    request_id = cursor.u32()
    cursor.string()  # reserved
    return NewStdioForward(request_id, cursor.string(), cursor.u32())


def decode_from_master(packet: bytes) -> FromMaster:
    """One packet without its length, as a master sends it. Raises ProtocolError."""
    return _decode(packet, _FROM_MASTER)


def decode_from_client(packet: bytes) -> FromClient:
    """One packet without its length, as a client sends it. Raises ProtocolError."""
    return _decode(packet, _FROM_CLIENT)


_M = TypeVar("_M", FromMaster, FromClient)


def _decode(packet: bytes, readers: dict[int, Callable[[Cursor], _M]]) -> _M:
    cursor = Cursor(packet)
    kind = cursor.u32()
    reader = readers.get(kind)
    if reader is None:
        raise ProtocolError(f"The mux peer sent a message of unknown type {kind:#010x}.")
    message = reader(cursor)
    cursor.end()
    return message


def _read_hello(cursor: Cursor) -> Hello:
    version = cursor.u32()
    extensions: list[tuple[bytes, bytes]] = []
    while cursor.remaining:
        extensions.append((cursor.string(), cursor.string()))
    return Hello(version, tuple(extensions))


def _read_new_session(cursor: Cursor) -> NewSession:
    request_id = cursor.u32()
    cursor.string()  # reserved
    tty, x11, agent, subsystem = (cursor.u32() != 0 for _ in range(4))
    escape_char, terminal, command = cursor.u32(), cursor.string(), cursor.string()
    if b"\0" in command:
        raise ProtocolError("The mux peer sent a command that holds a NUL.")
    environment: list[bytes] = []
    while cursor.remaining:
        environment.append(cursor.string())
    return NewSession(request_id, command, subsystem, tty, x11, agent, escape_char, terminal, tuple(environment))


def _reason(cursor: Cursor) -> str:
    return cursor.string().decode("utf-8", "replace")


_FROM_MASTER: Final[dict[int, Callable[[Cursor], FromMaster]]] = {
    MUX_MSG_HELLO: _read_hello,
    MUX_S_OK: lambda c: Ok(c.u32()),
    MUX_S_PERMISSION_DENIED: lambda c: PermissionDenied(c.u32(), _reason(c)),
    MUX_S_FAILURE: lambda c: Failure(c.u32(), _reason(c)),
    MUX_S_EXIT_MESSAGE: lambda c: Exit(c.u32(), c.u32()),
    MUX_S_ALIVE: lambda c: Alive(c.u32(), c.u32()),
    MUX_S_REMOTE_PORT: lambda c: RemotePort(c.u32(), c.u32()),
    MUX_S_SESSION_OPENED: lambda c: SessionOpened(c.u32(), c.u32()),
    MUX_S_TTY_ALLOC_FAIL: lambda c: TtyAllocFail(c.u32()),
}
_FROM_CLIENT: Final[dict[int, Callable[[Cursor], FromClient]]] = {
    MUX_MSG_HELLO: _read_hello,
    MUX_C_NEW_SESSION: _read_new_session,
    MUX_C_ALIVE_CHECK: lambda c: AliveCheck(c.u32()),
    MUX_C_TERMINATE: lambda c: Terminate(c.u32()),
    MUX_C_OPEN_FWD: lambda c: OpenForward(c.u32(), _read_forwarding(c)),
    MUX_C_CLOSE_FWD: lambda c: CloseForward(c.u32(), _read_forwarding(c)),
    MUX_C_NEW_STDIO_FWD: _read_stdio_forward,
    MUX_C_STOP_LISTENING: lambda c: StopListening(c.u32()),
}
