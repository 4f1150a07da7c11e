"""What is below a secret name, read line by line: ``passwords:`` and the accounts under it,
``"db_password": {`` and its ``value``, ``secret_key = (`` and the string on the next line.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Reach, Wide, bounded, dedent, head_of
from ssh_mcp.redaction.detectors.vocabulary import BELOW, insensitive
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import block_content, glued
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import speaks_of_secrets
from ssh_mcp.redaction.values import is_harmless, is_status
from ssh_mcp.redaction.words import words

_VALUE_NAMES = words("value val content secret_value secretvalue plaintext plain string_value stringvalue")
_NAMES = words("name key id variable option parameter property setting field")
HEADING = re.compile(
    r"^([ \t]*(?:- +)*)"
    r"(?:\{[ \t]{0,9}|(?:[\w:<>\[\]]{1,40}[ \t]{1,4}[*&]?){1,5}(?=[\w.\-]{1,100}(?:\[\])?[ \t]{0,9}=))?"
    r"[\"']?([\w.\-]{1,100})[\"']?(?:\[\])?[ \t]{0,9}(?:=>|[:=])[ \t]{0,9}([{(]?)[ \t]*(?:#[^\n]*)?\r?$",
    re.MULTILINE,
)
_ENTRY = re.compile(
    r"^[ \t]+(?:- +)?[\"']?([\w.@\-]{1,100})[\"']?[ \t]{0,9}(?:=>|[:=])[ \t]{1,9}"
    r"(?:\"((?:[^\"\\\n]|\\.)*+)\"|'([^'\n]*+)'|([^\s\"'{}\[\]|>&*!#,][^\n#,]{0,512}?))[ \t]*,?[ \t]*(?:#[^\n]*)?\r?$",
    re.MULTILINE,
)
_DASHED = re.compile(
    r"[ \t]*-[ \t]+(?:\"((?:[^\"\\\n]|\\.)*+)\"|'([^'\n]*+)'"
    r"|([^\s\"'{}\[\]|>&*!#,-][^\s#,]{0,512}))[ \t]*(?:#[^\n]*)?\r?"
)
SECTION = re.compile(
    r"^[ \t]*\[+[\"']?(?:[\w\-]{1,60}\.)*([\w\-]{1,60})[\"']?\]+[ \t]*(?:[#;][^\n]*)?\r?$", re.MULTILINE
)
"""A table's head: ``[credentials]``, ``[app.passwords]``."""
_SECTION_ENTRY = re.compile(
    r"^[ \t]*([\w.@\-]{1,100})[ \t]{0,9}[=:][ \t]{0,9}"
    r"(?:\"((?:[^\"\\\n]|\\.)*+)\"|'([^'\n]*+)'|([^\s\"'{}\[\]#;][^\n#;]{0,512}?))"
    r"[ \t]*(?:[#;][^\n]*)?\r?$",
    re.MULTILINE,
)
_SECTION_MAX = 8_192
"""Characters of a section that are read."""
_INLINE = re.compile(r"(?<![\w.\-])[\"']?([\w.\-]{1,100})[\"']?[ \t]{0,9}(?:=>|[:=])[ \t]{0,9}\{(?=([^{}\n]{1,4096}))")
_ITEM = re.compile(
    r"[\"']?([\w.@\-]{1,100})[\"']?[ \t]{0,9}(?:=>|[:=])[ \t]{0,9}"
    r"(?:\"((?:[^\"\\\n]|\\.)*+)\"|'([^'\n]*+)'|([^\s\"'{}\[\],]{1,512}))"
)
_NEXT = re.compile(
    r"[ \t]*\r?\n[ \t]+[bruf]{0,2}(?:\"((?:[^\"\\\n]|\\.)+)\"|'((?:[^'\\\n]|\\.)+)')[ \t]*[,;)}]*[ \t]*\r?$",
    re.MULTILINE,
)
_BARE = re.compile(
    r"\r?\n([ \t]+)([^\s\"'#|>&*!\[\]{}(),`$<-][^\s\"'`<>]{3,511})[ \t]*(?=\r?(?:\n|\Z))(?!\r?\n\1[ \t]*\S)"
)
"""YAML's plain scalar below its key: one word, and nothing else as deep as it."""


def scan(s: Stretch) -> list[Span]:
    """Everything of this module that begins in the stretch."""
    out = _inline(s) if s.has("{") else []
    for m in HEADING.finditer(s.text, s.start, s.end):
        out += _under(s, m)
    for m in SECTION.finditer(s.text, s.start, s.end):
        if s.keys.plural(m[1]):
            for entry in _SECTION_ENTRY.finditer(s.text, m.end(), _section_end(s.text, m.end()) or len(s.text)):
                out += [span] if (span := _secret_in(s, m[1], entry)) else []
    return out


def _section_end(text: str, at: int) -> int | None:
    """Where the next section begins; None where the text ends before."""
    found = SECTION.search(text, at + 1, at + _SECTION_MAX)
    return bounded(text, found.start() if found else -1, at + _SECTION_MAX)


