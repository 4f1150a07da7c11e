"""Reading what results left out: parts and matching lines of kept output. Runs no command."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.guard.spool import CHUNK, Owner
from ssh_mcp.results.output import OutputText

if TYPE_CHECKING:
    from ssh_mcp.guard.spool import SpoolFile
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.patterns import LinePattern

MAX_CONTEXT: Final = 100
"""Lines around a match."""
LINE_MAX: Final = 16 << 20
"""Bytes of one line that are searched at once; a longer one counts as several."""
_SEPARATOR: Final = b"--\n"
"""Between groups of lines that do not touch, as grep prints it."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is wanted of a stream. Offsets and sizes are bytes; ``pattern`` None: all lines."""

    first_lines: int | None
    last_lines: int | None
    offset: int | None
    max_bytes: int
    pattern: LinePattern | None = None
    context: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of it."""

    data: bytes
    matched: int = 0
    next_offset: int | None = None


def parse_part(
    first_lines: int | None,
    last_lines: int | None,
    offset: int | None,
    max_bytes: int,
    *,
    grep: str | None,
    context: int,
    ignore_case: bool,
) -> Part:
    """Raises InvalidArgument."""
    if last_lines is not None and (first_lines is not None or offset is not None):
        raise InvalidArgument("last_lines excludes first_lines and offset.", "Give one of them.")
    for name, value, least in (("first_lines", first_lines, 1), ("last_lines", last_lines, 1), ("offset", offset, 0)):
        if value is not None and value < least:
            raise InvalidArgument(f"{name} is {value}.", f"It is at least {least}.")
    if not 0 <= context <= MAX_CONTEXT:
        raise InvalidArgument(f"context is {context}.", f"It is 0 to {MAX_CONTEXT} lines.")
    if grep is None:
        return Part(first_lines, last_lines, offset, max_bytes)
    from ssh_mcp.remote.patterns import LinePattern

    return Part(first_lines, last_lines, offset, max_bytes, LinePattern(grep, ignore_case=ignore_case), context)


async def read_output(call: Call, output_id: str, stream: str, part: Part) -> OutputText:
    """A part of one stream. Raises OutputExpired, InvalidArgument for an unknown id or stream."""
    kept = call.fleet.spool.find(Owner(call.caller.identity, call.caller.scope), output_id)
    file = kept.streams.get(stream)
    if file is None:
        raise InvalidArgument(
            f"This output has no stream {stream[:40]!r}.", f"It has {', '.join(sorted(kept.streams))}."
        )
    found = await anyio.to_thread.run_sync(select, file, part, abandon_on_cancel=True)
    return OutputText(
        text=found.data.decode("utf-8", "replace"),
        bytes_total=file.size,
        lines_total=file.lines,
        lines_matched=found.matched,
        more=found.next_offset is not None,
        next_offset=found.next_offset,
        expires=kept.expires,
    )


def select(file: SpoolFile, part: Part) -> Found:
    """The wanted part of a stream."""
    if part.pattern is not None:
        return _matching(file, part, part.pattern)
    if part.last_lines is not None:
        return _last_lines(file, part.last_lines, part.max_bytes)
    start = _character_start(file, min(part.offset or 0, file.size))
    return _from(file, start, part.first_lines, part.max_bytes)


def _from(file: SpoolFile, start: int, lines: int | None, max_bytes: int) -> Found:
    data = file.read(start, max_bytes)
    end = start + len(data)
    if lines is not None:
        cut = _after_lines(data, lines)
        if cut is not None:
            return Found(data[:cut], next_offset=start + cut if start + cut < file.size else None)
    if end < file.size:
        data = _whole_lines(data)
        end = start + len(data)
    return Found(data, next_offset=end if end < file.size else None)


def _after_lines(data: bytes, lines: int) -> int | None:
    """Where the first ``lines`` lines end; None where there are fewer."""
    at = 0
    for _ in range(lines):
        at = data.find(b"\n", at) + 1
        if not at:
            return None
    return at


def _whole_lines(data: bytes) -> bytes:
    """Without the begin of a line at the end, unless more than half would be lost by it; never half a character."""
    cut = data.rfind(b"\n") + 1
    if cut > len(data) // 2:
        return data[:cut]
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 != 0x80:
            size = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[: len(data) - back] if size > back and len(data) > back else data
    return data


def _character_start(file: SpoolFile, at: int) -> int:
    while at < file.size and file.read(at, 1)[0] & 0xC0 == 0x80:
        at += 1
    return at


def _last_lines(file: SpoolFile, lines: int, max_bytes: int) -> Found:
    """The end of the text; of lines that are too much the last bytes."""
    start, seen, end = file.size, -1, file.size
    if end and file.read(end - 1, 1) != b"\n":
        seen = 0
    while start > 0 and seen < lines:
        size = min(CHUNK, start)
        data = file.read(start - size, size)
        count = data.count(b"\n")
        if seen + count >= lines:
            at = len(data)
            for _ in range(lines - seen):
                at = data.rfind(b"\n", 0, at)
            return _at_most(file, start - size + at + 1, max_bytes)
        seen += count
        start -= size
    return _at_most(file, 0, max_bytes)


def _at_most(file: SpoolFile, start: int, max_bytes: int) -> Found:
    if file.size - start <= max_bytes:
        return Found(file.read(start, file.size - start))
    data = file.read(file.size - max_bytes, max_bytes)
    cut = data.find(b"\n") + 1
    at = cut if 0 < cut < len(data) // 2 else _character_start(file, file.size - max_bytes) - (file.size - max_bytes)
    return Found(data[at:], next_offset=start)


def _blocks(file: SpoolFile, start: int) -> Iterator[tuple[int, bytes]]:
    """The text from ``start`` on in pieces of whole lines, each with its offset."""
    pending, at = b"", start
    for data in file.chunks(start):
        pending += data
        cut = pending.rfind(b"\n") + 1 or (len(pending) if len(pending) >= LINE_MAX else 0)
        if cut:
            yield at, pending[:cut]
            at, pending = at + cut, pending[cut:]
    if pending:
        yield at, pending


def _matching(file: SpoolFile, part: Part, pattern: LinePattern) -> Found:
    """Lines that match, with ``context`` around them; all matches are counted, as many are shown as fit."""
    picked: deque[tuple[int, int, int, int]] = deque(maxlen=part.last_lines)
    matched, size, more = 0, 0, None
    start = _character_start(file, min(part.offset or 0, file.size))
    for offset, block in _blocks(file, start):
        for low, high in pattern.spans(block):
            matched += 1
            if more is not None:
                continue
            first, last = _around(file, part.context, start, offset + low, offset + high)
            if part.last_lines is None:
                size += min(last - first, part.max_bytes) + (len(_SEPARATOR) if part.context else 0)
                full = bool(picked) and size > part.max_bytes
                if full or len(picked) == part.first_lines:
                    more = offset + low
                    continue
            picked.append((first, last, offset + low, offset + high))
    if part.last_lines is not None:
        size = 0
        for index in range(len(picked) - 1, -1, -1):
            size += picked[index][1] - picked[index][0] + (len(_SEPARATOR) if part.context else 0)
            if size > part.max_bytes and index < len(picked) - 1:
                more = picked[0][2]
                for _ in range(index + 1):
                    picked.popleft()
                break
    return Found(_joined(file, picked, part), matched, more)


def _around(file: SpoolFile, context: int, floor: int, low: int, high: int) -> tuple[int, int]:
    """The bytes of a line and of ``context`` lines on each side of it."""
    if not context:
        return low, high
    before = file.read(max(low - CHUNK, floor), min(CHUNK, low - floor))
    at = len(before)
    for _ in range(context):
        if at <= 0:
            break
        at = before.rfind(b"\n", 0, at - 1) + 1
    behind = file.read(high, CHUNK)
    end = 0
    for _ in range(context):
        end = behind.find(b"\n", end) + 1 or len(behind)
    return low - (len(before) - at), high + end


def _joined(file: SpoolFile, picked: deque[tuple[int, int, int, int]], part: Part) -> bytes:
    shown = bytearray()
    end = -1
    for first, last, _low, _high in picked:
        begin = max(first, end)
        if part.context and end >= 0 and begin > end:
            shown += _SEPARATOR
        if last > begin:
            shown += file.read(begin, last - begin)
        end = max(end, last)
        if shown and shown[-1:] != b"\n":
            shown += b"\n"
    return _whole_lines(bytes(shown[: part.max_bytes])) if len(shown) > part.max_bytes else bytes(shown)
