"""Text as a reader sees it: invisible characters gone, full-width ones as ASCII, other languages' word for password.

``pass<U+200B>word=x`` shows as ``password=x`` and must be found as that. Detectors read the folded text; what they find
is moved back to its place in the text itself, which keeps every character.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from ssh_mcp.redaction.automata import rust_asks

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\U000e0000-\U000e01ef"
)
_PASSWORD = (
    r"contrase\u00f1a|has\u0142o|\u043f\u0430\u0440\u043e\u043b\u044c|\u5bc6\u7801|\u5bc6\u78bc|\u53e3\u4ee4"
    r"|\u30d1\u30b9\u30ef\u30fc\u30c9|\u6697\u8a3c\u756a\u53f7|\ube44\ubc00\ubc88\ud638|\u03ba\u03c9\u03b4\u03b9\u03ba\u03cc\u03c2"
)
_FOREIGN = _PASSWORD.encode().decode("unicode_escape")
_FOLDED = re.compile(
    rf"[{_INVISIBLE}]+|(?i:(?<!\w)(?:{_PASSWORD}))(?=[\"']?[ \t]{{0,9}}[:=\uff1a\uff1d][ \t]{{0,9}}[\"']?[!-~])"
)
_MAY_FOLD = rust_asks(rf"[{_INVISIBLE}\uff01-\uff5e]|(?i:{_FOREIGN})")
"""Dashes, ellipses and umlauts are no reason to look at every character of a megabyte in Python's ``re``: 50 ms."""
_WIDE = re.compile("[\uff01-\uff5e]")


@dataclass(frozen=True, slots=True)
class Folded:
    """``text`` folded. ``_at`` are places in it behind which positions differ by ``_by`` from the text itself."""

    text: str
    _at: list[int] = field(default_factory=list)
    _by: list[int] = field(default_factory=list)

    @property
    def moved(self) -> bool:
        """Whether places differ from those of the text itself."""
        return bool(self._at)

    def origin(self, place: int) -> int:
        """The position in the text itself of the character at ``place``."""
        known = bisect_right(self._at, place)
        return place + (self._by[known - 1] if known else 0)

    def end(self, place: int) -> int:
        """Where in the text itself a piece ends that ends at ``place``."""
        return self.origin(place - 1) + 1 if place else 0


def _narrow(wide: re.Match[str]) -> str:
    return chr(ord(wide[0]) - 0xFEE0)


def fold(text: str) -> Folded:
    """Positions stay where nothing is left out. Plain ASCII costs nothing."""
    if text.isascii():
        return Folded(text)
    if not _MAY_FOLD(text.encode("utf-8", "replace").decode()):
        return Folded(text)
    text = _WIDE.sub(_narrow, text)  # not translate(): for a megabyte that would not let the loop's thread in between
    parts: list[str] = []
    at: list[int] = []
    by: list[int] = []
    seen = size = 0
    for m in _FOLDED.finditer(text):
        kept = text[seen : m.start()]
        word = "password" if m[0][0].isalpha() else ""
        parts += (kept, word)
        size += len(kept) + len(word)
        seen = m.end()
        at.append(size)
        by.append(seen - size)
    if not at:
        return Folded(text)
    parts.append(text[seen:])
    return Folded("".join(parts), at, by)