def _under(s: Stretch, heading: re.Match[str]) -> list[Span]:
    """The entries directly below a heading, or the one string there."""
    name = heading[2]
    if not (s.keys.strength(name) or s.keys.plural(name)):
        return []
    eol = heading.end()
    if heading[3] != "{" and (m := _NEXT.match(s.text, eol - s.text[:eol].endswith("\r"), eol + 4_500)):
        group = 1 if m[1] is not None else 2
        if s.keys.strength(name) is not Strength.STRONG or not s.is_secret(name, m[group]):
            return []
        more = glued(s.text, m.end(group) + 1, spaced=True)
        return [s.span(m.span(group), name), *(s.span(place, name) for place in more)]
    if heading[0].rstrip().endswith(":") and (word := _bare_below(s, heading)) is not None:
        return [word]
    if not heading[3] and (strength := s.keys.plural(name)) and (found := _items(s, heading, strength)):
        return found
    place = block_content(s.text, eol, len(heading[1].expandtabs()))
    if place is None or heading[3] == "(":
        return []
    first = s.text.rfind("\n", 0, place[0]) + 1
    depth = place[0] - first
    return [
        span
        for m in _ENTRY.finditer(s.text, first, place[1])
        if (span := _secret_in(s, name, m, deeper=len(m[0]) - len(m[0].lstrip(" \t")) != depth))
    ]


def _bare_below(s: Stretch, heading: re.Match[str]) -> Span | None:
    """The one word below ``password:``, where it is none of the language's or the program's."""
    m = _BARE.match(s.text, heading.end() - s.text[: heading.end()].endswith("\r"))
    if m is None or len(m[1].expandtabs()) <= len(heading[1].expandtabs()):
        return None
    name, value = heading[2], m[2]
    talk = values.is_plain(value) or values.is_code(value) or is_status(value) or values.is_path(value)
    if talk or value.endswith((":", "=", ".", "?")) or s.keys.strength(name) is not Strength.STRONG:
        return None
    return s.span(m.span(2), name) if s.is_secret(name, value) else None


def _items(s: Stretch, heading: re.Match[str], strength: Strength) -> list[Span]:
    """``- x`` lines directly below ``passwords:``, indented or not."""
    out: list[Span] = []
    at = s.text.find("\n", heading.end()) + 1
    while at and at < len(s.text):
        nl = s.text.find("\n", at)
        end = len(s.text) if nl < 0 else nl
        m = _DASHED.fullmatch(s.text, at, end)
        if m is None or s.text.find("-", at, end) - at < len(heading[1].expandtabs()):
            break
        group = next(g for g in (1, 2, 3) if m[g] is not None)
        value = m[group]
        plain = values.is_status(value) or values.is_code(value) or value.endswith(":")
        if not plain and s.is_secret("", value, strength):
            out.append(s.span(m.span(group), heading[2]))
        at = end + 1
    return out


def _inline(s: Stretch) -> list[Span]:
    return [
        span
        for outer in _INLINE.finditer(s.text, s.start, s.end)
        if s.keys.strength(outer[1]) or s.keys.plural(outer[1])
        for m in _ITEM.finditer(s.text, *outer.span(2))
        if (span := _secret_in(s, outer[1], m))
    ]


def _secret_in(s: Stretch, name: str, entry: re.Match[str], *, deeper: bool = False) -> Span | None:
    """The value of an entry; one that is ``deeper`` than the heading's own counts if it is called a value."""
    if entry[4] is not None and s.has("{") and entry[4][0].isupper() and speaks_of_secrets(entry[4].rstrip()):
        return None  # a name of the program's: {"x25519": X25519PrivateKey}
    if deeper and entry[1].lower() not in _VALUE_NAMES and not s.keys.plural(name):
        return None
    group = next(g for g in (2, 3, 4) if entry[g] is not None)
    value = entry[group].rstrip()
    start = entry.start(group)
    if is_secret_under(s, name, entry[1], value):
        return s.span((start, start + len(value)), entry[1])
    return None


def is_secret_under(s: Stretch, name: str, child: str, value: str) -> bool:
    """Whether ``child: value`` below ``name`` is a secret that ``child`` itself does not name."""
    strength = s.keys.strength(name)
    if is_status(value) or values.is_code(value):
        return False
    if child.lower() in _VALUE_NAMES and strength:
        return s.is_secret(name, value)
    if s.keys.speaks_about(child):
        return False
    plural = s.keys.plural(name)
    if not plural:  # password: {production: x}
        plain = child.lower() in _NAMES or values.is_plain(value) or " " in value
        return strength is Strength.STRONG and not plain and s.is_secret(name, value)
    return s.is_secret(child, value, plural) and (plural is Strength.STRONG or not is_harmless(value))


def _reach(s: Stretch) -> list[Reach]:
    if (head := SECTION.match(s.text, s.start, s.end)) and s.keys.plural(head[1]):
        return [Reach(s.start, _section_end(s.text, head.end()), head_of(s))]
    m = HEADING.match(s.text, s.start, s.end)
    if m is None or not (s.keys.strength(m[2]) or s.keys.plural(m[2])):
        return []
    return [Reach(s.start, dedent(s.text, s.end, len(m[1].expandtabs()), items=True), head_of(s))]


_BELOW = rf"(?:pass|pwd|secret|token|cred|psk|key)[a-z0-9_.\-]*{BELOW}"
_AUTH_BELOW = rf"auths?{BELOW}"
_HEADS = r"(?:passw(?:or)?ds|secrets|tokens|cred(?:ential)?s)[\"']?\]"
_AUTH_HEADS = r"auths?[\"']?\]"
DETECTOR = LineDetector(
    name="mappings below a name",
    find=scan,
    reach=_reach,
    wide=(
        Wide("names", _BELOW),
        Wide("names", _HEADS),
        Wide("soft names", _AUTH_BELOW),
        Wide("soft names", _AUTH_HEADS),
    ),
    line=(insensitive(_BELOW), insensitive(rf"{_HEADS}|{_AUTH_BELOW}|{_AUTH_HEADS}")),
    hit="credentials:\n  user: app\n  value: «hunter2x9»",
    miss="credentials:\n  user: app\n  region: eu-west-1",
)
