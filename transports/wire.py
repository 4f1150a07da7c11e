"""SSH wire types (RFC 4251 section 5): big-endian integers and length-prefixed strings, out and in.

Both the multiplexing protocol and SFTP are made of these. ``Writer`` refuses what does not fit its type;
``Cursor`` never reads beyond its bytes.
"""

from __future__ import annotations

import struct
from typing import Final

from transports.errors import ProtocolError

U32_MAX: Final = 0xFFFFFFFF
U64_MAX: Final = 0xFFFFFFFFFFFFFFFF

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")


class Writer:
    """Collects fields in order. Every method returns the writer; ``bytes(writer)`` is the result."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = bytearray()

    def u8(self, value: int) -> Writer:
        """One byte. Raises ValueError outside 0…255."""
        self._out.append(value)
        return self

    def u32(self, value: int) -> Writer:
        """Four bytes. Raises struct.error outside the range."""
        self._out += _U32.pack(value)
        return self

    def u64(self, value: int) -> Writer:
        """Eight bytes. Raises struct.error outside the range."""
        self._out += _U64.pack(value)
        return self

    def string(self, value: bytes | bytearray | memoryview) -> Writer:
        """u32 length in bytes, then the bytes."""
        self._out += _U32.pack(len(value))
        self._out += value
        return self

    def raw(self, value: bytes | bytearray | memoryview) -> Writer:
        """The bytes as they are, without a length."""
        self._out += value
        return self

    def __len__(self) -> int:
        return len(self._out)

    def __bytes__(self) -> bytes:
        return bytes(self._out)

    def framed(self) -> bytes:
        """The fields behind their own u32 length: how both protocols put packets on the wire."""
        return _U32.pack(len(self._out)) + self._out


class Cursor:
    """Reads fields in order out of one packet. Raises ProtocolError where a field is cut short."""

    __slots__ = ("_data", "_end", "_pos")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0
        self._end = len(data)

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return self._end - self._pos

    def _advance(self, count: int) -> int:
        start = self._pos
        if count > self._end - start:
            raise ProtocolError(f"The peer sent a field of {count} bytes where {self._end - start} were left.")
        self._pos = start + count
        return start

    def u8(self) -> int:
        return self._data[self._advance(1)]

    def u32(self) -> int:
        value: int = _U32.unpack_from(self._data, self._advance(4))[0]
        return value

    def u64(self) -> int:
        value: int = _U64.unpack_from(self._data, self._advance(8))[0]
        return value

    def string(self) -> bytes:
        """The bytes behind a u32 length; the length is checked before anything is copied."""
        length = self.u32()
        start = self._advance(length)
        return self._data[start : start + length]

    def rest(self) -> bytes:
        """All that is left."""
        start = self._advance(self.remaining)
        return self._data[start:]

    def end(self) -> None:
        """Raises ProtocolError where bytes are left over."""
        if self.remaining:
            raise ProtocolError(f"The peer sent {self.remaining} bytes after the end of a packet.")
