"""Masking of output that comes in pieces: a secret cut in two is still masked."""

from __future__ import annotations

import re

from ssh_mcp.redaction import lines
from ssh_mcp.redaction.markers import apply, resolve
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.rules import Rules

HOLD = 65_536
"""Characters held back at most for a line that does not end, or for what a line announces."""
HOLD_BLOCK = 1_048_576
"""The same for a private key block that has not closed."""
_TAIL = 4_096
"""Characters of an endless line that stay behind, because a secret may begin in them."""
_LOOKAHEAD_LINES = 4
"""Lines held back after a line that may announce a value (``name: DB_PASSWORD``, ``password: |``)."""
_OPEN_LIST = re.compile(r"(?i)^.*(?:pass|secret|token|key|cred)[\w.\-]*[\"']?[ \t]*[:=][ \t]*\[[^\]]*\Z", re.MULTILINE)
_OPEN_DATA = re.compile(r"^([ \t]*(?:- )?)[\"']?(?:data|stringData)[\"']?:[ \t]*\{?[ \t]*\r?$", re.MULTILINE)


_VALUE_END = re.compile(r"[\s\"']")


class OutputStream:
    """``feed`` gives what is safe to show so far, ``close`` the rest.

    Whole lines only, so that the same text gives the same result however it was cut; beyond ``HOLD`` characters without
    a line end the text goes out up to a blank. Linear: a character is scanned a bounded number of times.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._parts: list[str] = []
        self._size = 0
        self._has_line = False
        self._wait = 0
        self._swallow = False
        self._context = ""  # the line ``kind: Secret`` of an object whose data may still come

    def feed(self, text: str) -> str:
        """Take the next piece."""
        if self._swallow:
            end = _VALUE_END.search(text)
            self._swallow = end is None
            text = text[end.start() :] if end else ""
        if not text:
            return ""
        self._parts.append(text)
        self._size += len(text)
        self._has_line = self._has_line or "\n" in text
        if self._size < self._wait or not (self._has_line or self._size > HOLD):
            return ""
        return self._release(final=False)

    def close(self) -> str:
        """Everything still held back."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        text = "".join(self._parts)
        cut = len(text) if final else text.rfind("\n") + 1
        if cut:
            out, kept = self._lines(text, cut, final=final)
        else:
            out, kept = self._endless(text)
        self._parts = [kept] if kept else []
        self._size = len(kept)
        self._has_line = "\n" in kept
        # What waits for its end is looked at again only when it has grown by a half: linear in all.
        self._wait = (
            self._size + self._size // 2 + 1 if self._has_line else self._size + _TAIL if len(kept) > HOLD else 0
        )
        return out

    def _lines(self, text: str, cut: int, *, final: bool) -> tuple[str, str]:
        """Mask the whole lines ``text[:cut]``; keep those whose meaning the next lines may change."""
        head = text[:cut]
        found, opened = lines.find(self._context + head, self._rules)
        offset = len(self._context)
        spans = resolve(
            head,
            [
                s._replace(start=s.start - offset, end=s.end - offset, since=max(-1, s.since - offset))
                for s in found
                if s.start >= offset
            ],
        )
        hold = len(head)
        if not final:
            hold = self._hold(head, spans, opened - offset if opened is not None else None)
            self._context = lines.secret_context(self._context + head[:hold])
        shown = apply(head[:hold], [s for s in spans if s.end <= hold], self._rules.marker)
        return shown, text[hold:]

    def _hold(self, head: str, spans: list[Span], opened: int | None) -> int:
        hold = _announced(head, self._rules)
        if opened is not None and len(head) - opened <= HOLD_BLOCK:
            hold = min(hold, head.rfind("\n", 0, opened) + 1)
            limit = HOLD_BLOCK
        else:
            limit = HOLD
        end = len(head.rstrip())
        for span in reversed(spans):
            begin = span.since if span.since >= 0 else span.start
            # A block or list that reaches the end may go on; and nothing is parted from what names it.
            if begin < hold < span.end or (span.end >= end and "\n" in head[begin : span.end]):
                hold = min(hold, head.rfind("\n", 0, begin) + 1)
        return hold if len(head) - hold <= limit else len(head)

    def _endless(self, text: str) -> tuple[str, str]:
        """A line beyond ``HOLD`` that has not ended: show it up to a blank well before its end."""
        found, _ = lines.find(text, self._rules)
        spans = resolve(text, found)
        hold = _blank_before(text, len(text) - _TAIL)
        for span in spans:
            if span.start < hold < span.end:
                hold = span.end
        # A secret longer than all that is held: its marker stands for what has come, the rest of it is dropped.
        self._swallow = hold == len(text)
        shown = apply(text[:hold], [s for s in spans if s.end <= hold], self._rules.marker)
        return shown, text[hold:]


def _blank_before(text: str, at: int) -> int:
    for mark in (" ", "\t", ",", ";", "&"):
        found = text.rfind(mark, max(0, at - HOLD // 2), at)
        if found > 0:
            return found + 1
    return max(0, at)


def _announced(head: str, rules: Rules) -> int:
    """Where the last lines begin that may announce a value below them."""
    at = len(head)
    for _ in range(_LOOKAHEAD_LINES):
        at = head.rfind("\n", 0, max(0, at - 1)) + 1
    hold = at if rules.gate.named(head[at:]) else len(head)
    if m := _OPEN_LIST.search(head, head.rfind("\n", 0, max(0, len(head) - _TAIL)) + 1):
        hold = min(hold, m.start())
    for m in _OPEN_DATA.finditer(head, head.rfind("\n", 0, max(0, len(head) - HOLD)) + 1):
        # Whether these values are secret only the object's kind says, which kubectl prints below them.
        kind = re.compile(rf"^{m[1].replace('- ', '  ')}[\"']?kind[\"']?:", re.MULTILINE).search(head, m.end())
        if m.start() < hold and (kind is None or hold <= kind.start()):
            hold = m.start()
            break
    return hold
