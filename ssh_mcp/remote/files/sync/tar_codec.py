"""The tar stream of a synchronisation: regular files and directories, written and read. Pure.

Written is what every tar reads: ustar headers (POSIX.1-1988), GNU's ``L`` member before a name of more than 100 bytes,
and GNU's base-256 sizes from 8 GiB on. Read is what GNU tar, BusyBox and bsdtar write, several archives one behind the
other included. The peer may be hostile: only files that were asked for come out, each once, none longer than permitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
"""Two blocks of zeros end an archive."""
_NAME: Final = 100
_OCTAL_MAX: Final = 0o77777777777
_EXTRA_MAX: Final = 256 * 1024
"""Bytes of one member that describes the next: a long name, or pax records."""
_MEMBERS_SPARE: Final = 10_000
"""Members beyond those asked for that are skipped (directories, links, descriptions)."""
_GNU: Final = b"ustar  \0"
_POSIX: Final = b"ustar\x0000"
_ZEROS_MAX: Final = 100_000
"""Blocks of zeros between two members: the end of an archive, and what fills its last record."""
_LONG: Final = b"././@LongLink"
_PAX: Final = re.compile(rb"(\d{1,9}) ([^=]+)=")
"""The begin of a pax record, such as ``18 path=some/name\\n``: its length in all, its key."""


class TarError(ValueError):
    """The stream is no archive, or holds what was not asked for."""


class Member(NamedTuple):
    """A file whose bytes follow. ``path`` as asked for; ``mtime`` in whole seconds since 1970."""

    path: bytes
    size: int
    mtime: int


def padding(size: int) -> bytes:
    """The zeros behind ``size`` bytes of content."""
    return bytes(-size % BLOCK)


def header(path: bytes, size: int, mode: int, mtime: int, *, directory: bool = False) -> bytes:
    """The header of one member, with GNU's long name before it where it needs one."""
    if directory:
        path += b"/"
    if len(path) <= _NAME:
        return _header(path, size, mode, mtime, b"5" if directory else b"0")
    long = path + b"\0"
    return b"".join((
        _header(_LONG, len(long), 0o644, 0, b"L"), long, padding(len(long)),
        _header(path[:_NAME], size, mode, mtime, b"5" if directory else b"0"),
    ))  # fmt: skip


def sparse_header(path: bytes, size: int, mode: int, mtime: int, parts: Sequence[tuple[int, int]]) -> bytes:
    """What goes before the content of a file with holes: only its ``parts`` (offset, bytes) follow, and ``padding``.

    GNU tar's sparse format 1.0 (its manual, "Storing Sparse Files"), which bsdtar reads too.
    """
    records = {b"major": b"1", b"minor": b"0", b"name": path, b"realsize": b"%d" % size}
    pax = b"".join(_record(b"GNU.sparse." + key, value) for key, value in records.items())
    numbers = [len(parts), *(n for part in parts for n in part)]
    table = b"".join(b"%d\n" % n for n in numbers)
    table += padding(len(table))
    stored = len(table) + sum(length for _, length in parts)
    return b"".join((
        _header(b"././@PaxHeader", len(pax), 0o644, 0, b"x", magic=_POSIX), pax, padding(len(pax)),
        _header(path[:_NAME], stored, mode, mtime, b"0", magic=_POSIX), table,
    ))  # fmt: skip


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _header(name: bytes, size: int, mode: int, mtime: int, kind: bytes, *, magic: bytes = _GNU) -> bytes:
    length = b"%011o\0" % size if size <= _OCTAL_MAX else b"\x80" + size.to_bytes(11, "big")
    time = b"%011o\0" % min(max(mtime, 0), _OCTAL_MAX)
    begin = b"%s%07o\x000000000\x000000000\0%s%s" % (name.ljust(_NAME, b"\0"), mode, length, time)
    end = b"%s%s%s" % (kind, bytes(100), magic)
    checksum = sum(begin) + sum(end) + 8 * 0x20
    return (b"%s%06o\0 %s" % (begin, checksum, end)).ljust(BLOCK, b"\0")


