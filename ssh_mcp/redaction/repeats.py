"""The same secret again, where nothing names it: ``password=x`` above, ``logging in with x`` below.

Only distinctive values count: a word, number or name may mean something else elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from urllib.parse import quote

from ssh_mcp.redaction.keys import words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import is_plain
from ssh_mcp.redaction.words import words

_ALPHABET = re.compile(r"[A-Za-z0-9_\-+=!@#$%^&*?~./|]+")
_NUMBER = re.compile(r"(?:0x)?[0-9a-fA-F._\-]{1,16}[uUlL]*|[A-Za-z]{1,4}[0-9]+")
"""Also short codes: ``mt19937``, ``utf8``."""
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_SNAKE = re.compile(r"[A-Za-z]+(?:_[A-Za-z0-9]+)+")
_PASSWORDS = words("password passwords passwd passphrase pwd pass pw passcode secret psk")
_KINDS = frozenset({"key", "flag", "url", "header"})
"""What only its name gave away; tokens, hashes and key blocks are found anywhere."""
MIN_LENGTH, MAX_LENGTH = 6, 512
MAX_VALUES = 256
"""Values remembered per result; each costs one search of the text."""


class Repeats:
    """The values masked so far in one result, and where they occur again.

    ``forward``: only behind the place that named them, which is all that a stream can do. Pieces of one text then give
    the same as the whole, if they share one object.
    """

    __slots__ = ("_forward", "_fresh", "_values")

    def __init__(self, *, forward: bool = False) -> None:
        self._forward = forward
        self._values: dict[str, str | None] = {}
        self._fresh: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._values)

    def learn(self, text: str, spans: Iterable[Span]) -> None:
        """Remember the values of ``spans`` in ``text`` that are distinctive, literal and percent-encoded."""
        for span in spans:
            if span.kind in _KINDS:
                self.add(text[span.start : span.end], span.key, span.end)
                if span.value is not None:
                    self.add(span.value, span.key, span.end)

    def add(self, value: str, key: str | None, behind: int = 0) -> None:
        """Remember one value of a secret named ``key``, which ends at ``behind``."""
        if len(self._values) >= MAX_VALUES or value in self._values or not is_distinctive(value, key):
            return
        for form in {value, quote(value, safe="")}:
            self._values[form] = key
            self._fresh[form] = behind

    def first(self, text: str) -> list[Span]:
        """Every place of the values that were known before ``text`` was looked at."""
        self._fresh.clear()
        return self._spans(text, dict.fromkeys(self._values, 0))

    def again(self, text: str) -> list[Span]:
        """Every place of the values learned since the last call, each as a word of its own."""
        fresh, self._fresh = self._fresh, {}
        return self._spans(text, fresh if self._forward else dict.fromkeys(fresh, 0))

    def _spans(self, text: str, values: dict[str, int]) -> list[Span]:
        return [
            Span(at, at + len(value), "repeat", self._values[value])
            for value, behind in values.items()
            for at in _places(text, value, behind)
        ]


def is_distinctive(value: str, key: str | None) -> bool:
    """Whether ``value`` elsewhere can only be the same secret: under a password's name a word with a digit or
    sign in it, under others only what no identifier looks like.
    """
    if not MIN_LENGTH <= len(value) <= MAX_LENGTH or not _ALPHABET.fullmatch(value) or is_plain(value):
        return False
    if _NUMBER.fullmatch(value) or _DOTTED.fullmatch(value):
        return False
    if (words_of(key or "password") or [""])[-1] in _PASSWORDS:
        return any(c.isalpha() for c in value)
    kinds = [c.isdigit() for c in value if c.isalnum()]
    return len(value) >= 8 and sum(a != b for a, b in pairwise(kinds)) >= 3 and not _SNAKE.fullmatch(value)


def _places(text: str, value: str, at: int) -> Iterable[int]:
    while (at := text.find(value, at)) >= 0:
        end = at + len(value)
        if not (_joined(text[at - 1 : at], value[0]) or _joined(value[-1], text[end : end + 1])):
            yield at
        at = end


_WORD = re.compile(r"\w\w")


def _joined(left: str, right: str) -> bool:
    return _WORD.fullmatch(left + right) is not None
