"""The hash chain of the audit file: how a line is sealed, and how a file is verified.

A sealed line is the record with three more fields, one at each place that makes checking cheap::

    {"seq":17,"prev":"<64 hex>",  ...the record's own fields...  ,"hash":"<64 hex>"}

``hash`` is the SHA-256 of every byte of the line before ``,"hash":``; ``prev`` is the ``hash`` of the line before,
sixty-four zeros for the very first. The first line of each file also has ``"file_start":true`` and goes on from the
last line of the file before it (rotation). A line that follows bytes which a killed writer left unfinished has
``"mended":{"bytes":N,"sha256":"..."}``, so that these bytes are accounted for as well.

What a chain shows: a line that was changed, removed, added, repeated or moved, and a beginning that was cut off.
What it cannot show by itself: a tail that was cut off, and a file rewritten from some line on by someone who may write
it, since the hash has no key. The head file (``HEAD_SUFFIX``) and ``expect_last``; against the
second a copy of the lines on another machine (logger ``ssh_mcp.audit``) or of the last hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

GENESIS: Final = "0" * 64
HEAD_SUFFIX: Final = ".head"
MAX_LINE: Final = 1024 * 1024  # bytes; a record has a few hundred, fifty host names a few thousand

_FRONT: Final = re.compile(rb'\{"seq":([0-9]{1,18}),"prev":"([0-9a-f]{64})",("file_start":true,)?')
_SEAL: Final = b',"hash":"'
_SEAL_LENGTH: Final = len(_SEAL) + 64 + 2
_MENDED: Final = re.compile(rb'"mended":\{"bytes":([0-9]{1,18}),"sha256":"([0-9a-f]{64})"\}')


@dataclass(frozen=True, slots=True)
class Link:
    """What a sealed line says about its place. ``intact``: its own hash fits its bytes."""

    seq: int
    prev: str
    hash: str
    file_start: bool
    intact: bool


@dataclass(frozen=True, slots=True)
class Mended:
    """Unfinished bytes that are a line of their own before the line that carries this."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last line as the writers know it: its place in the chain, and the file (inode) and size it ended at."""

    seq: int
    hash: str
    inode: int
    size: int

    def to_bytes(self) -> bytes:
        """Fixed length, so that one write replaces the former head entirely."""
        text = f'{{"seq": {self.seq}, "hash": "{self.hash}", "inode": {self.inode}, "size": {self.size}}}'
        return text.ljust(191).encode("ascii") + b"\n"

    @classmethod
    def from_bytes(cls, raw: bytes) -> Head | None:
        """None where the bytes are not a head."""
        try:
            value = json.loads(raw)
            head = cls(int(value["seq"]), str(value["hash"]), int(value["inode"]), int(value["size"]))
        except (ValueError, TypeError, KeyError):
            return None
        return head if re.fullmatch("[0-9a-f]{64}", head.hash) else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """``first_bad_line`` counts from 1. ``notes`` are remarks that do not make the file bad.

    ``first_seq`` and ``first_prev`` say what the file goes on from, ``last_hash`` what the next file must go on from.
    """

    ok: bool
    lines: int
    first_bad_line: int | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    first_seq: int | None = None
    first_prev: str | None = None
    last_seq: int | None = None
    last_hash: str | None = None


_FRONT_MAX: Final = 300
"""Bytes in which ``seq``, ``prev`` and ``file_start`` of a line end, with room to spare."""


def seal(record_json: str, seq: int, prev: str, *, file_start: bool = False, mended: Mended | None = None) -> Sealed:
    """The line (with its newline) for a record's JSON object, and its hash."""
    front = f'{{"seq":{seq},"prev":"{prev}",'
    if file_start:
        front += '"file_start":true,'
    if mended is not None:
        front += f'"mended":{{"bytes":{mended.size},"sha256":"{mended.sha256}"}},'
    body = (front + record_json[1:-1]).encode("ascii")
    digest = hashlib.sha256(body).hexdigest()
    return Sealed(body + _SEAL + digest.encode("ascii") + b'"}\n', digest)


@dataclass(frozen=True, slots=True)
class Sealed:
    """``line`` ends with a newline."""

    line: bytes
    hash: str


