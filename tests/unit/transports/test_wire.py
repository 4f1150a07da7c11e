"""The SSH wire types: what is written is read back, and nothing is read beyond the end."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transports.errors import ProtocolError
from transports.wire import U32_MAX, U64_MAX, Cursor, Writer


@given(st.integers(0, 255), st.integers(0, U32_MAX), st.integers(0, U64_MAX), st.binary(), st.binary())
def test_what_is_written_is_read_back(a: int, b: int, c: int, text: bytes, rest: bytes) -> None:
    cursor = Cursor(bytes(Writer().u8(a).u32(b).u64(c).string(text).raw(rest)))
    assert (cursor.u8(), cursor.u32(), cursor.u64(), cursor.string()) == (a, b, c, text)
    assert cursor.remaining == len(rest)
    assert cursor.rest() == rest
    cursor.end()


def test_a_framed_packet_begins_with_its_own_length() -> None:
    assert Writer().u32(7).string(b"x").framed() == b"\0\0\0\x09\0\0\0\x07\0\0\0\x01x"


@pytest.mark.parametrize("method", ["u8", "u32", "u64", "string"])
def test_every_reader_refuses_a_field_cut_short(method: str) -> None:
    full = {"u8": b"\1", "u32": b"\0\0\0\1", "u64": b"\0" * 8, "string": b"\0\0\0\3abc"}[method]
    for cut in range(len(full)):
        with pytest.raises(ProtocolError):
            getattr(Cursor(full[:cut]), method)()


def test_a_string_that_claims_four_gigabytes_is_refused_without_copying() -> None:
    with pytest.raises(ProtocolError):
        Cursor(b"\xff\xff\xff\xff").string()


def test_bytes_left_over_are_refused() -> None:
    with pytest.raises(ProtocolError):
        Cursor(b"x").end()


def test_values_out_of_range_are_our_own_fault() -> None:
    with pytest.raises(struct.error):
        Writer().u32(-1)
    with pytest.raises(struct.error):
        Writer().u64(U64_MAX + 1)
    with pytest.raises(ValueError):
        Writer().u8(256)
