"""XML elements and attributes that a name makes secret: ``<password>x</password>``, over several lines too.

Patterns are bounded and possessive: a line full of beginnings costs no more than its length.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Reach, Wide, bounded
from ssh_mcp.redaction.detectors.vocabulary import ATTRIBUTE, NAMES, SOFT_NAMES, STEM, insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import is_prose

_PAIR_XML = re.compile(
    r"(?i)<(?:name|key|string)>[ \t]{0,20}([\w.\-]{1,100})[ \t]{0,20}</(?:name|key|string)>\s{0,60}"
    r"<(?:value|string|data)(?:\s[^<>]{0,100})?>([^<]{1,2000})<"
)
_RIAP_XML = re.compile(
    r"(?i)<(?![/!?])[\w:.\-]{1,60}(?:[ \t][^<>]{0,200})?>\s{0,60}<(?:value|string|data)>([^<]{1,2000})"
    r"</(?:value|string|data)>\s{0,60}<(?:name|key)>[ \t]{0,20}([\w.\-]{1,100})[ \t]{0,20}</"
)
"""The value first, directly inside its parent."""
_ABOVE = 2_400
"""Characters above a name in which such a parent begins."""
_ELEMENT = re.compile(
    r"<([A-Za-z][\w:.\-]{0,80})(?:\s[^<>]{0,400})?>\s{0,40}(?:<!\[CDATA\[)?([^<>]{1,4000}?)\s{0,40}"
    r"(?:\]\]>\s{0,40})?(?:</([\w:.\-]{0,80})|(?=[\r\n]|<?\Z))"
)
"""Its closing tag may be cut away."""
_IN_PATH = frozenset("/.:=-_")
"""Before a tag that is never closed: a placeholder in a path (``/<session-id>/``)."""
OPENING = re.compile(
    r"<([A-Za-z][\w:.\-]{0,80})(?:[ \t][^<>\n]{0,400})?(?:>[ \t]{0,40}(?:<!\[CDATA\[)?|(?=\r?\n))[ \t]{0,40}(?=\r?\n)"
)
"""An opening tag, or its first half, at a line's end."""
_LONG_ELEMENT = re.compile(
    r"<([A-Za-z][\w:.\-]{0,80})(?:\s[^<>]{0,400})?>\s{0,200}(?:<!\[CDATA\[\s{0,200})?([^<>]{1,4000}?)\s{0,200}"
    r"(?:\]\]>\s{0,200})?</([\w:.\-]{0,80})>"
)
LONG_REACH = 5_200
"""Characters behind its line in which an element ends that begins there."""
_CLOSING = re.compile(r"</([\w:.\-]{1,80})>")
_NAMED = re.compile(
    r"<\w[\w:.\-]{0,60}[ \t][^<>\n]{0,200}?\b(?:name|key|id)=[\"']([\w.\-]{1,100})[\"'][^<>]{0,200}>"
    r"\s{0,40}(?:<(?:value|string|data)(?:\s[^<>]{0,80})?>)?([^<>]{1,2000}?)\s{0,40}<"
)


def elements(s: Stretch) -> list[Span]:
    """``<password>x</password>``, ``<property name="password">x``, ``<name>password</name><value>x``."""
    out = [
        s.span(m.span(2), m[1])
        for m in _ELEMENT.finditer(s.text, s.start, s.end)
        if not (" " in m[2] and is_prose(m[2]))
        and not (m[3] is None and s.text[m.start() - 1 : m.start()] in _IN_PATH)
        and (m[3] in {m[1], None} or (m.end() == len(s.text) and m[1].startswith(m[3])))
        and s.is_secret(m[1], m[2])
    ]
    out += _headless(s) + _long_elements(s)
    if s.has("</name>") or s.has("</key>") or s.has("</Name>"):
        low = s.text.rfind("\n", 0, max(0, s.start - _ABOVE)) + 1
        out += [
            s.span(m.span(1), m[2])
            for m in _RIAP_XML.finditer(s.text, low, s.end)
            if m.end() > s.start and s.is_secret(m[2], m[1])
        ]
    for pattern in (_NAMED, _PAIR_XML):
        at = s.start
        while m := pattern.search(s.text, at, min(len(s.text), s.end + 2000)):
            if m.start() >= s.end:
                break
            at = m.end(1)
            if s.is_secret(m[1], m[2]):
                out.append(s.span(m.span(2), m[1]))
    return out


