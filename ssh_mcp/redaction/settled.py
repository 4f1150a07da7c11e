"""Where a text may be cut so that its parts, redacted one by one, give the same as the whole.

Most of what the detectors find lies on one line. What does not, begins with a line that announces it, and its detector
says how far it reaches. From such a line to where its meaning is settled no cut is allowed. Wider is harmless (a line
is shown a little later), narrower is a leak.
"""

from __future__ import annotations

from collections import defaultdict

from ssh_mcp.redaction.detectors import DETECTORS
from ssh_mcp.redaction.detectors.base import LineDetector, Reach, TextDetector
from ssh_mcp.redaction.detectors.key_blocks import HEADLESS, body_above
from ssh_mcp.redaction.folding import fold
from ssh_mcp.redaction.lines import page_of
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading

_ROUNDS = 32
_OF_LINES = tuple(d.reach for d in DETECTORS if isinstance(d, LineDetector) and d.reach)
_OF_TEXTS = tuple(d for d in DETECTORS if isinstance(d, TextDetector) and d.reach)


def settled(text: str, rules: Rules) -> tuple[int, list[Reach]]:
    """The last line start (or the end) of ``text``, which ends in a newline, at which it may be cut, and all reaches.

    0: nowhere.
    """
    folded = fold(text)
    reaches = find(folded.text, rules)
    cut = _last_cut(folded.text, reaches)
    if not folded.moved:
        return cut, reaches
    cut = len(text) if cut == len(folded.text) else text.rfind("\n", 0, folded.origin(cut)) + 1
    return cut, [r._replace(begin=folded.origin(r.begin), end=r.end and folded.origin(r.end)) for r in reaches]


def _last_cut(text: str, reaches: list[Reach]) -> int:
    falling = sorted(reaches, key=lambda r: r.begin, reverse=True)
    hold = len(text)
    for _ in range(_ROUNDS):
        for reach in falling:
            if reach.begin < hold and (reach.end is None or reach.end > hold):
                hold = reach.begin
        above = body_above(text, hold, max(0, hold - HEADLESS))
        if above == hold:
            return hold
        hold = above  # lines of a key's body: an END line may follow
    return 0


def find(text: str, rules: Rules) -> list[Reach]:
    """All reaches of ``text``, which is folded."""
    page = page_of(text, rules, Reading.OUTPUT)
    out: list[Reach] = []
    lines: dict[str, list[Place]] = defaultdict(list)
    for start, end, detectors in rules.gate.hot(text, file=True):
        stretch = Stretch(text, start, end, rules.keys, Reading.OUTPUT, page.lines)
        for reach in _OF_LINES:
            out += reach(stretch)
        for detector in detectors:
            if isinstance(detector, TextDetector):
                lines[detector.name].append((start, end))
    for detector in _OF_TEXTS:
        if detector.line and not lines[detector.name]:
            continue  # of the others what announces something need not be what is found
        if detector.reach and (rules.keys.default_words or not detector.default_words):
            out += detector.reach(page, lines[detector.name])
    return out
