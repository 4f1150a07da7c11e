"""Named secrets whose name stands elsewhere than before a separator: pairs of name and value, XML, block scalars, HCL.

Patterns are bounded and possessive: a line full of beginnings costs no more than its length.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place, quoted, without_reference
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import is_prose

_NAME_KEY = r"(?:name|key|param(?:eter)?_?(?:name|key)|env_?var|variable|option|id|property|secretname|setting)"
_VALUE_KEY = (
    r"(?:value|val|default|content|defaultvalue|secret_?value|param(?:eter)?_?value|data|current|string_?value)"
)
_PAIR_HEAD = re.compile(rf"(?i)(?<![\w.\-])[\"']?{_NAME_KEY}[\"']?+[ \t]{{0,9}}+[:=]")
"""How ``_PAIR`` begins, all on one line: looked for in the stretch alone, the rest is only asked behind one."""
_PAIR = re.compile(
    rf"""(?ix)
    (?<![\w.\-]) ["']? {_NAME_KEY} ["']?+ [ \t]{{0,9}}+ (?:=>|[:=]) [ \t]{{0,9}}+ ["']?+ ([\w.\-/]{{1,100}}+) ["']?+
    (?> [ \t]{{0,9}} , )?+ \s{{0,60}}+
    (?> ["']?+ (?!{_VALUE_KEY}\b) \w{{1,30}}+ ["']?+ [ \t]{{0,9}}+ [:=] [ \t]{{0,9}}+      # other fields between
        ["']?+ [\w.\-]{{0,60}}+ ["']?+ [ \t]{{0,9}}+ ,?+ \s{{1,60}}+ ){{0,2}}+
    ["']?+ {_VALUE_KEY} ["']?+ [ \t]{{0,9}}+ (?:=>|[:=]) [ \t]{{0,9}}+
    """
)
_PAIR_WORD = re.compile(r"[^\s,\"'}]{1,4096}")
_PAIR_REACH = 600
"""Characters beyond its line in which a name's value may stand."""
_LINES_ABOVE = 3
"""How far above its value the name of a pair may stand."""
_PAIR_XML = re.compile(
    r"(?i)<(?:name|key|string)>[ \t]{0,20}([\w.\-]{1,100})[ \t]{0,20}</(?:name|key|string)>\s{0,60}"
    r"<(?:value|string|data)(?:\s[^<>]{0,100})?>([^<]{1,2000})<"
)
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
VARIABLE = re.compile(r"\b(?:variable|output|resource\s{1,9}\"\w{1,80}\")\s{1,9}\"([\w\-]{1,100})\"\s{0,9}\{")
_DEFAULT = re.compile(r"(?:^[ \t]*|\{[ \t]*)(?:default|value|result)[ \t]*=[ \t]*", re.MULTILINE)
BLOCK = re.compile(
    r"^([ \t]*(?:- +)*)[\"']?([\w.\-]{1,100})[\"']?[ \t]*:[ \t]+(?:![\w!:/.\-]+[ \t]+|&\w+[ \t]+)*"
    r"[|>][+\-0-9]{0,2}[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)


def scan(s: Stretch) -> list[Span]:
    """All of this module's kinds."""
    out = elements(s) if s.has("<") else []
    return out + pairs(s) + _blocks(s) + _variables(s)


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
    """An element whose opening tag ends its line: its content and its closing tag stand below."""
    out = []
    for opening in OPENING.finditer(s.text, s.start, s.end):
        if not s.keys.strength(opening[1]):
            continue
        m = _LONG_ELEMENT.match(s.text, opening.start(), min(len(s.text), s.end + LONG_REACH))
        if m and m[3] == m[1] and not (" " in m[2] and is_prose(m[2])) and s.is_secret(m[1], m[2]):
            user = m[2].rfind("\n") + 1 if m[1] == "auth-user-pass" else 0  # OpenVPN: the user's name stands above
            out.append(s.span((m.start(2) + user, m.end(2)), m[1]))
    return out


def _headless(s: Stretch) -> list[Span]:
    """``x</password>``: an element whose opening tag was cut away, or stands on a line above."""
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


def pairs(s: Stretch) -> list[Span]:
    """``name: DB_PASSWORD`` and ``value: x``, in this order, on one line or on neighbouring ones."""
    text, out = s.text, []
    at = s.start
    for _ in range(_LINES_ABOVE if at else 0):
        at = text.rfind("\n", max(0, at - 300), max(0, at - 1)) + 1
    limit = min(len(text), s.end + _PAIR_REACH)
    while head := _PAIR_HEAD.search(text, at, s.end):
        m = _PAIR.match(text, head.start(), limit)
        at = m.end(1) if m else head.start() + 1
        if not m:
            continue
        if s.keys.strength(m[1]) and (place := _pair_value(s, m.end())):
            place = without_reference(text, place)
            if s.is_secret(m[1], text[slice(*place)]):
                out.append(s.span(place, m[1]))
    return out


def _pair_value(s: Stretch, at: int) -> Place | None:
    eol = s.lines.end(at)
    if place := quoted(s.text, at, eol):
        return place
    word = _PAIR_WORD.match(s.text, at, eol)
    return word.span() if word and word[0][0] not in "|>&*{[" else None


def _blocks(s: Stretch) -> list[Span]:
    """``password: |`` and the lines indented below it."""
    out = []
    for m in BLOCK.finditer(s.text, s.start, s.end):
        if s.keys.strength(m[2]) and "!vault" not in m[0]:
            place = block_content(s.text, m.end(), len(m[1].expandtabs()))
            if place and s.is_secret(m[2], s.text[slice(*place)]):
                out.append(s.span(place, m[2]))
    return out


def block_content(text: str, at: int, indent: int) -> Place | None:
    """The lines after ``at`` that are indented deeper than ``indent``, without outer blanks."""
    at = text.find("\n", at)
    first = last = -1
    while 0 <= at < len(text):
        nl = text.find("\n", at + 1)
        line = text[at + 1 : nl if nl >= 0 else len(text)]
        if line.strip():
            depth = len(line) - len(line.lstrip())
            if depth <= indent:
                break
            first = at + 1 + depth if first < 0 else first
            last = at + 1 + len(line.rstrip())
        if nl < 0:
            break
        at = nl
    return (first, last) if first >= 0 else None


def _variables(s: Stretch) -> list[Span]:
    """Terraform: the default of a variable with a secret name."""
    out = []
    for m in VARIABLE.finditer(s.text, s.start, s.end):
        strength = s.keys.strength(m[1])
        if strength is Strength.NONE:
            continue
        stop = s.text.find("\n}", m.end(), m.end() + 2000)
        d = _DEFAULT.search(s.text, m.end() - 1, stop if stop >= 0 else min(len(s.text), m.end() + _PAIR_REACH))
        place = quoted(s.text, d.end(), s.lines.end(d.end())) if d else None
        if place and s.is_secret(m[1], s.text[slice(*place)]) and not values.is_status(s.text[slice(*place)]):
            out.append(s.span(place, m[1]))
    return out