def _long_elements(s: Stretch) -> list[Span]:
    """An element whose opening tag ends its line: its content and its closing tag are below."""
    out = []
    for opening in OPENING.finditer(s.text, s.start, s.end):
        if not s.keys.strength(opening[1]):
            continue
        m = _LONG_ELEMENT.match(s.text, opening.start(), min(len(s.text), s.end + LONG_REACH))
        if m and m[3] == m[1] and not (" " in m[2] and is_prose(m[2])) and s.is_secret(m[1], m[2]):
            user = m[2].rfind("\n") + 1 if m[1] == "auth-user-pass" else 0  # OpenVPN: the user's name is above
            out.append(s.span((m.start(2) + user, m.end(2)), m[1]))
    return out


def _headless(s: Stretch) -> list[Span]:
    """``x</password>``: an element whose opening tag was cut away, or is on a line above."""
    out = []
    for m in _CLOSING.finditer(s.text, s.start, s.end):
        if s.keys.strength(m[1]):
            low = max(s.text.rfind(">", s.start, m.start()), s.text.rfind("<", s.start, m.start())) + 1
            low = max(low, s.start, m.start() - 4000)
            value = s.text[low : m.start()]
            place = low + len(value) - len(value.lstrip()), m.start() - (len(value) - len(value.rstrip()))
            if s.is_secret(m[1], s.text[slice(*place)]):
                out.append(s.span(place, m[1]))
    return out


_TAG_NAME = re.compile(r"<(?:name|key|string)>[ \t]*([\w.\-]{1,100})|\b(?:name|key|id)=[\"']([\w.\-]{1,100})")
_TAG_REACH = 2_400


def _reach(s: Stretch) -> list[Reach]:
    """A name's value may be as far as the third tag below it, a long element's end further."""
    if not s.has("<"):
        return []
    ends = [
        _third_tag(s.text, m.start() + 1, m.end() + _TAG_REACH)
        for m in _TAG_NAME.finditer(s.text, s.start, s.end)
        if s.keys.strength(m[1] or m[2])
    ]
    ends += [
        bounded(s.text, s.text.find(f"</{tag[1]}>", tag.end(), s.end + LONG_REACH), s.end + LONG_REACH)
        for tag in OPENING.finditer(s.text, s.start, s.end)
        if s.keys.strength(tag[1])
    ]
    return [Reach(s.start, end) for end in ends]


def _third_tag(text: str, at: int, limit: int) -> int | None:
    for _ in range(3):
        at = text.find("<", at, limit) + 1
        if not at:
            return limit if limit < len(text) else None
    return at


DETECTOR = LineDetector(
    name="XML elements",
    find=elements,
    reach=_reach,
    wide=(
        Wide("names", rf"{NAMES}(?:{ATTRIBUTE}|[ \t][a-z:.\-]+=[\"'][^<>\n]*>[ \t]*\r?(?:\n|$))"),
        Wide("soft names", rf"{SOFT_NAMES}{ATTRIBUTE}"),
    ),
    line=(
        insensitive(rf"<[\w:.\-]*{STEM}(?:[ \t>]|\r?(?:\n|$))"),
        insensitive(rf"{STEM}[\w.\-]*[ \t]*</"),
        insensitive(rf"(?:^|[^\w.\-])(?:name|key|id|string)[=>][ \t]*[\"']?[\w.\-/]*{STEM}"),
        insensitive(rf"</[\w:.\-]*{STEM}"),
    ),
    hit="<password>«hunter2x9»</password>",
    miss="<password></password>",
)
