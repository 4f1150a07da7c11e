r"""Paths between this program and the wire, and between Windows' forms and SFTP's.

Windows' OpenSSH server speaks of ``C:\Users\me`` as ``/C:/Users/me``. Callers may use any of ``C:\Users\me``,
``C:/Users/me`` and ``/C:/Users/me``; the server's own form is what comes back.
"""

from __future__ import annotations

import re
from typing import Final

NAME_MAX: Final = 255
"""Longest file name on the usual filesystems, bytes (limits.h)."""
PATH_MAX: Final = 4096
"""Longest path Linux takes, bytes with the final NUL (limits.h)."""

_DRIVE = re.compile(r"/?([A-Za-z]):(.*)", re.DOTALL)
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def encode(path: str) -> bytes:
    """UTF-8 with ``surrogateescape``: any byte string a POSIX host can hold survives."""
    return path.encode("utf-8", "surrogateescape")


def decode(raw: bytes) -> str:
    """The way back of ``encode``."""
    return raw.decode("utf-8", "surrogateescape")


def to_wire(path: str, *, windows: bool) -> str:
    """``path`` in the form the server wants: unchanged on POSIX, ``/C:/…`` with slashes on Windows."""
    if not windows:
        return path
    slashed = path.replace("\\", "/")
    if match := _DRIVE.fullmatch(slashed):
        return f"/{match[1].upper()}:{match[2] or '/'}"
    return slashed


def too_long(path: str) -> bool:
    """Whether the path or one of its names is longer than any usual filesystem takes."""
    raw = encode(path)
    return len(raw) >= PATH_MAX or any(len(part) > NAME_MAX for part in raw.split(b"/"))


def shown(path: str) -> str:
    """``path`` in quotes for a message: control, bidi and undecodable characters as escapes, at most 200 characters."""
    text = _UNSHOWABLE.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), path)
    if len(text) > 200:
        text = f"{text[:120]}…{text[-60:]}"
    return f"'{text}'"
