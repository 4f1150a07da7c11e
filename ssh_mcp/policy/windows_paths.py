r"""Windows paths in the one form that policy compares: ``/C:/Users/deploy``, as Windows' sftp-server says it. Pure.

What Windows would read as another file than the text says is refused instead of guessed at: drive-relative paths, UNC
and device paths, alternate data streams, short (8.3) names, names that end in a dot or a blank, reserved names
(Microsoft, "Naming Files, Paths, and Namespaces").
"""

from __future__ import annotations

import re
from typing import Final

_DRIVE: Final = re.compile(r"/?([A-Za-z]):(?:/|\Z)")
_SHORT_NAME: Final = re.compile(r"[^.~/]{1,8}~[0-9]{1,6}(\.[^./]{0,3})?\Z")
_RESERVED: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\..*)?\Z", re.IGNORECASE
)
_NEVER_IN_NAMES: Final = frozenset('<>"|?*:')


class Undecidable(ValueError):
    """``str()`` completes "The path …"."""


def is_absolute(path: str) -> bool:
    r"""``C:\x``, ``C:/x``, ``/C:/x``, and the UNC and device forms that ``canonical_form`` then refuses by name."""
    text = path.replace("\\", "/")
    return bool(re.match(r"/?[A-Za-z]:", text)) or text.startswith("/")


def canonical_form(path: str) -> str:
    """``/C:/a/b`` with an upper-case drive, single slashes and no trailing one. ``..`` stays. Raises Undecidable."""
    text = path.replace("\\", "/")
    if text.startswith(("//", "/??")):
        raise Undecidable("is a network (UNC) or device path, which cannot be decided on")
    drive = _DRIVE.match(text)
    if not drive:
        if re.match(r"/?[A-Za-z]:", text):
            raise Undecidable("depends on a drive's current directory")
        raise Undecidable("names no drive")
    parts = [p for p in text[drive.end() :].split("/") if p not in ("", ".")]
    for part in parts:
        _check(part)
    return "/".join([f"/{drive.group(1).upper()}:", *parts]) if parts else f"/{drive.group(1).upper()}:/"


def _check(name: str) -> None:
    if name == "..":
        return
    if ":" in name:
        raise Undecidable("names an alternate data stream")
    if _NEVER_IN_NAMES & set(name):
        raise Undecidable("holds characters that no Windows file name can hold")
    if name.endswith((".", " ")):
        raise Undecidable("has a name that ends in a dot or a blank, which Windows drops")
    if _SHORT_NAME.match(name):
        raise Undecidable("holds a short (8.3) name, which may mean another one")
    if _RESERVED.match(name):
        raise Undecidable("holds a reserved device name")


def fold(text: str) -> str:
    """Case folding for what *allows*: only pairs that map both ways, so that no two files become one by accident."""
    return text.lower() if text.isascii() else "".join(_fold_one(c) for c in text)


def _fold_one(character: str) -> str:
    lower, upper = character.lower(), character.upper()
    both_ways = len(lower) == len(upper) == 1 and lower.upper() == upper and upper.lower() == lower
    return lower if both_ways and character in (lower, upper) else character
