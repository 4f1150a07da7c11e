"""SFTP packets: both halves of the codec against each other, three ways of feeding, and garbage."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transports.api import FileAttributes
from transports.errors import ProtocolError
from transports.sftp import extensions as x
from transports.sftp import messages as m
from transports.sftp.codec import DataPart, ReplyReader, RequestReader, encode, read_packet, write_header
from transports.sftp.paths import decode, shown, to_wire, too_long

ATTRIBUTES = FileAttributes(size=5_000_000_000, uid=1000, gid=100, permissions=0o100644, atime=1, mtime=2)
BYTES_NAME = decode(b"caf\xe9\n\xff")

REQUESTS: list[m.Init | m.Request] = [
    m.Init(),
    m.Open(1, "/tmp/ä", m.OpenFlag.WRITE | m.OpenFlag.CREAT, FileAttributes(permissions=0o600)),
    m.Close(2, b"\0\0\0\1"),
    m.Read(3, b"h", 2**40, 261120),
    m.Write(4, b"h", 2**33, b"x" * 1000),
    m.LStat(5, BYTES_NAME),
    m.FStat(6, b"h"),
    m.SetStat(7, "/a b", ATTRIBUTES),
    m.FSetStat(8, b"h", FileAttributes(size=0)),
    m.OpenDir(9, "/"),
    m.ReadDir(10, b""),
    m.Remove(11, "x"),
    m.MkDir(12, "d", FileAttributes()),
    m.RmDir(13, "d"),
    m.RealPath(14, "."),
    m.Stat(15, ""),
    m.Rename(16, "a", "b"),
    m.ReadLink(17, "l"),
    m.SymLink(18, "target", "link"),
    m.Extended(2**32 - 1, "copy-data", x.copy_data(b"a", 0, 10, b"b", 20)),
]
REPLIES: list[m.Version | m.Reply] = [
    m.Version(3, (("posix-rename@openssh.com", b"1"), ("vendor@example.com", b"\xff"))),
    m.Status(1, m.StatusCode.OK, "Success"),
    m.Status(2, 99, ""),
    m.Handle(3, b"\0\0\0\7"),
    m.Data(4, b"y" * 3000),
    m.Data(5, b""),
    m.Name(6, (m.NameEntry("a", b"-rw-r--r-- a", ATTRIBUTES), m.NameEntry(BYTES_NAME, b"", FileAttributes(size=1)))),
    m.Name(7, ()),
    m.Attrs(8, ATTRIBUTES),
    m.Attrs(9, FileAttributes()),
    m.ExtendedReply(10, b"\0" * 88),
]


def whole(stream: bytes) -> Iterable[bytes]:
    return [stream]


def byte_by_byte(stream: bytes) -> Iterable[bytes]:
    return (stream[i : i + 1] for i in range(len(stream)))


def in_sevens(stream: bytes) -> Iterable[bytes]:
    return (stream[i : i + 7] for i in range(0, len(stream), 7))


def replies_of(pieces: Iterable[bytes]) -> list[Any]:
    """All replies, DATA put together again from its parts."""
    reader = ReplyReader()
    found: list[Any] = []
    data = bytearray()
    for piece in pieces:
        for event in reader.feed(memoryview(piece)):
            if not isinstance(event, DataPart):
                found.append(event)
                continue
            assert event.start == len(data)
            data += event.view
            if event.last:
                found.append(m.Data(event.request_id, bytes(data)))
                data.clear()
    assert reader.idle
    return found


@pytest.mark.parametrize("cut", [whole, byte_by_byte, in_sevens])
def test_every_request_comes_out_as_it_went_in(cut: Any) -> None:
    reader = RequestReader()
    stream = b"".join(encode(r) for r in REQUESTS)
    assert [request for piece in cut(stream) for request in reader.feed(piece)] == REQUESTS
    assert reader.idle


@pytest.mark.parametrize("cut", [whole, byte_by_byte, in_sevens])
def test_every_reply_comes_out_as_it_went_in(cut: Any) -> None:
    stream = b"".join(encode(r) for r in REPLIES)
    assert replies_of(cut(stream)) == REPLIES


@pytest.mark.parametrize("reply", REPLIES, ids=lambda r: type(r).__name__)
def test_what_comes_behind_a_packet_belongs_to_the_next_one(reply: Any) -> None:
    following = encode(m.Status(77, 0, "next"))
    reader = ReplyReader()
    events = list(reader.feed(memoryview(encode(reply) + following[:6])))
    assert len(events) == 1
    assert not reader.idle
    assert list(reader.feed(memoryview(following[6:]))) == [m.Status(77, 0, "next")]


@pytest.mark.parametrize("message", [*REQUESTS[1:], *REPLIES[1:-1]], ids=lambda r: type(r).__name__)
def test_a_packet_whose_fields_are_cut_short_is_refused(message: Any) -> None:
    body = encode(message)[4:]
    tolerant = isinstance(message, m.Status | m.Extended)
    reader: Any = RequestReader() if message in REQUESTS else ReplyReader()
    short = body[:-1] if not tolerant else body[:6]
    packet = struct.pack(">I", len(short)) + short
    if isinstance(message, m.Data):  # its header alone tells that the lengths do not fit
        packet = struct.pack(">I", len(body)) + body[:5] + struct.pack(">I", len(body))
    with pytest.raises(ProtocolError):
        list(reader.feed(memoryview(packet)))


def test_a_status_without_message_and_language_is_taken_from_old_servers() -> None:
    body = struct.pack(">BII", m.SSH2_FXP_STATUS, 5, 2)
    assert replies_of([struct.pack(">I", len(body)) + body]) == [m.Status(5, 2, "")]


@pytest.mark.parametrize("length", [0, 4, m.SFTP_MAX_MSG_LENGTH + 1, 0xFFFFFFFF, 0x57656C63])
def test_a_packet_of_an_impossible_length_is_refused_before_it_is_waited_for(length: int) -> None:
    with pytest.raises(ProtocolError):
        list(ReplyReader().feed(memoryview(struct.pack(">IB", length, m.SSH2_FXP_STATUS))))
    with pytest.raises(ProtocolError):
        list(ReplyReader().feed(memoryview(struct.pack(">IBII", length, m.SSH2_FXP_DATA, 1, 4))))
    with pytest.raises(ProtocolError):
        list(RequestReader().feed(struct.pack(">IB", length, m.SSH2_FXP_OPEN)))


@pytest.mark.parametrize("kind", [0, 1, 3, 21, 100, 106, 255])
def test_a_reply_of_an_unknown_type_is_refused(kind: int) -> None:
    with pytest.raises(ProtocolError):
        list(ReplyReader().feed(memoryview(struct.pack(">IBI", 5, kind, 1))))


def test_extended_attributes_are_read_over() -> None:
    body = struct.pack(">BIIQ", m.SSH2_FXP_ATTRS, 3, 0x80000001, 7) + struct.pack(">I", 1)
    body += struct.pack(">I", 3) + b"abc" + struct.pack(">I", 2) + b"de"
    assert replies_of([struct.pack(">I", len(body)) + body]) == [m.Attrs(3, FileAttributes(size=7))]


def test_half_a_pair_of_attributes_cannot_be_said_in_version_3() -> None:
    with pytest.raises(ValueError, match="uid and gid"):
        encode(m.SetStat(1, "/x", FileAttributes(uid=1)))


def test_the_short_encodings_of_read_and_write_are_the_long_ones() -> None:
    assert read_packet(9, b"han", 2**35, 32768) == encode(m.Read(9, b"han", 2**35, 32768))
    assert write_header(9, b"han", 2**35, 5) + b"bytes" == encode(m.Write(9, b"han", 2**35, b"bytes"))


def test_an_extension_counts_only_by_name_and_version() -> None:
    pairs = [("statvfs@openssh.com", b"2"), ("fsync@openssh.com", b"2"), ("newline@vandyke.com", b"\r\n")]
    assert x.offered(pairs) == {"statvfs@openssh.com"}


def test_limits_are_cut_down_to_what_a_packet_holds() -> None:
    assert x.parse_limits(struct.pack(">QQQQ", 262144, 261120, 261120, 1019)) == x.Limits(262144, 261120, 261120, 1019)
    assert x.parse_limits(struct.pack(">QQQQ", 0, 0, 2**60, 0)) == x.Limits(262144, 261120, 261120, 0)
    with pytest.raises(ProtocolError):
        x.parse_limits(b"\0" * 31)


def test_ids_get_the_names_that_the_server_has_for_them() -> None:
    def names(*found: bytes) -> bytes:
        return b"".join(struct.pack(">I", len(n)) + n for n in found)

    def block(data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    reply = block(names(b"root", b"")) + block(names(b"wheel"))
    assert x.parse_names(reply, [0, 4242], [10]) == ({0: "root"}, {10: "wheel"})
    with pytest.raises(ProtocolError):
        x.parse_names(reply, [0], [10])


@given(st.binary(max_size=400), st.integers(1, 50))
@settings(max_examples=300, deadline=None)
def test_garbage_gives_messages_or_a_protocol_error_and_nothing_else(stream: bytes, step: int) -> None:
    for reader in (ReplyReader(), RequestReader()):
        with contextlib.suppress(ProtocolError):
            for start in range(0, len(stream), step):
                list(reader.feed(memoryview(stream[start : start + step])))  # type: ignore[arg-type]


@given(st.sampled_from([101, 102, 103, 104, 105, 201, 2]), st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_garbage_behind_a_valid_type_gives_messages_or_a_protocol_error(kind: int, rest: bytes) -> None:
    body = bytes([kind]) + rest
    with contextlib.suppress(ProtocolError):
        list(ReplyReader().feed(memoryview(struct.pack(">I", len(body)) + body)))


_names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
_numbers = st.none() | st.integers(0, 2**32 - 1)


@given(
    st.lists(st.tuples(_names, _names, _numbers, st.booleans()), max_size=20),
    st.lists(st.integers(1, 64), min_size=1, max_size=5),
)
@settings(max_examples=100, deadline=None)
def test_any_directory_listing_survives_any_cutting(entries: list[Any], steps: list[int]) -> None:
    reply = m.Name(
        1,
        tuple(
            m.NameEntry(name, long.encode(), FileAttributes(size=n, uid=n, gid=n, permissions=None if odd else n))
            for name, long, n, odd in entries
        ),
    )
    stream = encode(reply)
    pieces: list[bytes] = []
    position = 0
    while position < len(stream):
        step = steps[len(pieces) % len(steps)]
        pieces.append(stream[position : position + step])
        position += step
    assert replies_of(pieces) == [reply]


@pytest.mark.parametrize(
    ("given_path", "sent"),
    [
        ("C:\\Users\\me", "/C:/Users/me"),
        ("c:/Users/me", "/C:/Users/me"),
        ("/c:/x", "/C:/x"),
        ("D:", "/D:/"),
        ("relative\\x", "relative/x"),
        ("/tmp/x", "/tmp/x"),
    ],
)
def test_windows_paths_go_out_in_the_servers_form(given_path: str, sent: str) -> None:
    assert to_wire(given_path, windows=True) == sent
    assert to_wire(given_path, windows=False) == given_path


def test_a_path_in_a_message_shows_no_raw_control_or_broken_characters() -> None:
    assert shown("/a\n\x1b[31m" + decode(b"\xff") + "\u202e") == r"'/a\n\x1b[31m\udcff\u202e'"
    assert len(shown("/" + "x" * 5000)) < 250
    assert too_long("/" + "ä" * 128)
    assert not too_long("/" + "a" * 255)
