"""Markers, and putting them into a text."""

from __future__ import annotations

import hashlib
import hmac
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from ssh_mcp.redaction.model import Redaction, Span
from ssh_mcp.redaction.values import MARKER

_SHOWABLE = re.compile(r"[A-Za-z0-9_+/=.\-]+")
_EXACT = frozenset({"pem", "token", "hash", "header", "url"})
"""Kinds whose span is exact, so that an overlap is united instead of dropped."""


class Marker:
    """Makes ``<sha:12hex len:N>``. With a salt HMAC-SHA256, else SHA-256; equal secrets get equal markers."""

    __slots__ = ("_hint", "_salt")

    def __init__(self, salt: str = "", hint_chars: int = 0) -> None:
        self._salt = salt.encode()
        self._hint = max(0, min(4, hint_chars))

    def digest(self, value: str) -> str:
        """12 hex digits. Lone surrogates are hashed as they are."""
        data = value.encode("utf-8", "surrogatepass")
        if self._salt:
            return hmac.new(self._salt, data, hashlib.sha256).hexdigest()[:12]
        return hashlib.sha256(data).hexdigest()[:12]

    def render(self, value: str) -> str:
        """The marker. A hint is given only where it leaves at least half of the secret unknown."""
        n = self._hint
        hint = ""
        if n and len(value) >= 4 * n:
            head, tail = value[:n], value[-n:]
            if _SHOWABLE.fullmatch(head + tail):
                hint = f" hint:{head}..{tail}"
        return f"<sha:{self.digest(value)} len:{len(value)}{hint}>"


def resolve(text: str, spans: Iterable[Span]) -> list[Span]:
    """Spans in text order without overlaps. What was reported first wins; an exact later one widens it."""
    kept: list[Span] = []
    masked = [m.span() for m in MARKER.finditer(text)] if "<sha:" in text else []
    for span in sorted(spans, key=lambda s: s.start):
        if span.end <= span.start or _touches(masked, span):
            continue
        if kept and span.start < kept[-1].end:
            last = kept[-1]
            if span.end > last.end and (span.kind in _EXACT or last.kind in _EXACT):
                kept[-1] = last._replace(end=span.end, value=None)
            continue
        kept.append(span)
    return kept


def _touches(masked: list[tuple[int, int]], span: Span) -> bool:
    at = bisect_right(masked, (span.end, 0)) - 1
    while at >= 0 and masked[at][1] > span.start:
        if masked[at][0] < span.end:
            return True
        at -= 1
    return False


def apply(text: str, spans: Sequence[Span], marker: Marker) -> str:
    """``text`` with each span (resolved) replaced by its marker."""
    if not spans:
        return text
    parts: list[str] = []
    at = 0
    for span in spans:
        made = marker.render(text[span.start : span.end] if span.value is None else span.value)
        parts += (text[at : span.start], f'"{made}"' if span.quote else made)
        at = span.end
    parts.append(text[at:])
    return "".join(parts)


def report(text: str, spans: Sequence[Span], marker: Marker) -> tuple[Redaction, ...]:
    """``redactions[]``: lines are those of ``text``, before anything was replaced."""
    line_of = _line_counter(text)
    return tuple(
        Redaction(s.key, line_of(s.start), s.kind, marker.digest(text[s.start : s.end] if s.value is None else s.value))
        for s in spans
    )


def _line_counter(text: str) -> Callable[[int], int]:
    line, seen = 1, 0

    def at(position: int) -> int:
        nonlocal line, seen
        line += text.count("\n", seen, position)
        seen = position
        return line

    return at
