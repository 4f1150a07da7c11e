"""Masking of output that comes in pieces: the same however it was cut.

One difference to a text that is redacted whole: a value is masked where it occurs again *behind* the line that names it
as a secret, for what was above that line may be shown already.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction import lines
from ssh_mcp.redaction.detectors.base import Reach
from ssh_mcp.redaction.markers import apply, resolve
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.output import redact_output
from ssh_mcp.redaction.repeats import Repeats
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.settled import settled

HOLD = 1_048_576
"""Characters held back at most, for a line that does not end or for what a line announces."""
_TAIL = 4_096
"""Characters of an endless line that stay behind, because a secret may begin in them."""
_OFTEN = 8_192
"""What is held up to this size is looked at with every piece; beyond, only when it has grown by a half."""
_VALUE_END = re.compile(r"[\s\"']")


class OutputStream:
    """``feed`` gives what is safe to show so far, ``close`` the rest; together they are ``redact_output`` of all
    of it with ``Repeats(forward=True)``.

    Text goes out up to a place where cutting cannot change what is found (``settled``). Beyond ``HOLD`` characters
    without such a place it goes out all the same, and then at least as much is masked as in the whole: what is open
    (a key block, a block scalar, the data of a Secret) stays masked to its end, and of a single word that long the
    rest is dropped. Linear: a character is scanned a bounded number of times.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._parts: list[str] = []
        self._size = 0
        self._has_line = False
        self._wait = 0
        self._swallow = False
        self._repeats = Repeats(forward=True)
        self._head = ""  # the lines that say what the text goes on with, after a cut inside it

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
        return self._release()

    def close(self) -> str:
        """Everything still held back."""
        text = "".join(self._parts)
        self._parts = []
        return self._shown(text)

    def _release(self) -> str:
        text = "".join(self._parts)
        end = text.rfind("\n") + 1
        out, kept = ("", text) if not end else self._lines(text, end)
        if len(kept) > HOLD and "\n" not in kept:
            more, kept = self._endless(kept)
            out += more
        self._parts = [kept] if kept else []
        self._size = len(kept)
        self._has_line = "\n" in kept
        self._wait = 0 if len(kept) <= _OFTEN else self._size + self._size // 2
        if len(kept) > HOLD // 2:
            self._wait = max(HOLD, self._size + _TAIL) + 1
        return out

    def _lines(self, text: str, end: int) -> tuple[str, str]:
        """Show the whole lines ``text[:end]`` as far as they are settled."""
        seen = self._head + text[:end]
        cut, reaches = settled(seen, self._rules)
        cut -= len(self._head)
        if cut <= 0:
            if len(text) <= HOLD:
                return "", text
            return self._forced(text, end, reaches)
        out = self._shown(text[:cut])
        self._head = ""
        return out, text[cut:]

    def _forced(self, text: str, end: int, reaches: list[Reach]) -> tuple[str, str]:
        """More is held than may be: show it, and remember what it is in the middle of."""
        self._head = "".join(r.above for r in reaches if r.end is None)[:_TAIL] + self._head
        out = self._shown(text[:end])
        self._head = "".join(r.head for r in reaches if r.end is None)[-_TAIL:]
        return out, text[end:]

    def _shown(self, text: str) -> str:
        """``text`` redacted, read as what goes on below ``_head``."""
        offset = len(self._head)
        if not offset:
            return redact_output(text, self._rules, self._repeats).text
        found = lines.find(self._head + text, self._rules)
        moved = (s._replace(start=max(0, s.start - offset), end=s.end - offset) for s in found if s.end > offset)
        shown = apply(text, resolve(text, moved), self._rules.marker)
        return redact_output(shown, self._rules, self._repeats).text

    def _endless(self, text: str) -> tuple[str, str]:
        """A line beyond ``HOLD`` that has not ended: show it up to a blank well before its end."""
        found = lines.find(text, self._rules)
        spans: list[Span] = resolve(text, found)
        hold = _blank_before(text, len(text) - _TAIL)
        for span in spans:
            if span.start < hold < span.end:
                hold = span.end
        # A secret longer than all that is held: its marker replaces what has come, the rest of it is dropped.
        self._swallow = hold == len(text)
        shown = apply(text[:hold], [s for s in spans if s.end <= hold], self._rules.marker)
        return shown, text[hold:]


def _blank_before(text: str, at: int) -> int:
    for mark in (" ", "\t", ",", ";", "&"):
        found = text.rfind(mark, max(0, at - HOLD // 2), at)
        if found > 0:
            return found + 1
    return max(0, at)
