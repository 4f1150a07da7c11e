"""Reading audit files: which lines a query wants, from rotated files too, in constant memory.

Lines are in the order in which calls *ended* (``ts`` is when they began), so that time is searched for by the end of a
call. Several servers may write one file and clocks are corrected, so the order is trusted to ``SLACK`` seconds only.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, cast

from pydantic_core import from_json

from .chain import HEAD_SUFFIX, MAX_LINE, Verdict, verify_all, verify_from
from .formats import NESTED
from .record import AuditRecord

SLACK: Final = 120.0
"""Seconds by which lines may be out of order."""

WHOLE_CHECK: Final = 32 << 20
"""Bytes up to which the whole chain is checked before lines are shown; of longer files, what is shown."""

_FOLLOW_SECONDS: Final = 0.2
_BLOCK: Final = 1 << 16
_TS: Final = re.compile(rb'"ts":"([0-9T:.+Z-]{20,32})"')  # "ts":"2026-11-27T21:09:00.123Z"
_TOOK: Final = re.compile(rb'"duration_ms":([0-9]{1,12})')
_COMPRESSED: Final[dict[str, Callable[[Path], Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@dataclass(frozen=True, slots=True)
class Query:
    """What a line must have. ``host`` is an alias or a hostname; ``tool`` may hold ``*``.

    ``since`` and ``until`` are about the end of a call, in seconds since the epoch.
    """

    host: str | None = None
    tool: str | None = None
    tier: str | None = None
    since: float | None = None
    until: float | None = None
    errors: bool = False
    correlation_id: str | None = None
    recording: str | None = None

    def matches(self, record: AuditRecord) -> bool:
        """Whether the line is wanted."""
        return (
            (self.host is None or self.host in (record.host, record.alias) or self.host in record.hosts)
            and (self.tool is None or fnmatchcase(record.tool, self.tool))
            and (self.tier is None or record.tier == self.tier)
            and (not self.errors or failed(record))
            and (self.correlation_id is None or record.correlation_id == self.correlation_id)
            and (self.recording is None or record.recording == self.recording)
            and (self.since is None or ended(record) >= self.since)
            and (self.until is None or ended(record) <= self.until)
        )

    def needles(self) -> tuple[bytes, ...]:
        """Bytes that every wanted line holds: most other lines need not be parsed."""
        words = [self.host, self.tier, self.correlation_id, self.recording]
        if self.tool is not None and not re.search(r"[*?\[]", self.tool):
            words.append(self.tool)
        return tuple(json.dumps(word).encode() for word in words if word is not None)


def failed(record: AuditRecord) -> bool:
    """A call that ended as an error, or a command that exited with another status than 0."""
    return record.result != "ok" or (record.exit_code or 0) != 0


def ended(record: AuditRecord) -> float:
    """Seconds since the epoch."""
    return began(record) + record.duration_ms / 1000


def began(record: AuditRecord) -> float:
    """Seconds since the epoch; 0 for a line whose time cannot be read."""
    try:
        return datetime.fromisoformat(record.ts).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def parse_line(line: bytes) -> AuditRecord | None:
    """The record of a line of any format, or None where it is none."""
    try:
        fields = from_json(line)
    except ValueError:
        try:
            fields = json.loads(line.decode())  # half of a surrogate pair, in a name of the client's
        except (ValueError, RecursionError):
            return None
    if not isinstance(fields, dict):
        return None
    for place in NESTED.values():
        if isinstance(nested := fields.get(place), dict):
            fields = nested
            break
    return AuditRecord.from_fields(fields)


def audit_files(current: Path) -> list[Path]:
    """The file and those it was renamed to (``audit.jsonl.1``, ``audit.jsonl-20261127.gz``), oldest first."""
    found = []
    for file in current.parent.glob(f"{_literal(current.name)}*"):
        rest = file.name[len(current.name) :]
        if file.is_file() and not file.name.endswith(HEAD_SUFFIX) and (not rest or rest[0] in ".-"):
            seq = _first_seq(file)
            if seq is not None:
                found.append((seq, file))
    return [file for _, file in sorted(found)]


def read(files: Sequence[Path], query: Query) -> Iterator[AuditRecord]:
    """Wanted lines that the files hold now, oldest first. What is no audit line is left out. Raises OSError."""
    needles = query.needles()
    for file in _recent(files, query.since):
        for line in lines_since(file, query.since):
            if all(needle in line for needle in needles):
                record = parse_line(line)
                if record is not None and query.matches(record):
                    yield record


def last(file: Path, count: int, query: Query) -> list[AuditRecord]:
    """The last ``count`` wanted lines, oldest first, read from the end."""
    found: list[AuditRecord] = []
    if count <= 0:
        return found
    for line in _backwards(file):
        record = parse_line(line)
        if record is not None and query.matches(record):
            found.append(record)
            if len(found) == count:
                break
    return found[::-1]


def follow(file: Path, query: Query) -> Iterator[AuditRecord]:
    """Wanted lines written from now on, also into the next file; never ends by itself.

    The file is opened by this call, not by the first step: what is written in between counts.
    """
    stream: IO[bytes] | None = None
    if file.exists():
        stream = file.open("rb")
        stream.seek(0, os.SEEK_END)
    return _followed(file, stream, query)


def _followed(file: Path, stream: IO[bytes] | None, query: Query) -> Iterator[AuditRecord]:
    while True:
        if stream is not None:
            with stream:
                yield from _appended(file, stream, query)
        try:
            stream = file.open("rb")
        except FileNotFoundError:
            stream = None
            time.sleep(_FOLLOW_SECONDS)


def _appended(file: Path, stream: IO[bytes], query: Query) -> Iterator[AuditRecord]:
    """What is written to the stream, until the file has been replaced and its last line was read."""
    inode, rest, replaced = os.fstat(stream.fileno()).st_ino, b"", False
    while True:
        data = stream.readline(MAX_LINE)
        rest += data
        if rest.endswith(b"\n"):
            record, rest = parse_line(rest), b""
            if record is not None and query.matches(record):
                yield record
        elif not data:
            if replaced:
                return
            replaced = _replaced(file, inode)  # a last look follows: a line may have come in between
            if not replaced:
                time.sleep(_FOLLOW_SECONDS)


def lines_since(file: Path, since: float | None) -> Iterator[bytes]:
    """Lines with their newline that the file holds now, from somewhat before ``since`` on."""
    with _opened(file) as stream:
        if is_compressed(file):
            yield from iter(partial(stream.readline, MAX_LINE), b"")
            return
        size = os.fstat(stream.fileno()).st_size
        done = start_of(stream, since - SLACK) if since is not None else 0
        while done < size and (line := stream.readline(MAX_LINE)):
            done += len(line)
            yield line


def start_of(stream: IO[bytes], since: float) -> int:
    """The offset of a line such that all lines before it ended before ``since``, by bisection."""
    low, high = 0, stream.seek(0, os.SEEK_END)
    while high - low > _BLOCK:
        middle = (low + high) // 2
        stream.seek(middle)
        stream.readline(MAX_LINE)
        seen = _next_end(stream, high)
        if seen is None or seen >= since:
            high = middle
        else:
            low = middle
    stream.seek(low)
    if low:
        stream.readline(MAX_LINE)
    return stream.tell()


def check_chain(files: Sequence[Path], since: float | None) -> tuple[Path, Verdict] | None:
    """The first file whose chain is broken, with the place; None for a whole one.

    Compressed files are not checked. Of more than ``WHOLE_CHECK`` bytes only what follows ``since`` is.
    """
    plain = [file for file in files if not is_compressed(file)]
    if since is not None and sum(file.stat().st_size for file in plain) > WHOLE_CHECK:
        for file in _recent(plain, since):
            with file.open("rb") as stream:
                offset = start_of(stream, since - SLACK)
            verdict = verify_from(file, offset)
            if not verdict.ok:
                return file, verdict
        return None
    verdicts = verify_all(plain)
    return verdicts[-1] if verdicts and not verdicts[-1][1].ok else None


def _recent(files: Sequence[Path], since: float | None) -> list[Path]:
    """Without the files whose successor begins before ``since``."""
    if since is None:
        return list(files)
    for number in range(len(files) - 1, 0, -1):
        with _opened(files[number]) as stream:
            first = _line_end(stream.readline(MAX_LINE))
        if first is not None and first < since - SLACK:
            return list(files[number:])
    return list(files)


def _next_end(stream: IO[bytes], limit: int) -> float | None:
    """When the call of the next readable line ended; None where there is none before ``limit``."""
    while stream.tell() < limit and (line := stream.readline(MAX_LINE)):
        end = _line_end(line)
        if end is not None:
            return end
    return None


def _line_end(line: bytes) -> float | None:
    ts, took = _TS.search(line), _TOOK.search(line)
    if ts is None or took is None:
        return None
    try:
        return datetime.fromisoformat(ts[1].decode()).timestamp() + int(took[1]) / 1000
    except ValueError:
        return None


def _backwards(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        position, rest = stream.seek(0, os.SEEK_END), b""
        while position:
            start = max(0, position - _BLOCK)
            stream.seek(start)
            parts = (stream.read(position - start) + rest).split(b"\n")
            rest, position = parts[0], start
            yield from (part for part in reversed(parts[1:]) if part)
        if rest:
            yield rest


def _opened(file: Path) -> IO[bytes]:
    return cast("IO[bytes]", _COMPRESSED[file.suffix](file)) if is_compressed(file) else file.open("rb")


def is_compressed(file: Path) -> bool:
    return file.suffix in _COMPRESSED


def _first_seq(file: Path) -> int | None:
    try:
        with _opened(file) as stream:
            found = re.match(rb'\{"seq":([0-9]{1,18}),', stream.readline(MAX_LINE))
    except (OSError, EOFError, lzma.LZMAError):
        return None
    return int(found[1]) if found else None


def _literal(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


def _replaced(file: Path, inode: int) -> bool:
    try:
        return file.stat().st_ino != inode
    except FileNotFoundError:
        return False
