"""What is in an archive, as GNU tar and Info-ZIP list it, and whether it may be unpacked. Pure.

A member may not lead out of the directory that it is unpacked into: no absolute name, no ``..``, no device, no link
that could lead out, and nothing through a link of the archive itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssh_mcp.remote.files.sync.plan import Kind, stays_inside

_TAR: Final = re.compile(
    rb'([-dlhbcpsCVMNDSA])\S{9}\S* \d+/\d+ +(\d+(?:,\d+)?) \S+ \S+ "((?:[^"\\]|\\.)*)"'
    rb'(?: (?:->|link to) "((?:[^"\\]|\\.)*)")?\Z',
    re.DOTALL,
)
"""A line of ``tar -tv --numeric-owner --quoting-style=c``: ``lrwxrwxrwx 0/0  0 2026-01-01 00:00 "a" -> "b"``."""
_ZIP: Final = re.compile(rb"([-dl?bcps])\S* +\S+ +\S+ +(\d+) +\S+ +\S+ +\S+ \S+ (.+)\Z", re.DOTALL)
"""A line of ``zipinfo``: ``-rw-r--r--  3.0 unx       12 tx stor 26-Nov-27 10:00 name``."""
_ESCAPE: Final = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS: Final = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
_KINDS: Final[dict[bytes, Kind]] = {b"-": "file", b"?": "file", b"h": "file", b"d": "directory", b"l": "symlink"}


@dataclass(frozen=True, slots=True)
class Member:
    """One member. ``path`` as listed, without the slash at a directory's end; ``hard``: another name of ``target``."""

    path: str
    kind: Kind
    size: int = 0
    target: str = ""
    hard: bool = False


def parse_tar(listing: bytes) -> list[Member]:
    """The members of a tar archive. Raises ValueError for a line that is none."""
    found = []
    for line in listing.splitlines():
        match = _TAR.match(line)
        if match is None:
            raise ValueError(line[:80].decode("utf-8", "replace"))
        letter, size, name, target = match.groups()
        plain = size.isdigit()
        kind = _KINDS.get(letter, "other") if plain else "other"
        found.append(
            Member(_name(name), kind, int(size) if plain else 0, _unquoted(target or b""), hard=letter == b"h")
        )
    return found


def parse_zip(listing: bytes) -> list[Member]:
    """The members of a zip archive; other lines of the listing are skipped. Where links lead is not in it."""
    found = []
    for line in listing.splitlines():
        match = _ZIP.match(line)
        if match is not None:
            letter, size, name = match.groups()
            text = name.decode("utf-8", "surrogateescape")
            kind: Kind = "directory" if text.endswith("/") else _KINDS.get(letter, "other")
            found.append(Member(text.rstrip("/") or "/", kind, int(size)))
    return found


def _name(quoted: bytes) -> str:
    text = _unquoted(quoted)
    return text.rstrip("/") or text


def _unquoted(text: bytes) -> str:
    def one(match: re.Match[bytes]) -> bytes:
        code = match[1]
        return bytes([int(code, 8) & 0xFF]) if len(code) == 3 else _LETTERS.get(code, code)

    return _ESCAPE.sub(one, text).decode("utf-8", "surrogateescape")


def plain(path: str) -> str | None:
    """A member's path in the directory that it is unpacked into; "" for that itself, None where it could lead out."""
    if path.startswith("/") or "\0" in path:
        return None
    parts = [p for p in path.split("/") if p not in ("", ".")]
    return None if ".." in parts else "/".join(parts)


def refusal(members: Sequence[Member]) -> str | None:
    """Why the archive may not be unpacked, as the end of a sentence that begins with it; None: it may."""
    links: set[str] = set()
    names: set[str] = set()
    for member in members:
        path = plain(member.path)
        if path is None:
            return f"holds {member.path!r}, which leads out of the directory"
        if member.kind == "other":
            return f"holds {member.path!r}, which is a device, pipe or socket"
        if member.kind == "symlink" and member.target and not stays_inside(path, member.target):
            return f"holds the link {member.path!r}, which could lead out of the directory"
        if member.hard and plain(member.target) not in names:
            return f"holds the hard link {member.path!r} to something that is not in it"
        above = path
        while above := above.rpartition("/")[0]:
            if above in links:
                return f"holds {member.path!r} behind a link of its own"
        if path in links and member.kind != "symlink":
            return f"holds {member.path!r} twice, once as a link"
        names.add(path)
        if member.kind == "symlink":
            links.add(path)
    return None
