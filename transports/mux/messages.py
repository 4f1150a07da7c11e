"""Messages of OpenSSH's multiplexing protocol, version 4: values, and their bytes in both directions.

Source: ``PROTOCOL.mux`` and ``mux.c`` of openssh-portable; constants keep its names. Booleans are u32. Only what a
session needs is here: no forwardings, no proxy mode. Bytes fields (command, environment) go over the wire as they are.
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
MUX_C_STOP_LISTENING: Final = 0x10000009
MUX_S_OK: Final = 0x80000001
MUX_S_PERMISSION_DENIED: Final = 0x80000002
MUX_S_FAILURE: Final = 0x80000003
MUX_S_EXIT_MESSAGE: Final = 0x80000004
MUX_S_ALIVE: Final = 0x80000005
MUX_S_SESSION_OPENED: Final = 0x80000006
MUX_S_TTY_ALLOC_FAIL: Final = 0x80000008


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
    """Make the master unlink its socket and end with its last channel (section 8)."""

    request_id: int


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
    """The master's answer to an alive check (section 4)."""

    request_id: int
    pid: int


Request = NewSession | AliveCheck | Terminate | StopListening
FromClient = Hello | Request
Reply = Ok | PermissionDenied | Failure | SessionOpened | Alive
FromMaster = Hello | Reply | Exit | TtyAllocFail


def encode(message: FromClient | FromMaster) -> bytes:
    """One whole packet with its length. Raises ValueError on a NUL in a command and on a packet over PACKET_MAX."""
    writer = Writer()
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
        case SessionOpened(request_id, session_id):
            writer.u32(MUX_S_SESSION_OPENED).u32(request_id).u32(session_id)
        case Exit(session_id, value):
            writer.u32(MUX_S_EXIT_MESSAGE).u32(session_id).u32(value)
        case TtyAllocFail(session_id):
            writer.u32(MUX_S_TTY_ALLOC_FAIL).u32(session_id)
        case Alive(request_id, pid):
            writer.u32(MUX_S_ALIVE).u32(request_id).u32(pid)
        case AliveCheck(request_id) | Terminate(request_id) | StopListening(request_id) | Ok(request_id):
            writer.u32(_BARE_TYPES[type(message)]).u32(request_id)
    if len(writer) > PACKET_MAX:
        raise ValueError(f"a mux packet of {len(writer)} bytes; {PACKET_MAX} is the most")
    return writer.framed()


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
    MUX_S_SESSION_OPENED: lambda c: SessionOpened(c.u32(), c.u32()),
    MUX_S_TTY_ALLOC_FAIL: lambda c: TtyAllocFail(c.u32()),
}
_FROM_CLIENT: Final[dict[int, Callable[[Cursor], FromClient]]] = {
    MUX_MSG_HELLO: _read_hello,
    MUX_C_NEW_SESSION: _read_new_session,
    MUX_C_ALIVE_CHECK: lambda c: AliveCheck(c.u32()),
    MUX_C_TERMINATE: lambda c: Terminate(c.u32()),
    MUX_C_STOP_LISTENING: lambda c: StopListening(c.u32()),
}
