"""Several values under one name: ``passwords: [a, b]``, ``{"a", "b"}``, ``new String[] {"a"}``, ``PASSWORDS=(a b)``.

A map's values are read by ``mappings``; a list of objects is none of ours.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ssh_mcp.redaction import values
from ssh_mcp.redaction.keys import KeyMatcher, Strength, words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import glued
from ssh_mcp.redaction.values import is_secret
from ssh_mcp.redaction.words import words

OPENING = re.compile(
    r"(?:new[ ])?(?:(?:(?:List|Set|Arrays|Collections|ImmutableList)\.(?:of|asList|singletonList)|array|list|tuple|set"
    r"|frozenset|vec!|Array\.of|[\w.]{1,40}(?:\[[\w]{0,20}\]){1,3}|(?:\[[\w]{0,20}\]){1,3}[\w.]{1,40})[ ]{0,2})?"
    r"@?[\[({][ \t]{0,8}(?=[\"'])"
    r"|%w[\[({]|\((?=[^\s()'\"$`][^()$`\n]{2,1024}\))"
)
"""Where the items begin: ``{"a", "b"}``, ``new String[] {"a"}``, ``[]string{"a"}``, ``array('a')``, ``(a b)``."""
LIST_END = re.compile(r"[\]{]")
_ITEM = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'")
_WORD_ITEM = re.compile(r"(?:\[[\w.\-]{1,60}\]=)?([^\s\[\](){}'\"]{3,512})")
_ONLY_ITEM = re.compile(r"\[([^\s\[\]{},\"']{3,256})\]")
_BARE_ITEMS = re.compile(r"\[((?:[ \t]*[^\s\[\]{},\"'$<]{1,256}[ \t]*,){0,64}[ \t]*[^\s\[\]{},\"'$<]{1,256}[ \t]*)\]")
_BARE_ITEM = re.compile(r"[^\s,]+")
"""YAML's lists without quotes."""
_CLOSING = {"{": "}", "(": ")", "[": "]"}
_DOTTED = re.compile(r"[A-Za-z_]\.[A-Za-z_]")
_PASSWORDS = words("password passwords passwd passphrase pwd pass pw passcode")
MAX_WORD = 4_096


class Listed(NamedTuple):
    """A list that begins at ``at``, on a line that ends at ``stop``. ``tight``: right behind an equals sign."""

    text: str
    at: int
    stop: int
    name: str
    strength: Strength
    keys: KeyMatcher
    tight: bool


def limit(at: int, line_end: int) -> int:
    """Up to where the end of a list that begins at ``at`` is looked for."""
    return max(min(line_end, at + 65_536), at) + MAX_WORD


def find(given: Listed) -> list[Span] | None:
    """The secrets of the list; None where what begins there is something else."""
    text, at = given.text, given.at
    opening = OPENING.match(text, at, given.stop)
    if opening and opening[0].rstrip(" \t") != "[":
        return _items(given, opening)
    if text[at] == "[":
        return [] if text.startswith("[(", at) else _bracketed(given)
    return [] if text[at] == "{" else None


def _items(given: Listed, opening: re.Match[str]) -> list[Span]:
    """The strings of a list, or the words of a shell's array."""
    text, at, stop = given.text, opening.end(), given.stop
    strength = max(given.strength, given.keys.plural(given.name))
    closing = text.find(_CLOSING.get(opening[0].rstrip()[-1], "\n"), at, stop)
    stop = closing if closing >= 0 else stop
    bare = opening[0].startswith(("%w", "(")) and text[at] not in "\"'"
    if bare and (values.is_reference(text[opening.start() : stop + 1]) or not (opening[0][0] == "%" or given.tight)):
        return []  # (sensitive value)
    found = [
        Span(*item.span(item.lastindex or 1), "key", given.name)
        for item in (_WORD_ITEM if bare else _ITEM).finditer(text, at, stop)
        if (bare or not _names(text, item.end())) and is_item(given.name, strength, item[item.lastindex or 1])
    ]
    if closing < 0 and not bare and opening[0].rstrip().endswith("("):  # ("a"⏎ "b")
        last = max((item.end() for item in _ITEM.finditer(text, at, stop)), default=at)
        more = glued(text, last, spaced=True)
        found += [Span(*place, "key", given.name) for place in more if is_secret(strength, text[slice(*place)])]
    return found


def _names(text: str, at: int) -> bool:
    """Whether what ends at ``at`` names a value: ``"root": "x"``."""
    return text[at : at + 8].lstrip(" \t'\"").startswith((":", "=>"))


def _bracketed(given: Listed) -> list[Span]:
    """``[…]``, which may go on over a few lines."""
    text, at, name = given.text, given.at, given.name
    end = LIST_END.search(text, at + 1, limit(at, given.stop))
    if end and end[0] == "{":
        return []
    strength = max(given.strength, given.keys.plural(name))
    if strength is Strength.STRONG and (m := _ONLY_ITEM.match(text, at, given.stop)):
        talk_of_it = values.is_plain(m[1]) or values.is_code(m[1]) or not is_secret(strength, m[1])
        return [] if talk_of_it else [Span(*m.span(1), "key", name)]  # a map that a program prints
    stop = end.start() if end else min(given.stop, at + MAX_WORD)
    found = []
    for m in _ITEM.finditer(text, at, stop):
        group = m.lastindex or 1
        plain = strength is not Strength.STRONG and (values.is_harmless(m[group]) or "\\" in m[group])
        if is_secret(strength, m[group]) and not plain and text[m.end() : m.end() + 1] != ")":
            found.append(Span(*m.span(group), "key", name))
    if not found and given.keys.plural(name) and (m := _BARE_ITEMS.match(text, at, given.stop)):
        found = [
            Span(*item.span(), "key", name)
            for item in _BARE_ITEM.finditer(text, *m.span(1))
            if is_secret(strength, item[0]) and not (values.is_plain(item[0]) or values.is_code(item[0]))
        ]
    return found


def is_compared(name: str, strength: Strength, value: str) -> bool:
    """Whether a literal compared with ``name`` is a secret rather than a word for something: ``token == "string"``."""
    if values.is_status(value) or values.is_code(value) or values.is_plain(value) or value.lower() == name.lower():
        return False
    return is_secret(strength, value)


def is_item(name: str, strength: Strength, value: str) -> bool:
    """Whether one literal of several is a secret; below ``passwords`` any word is."""
    if strength is not Strength.STRONG:
        mixed = any(c.isdigit() for c in value) and not _DOTTED.search(value)
        return mixed and is_compared(name, strength, value)
    last = (words_of(name) or [""])[-1]
    word = last in _PASSWORDS and " " not in value and value.lower() != name.lower()
    return is_compared(name, strength, value) or (word and not values.is_status(value) and is_secret(strength, value))
