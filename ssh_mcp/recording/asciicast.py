"""The asciicast v2 format: a header line, then one JSON array per event. Pure.

What a host printed is made harmless first: colours and cursor movement pass, everything else that a terminal would obey
(titles, clipboard, questions that it replies to, character sets) is left out, whatever plays the file later.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

SIZE: Final = (80, 24)
"""Columns and rows of what was recorded without a terminal."""

CLEAR: Final = "\x1b[2J\x1b[H"

_CSI: Final = r"\x1b\[[0-?]*[ -/]*[@-~]"  # ECMA-48: ESC [ 1;31 m
_STRING: Final = r"\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC, DCS and the like, with what they carry
_SEQUENCE: Final = re.compile(rf"{_CSI}|{_STRING}|\x1b.?|[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]", re.DOTALL)
_HARMLESS: Final = re.compile(r"\x1b\[[0-9;:]*[ABCDEFGHJKfmd]")
_BREAK: Final = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class Event:
    """``seconds`` since the beginning; ``o`` is output, ``m`` a marker, ``r`` a new size (``120x40``)."""

    seconds: float
    kind: Literal["o", "m", "r"]
    text: str


def header(timestamp: float, title: str, size: tuple[int, int] = SIZE) -> str:
    """The first line, newline included. ``timestamp``: seconds since the epoch; ``size``: columns and rows."""
    fields = {"version": 2, "width": size[0], "height": size[1], "timestamp": int(timestamp), "title": title}
    return json.dumps(fields) + "\n"


def encoded(event: Event) -> str:
    """One line, newline included."""
    return json.dumps([round(event.seconds, 3), event.kind, event.text]) + "\n"


def as_output(text: str) -> str:
    """A host's text as a terminal gets it: harmless, with CR LF at line ends."""
    return _BREAK.sub("\r\n", _SEQUENCE.sub(_kept, text))


def _kept(found: re.Match[str]) -> str:
    return found[0] if _HARMLESS.fullmatch(found[0]) else ""


def events(lines: Iterator[str]) -> Iterator[Event]:
    """The events of a recording's lines after its header. What is none is left out."""
    for line in lines:
        try:
            seconds, kind, text = json.loads(line)
            if kind in ("o", "m"):
                yield Event(float(seconds), kind, str(text))
        except (ValueError, TypeError, OverflowError, RecursionError):
            continue
