"""The fast way out: most text holds nothing to mask, and one pass must be enough to know it.

Python's ``re`` needs 5 ms a MiB for one alternation and far more for all of ours. pydantic-core, which the program
depends on anyway, carries Rust's ``regex`` (a lazy DFA: one pass whatever the number of alternatives, never quadratic)
and answers "does it match anywhere?" for a ``str``. Measured on two cores of an EPYC: 1.9 ms a MiB for the union of all
detectors, against 60 ms for them one by one. The gate only has to be *wider* than the detectors; they decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain

from pydantic_core import SchemaValidator, core_schema

from ssh_mcp.redaction.gate_patterns import FILE_STEMS, NARROW, WIDE_LOWER, WIDE_PLAIN, Look
from ssh_mcp.redaction.marked import MARKS

BLOCK = 65_536
"""Characters asked about at once, up to the next line end; a hit is narrowed down to ``CHUNK``, then to lines."""
CHUNK = 1024

_Ask = Callable[[str], bool]
_Asks = tuple[tuple[bool, _Ask], ...]
"""Each automaton, with whether it wants the text in lower case."""


_NEGATED = re.compile(r"\[\^(?:\\.|[^\]\\])+\]|\\S")


def rust_asks(pattern: str) -> Callable[[str], bool]:
    """Whether ``pattern`` (Rust's syntax) matches anywhere in a text, which must be without lone surrogates."""
    # ASCII classes keep the automaton small; only a negated class must know all of Unicode.
    pattern = _NEGATED.sub(lambda m: f"(?u:{m[0]})", pattern)
    schema = core_schema.str_schema(pattern=pattern, strict=True, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python


def _one(patterns: Iterable[str]) -> str:
    return "|".join(f"(?-u:{p})" for p in patterns)


_WIDE: _Asks = (
    *((True, rust_asks(_one(group))) for group in WIDE_LOWER),
    *((False, rust_asks(_one(group))) for group in WIDE_PLAIN),
)
_FILE: _Asks = ((True, rust_asks(_one([FILE_STEMS]))), *_WIDE)
_AT_END = r"[!-~]+[ \t]*\r?(?:\n|$)"
_BEHIND_MARK = {
    "user ": _AT_END,
    "login ": _AT_END,
    "USER ": _AT_END,
    "331 ": "[A-Z]",
    "snmp": "(?:walk|get|set|bulk)",
    ') "': r"[!-~]+\"",
    "requirepass": r"[ \t]*\r?(?:\n|$)",
    "expect": r"[ (][^\n]*assword",
    "PASSWORD ": r"\w+ = ",
    ":*:": r"[\w\-*]+:[\w.\-*@]+:[!-~]",
    " * ": r" *[!-~]+[ \t]+(?:\*|\"\*\"|[0-9]+\.[0-9]+\.[0-9.]+(?:/[0-9]+)?)[ \t]*\r?(?:\n|$)",
}
"""Marks that stand in many a text, with what must follow them."""
_MARKS_TOGETHER = 12
_MARK_PATTERNS = [re.escape(mark) + _BEHIND_MARK.get(mark, "") for mark in MARKS]
_MARKED = tuple(
    (MARKS[n : n + _MARKS_TOGETHER], rust_asks("|".join(_MARK_PATTERNS[n : n + _MARKS_TOGETHER])))
    for n in range(0, len(MARKS), _MARKS_TOGETHER)
)
"""A dozen in each: Rust finds so few literals with SIMD (15 us in 200 kB each; all marks in one took 60 to 350)."""
_SECRET_KIND = rust_asks("Secret")
_BRIEF: _Asks = (
    (True, rust_asks(_one(chain(*WIDE_LOWER)))),
    (False, rust_asks("|".join([_one(chain(*WIDE_PLAIN)), *_MARK_PATTERNS, "Secret"]))),
)
"""Everything that ``_WIDE``, ``_MARKED`` and ``_SECRET_KIND`` ask, as two automata. For a few words two calls cost 1 us
and forty cost 10, or 4 and 20 where other work has emptied the processor's caches; long texts they take longer for."""
_NARROW = tuple((what, rust_asks("|".join(patterns))) for what, patterns in NARROW)


class Gate:
    """Says which lines of a text are worth the detectors' time. ``extra`` are the operator's own key names."""

    __slots__ = ("_brief", "_file", "_narrow", "_unicode", "_wide")

    def __init__(self, extra: tuple[str, ...] = ()) -> None:
        own = "|".join(rf"(?i:{_rust_literal(k)})" for k in extra if k)
        self._unicode = not all(k.isascii() for k in extra)
        self._wide, self._brief, self._file, self._narrow = _WIDE, _BRIEF, _FILE, _NARROW
        if own:
            ask = rust_asks(own)
            self._wide, self._brief, self._file = ((*asks, (False, ask)) for asks in (_WIDE, _BRIEF, _FILE))
            self._narrow = (*_NARROW, (Look.KEY_VALUE | Look.PAIRS | Look.PHRASES | Look.TABLES | Look.CODE, ask))

    def hot(self, text: str, *, file: bool = False) -> Iterator[tuple[int, int, Look]]:
        """(start, end, what to look for) of every line, newline included, that may hold a secret, in order.

        ``file`` asks more widely: every line that names a secret at all is looked at for names.
        """
        text = self._probe(text)
        look = Look.KEY_VALUE | Look.PAIRS | Look.PHRASES | Look.CODE if file else Look(0)
        for start, end in _hot_lines(_Cased(text, text.lower()), self._file if file else self._wide):
            line = text[start:end]
            found = look
            for what, ask in self._narrow:
                if what not in found and ask(line):
                    found |= what
            if found:
                yield start, end, found

    def _probe(self, text: str) -> str:
        if self._unicode:  # an operator's key beyond ASCII: only surrogates are replaced
            return text.encode("utf-8", "replace").decode()
        return as_ascii(text)

    def may_find(self, text: str) -> bool:
        """False where output masking would leave ``text``, and each of its lines by itself, as it is: quicker than
        ``hot``, and wider.
        """
        text = self._probe(text)
        lower = text.lower()
        return any(ask(lower if low else text) for low, ask in self._brief)

    def marks(self, text: str) -> frozenset[str]:
        """Those of the marks of ``redaction.marked`` that may stand in ``text``; wider than those that do."""
        text = self._probe(text)
        return frozenset(chain.from_iterable(marks for marks, ask in _MARKED if ask(text)))

    def kinds(self, text: str) -> bool:
        """Whether ``text`` may show a Kubernetes object whose kind is Secret."""
        return _SECRET_KIND(self._probe(text))

    def named(self, text: str) -> bool:
        """Whether any line of ``text`` may hold a secret or so much as the name of one."""
        return next(self.hot(text, file=True), None) is not None


@dataclass(frozen=True, slots=True)
class _Cased:
    text: str
    lower: str

    def asked(self, asks: _Asks, start: int, end: int) -> _Asks:
        """Those of ``asks`` that match somewhere in the piece."""
        plain, lower = self.text[start:end], self.lower[start:end]
        return tuple(pair for pair in asks if pair[1](lower if pair[0] else plain))


def _hot_lines(cased: _Cased, asks: _Asks) -> Iterator[tuple[int, int]]:
    text = cased.text
    for start, end in _pieces(text, 0, len(text), BLOCK):
        if not (still := cased.asked(asks, start, end)):
            continue
        for low, high in _pieces(text, start, end, CHUNK):
            if fewer := cased.asked(still, low, high):
                yield from _lines_asked(cased, fewer, low, high)


def _lines_asked(cased: _Cased, asks: _Asks, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Lines of one chunk; the asking is left to ``map``, because many lines of a chunk with one hit are without."""
    plain, lower = cased.text[start:end].split("\n"), cased.lower[start:end].split("\n")
    hits = {n for low, ask in asks for n, hit in enumerate(map(ask, lower if low else plain)) if hit}
    if hits:
        ends = list(accumulate((len(line) + 1 for line in plain), initial=start))
        for n in sorted(hits):
            yield ends[n], min(ends[n + 1], end)


def _pieces(text: str, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Pieces of whole lines, of at least ``size`` characters where there are so many."""
    while start < end:
        stop = text.find("\n", min(start + size, end), end) + 1 or end
        yield start, stop
        start = stop


def as_ascii(text: str) -> str:
    """``text`` with every other character as ``?``, position by position.

    Rust's strings are UTF-8: a lone surrogate would make it refuse the whole text (and so find nothing), and checking
    what is not ASCII costs 2 ms a MiB each time. No pattern names a character beyond ASCII.
    """
    return text if text.isascii() else text.encode("ascii", "replace").decode("ascii")


def _rust_literal(key: str) -> str:
    return re.sub(r"([^A-Za-z0-9_])", lambda m: rf"\x{{{ord(m[1]):x}}}", key)