def read_link(line: bytes) -> Link | None:
    """The place of a line (without its newline), or None where it has not the shape of a sealed line."""
    front = _FRONT.match(line)
    tail = line[-_SEAL_LENGTH:]
    if front is None or not (tail.startswith(_SEAL) and tail.endswith(b'"}')):
        return None
    claimed = tail[len(_SEAL) : -2].decode("latin-1")
    actual = hashlib.sha256(line[:-_SEAL_LENGTH]).hexdigest()
    return Link(int(front[1]), front[2].decode("ascii"), claimed, front[3] is not None, claimed == actual)


def read_mended(line: bytes) -> Mended | None:
    """What the line says about unfinished bytes before it."""
    if b'"mended":{' not in line[:_FRONT_MAX]:
        return None
    front = _FRONT.match(line)
    found = _MENDED.match(line, front.end()) if front else None
    return Mended(int(found[1]), found[2].decode("ascii")) if found else None


@dataclass(slots=True)
class _Walk:
    """The state of one verification. ``whole``: the first line must be the first one of its file."""

    whole: bool = True
    number: int = 0
    last: Link | None = None
    first: Link | None = None
    torn: bytes | None = None
    bad_line: int | None = None
    reason: str = ""
    missing_seq: int | None = None
    notes: list[str] = field(default_factory=list)

    def fail(self, number: int, reason: str) -> None:
        self.bad_line, self.reason = number, reason

    def step(self, line: bytes) -> None:
        """Check the next line; the first fault ends the walk."""
        self.number += 1
        link = read_link(line)
        if self.torn is not None:
            mended = read_mended(line) if link is not None and link.intact else None
            if mended != Mended(len(self.torn), hashlib.sha256(self.torn).hexdigest()):
                self.fail(self.number - 1, "it is not an audit line, or it was changed")
                return
            self.notes.append(f"line {self.number - 1} was left unfinished by a writer that was stopped; accounted for")
            self.torn = None
        elif link is not None and link.intact and read_mended(line) is not None and (self.whole or self.number > 1):
            self.fail(self.number, "the unfinished line that preceded it is missing")
            return
        if link is None:
            self.torn = line
            return
        if not link.intact:
            self.fail(self.number, "it was changed: its hash does not fit its text")
            return
        self._place(link)
        self.last = link
        self.first = self.first or link

    def _place(self, link: Link) -> None:
        if self.last is None:
            if self.whole and not link.file_start:
                self.fail(self.number, f"the file begins with seq {link.seq}: the lines before it are missing")
            return
        expected = self.last.seq + 1
        if link.seq == expected and link.prev != self.last.hash:
            self.fail(self.number - 1, f"it is not the line that line {self.number} was written after")
        elif link.seq < expected:
            self.fail(self.number, f"it has seq {link.seq} where {expected} was due: repeated or moved")
        elif link.seq > expected:
            self.missing_seq = expected
            self.fail(self.number, f"before it, seq {_span(expected, link.seq - 1)} missing")
        elif link.file_start:
            self.fail(self.number, "it is the first line of a file, but is inside one")


def _span(first: int, last: int) -> str:
    return f"{first} is" if first == last else f"{first} to {last} are"


def verify(file: Path, *, expect_first_prev: str | None = None, expect_last: str | None = None) -> Verdict:
    """Check one audit file, reading it as a stream.

    ``expect_first_prev`` is the last hash of the file before it, ``expect_last`` a last hash noted elsewhere. Where the
    head file lies beside the file it was written for, a cut tail is found too. Raises OSError where the file cannot
    be read.
    """
    with file.open("rb") as stream:
        head = _head_of(file, stream)
        # A writer may be busy: check only what was there at the beginning.
        walk = _Walk()
        saw_head = head is None
        for line, complete in _lines(stream, os.fstat(stream.fileno()).st_size):
            if not complete:
                walk.number += 1
                walk.fail(walk.number, "it is unfinished; the next line that a server writes will account for it")
                break
            walk.step(line)
            if walk.bad_line is not None:
                _look_for_moved(walk, stream)
                break
            if head is not None and walk.last is not None and walk.last.seq == head.seq:
                saw_head = walk.last.hash == head.hash
    if walk.bad_line is None and walk.torn is not None:
        walk.fail(walk.number, "it is not an audit line, or it was changed")
    if walk.bad_line is None:
        _check_ends(walk, expect_first_prev, expect_last, None if saw_head else head)
    return _verdict(walk)


