"""SFTP packets to bytes and back, both halves, without I/O (draft-ietf-secsh-filexfer-02).

The client half is ``encode`` (with ``read_packet`` and ``write_header`` for bulk data) and ``ReplyReader``; the server
half, for tests and the fake Windows server, is ``RequestReader`` and ``encode``.
A reader is fed any pieces of the stream and returns what they complete. It raises ProtocolError on what the protocol
does not allow; after that it must not be fed again. It never holds more than one packet (256 KiB).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final, cast

from transports.api import FileAttributes
from transports.errors import ProtocolError
from transports.sftp import messages as m
from transports.sftp.attrs import USUAL, USUAL_FLAGS, USUAL_SIZE, get_attributes, put_attributes
from transports.sftp.paths import decode
from transports.sftp.paths import encode as encode_path
from transports.wire import Cursor, Writer

_MAX_NAMES: Final = 10_000
"""Entries taken in one NAME packet; OpenSSH sends at most 100."""
_MAX_EXTENSIONS: Final = 256
"""Extensions taken in one VERSION packet."""

_LENGTH: Final = struct.Struct(">I")
_DATA_HEADER: Final = struct.Struct(">IBII")
"""Packet length, type, request id, data length: what precedes the bytes of a DATA packet."""
_HANDLE_HEADER: Final = struct.Struct(">IBII")
"""Packet length, type, request id, handle length: the beginning of READ and WRITE."""
_OFFSET_LENGTH: Final = struct.Struct(">QI")

# --- fields -----------------------------------------------------------------------------------------------------------


def _put_names(writer: Writer, entries: tuple[m.NameEntry, ...]) -> None:
    writer.u32(len(entries))
    for entry in entries:
        writer.string(encode_path(entry.name)).string(entry.longname)
        put_attributes(writer, entry.attributes)


def _get_names(cursor: Cursor) -> tuple[m.NameEntry, ...]:
    """The entries of a NAME packet. One loop without calls of our own: it is half the time of a long listing."""
    count = cursor.u32()
    if count > _MAX_NAMES:
        raise ProtocolError(f"The SFTP server announced {count} names in one packet.")
    data = cursor.rest()
    position, size = 0, len(data)
    entries = []
    length, usual = _LENGTH.unpack_from, USUAL.unpack_from
    entry, made = m.NameEntry._make, FileAttributes._make
    for _ in range(count):
        try:
            name_to = position + 4 + length(data, position)[0]
            long_to = name_to + 4 + length(data, name_to)[0]
        except struct.error as error:
            raise ProtocolError("The SFTP server sent a directory entry that is cut short.") from error
        if long_to > size:
            raise ProtocolError("The SFTP server sent a directory entry that is cut short.")
        name, longname = data[position + 4 : name_to], data[name_to + 4 : long_to]
        if size - long_to >= USUAL_SIZE and (fields := usual(data, long_to))[0] == USUAL_FLAGS:
            attributes, position = made(fields[1:]), long_to + USUAL_SIZE
        else:
            tail = Cursor(data[long_to:])
            attributes, position = get_attributes(tail), size - tail.remaining
        entries.append(entry((name.decode("utf-8", "surrogateescape"), longname, attributes)))
    if position != size:
        raise ProtocolError("The SFTP server sent bytes after the end of a NAME packet.")
    return tuple(entries)


def _put_extensions(writer: Writer, pairs: tuple[tuple[str, bytes], ...]) -> None:
    for name, data in pairs:
        writer.string(name.encode("utf-8", "surrogateescape")).string(data)


def _get_extensions(cursor: Cursor) -> tuple[tuple[str, bytes], ...]:
    pairs = []
    while cursor.remaining:
        pairs.append((decode(cursor.string()), cursor.string()))
        if len(pairs) > _MAX_EXTENSIONS:
            raise ProtocolError("The SFTP server announced more extensions than is plausible.")
    return tuple(pairs)


def _get_status_text(cursor: Cursor) -> str:
    """Message and language tag; old servers send neither, and what follows them is not needed."""
    text = cursor.string().decode("utf-8", "replace") if cursor.remaining else ""
    cursor.rest()
    return text


def _put_status_text(writer: Writer, text: str) -> None:
    writer.string(text.encode("utf-8", "surrogateescape")).string(b"")


def _u32(writer: Writer, value: int) -> None:
    writer.u32(value)


def _u64(writer: Writer, value: int) -> None:
    writer.u64(value)


def _string(writer: Writer, value: bytes) -> None:
    writer.string(value)


def _path(writer: Writer, value: str) -> None:
    writer.string(encode_path(value))


def _raw(writer: Writer, value: bytes) -> None:
    writer.raw(value)


@dataclass(frozen=True, slots=True)
class _Field:
    put: Callable[[Writer, Any], None]
    get: Callable[[Cursor], Any]


_U32 = _Field(_u32, Cursor.u32)
_U64 = _Field(_u64, Cursor.u64)
_STRING = _Field(_string, Cursor.string)
_PATH = _Field(_path, lambda cursor: decode(cursor.string()))
_REST = _Field(_raw, Cursor.rest)
_ATTRS = _Field(put_attributes, get_attributes)

_LAYOUT: Final[dict[type[Any], tuple[_Field, ...]]] = {
    m.Init: (_U32,),
    m.Version: (_U32, _Field(_put_extensions, _get_extensions)),
    m.Open: (_U32, _PATH, _U32, _ATTRS),
    m.Close: (_U32, _STRING),
    m.Read: (_U32, _STRING, _U64, _U32),
    m.Write: (_U32, _STRING, _U64, _STRING),
    m.LStat: (_U32, _PATH),
    m.FStat: (_U32, _STRING),
    m.SetStat: (_U32, _PATH, _ATTRS),
    m.FSetStat: (_U32, _STRING, _ATTRS),
    m.OpenDir: (_U32, _PATH),
    m.ReadDir: (_U32, _STRING),
    m.Remove: (_U32, _PATH),
    m.MkDir: (_U32, _PATH, _ATTRS),
    m.RmDir: (_U32, _PATH),
    m.RealPath: (_U32, _PATH),
    m.Stat: (_U32, _PATH),
    m.Rename: (_U32, _PATH, _PATH),
    m.ReadLink: (_U32, _PATH),
    m.SymLink: (_U32, _PATH, _PATH),
    m.Extended: (_U32, _PATH, _REST),
    m.Status: (_U32, _U32, _Field(_put_status_text, _get_status_text)),
    m.Handle: (_U32, _STRING),
    m.Data: (_U32, _STRING),
    m.Name: (_U32, _Field(_put_names, _get_names)),
    m.Attrs: (_U32, _ATTRS),
    m.ExtendedReply: (_U32, _REST),
}
"""The fields of every message in the order of its dataclass: the one description both directions use."""

_NAMES: Final = {cls: tuple(f.name for f in fields(cls)) for cls in _LAYOUT}
_REPLIES: Final = {cls.TYPE: cls for cls in (m.Version, m.Status, m.Handle, m.Data, m.Name, m.Attrs, m.ExtendedReply)}
_REQUESTS: Final = {cls.TYPE: cls for cls in _LAYOUT if cls.TYPE not in _REPLIES}


def encode(message: m.Init | m.Version | m.Request | m.Reply) -> bytes:
    """One packet with its length word. Raises ValueError for attributes that version 3 cannot say."""
    cls = type(message)
    writer = Writer().u8(cls.TYPE)
    for field, name in zip(_LAYOUT[cls], _NAMES[cls], strict=True):
        field.put(writer, getattr(message, name))
    return writer.framed()


def decode_body(body: bytes, known: dict[int, Any]) -> Any:
    """One packet without its length word, as the class that ``known`` gives for its type. Raises ProtocolError."""
    cursor = Cursor(body)
    cls = known.get(cursor.u8())
    if cls is None:
        raise ProtocolError(f"The SFTP peer sent a packet of type {body[0]}, which is not valid here.")
    message = cls(*(field.get(cursor) for field in _LAYOUT[cls]))
    cursor.end()
    return message


def read_packet(request_id: int, handle: bytes, offset: int, length: int) -> bytes:
    """A READ request, encoded the short way."""
    size = len(handle)
    head = _HANDLE_HEADER.pack(21 + size, m.SSH2_FXP_READ, request_id, size)
    return b"".join((head, handle, _OFFSET_LENGTH.pack(offset, length)))


def write_header(request_id: int, handle: bytes, offset: int, length: int) -> bytes:
    """A WRITE request up to its data, which the caller sends behind it: ``length`` bytes, without a copy."""
    size = len(handle)
    head = _HANDLE_HEADER.pack(21 + size + length, m.SSH2_FXP_WRITE, request_id, size)
    return b"".join((head, handle, _OFFSET_LENGTH.pack(offset, length)))


# --- readers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataPart:
    """Some of a DATA reply's bytes: ``total`` is the reply's length, ``start`` where ``view`` begins in it.

    ``view`` is only valid until the reader's next ``feed``. A reply of no bytes is one part with an empty view.
    """

    request_id: int
    total: int
    start: int
    view: memoryview

    @property
    def last(self) -> bool:
        return self.start + len(self.view) == self.total


class _Packets:
    """Cuts a stream into packet bodies. ``_take`` returns a whole body, or None and keeps what there is."""

    __slots__ = ("_kept", "_limit")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._limit = m.SFTP_MAX_MSG_LENGTH

    @property
    def idle(self) -> bool:
        """Whether the stream is between two packets."""
        return not self._kept

    def _length(self, data: memoryview | bytearray, position: int) -> int:
        length: int = _LENGTH.unpack_from(data, position)[0]
        if not 5 <= length <= self._limit:
            raise ProtocolError(f"The SFTP peer announced a packet of {length} bytes.")
        return length

    def _fill(self, view: memoryview, position: int, wanted: int) -> int:
        """Keep bytes until ``wanted`` are kept, if there are so many; returns the new position."""
        taken = view[position : position + max(wanted - len(self._kept), 0)]
        self._kept += taken
        return position + len(taken)

    def _take(self, view: memoryview, position: int) -> tuple[bytes | None, int]:
        position = self._fill(view, position, 4)
        if len(self._kept) < 4:
            return None, position
        whole = 4 + self._length(self._kept, 0)
        position = self._fill(view, position, whole)
        if len(self._kept) < whole:
            return None, position
        body = bytes(self._kept[4:])
        self._kept.clear()
        return body, position


class RequestReader(_Packets):
    """What a server reads: whole requests, the first of them Init."""

    def feed(self, data: bytes) -> Iterator[m.Init | m.Request]:
        """The requests that ``data`` completes, to be consumed before the next call."""
        view = memoryview(data)
        position = 0
        while position < len(view):
            body, position = self._take(view, position)
            if body is not None:
                yield decode_body(body, _REQUESTS)


class ReplyReader(_Packets):
    """What a client reads. DATA is handed on in parts as it arrives; all else whole."""

    __slots__ = ("_done", "_id", "_total")

    def __init__(self) -> None:
        super().__init__()
        self._id = self._total = self._done = 0

    @property
    def idle(self) -> bool:
        return super().idle and self._done == self._total

    def feed(self, view: memoryview) -> Iterator[m.Version | m.Reply | DataPart]:
        """What ``view`` completes, to be consumed before the next call and before ``view``'s buffer changes."""
        position = 0
        end = len(view)
        while position < end:
            if self._done < self._total:
                start = self._done
                piece = view[position : position + self._total - start]
                self._done += len(piece)
                position += len(piece)
                yield DataPart(self._id, self._total, start, piece)
                continue
            position = self._header(view, position)
            if self._kept_is_data():
                yield from self._begin_data()
                continue
            body, position = self._take(view, position)
            if body is not None:
                yield cast("m.Version | m.Reply", decode_body(body, _REPLIES))

    def _header(self, view: memoryview, position: int) -> int:
        """Keep the bytes that show whether a DATA packet begins: five, and thirteen if it does."""
        position = self._fill(view, position, 5)
        if len(self._kept) >= 5 and self._kept[4] == m.SSH2_FXP_DATA:
            position = self._fill(view, position, _DATA_HEADER.size)
        return position

    def _kept_is_data(self) -> bool:
        return len(self._kept) == _DATA_HEADER.size and self._kept[4] == m.SSH2_FXP_DATA

    def _begin_data(self) -> Iterator[DataPart]:
        length, _, request_id, size = _DATA_HEADER.unpack(self._kept)
        self._length(self._kept, 0)
        if length != 9 + size:
            raise ProtocolError(f"The SFTP server sent {size} bytes of data in a packet of {length}.")
        self._kept.clear()
        self._id, self._total, self._done = request_id, size, 0
        if size == 0:
            yield DataPart(request_id, 0, 0, memoryview(b""))
