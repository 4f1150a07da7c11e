"""The protocol's lines over pipes: cut anywhere, longer than a pipe, ended, cancelled, given up by the client."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("Windows keeps FastMCP's own streams", allow_module_level=True)

from ssh_mcp.server import stdio
from ssh_mcp.server.stdio import Input, Output

Pipe = tuple[int, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    ends = list(os.pipe())
    yield ends[0], ends[1]
    for fd in ends:
        try:
            os.close(fd)
        except OSError:
            continue


async def _settles() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_lines_arrive_whole_however_they_are_cut(pipe: Pipe) -> None:
    reading = Input(pipe[0])
    found: list[str] = []
    for piece in (b'{"a"', b": 1}\n", b"two\nthree\nfo", b"ur\n\n", b"\xc3", b"\xa4\r\n"):
        os.write(pipe[1], piece)
        found += [await anext(reading) for _ in range(piece.count(b"\n"))]
    assert found == ['{"a": 1}', "two", "three", "four", "", "\xe4\r"]


async def test_a_last_line_without_an_end_is_a_line(pipe: Pipe) -> None:
    os.write(pipe[1], b"one\nhalf")
    os.close(pipe[1])
    assert [line async for line in Input(pipe[0])] == ["one", "half"]


async def test_nothing_but_an_end_is_no_line(pipe: Pipe) -> None:
    os.write(pipe[1], b"one\n")
    os.close(pipe[1])
    assert [line async for line in Input(pipe[0])] == ["one"]


async def test_undecodable_bytes_are_replaced(pipe: Pipe) -> None:
    os.write(pipe[1], b"a\xff\n")
    assert await anext(Input(pipe[0])) == "a\ufffd"


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one\ntwo\n")
    fd = os.open(tmp_path / "f", os.O_RDONLY)
    assert [line async for line in Input(fd)] == ["one", "two"]
    os.close(fd)


async def test_an_input_that_is_ended_wakes_its_reader_and_takes_nothing_more(pipe: Pipe) -> None:
    reading = Input(pipe[0])
    waiting = asyncio.ensure_future(anext(reading, None))
    await _settles()
    assert not waiting.done()
    reading.end()
    assert await waiting is None
    os.write(pipe[1], b"late\n")
    assert [line async for line in reading] == []


async def test_a_line_longer_than_the_pipe_arrives_whole(pipe: Pipe) -> None:
    writing, reading = Output(pipe[1], blocks=False), Input(pipe[0])
    text = "".join(f"{n} " for n in range(300_000))
    sent = asyncio.ensure_future(writing.write(text + "\n"))
    await _settles()
    assert not sent.done()
    assert await anext(reading) == text
    await sent


async def test_a_writer_cancelled_in_the_middle_tears_no_line(pipe: Pipe) -> None:
    writing, reading = Output(pipe[1], blocks=False), Input(pipe[0])
    sent = asyncio.ensure_future(writing.write("x" * 300_000 + "\n"))
    await _settles()
    sent.cancel()
    await asyncio.gather(sent, return_exceptions=True)
    after = asyncio.ensure_future(writing.write("next\n"))
    assert await anext(reading) == "x" * 300_000
    assert await anext(reading) == "next"
    await after


async def test_a_client_that_is_gone_is_a_broken_pipe_each_time(pipe: Pipe) -> None:
    writing = Output(pipe[1], blocks=False)
    waiting = asyncio.ensure_future(writing.write("x" * 300_000))
    await _settles()
    os.close(pipe[0])
    for write in (waiting, writing.write("more")):
        with pytest.raises(BrokenPipeError):
            await write


async def test_what_may_block_is_written_by_a_thread(pipe: Pipe) -> None:
    writing, reading = Output(pipe[1], blocks=True), Input(pipe[0])
    sent = asyncio.ensure_future(writing.write("x" * 300_000 + "\n"))
    assert await anext(reading) == "x" * 300_000
    await sent
    assert os.get_blocking(pipe[1])


async def test_a_descriptor_is_left_as_it_was_found(pipe: Pipe) -> None:
    writing = Output(pipe[1], blocks=False)
    assert not os.get_blocking(pipe[1])
    writing.restore()
    assert os.get_blocking(pipe[1])


def test_only_a_pipe_that_is_not_the_log_s_too_is_made_not_to_block(pipe: Pipe, tmp_path: Path) -> None:
    assert stdio._may_wait(pipe[1])
    fd = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    assert not stdio._may_wait(fd)
    os.close(fd)
    kept = os.dup(2)
    try:
        os.dup2(pipe[1], 2)
        shared = stdio._may_wait(pipe[1])
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert not shared