def verify_from(file: Path, offset: int) -> Verdict:
    """Check the lines from ``offset`` (the beginning of one) on; ``first_bad_line`` counts from there.

    For a reader that shows only the end of a long file. Raises OSError where the file cannot be read.
    """
    walk = _Walk(whole=False)
    with file.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size - offset
        stream.seek(offset)
        for line, complete in _lines(stream, size):
            if complete:
                walk.step(line)
            if walk.bad_line is not None:
                break
    return _verdict(walk)


def _verdict(walk: _Walk) -> Verdict:
    first, last = walk.first, walk.last
    if first is not None and first.prev != GENESIS:
        walk.notes.append(f"the file goes on from seq {first.seq - 1} of the one before it, hash {first.prev}")
    return Verdict(
        ok=walk.bad_line is None,
        lines=walk.number,
        first_bad_line=walk.bad_line,
        reason=walk.reason,
        notes=tuple(walk.notes),
        first_seq=first.seq if first else None,
        first_prev=first.prev if first else None,
        last_seq=last.seq if last else None,
        last_hash=last.hash if last else None,
    )


def _lines(stream: BinaryIO, size: int) -> Iterator[tuple[bytes, bool]]:
    """Lines without newline up to ``size`` bytes; False beside a last one that has no newline."""
    done = 0
    while done < size:
        line = stream.readline(min(MAX_LINE, size - done))
        if not line:
            return
        done += len(line)
        if line.endswith(b"\n"):
            yield line[:-1], True
        elif done >= size:
            yield line, False
        else:  # longer than any record: hand it on as what it is, no audit line
            while not line.endswith(b"\n") and done < size:
                line = stream.readline(min(MAX_LINE, size - done))
                done += len(line)
            yield b"", True


def _look_for_moved(walk: _Walk, stream: BinaryIO) -> None:
    """After a gap: was the missing line moved further down, or is it gone?"""
    if walk.missing_seq is None:
        return
    wanted = b'{"seq":%d,' % walk.missing_seq
    for offset, line in enumerate(stream, start=walk.number + 1):
        if line.startswith(wanted):
            walk.reason = f"the lines are in another order: seq {walk.missing_seq}, due here, is in line {offset}"
            return


def _check_ends(walk: _Walk, expect_first_prev: str | None, expect_last: str | None, unseen: Head | None) -> None:
    first_prev = walk.first.prev if walk.first else GENESIS
    last_hash = walk.last.hash if walk.last else GENESIS
    last_seq = walk.last.seq if walk.last else 0
    if expect_first_prev is not None and expect_first_prev != first_prev:
        walk.fail(1, "the file does not go on from the one before it")
    elif unseen is not None and unseen.seq > last_seq:
        walk.fail(
            walk.number + 1, f"seq {_span(last_seq + 1, unseen.seq)} missing at the end (the head file knows more)"
        )
    elif unseen is not None:
        walk.fail(walk.number, "the end is not the one that the head file knows")
    elif expect_last is not None and expect_last != last_hash:
        walk.fail(walk.number, "the last line is not the expected one: lines are missing at the end, or were rewritten")


def _head_of(file: Path, stream: BinaryIO) -> Head | None:
    try:
        head = Head.from_bytes(file.with_name(file.name + HEAD_SUFFIX).read_bytes())
    except OSError:
        return None
    return head if head is not None and head.inode == os.fstat(stream.fileno()).st_ino else None


def verify_all(files: list[Path], *, expect_last: str | None = None) -> list[tuple[Path, Verdict]]:
    """Rotated files, oldest first: each must go on from the one before. Stops at the first bad one."""
    verdicts: list[tuple[Path, Verdict]] = []
    former: str | None = None
    for number, file in enumerate(files, start=1):
        verdict = verify(file, expect_first_prev=former, expect_last=expect_last if number == len(files) else None)
        verdicts.append((file, verdict))
        if not verdict.ok:
            break
        former = verdict.last_hash or former
    return verdicts
