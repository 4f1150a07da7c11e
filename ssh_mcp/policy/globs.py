"""Path patterns: ``**`` crosses slashes, ``*`` and ``?`` do not, ``[…]`` is one character. Pure.

A pattern is matched against the whole path. ``**/`` also matches nothing (``**/.env`` matches ``/.env``), and a
final ``/**`` also for the directory itself: a rule that hides what is inside is meant to hide the listing too.

Patterns become one regular expression a list. No input can make it slow: between two wildcards the first place that
fits is as good as any later one (what follows only has the more room), so every such stretch is an atomic group and
never tried again. What is left is a search for the last stretch, quadratic at worst in a path of bounded length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

Matcher = Callable[[str], bool]

_CLASS: Final = re.compile(r"\[([!^]?)(\]?[^\]/]*)\]")
_MAGIC: Final = re.compile(r"[*?\[/]")
"""What makes a pattern more than one plain name."""
_GLOBSTAR: Final = re.compile(r"\*\*+")


def matches(path: str, patterns: tuple[str, ...], *, ignore_case: bool = False) -> bool:
    """Whether any pattern matches the whole of ``path``; slashes are ``/``."""
    return bool(patterns) and matcher(patterns, ignore_case)(path)


def first_match(path: str, patterns: tuple[str, ...], *, ignore_case: bool = False) -> str | None:
    """The first pattern that matches, for a message. Costs one match more than ``matches``."""
    if not matches(path, patterns, ignore_case=ignore_case):
        return None
    return next((p for p in patterns if matcher((p,), ignore_case)(path)), None)


@lru_cache(maxsize=512)
def matcher(patterns: tuple[str, ...], ignore_case: bool = False) -> Matcher:
    """Compiled once a list. Patterns below ``**/`` share one search for the slash; plain names (``**/.env``) and ends
    of names (``**/*.pem``), which most are, need no regular expression.
    """
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    anywhere = [p[3:] for p in patterns if p.startswith("**/")]
    alternatives = [_translate(p) for p in patterns if not p.startswith("**/")]
    names = frozenset(p for p in anywhere if not ignore_case and not _MAGIC.search(p))
    ends = tuple(p[1:] for p in anywhere if not ignore_case and p[:1] == "*" and not _MAGIC.search(p[1:]))
    others = [p for p in anywhere if p not in names and (p[:1] != "*" or p[1:] not in ends)]
    if others:
        alternatives.append(f"(?:.*/)?(?:{'|'.join(map(_translate, others))})")
    whole = _compiled(alternatives, flags).match
    if not names and not ends:
        return lambda path: whole(path) is not None

    def matches_any(path: str) -> bool:
        return path[path.rfind("/") + 1 :] in names or path.endswith(ends) or whole(path) is not None

    return matches_any


def _compiled(alternatives: list[str], flags: int) -> re.Pattern[str]:
    return re.compile(f"(?:{'|'.join(alternatives or ['(?!)'])})\\Z", flags)


def may_match_below(directory: str, patterns: Iterable[str], *, ignore_case: bool = False) -> str | None:
    """A pattern that could match something inside ``directory`` (or it), decided without looking; None: surely none."""
    parts = tuple(directory.strip("/").split("/")) if directory.strip("/") else ()
    return next((p for p in patterns if _reaches(parts, p, ignore_case)), None)


@lru_cache(maxsize=4096)
def _reaches(parts: tuple[str, ...], pattern: str, ignore_case: bool) -> bool:
    segments = pattern.lstrip("/").split("/")
    for part, segment in zip(parts, segments, strict=False):
        if "**" in segment:
            return True
        if not matcher((segment,), ignore_case)(part):
            return False
    return len(segments) >= len(parts)


def _translate(pattern: str) -> str:
    """The regular expression for one pattern, without anchors; it must be followed by the end of the path."""
    directory_itself = pattern.endswith("/**") and pattern.strip("/*") != ""
    if directory_itself:
        pattern = pattern[:-3]
    sections = _GLOBSTAR.split(pattern)
    out = [_section(sections[0], last=len(sections) == 1)]
    for i, text in enumerate(sections[1:], start=1):
        last = i == len(sections) - 1
        if last and not text:
            out.append(".*")
        elif text.startswith("/") and (not sections[i - 1] or sections[i - 1].endswith("/")):
            # "a/**/b": the slash after ** belongs to the directories that it matches, of which there may be none
            out.append(_after_globstar(_section(text[1:], last=last), prefix="(?:.*?/)??", last=last))
        else:
            out.append(_after_globstar(_section(text, last=last), prefix=".*?", last=last))
    return "".join(out) + ("(?:/.*)?" if directory_itself else "")


def _after_globstar(section: str, *, prefix: str, last: bool) -> str:
    return f"{prefix}{section}" if last else f"(?>{prefix}{section})"


def _section(text: str, *, last: bool) -> str:
    """A stretch without ``**``. Only its last wildcard may be tried again, and only where the path must end here."""
    pieces = text.split("*")
    out = [_chunk(pieces[0])]
    for i, piece in enumerate(pieces[1:], start=1):
        if last and i == len(pieces) - 1:
            out.append(f"[^/]*{_chunk(piece)}")
        else:
            out.append(f"(?>[^/]*?{_chunk(piece)})")
    return "".join(out)


def _chunk(text: str) -> str:
    out: list[str] = []
    position = 0
    while position < len(text):
        character = text[position]
        bracket = _CLASS.match(text, position) if character == "[" else None
        if bracket and bracket.group(2):
            out.append(_character_class(bracket.group(1), bracket.group(2)))
            position = bracket.end()
            continue
        out.append("[^/]" if character == "?" else re.escape(character))
        position += 1
    return "".join(out)


def _character_class(negation: str, body: str) -> str:
    """``[a-z]`` or ``[!a-z]``. A class that says nothing sensible (``[z-a]``) matches nothing, as in the shell."""
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", body)
    candidate = f"[{'^/' if negation else ''}{escaped}]"
    try:
        re.compile(candidate)
    except re.error:
        return "(?!)"
    return candidate if negation else f"(?!/){candidate}"
