"""The client's words of SOCKS 4, 4a and 5 (RFC 1928), as far as a CONNECT needs them. Pure: bytes in, a target out."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

MAX_REQUEST: Final = 1024
NO_METHOD: Final = b"\x05\xff"
GREETING: Final = b"\x05\x00"
_CONNECT: Final = 1


class SocksError(ValueError):
    """What came is no CONNECT that can be served; ``reply`` says so to the client."""

    def __init__(self, reply: bytes) -> None:
        super().__init__("no SOCKS CONNECT")
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Request:
    """A CONNECT: where to, as the client wrote it, and the replies for success and refusal."""

    host: str
    port: int
    granted: bytes
    refused: bytes


def greeting(data: bytes) -> bytes | None:
    """The reply to a SOCKS 5 greeting; empty for SOCKS 4, which has none; None while more bytes are needed."""
    if not data:
        return None
    if data[0] == 4:
        return b""
    if data[0] != 5:
        raise SocksError(b"")
    if len(data) < 2 or len(data) < 2 + data[1]:
        return None
    if 0 not in data[2 : 2 + data[1]]:
        raise SocksError(NO_METHOD)
    return GREETING


def greeting_length(data: bytes) -> int:
    """Bytes of a complete greeting."""
    return 0 if data[0] == 4 else 2 + data[1]


def request(data: bytes) -> Request | None:
    """The request behind the greeting; None while more bytes are needed. Raises SocksError."""
    if len(data) > MAX_REQUEST:
        raise SocksError(b"")
    if not data:
        return None
    return _four(data) if data[0] == 4 else _five(data)


def _four(data: bytes) -> Request | None:
    granted, refused = b"\x00\x5a" + bytes(6), b"\x00\x5b" + bytes(6)
    if len(data) < 9 or b"\0" not in data[8:]:
        return None
    if data[1] != _CONNECT:
        raise SocksError(refused)
    port = int.from_bytes(data[2:4], "big")
    address = data[4:8]
    if address[:3] == b"\0\0\0" and address[3]:
        _, _, rest = data[8:].partition(b"\0")
        if b"\0" not in rest:
            return None
        return Request(_name(rest.partition(b"\0")[0], refused), port, granted, refused)
    return Request(str(ipaddress.IPv4Address(address)), port, granted, refused)


def _five(data: bytes) -> Request | None:
    def reply(code: int) -> bytes:
        return bytes((5, code, 0, 1)) + bytes(6)

    if len(data) < 5:
        return None
    if data[0] != 5 or data[1] != _CONNECT:
        raise SocksError(reply(7))
    length = {1: 4, 3: 1 + data[4], 4: 16}.get(data[3])
    if length is None:
        raise SocksError(reply(8))
    if len(data) < 4 + length + 2:
        return None
    raw, port = data[4 : 4 + length], int.from_bytes(data[4 + length : 6 + length], "big")
    host = _name(raw[1:], reply(1)) if data[3] == 3 else str(ipaddress.ip_address(raw))
    return Request(host, port, reply(0), reply(2))


def _name(raw: bytes, refused: bytes) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise SocksError(refused) from None
