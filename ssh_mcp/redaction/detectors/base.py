"""What a detector is: one object with its name, its gate, what it finds, how far that reaches, and two examples.

``DETECTORS`` lists them all. The engine asks each of those whose ``line`` patterns match a line; the gate joins their
``wide`` patterns to find such lines at all; a stream is not cut inside a ``reach``. One property test holds over the
list: what a detector finds its gate lets through, and its reach encloses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.stretch import Stretch

HEAD = 400
"""Characters of a line that is kept as a reach's head."""


class Wide(NamedTuple):
    """A pattern in the syntax of Rust's ``regex`` (no look-around) that a text must match before its lines are asked.

    Patterns of one ``family`` are one automaton. Rust looks for literals with SIMD as long as a family's patterns begin
    with a few dozen literals at most, none of them short: 0.05 to 0.2 ms a MiB each instead of 2. Which share a family
    was found by measuring (docs/adr/0011). ``lower``: asked of the text in lower case.
    """

    family: str
    pattern: str
    lower: bool = True


class Reach(NamedTuple):
    """From ``begin`` (a line's start) to ``end`` no cut; None: the text's end came before it was settled.

    For a reach without a bound, which may have to be cut all the same: ``above`` is to be read above it, so that it
    counts as secret though that is not known yet, and ``head`` above what follows, which must be read as its rest.
    """

    begin: int
    end: int | None
    head: str = ""
    above: str = ""


@dataclass(frozen=True, slots=True)
class LineDetector:
    """Finds what one line holds or begins.

    ``line``: patterns (Rust) of which a line must match one. ``named``: it goes by names, so that a name of the
    operator's makes a line worth a look, and in a file every line that names a secret. ``default_words``: only while
    the default key words count. ``hit`` has its secret in «»; ``miss`` looks alike and holds none.
    """

    name: str
    find: Callable[[Stretch], list[Span]]
    line: tuple[str, ...]
    hit: str
    miss: str
    wide: tuple[Wide, ...] = ()
    reach: Callable[[Stretch], list[Reach]] | None = None
    named: bool = True
    in_files: bool = True
    default_words: bool = False


@dataclass(frozen=True, slots=True)
class TextDetector:
    """Finds what only the text as a whole shows. It is given the text and those of its lines that match ``line``.

    ``anywhere``: patterns (Rust) of which the text must match one, if ``line`` has none. ``first``: lines inside of
    what it finds are not asked further.
    """

    name: str
    find: Callable[[Stretch, Sequence[Place]], list[Span]]
    hit: str
    miss: str
    line: tuple[str, ...] = ()
    wide: tuple[Wide, ...] = ()
    anywhere: tuple[str, ...] = ()
    reach: Callable[[Stretch, Sequence[Place]], list[Reach]] | None = None
    named: bool = False
    first: bool = False
    default_words: bool = False


Detector = LineDetector | TextDetector


def head_of(s: Stretch) -> str:
    """The stretch's line, where it is short enough to be kept."""
    return s.text[s.start : s.end] if s.end - s.start < HEAD else ""


def bounded(text: str, found: int, limit: int) -> int | None:
    """``found`` if it lies before ``limit``, else ``limit`` if the text goes so far."""
    if 0 <= found < limit:
        return found
    return limit if limit < len(text) else None


def lines_below(text: str, at: int, count: int, limit: int) -> int | None:
    """The end of the ``count``-th line below that is not blank, within ``limit``."""
    while count and at < min(len(text), limit):
        nl = text.find("\n", at)
        if nl < 0:
            return None
        count -= not text[at:nl].isspace() and nl > at
        at = nl + 1
    return at if not count or at > limit else limit if limit < len(text) else None


def dedent(text: str, at: int, indent: int, *, items: bool = False) -> int | None:
    """The start of the first line at or after ``at`` that is neither blank nor indented deeper than ``indent``.

    ``items``: a line as deep that begins with a dash belongs to the list above it.
    """
    while at < len(text):
        nl = text.find("\n", at)
        line = text[at : nl if nl >= 0 else len(text)]
        core = line.lstrip()
        depth = len(line) - len(core)
        if core and depth <= indent and not (items and depth == indent and core.startswith("- ")):
            return at
        if nl < 0:
            break
        at = nl + 1
    return None
