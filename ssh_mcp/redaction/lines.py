"""All format-free detectors over a text: each line that the gate lets through, then the text as a whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors import DETECTORS
from ssh_mcp.redaction.detectors.base import LineDetector, TextDetector
from ssh_mcp.redaction.folding import fold
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading

_FIRST = tuple(d for d in DETECTORS if isinstance(d, TextDetector) and d.first)
_WHOLE = tuple(d for d in DETECTORS if isinstance(d, TextDetector) and not d.first)


def find(text: str, rules: Rules, reading: Reading = Reading.OUTPUT) -> list[Span]:
    """Spans of every secret, unsorted."""
    folded = fold(text)
    out = _find(folded.text, rules, reading)
    if folded.moved:
        out = [s._replace(start=folded.origin(s.start), end=folded.end(s.end)) for s in out]
    return out


def page_of(text: str, rules: Rules, reading: Reading) -> Stretch:
    """All of ``text``."""
    return Stretch(text, 0, len(text), rules.keys, reading, Lines(text))


def _find(text: str, rules: Rules, reading: Reading) -> list[Span]:
    page = page_of(text, rules, reading)
    hot = list(rules.gate.hot(text, file=reading is Reading.FILE))
    lines: dict[str, list[Place]] = defaultdict(list)
    for start, end, detectors in hot:
        for detector in detectors:
            if isinstance(detector, TextDetector):
                lines[detector.name].append((start, end))
    out = [span for d in _FIRST for span in (d.find(page, lines[d.name]) if lines[d.name] else ())]
    covered = sorted((span.start, span.end) for span in out)
    for start, end, detectors in hot:
        if covered and _is_covered(covered, end):
            continue
        stretch = Stretch(text, start, end, rules.keys, reading, page.lines)
        for detector in detectors:
            if isinstance(detector, LineDetector) and (rules.keys.default_words or not detector.default_words):
                out += detector.find(stretch)
    return out + _whole(page, rules, lines)


def _is_covered(covered: list[Place], end: int) -> bool:
    """Whether the line that ends at ``end`` does so in one of the places; those that end before it are dropped."""
    while covered and covered[0][1] < end:
        covered.pop(0)
    return bool(covered) and covered[0][0] < end


def _whole(page: Stretch, rules: Rules, lines: dict[str, list[Place]]) -> list[Span]:
    out: list[Span] = []
    for detector in _WHOLE:
        if _asks(detector, page.text, rules, lines[detector.name]):
            out += detector.find(page, lines[detector.name])
    return out


def _asks(detector: TextDetector, text: str, rules: Rules, lines: Sequence[Place]) -> bool:
    """Whether ``detector`` is worth asking about ``text``, of which ``lines`` match its patterns."""
    if detector.default_words and not rules.keys.default_words:
        return False
    return bool(lines) if detector.line else rules.gate.anywhere(detector, text)
