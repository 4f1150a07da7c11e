"""What a word with expansions could become, as far as its literal characters go, and whether a path pattern fits it.

A shape is a sequence of single characters and wildcards. It is compared with a glob by walking both at once (the
product of two small automata). Two unknowns always fit each other, so a fit only counts where characters that are in
the command met significant ones of the pattern: ``"$dir/$file"`` and ``*.conf`` name nothing, ``/etc/$file`` may well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

ANY: Final = 0
STAR: Final = 1
ONE: Final = 2
VISIBLE_STAR: Final = 3
VISIBLE_ONE: Final = 4
"""ANY: any text; STAR, ONE: any text or character without slash; VISIBLE_*: the same where no dot begins a name."""

Token = str | int
Shape = tuple[Token, ...]

_GLOB = re.compile(r"\*\*/?|\*|\?|\[[!^]?\]?[^\]/]*\]|.", re.DOTALL)
_BRACKET = re.compile(r"\[[!^]?\]?[^\]/]*\]")


def literal(text: str) -> Shape:
    return tuple(text)


def from_glob(text: str, start: bool = True) -> Shape:
    """Unquoted text as the shell's pathname expansion reads it. ``start``: a path component begins here."""
    out: list[Token] = []
    at = 0
    while at < len(text):
        c = text[at]
        fresh = out[-1] == "/" if out else start
        bracket = _BRACKET.match(text, at) if c == "[" else None
        if c == "*":
            out.extend((VISIBLE_STAR, STAR) if fresh else (STAR,))
        elif c == "?" or bracket:
            out.append(VISIBLE_ONE if fresh else ONE)
        else:
            out.append(c)
        at = bracket.end() if bracket else at + 1
    return tuple(out)


def normal(shape: Shape) -> Shape:
    """``//``, ``/./`` and ``name/..`` taken out, and what leads through ``/proc/…/root``."""
    if all(isinstance(t, str) for t in shape):
        return literal(normal_path("".join(str(t) for t in shape)))
    out: list[Token] = []
    for token in shape:
        if token == "/" and out[-1:] == ["/"]:
            continue
        out.append(token)
        if out[-3:] == ["/", ".", "/"]:
            del out[-2:]
    return tuple(out)


def normal_path(path: str) -> str:
    """A path without ``.``, ``..`` and doubled slashes, read lexically."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
            if part == "root" and len(parts) >= 3 and parts[-3] == "proc":
                parts.clear()
    return ("/" if path.startswith("/") else "") + "/".join(parts)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A configured glob. ``weak`` are the places of an ending behind a literal name: ``conf`` in ``pgpass.conf``."""

    shape: Shape
    weak: frozenset[int]


@lru_cache(maxsize=1024)
def pattern(glob: str) -> tuple[Pattern, ...]:
    """The shapes of a configured glob; a trailing ``/**`` also means the directory itself."""
    out: list[Token] = []
    for piece in _GLOB.findall(glob):
        if piece.startswith("**"):
            out.append(ANY)
            if piece.endswith("/") and len(out) == 1:
                out.append("/")
        elif piece == "*":
            out.append(STAR)
        elif piece == "?" or (piece.startswith("[") and len(piece) > 1):
            out.append(ONE)
        else:
            out.append(piece)
    shape = tuple(out)
    found = (Pattern(shape, _ending(shape)),)
    return (*found, Pattern(shape[:-2], frozenset())) if shape[-2:] == ("/", ANY) and len(shape) > 2 else found


def _ending(shape: Shape) -> frozenset[int]:
    start = max((i for i, t in enumerate(shape) if t == "/"), default=-1) + 1
    dot = max((i for i in range(start, len(shape)) if shape[i] == "."), default=start)
    named = any(isinstance(t, str) and t.isalnum() for t in shape[start:dot])
    return frozenset(range(dot, len(shape))) if named else frozenset()


class Budget:
    """Steps that one command may cost; beyond them the result is yes."""

    def __init__(self, steps: int = 400_000) -> None:
        self.left = steps


def fits(shape: Shape, glob: str, budget: Budget) -> bool:
    """Whether ``shape`` could become a path that ``glob`` matches, with a significant character in common."""
    budget.left -= 1
    return budget.left < 0 or any(_ends_agree(shape, p.shape) and _walk(shape, p, budget) for p in pattern(glob))


def _ends_agree(shape: Shape, glob: Shape) -> bool:
    """A quick look at the literal characters at both ends."""
    for a, b in (*zip(shape, glob, strict=False), (0, 0)):
        if not isinstance(a, str) or not isinstance(b, str):
            break
        if a != b:
            return False
    for a, b in (*zip(reversed(shape), reversed(glob), strict=False), (0, 0)):
        if not isinstance(a, str) or not isinstance(b, str):
            break
        if a != b:
            return False
    return True


def _walk(shape: Shape, wanted: Pattern, budget: Budget) -> bool:
    glob = wanted.shape
    stack = [(0, 0, False)]
    seen = set(stack)
    while stack:
        budget.left -= 1
        if budget.left < 0:
            return True
        i, j, met = stack.pop()
        if i == len(shape) and j == len(glob):
            if met:
                return True
            continue
        for state in _steps(shape, wanted, i, j, met):
            if state not in seen:
                seen.add(state)
                stack.append(state)
    return False


def _steps(shape: Shape, wanted: Pattern, i: int, j: int, met: bool) -> list[tuple[int, int, bool]]:
    glob = wanted.shape
    a = shape[i] if i < len(shape) else None
    b = glob[j] if j < len(glob) else None
    found = []
    if a in (ANY, STAR):
        found.append((i + 1, j, met))
    elif a == VISIBLE_STAR:
        found.append((i + 2, j, met))
    if b in (ANY, STAR):
        found.append((i, j + 1, met))
    if a is None or b is None:
        return found
    after_a = i if a in (ANY, STAR) else i + 1
    after_b = j if b in (ANY, STAR) else j + 1
    if _meet(a, b) and (after_a, after_b) != (i, j):
        counts = isinstance(b, str) and j not in wanted.weak and speaks(shape, i)
        found.append((after_a, after_b, met or counts))
    return found


def speaks(shape: Shape, at: int) -> bool:
    """Whether the token says something: a letter, a digit, or the dot of a hidden name."""
    token = shape[at]
    return isinstance(token, str) and (token.isalnum() or (token == "." and (at == 0 or shape[at - 1] == "/")))


def _meet(a: Token, b: Token) -> bool:
    """Whether one character can be both."""
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    wild, other = (a, b) if isinstance(a, int) else (b, a)
    if isinstance(other, int):
        return True
    if wild == ANY:
        return True
    return other != "/" and not (wild in (VISIBLE_STAR, VISIBLE_ONE) and other == ".")