class TarReader:
    """Bytes in, files out. ``wanted`` maps the path of each file that may come to the bytes that it may have."""

    def __init__(self, wanted: Mapping[bytes, int]) -> None:
        self._wanted = wanted
        self._seen: set[bytes] = set()
        self._rest = b""
        self._left = 0
        """Content of the current member that has not come yet."""
        self._skip = 0
        """Bytes to throw away: padding, and content that nobody wants."""
        self._named: bytes | None = None
        self._sized: int | None = None
        self._dated: int | None = None
        self._zeros = 0
        self._spare = len(wanted) + _MEMBERS_SPARE

    @property
    def complete(self) -> bool:
        """Whether the stream may end here."""
        return not (self._rest or self._left or self._skip)

    def receive(self, data: bytes) -> Iterator[Member | memoryview]:
        """Members, each followed by its content in pieces. Raises TarError; nothing can be read after that."""
        data = self._rest + data if self._rest else data
        self._rest = b""
        view, at, end = memoryview(data), 0, len(data)
        while at < end:
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield piece
            elif self._skip:
                step = min(self._skip, end - at)
                at += step
                self._skip -= step
            elif end - at < BLOCK:
                break
            else:
                block = data[at : at + BLOCK]
                extra = self._extra(block)
                if extra is not None:
                    if end - at < BLOCK + extra + -extra % BLOCK:
                        break  # a description is taken whole; it is bounded
                    self._describe(block[156:157], data[at + BLOCK : at + BLOCK + extra])
                    at += BLOCK + extra + -extra % BLOCK
                    continue
                at += BLOCK
                member = self._member(block)
                if member is not None:
                    yield member
        self._rest = data[at:]

    def _extra(self, block: bytes) -> int | None:
        """Bytes of content of a member that only describes the next one; None: it is another kind."""
        if block[156:157] not in b"LKxg" or block[156] == 0:
            return None
        _check(block)
        size = _number(block[124:136])
        if size > _EXTRA_MAX:
            raise TarError("a description that is too long")
        return size

    def _describe(self, kind: bytes, content: bytes) -> None:
        self._count()
        if kind == b"L":
            self._named = content.rstrip(b"\0")
        elif kind == b"x":
            for key, value in _records(content):
                if key == b"path":
                    self._named = value
                elif key == b"size":
                    self._sized = _decimal(value)
                elif key == b"mtime":
                    self._dated = _decimal(value.partition(b".")[0])
                elif key.startswith(b"GNU.sparse"):
                    raise TarError("a sparse member")

    def _member(self, block: bytes) -> Member | None:
        if not any(block):
            self._zeros += 1
            if self._zeros > _ZEROS_MAX:
                raise TarError("zeros without end")
            return None  # the end of an archive; another one may follow
        self._zeros = 0
        _check(block)
        self._count()
        path = self._named if self._named is not None else _path(block)
        size = self._sized if self._sized is not None else _number(block[124:136])
        mtime = self._dated if self._dated is not None else _number(block[136:148])
        self._named = self._sized = self._dated = None
        if block[156:157] not in (b"0", b"\0", b"7"):
            return None  # a directory, a link or a device: they carry no content, and nobody asked for them
        if path.startswith(b"./"):
            path = path[2:]
        most = self._wanted.get(path)
        if most is None or path in self._seen:
            raise TarError(f"{path[:200]!r}, which was not asked for")
        if size > most:
            raise TarError(f"{path[:200]!r} with more bytes than it had")
        self._seen.add(path)
        self._left, self._skip = size, -size % BLOCK
        return Member(path, size, mtime)

    def _count(self) -> None:
        self._spare -= 1
        if self._spare < 0:
            raise TarError("more members than were asked for")


def _path(block: bytes) -> bytes:
    name = block[:_NAME].partition(b"\0")[0]
    prefix = block[345:500].partition(b"\0")[0] if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _check(block: bytes) -> None:
    if _number(block[148:156]) != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise TarError("something else than an archive")


def _number(field: bytes) -> int:
    """Octal, ended by NUL or a blank, or GNU's base 256."""
    if field[0] & 0x80:
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    text = field.partition(b"\0")[0].strip()
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise TarError("something else than an archive") from None


def _decimal(text: bytes) -> int:
    if not text.lstrip(b"-").isdigit() or len(text) > 20:
        raise TarError("a pax record that is no number")
    return max(int(text), 0)


def _records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        match = _PAX.match(content, at)
        if match is None or (end := at + int(match[1])) > len(content) or content[end - 1 : end] != b"\n":
            raise TarError("a pax record that is none")
        if end <= match.end():
            raise TarError("a pax record that is none")
        yield match[2], content[match.end() : end - 1]
        at = end
