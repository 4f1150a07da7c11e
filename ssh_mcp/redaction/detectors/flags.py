"""``--password x``: a flag and its value, as words of a command or items of a list."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Reach, Wide, lines_below
from ssh_mcp.redaction.detectors.vocabulary import DASH, STEMS, insensitive
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place, quoted
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.words import words

_FLAG = re.compile(r"(?<![\w\-.])-{1,2}([A-Za-z][\w.\-]{0,60})[ \t]{1,8}(?=[^\s\-|&;<>=])")
_FLAG_ITEM = re.compile(
    r"[\"']?-{1,2}([A-Za-z][\w.\-]{0,60})[\"']?,?\s{1,80}(?:-[ \t]+)?(?=[^\s\-])"
    r"|[\"']-{1,2}([A-Za-z][\w.\-]{0,60})[\"'][ \t]*,\s{0,80}(?=[\"'])"
)
"""The flag as an item of a list: its value is the next item, perhaps on the next line."""
FLAG_AT_END = re.compile(r"(?:[\"']|(?<![^\s\[(])-[ \t]+)-{1,2}([A-Za-z][\w.\-]{0,60})[\"']?,?\s*\Z")
"""The same where the line ends: in quotes, or behind the dash of a YAML list."""
_ITEM_REACH = 100
_HELP = re.compile(r"(?:^|\n)[ \t]*-[^\n]*\Z")
_METAVAR = re.compile(r"[A-Z][A-Z0-9_\-]*|\[?<?[a-z]+>?\]?(?=\s{2,}|$)")
_ARGUMENT = re.compile(r"[^\s\"'`]{1,65536}")
_NO_ARGUMENT = words(
    "string strings value is was to and or for the from with option options flag must will not if when in stdin file",
    "text on off via through argument parameter instead deprecated required prompt interactive a an of as are by you",
    "your this that should can has",
)


def _flags(s: Stretch) -> list[Span]:
    out = [
        s.span(place, m[1], "flag")
        for m in _FLAG.finditer(s.text, s.start, s.end)
        if s.keys.strength(m[1]) and (place := argument(s, m.end(), s.lines.end(m.end()), m[1]))
    ]
    at = s.start
    while (m := _FLAG_ITEM.search(s.text, at, min(len(s.text), s.end + _ITEM_REACH))) and m.start() < s.end:
        name, at = m[1] or m[2], m.end()
        below = m.end() > s.end
        if (
            s.keys.strength(name)
            and ("," in m[0] or below)
            and (not below or FLAG_AT_END.search(s.text, max(s.start, m.start() - 9), s.end))
        ):
            place = argument(s, m.end(), s.lines.end(m.end()), name)
            out += [s.span(place, name, "flag")] if place else []
    return out


def argument(s: Stretch, at: int, end: int, name: str) -> Place | None:
    """The value of a flag: a quoted string or one word; help texts and prose have none."""
    place = quoted(s.text, at, end) or _bare_argument(s, at, end)
    if place is None:
        return None
    value = s.text[slice(*place)]
    strength = s.keys.strength(name)
    plain = values.is_status(value) or (strength is not Strength.STRONG and values.is_harmless(value))
    plain = plain or (name == "secret" and values.is_plain(value) and value.isalpha())  # the name of a secret
    return place if s.is_secret(name, value) and not plain else None


def _bare_argument(s: Stretch, at: int, end: int) -> Place | None:
    word = _ARGUMENT.match(s.text, at, end)
    if not word:
        return None
    value, column = word[0], s.text.startswith("  ", word.end())
    if _METAVAR.fullmatch(value.rstrip("])},")) and (value.isupper() or values.is_status(value) or column):
        return None
    if value in _NO_ARGUMENT or values.is_code(value) or re.match(r"\w+=", value):
        return None
    if column and _HELP.search(s.text, max(0, at - 120), at):
        return None  # a help text: the flag begins the line, and a column of words follows
    trailing = value[-1] in ",;)]}" and not any(c in value for c in "([{")
    return word.start(), word.end() - trailing


_REACH = 700


def _reach(s: Stretch) -> list[Reach]:
    m = FLAG_AT_END.search(s.text, s.start, s.end)
    return [Reach(s.start, lines_below(s.text, s.end, 1, s.end + _REACH))] if m and s.keys.strength(m[1]) else []


DETECTOR = LineDetector(
    name="flags",
    find=_flags,
    reach=_reach,
    wide=(Wide("dashes", rf"{DASH}-?[a-z\-.]*(?:{STEMS}|pw)[a-z0-9_.\-]*(?:[\"',]*(?:\s|$)|[\"']?,[\"'])"),),
    line=(
        insensitive(
            r"(?:--[A-Za-z0-9_.\-]*|[ \t\"']-[a-z]*)"
            r"(?:pass|pw|secret|token|key|cred|auth|bearer|cookie|jwt)[A-Za-z0-9_.\-]*"
            r"(?:[\"',]*(?:\s|$)|[\"']?,[\"'])"
        ),
    ),
    hit="app --password «hunter2x9» run",
    miss="app --password-file /run/x run",
)
