"""One command's part of a session's stream: whole, byte by byte, with what comes before and after."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssh_mcp.remote.exec.marked import MarkedStream

MARK = "0123456789abcdef"
OUTPUTS = [b"", b"a", b"a\n", b"\n", b"\n\n", b"\xff\x00\n", MARK.encode(), b"\n" + MARK.encode(), b"x" * 100_000]


def wire(output: bytes, trailer: bytes = b"0 /home/u", mark: str = MARK) -> bytes:
    word = mark.encode()
    return word + b"<\n" + output + b"\n" + word + b"> " + trailer + b"\n" + word + b".\n"


def fed(data: bytes, size: int, cap: int = 1 << 20) -> MarkedStream:
    stream = MarkedStream(MARK, cap)
    for i in range(0, len(data), size):
        stream.feed(data[i : i + size])
    return stream


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("output", OUTPUTS, ids=range(len(OUTPUTS)))
def test_output_and_trailer_come_apart_however_the_bytes_arrive(output: bytes, size: int) -> None:
    if len(output) > 1000 and size == 1:
        output = output[:1000]
    stream = fed(wire(output), size)
    assert stream.ended
    assert (stream.kept, stream.total, stream.trailer) == (output, len(output), "0 /home/u")


@given(st.binary(max_size=200), st.binary(max_size=60), st.integers(1, 50))
def test_any_bytes_survive(output: bytes, before: bytes, size: int) -> None:
    stream = fed(before + wire(output) + b"later", size)
    assert (stream.kept, stream.trailer) == (output, "0 /home/u")


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_comes_before_the_marker_is_dropped(size: int) -> None:
    late = b"late output of a child\n" + wire(b"of an earlier command", mark="f" * 16)
    stream = fed(late + wire(b"mine\n"), size)
    assert (stream.kept, stream.trailer) == (b"mine\n", "0 /home/u")


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_an_end_without_a_beginning_ends_with_no_output(size: int) -> None:
    data = wire(b"")[len(MARK) + 2 :]
    stream = fed(b"noise" + data, size)
    assert (stream.ended, stream.kept, stream.trailer) == (True, b"", "0 /home/u")


def test_a_directory_may_hold_a_newline_and_bytes_that_are_no_characters() -> None:
    stream = fed(wire(b"", b"0 /a\nb\xff"), 1)
    assert stream.trailer == "0 /a\nb\udcff"


def test_beyond_the_cap_bytes_are_counted_and_not_kept() -> None:
    stream = fed(wire(b"x" * 1000), 13, cap=10)
    assert (stream.kept, stream.total) == (b"x" * 10, 1000)


def test_a_stream_that_ends_early_gives_what_was_held_back() -> None:
    stream = MarkedStream(MARK, 100)
    stream.feed(MARK.encode() + b"<\nhalf a line\n" + MARK.encode()[:5])
    stream.close()
    assert stream.ended
    assert stream.kept == b"half a line\n" + MARK.encode()[:5]
    assert stream.trailer is None
