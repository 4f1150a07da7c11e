"""Which line of a TOML text sets a key. tomllib does not report it, and an operator with sixty hosts needs it. Pure."""

from __future__ import annotations

import tomllib
from typing import Any


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line (from 1) that sets ``path``; else the one that opens the innermost table around it; None: unknown."""
    best: tuple[int, int] | None = None
    table: tuple[str, ...] = ()
    quote: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if quote is not None:
            quote = None if line.count(quote) % 2 else quote
            continue
        stripped = line.strip()
        if stripped.startswith("["):
            table = _keys(stripped) or table
            place = table
        elif "=" in stripped and not stripped.startswith("#"):
            place = table + _keys(stripped[: _equals(stripped)] + "= 0")
            quote = next((q for q in ('"""', "'''") if line.count(q) % 2), None)
        else:
            continue
        if place == path or place[: len(path)] == path:
            return number
        if place == path[: len(place)] and (best is None or len(place) > best[0]):
            best = (len(place), number)
    return best[1] if best else None


def _equals(line: str) -> int:
    """Where the key ends: the first ``=`` outside quotes."""
    quote = ""
    for i, c in enumerate(line):
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c == "=":
            return i
    return len(line)


def _keys(line: str) -> tuple[str, ...]:
    """The key path that one line of TOML opens or sets."""
    try:
        value: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    found: list[str] = []
    while isinstance(value, dict | list) and value:
        if isinstance(value, list):
            value = value[0]
            continue
        key = next(iter(value))
        found.append(key)
        value = value[key]
    return tuple(found)
