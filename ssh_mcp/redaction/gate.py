"""The fast way out: most text holds nothing to mask, and one pass must be enough to know it.

The detectors say what a text and a line must hold (``detectors.base``); here their patterns are joined. The gate only
has to be *wider* than the detectors; they decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from ssh_mcp.redaction.automata import Ask, as_ascii, ascii_asks, literal, one_of, rust_asks
from ssh_mcp.redaction.detectors import DETECTORS
from ssh_mcp.redaction.detectors.base import Detector, TextDetector, Wide

BLOCK = 65_536
"""Characters checked at once, up to the next line end; a hit is narrowed down to ``CHUNK``, then to lines."""
CHUNK = 1024
FILE_STEMS = (
    "kennwort|senha|wachtwoord"
    "|token|pass|secret|key|auth|cred|pwd|pw|cookie|sess|jwt|bearer|dsn|private|salt|signature|psk|sig|sid|val"
)
"""Enough for a line of a configuration file to be looked at, in lower case."""

_Asks = tuple[tuple[bool, Ask], ...]
"""Each automaton, with whether it wants the text in lower case."""


def _joined(patterns: Iterable[Wide], *, apart: bool) -> _Asks:
    """One automaton for each family, or (not ``apart``) one for lower case and one for the unchanged text."""
    families: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for wide in patterns:
        families[wide.family if apart else "", wide.lower].append(wide.pattern)
    return tuple((lower, ascii_asks(one_of(group))) for (_, lower), group in families.items())


_PATTERNS = [wide for detector in DETECTORS for wide in detector.wide]
_ANYWHERE = [
    Wide("", pattern, lower=False)
    for detector in DETECTORS
    if isinstance(detector, TextDetector)
    for pattern in detector.anywhere
]
_WIDE = _joined(_PATTERNS, apart=True)
_FILE: _Asks = ((True, ascii_asks(one_of([FILE_STEMS]))), *_WIDE)
_BRIEF = _joined([*_PATTERNS, *_ANYWHERE], apart=False)
"""Everything as two automata. For a few words two calls cost 1 us and forty cost 10, or 4 and 20 where other work has
emptied the processor's caches; long texts they take longer for."""
_LINES = tuple((detector, ascii_asks("|".join(detector.line))) for detector in DETECTORS if detector.line)
_TEXTS = {
    detector.name: ascii_asks("|".join(detector.anywhere))
    for detector in DETECTORS
    if isinstance(detector, TextDetector) and detector.anywhere
}


def _of_any_text(asks: _Asks) -> _Asks:
    return tuple((lower, lambda text, ask=ask: ask(as_ascii(text))) for lower, ask in asks)


class Gate:
    """Says which lines of a text are worth the detectors' time. ``extra`` are the operator's own key names."""

    __slots__ = ("_brief", "_file", "_own", "_unicode", "_wide")

    def __init__(self, extra: tuple[str, ...] = ()) -> None:
        own = "|".join(rf"(?i:{literal(k)})" for k in extra if k)
        self._unicode = not all(k.isascii() for k in extra)
        self._own = rust_asks(own) if own else None
        self._wide, self._brief, self._file = _WIDE, _BRIEF, _FILE
        if self._own:
            every = (_of_any_text(asks) if self._unicode else asks for asks in (_WIDE, _BRIEF, _FILE))
            self._wide, self._brief, self._file = ((*asks, (False, self._own)) for asks in every)

    def hot(self, text: str, *, file: bool = False) -> Iterator[tuple[int, int, tuple[Detector, ...]]]:
        """(start, end, its detectors) of every line, newline included, that may hold a secret, in order.

        ``file`` is wider: every line that names a secret at all is looked at for names.
        """
        text = self._probe(text)
        for start, end in _hot_lines(_Cased(text, text.lower()), self._file if file else self._wide):
            line = text[start:end]
            own = self._own is not None and self._own(line)
            line = as_ascii(line)
            found = tuple(
                detector
                for detector, ask in _LINES
                if (detector.named and (own or (file and not isinstance(detector, TextDetector) and detector.in_files)))
                or ask(line)
            )
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

    def anywhere(self, detector: TextDetector, text: str) -> bool:
        """Whether ``text`` may hold what ``detector`` looks for apart from its lines."""
        ask = _TEXTS.get(detector.name)
        return ask is None or ask(as_ascii(text))

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
    """Lines of one chunk; the checks are left to ``map``, because many lines of a chunk with one hit are without."""
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
