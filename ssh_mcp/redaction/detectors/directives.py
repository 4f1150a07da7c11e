"""``requirepass x``, ``ENV NAME value``, ``set -gx NAME value``: a name, a blank and a value."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.flags import argument
from ssh_mcp.redaction.detectors.vocabulary import DIRECTIVE, NAME, NAMES, SOFT_NAMES, STEMS, insensitive
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading
from ssh_mcp.redaction.words import words

_SPACED = re.compile(
    r"(?i)(?<![\w.\-])(?:ENV|ARG|setenv(?:[ \t]+-\w)*|setx|SetEnv|(?:proxy_|more_)?set_(?:input_)?headers?|add_header"
    r"|set-header"
    r"|add-header|fastcgi_param|uwsgi_param|(?:Request)?Header[ \t]+(?:always[ \t]+)?(?:set|add|append))"
    r"[ \t]+[\"']?([\w.\-]{1,80})[\"']?[ \t]+(?=\S)"
)
_FISH = re.compile(
    r"(?<![\w.:\-])set(?:[ \t]{1,4}-{1,2}[A-Za-z][\w\-]{0,20}){1,4}[ \t]{1,4}(\w{1,80})[ \t]{1,4}"
    r"(?:\"([^\"\n]{1,512})\"|'([^'\n]{1,512})'|([^\s\"'$(\-][^\s;()]{0,511}))[ \t]*(?:[;#]|\r?$)",
    re.MULTILINE,
)
"""``set -gx NAME value`` (fish(1)); several words are a list of something else."""
_DIRECTIVE = re.compile(
    r"^([ \t]*(?:[#;][ \t]*)?)([A-Za-z][\w.\-]{0,60})[ \t]{1,40}([^\s;]{1,512})[ \t]*;?[ \t]*\r?$", re.MULTILINE
)
_KNOWN_DIRECTIVE = words(
    "requirepass masterauth rpcpassword bindpw rootpw auth_pass rootbindpw adminpw ldap-password auth-pass"
)


def _directives(s: Stretch) -> list[Span]:
    """A line of two words: ``requirepass x``, ``password x``."""
    out = []
    for m in _DIRECTIVE.finditer(s.text, s.start, s.end):
        known = m[2].lower() in _KNOWN_DIRECTIVE
        if not known and not s.keys.strength(m[2]):
            continue
        place, value = m.span(3), m[3]
        in_quotes = value[0] in "\"'" and value[-1] == value[0] and len(value) > 2
        if in_quotes:
            place, value = (place[0] + 1, place[1] - 1), value[1:-1]
        if known or _is_directive(s, m, value, in_quotes=in_quotes):
            commented = bool(m[1].strip())
            if commented and not in_quotes and values.is_plain(value):
                continue
            if s.is_secret(m[2], value, Strength.STRONG if known else Strength.NONE):
                out.append(s.span(place, m[2]))
    return out


def _is_directive(s: Stretch, m: re.Match[str], value: str, *, in_quotes: bool) -> bool:
    if s.keys.strength(m[2]) is not Strength.STRONG or values.is_status(value) or value[0] in "=:-([{*&":
        return values.looks_random(value)
    if in_quotes or not values.is_plain(value):
        return True
    # "password swordfish" in a configuration file: a lower-case directive, no heading and no sentence.
    plain = not m[1].strip() and m[2].islower() and m[3].isalnum() and m[3].islower()
    return plain and s.reading is Reading.FILE


def _headers(s: Stretch) -> list[Span]:
    """``ENV NAME value``, ``proxy_set_header X-Api-Key value``."""
    out = []
    for m in _SPACED.finditer(s.text, s.start, s.end):
        if m[1].lower() in {"authorization", "cookie"}:
            continue  # shapes.headers knows their inner form
        if s.keys.strength(m[1]) and (place := argument(s, m.end(), s.lines.end(m.end()), m[1])):
            out.append(s.span(place, m[1]))
    for m in _FISH.finditer(s.text, s.start, s.end):
        group = next(n for n in (2, 3, 4) if m[n] is not None)
        if len(m[group]) > 2 and s.is_secret(m[1], m[group]) and not values.is_status(m[group]):
            out.append(s.span(m.span(group), m[1]))
    return out


def _find(s: Stretch) -> list[Span]:
    return _directives(s) + _headers(s)


_N = r"[A-Za-z0-9_.\-]*"
DETECTOR = LineDetector(
    name="directives",
    find=_find,
    default_words=True,
    wide=(
        Wide("names", rf"{NAMES}{DIRECTIVE}"),
        Wide("soft names", rf"{SOFT_NAMES}[ \t]+[0-9][ \t]+[^\s]{{4}}"),
        Wide("rare", r"(?:irepass|terauth|rpcpassword|th_pass|ndpw|otpw)[ \t]+\S"),
        Wide("tables", r"(?:tion-key|ey-string|ared-key)[ \t]+[^\s]{4}"),
        Wide("tables", r"(?:account|access|secret)[._]?key[a-z0-9_.\-]*[ \t]+[^\s]{8}"),
        Wide(
            "values",
            rf"(?:env |arg |setenv |setenv -[a-z] |setx |header |param |env\t)[ \t]*{NAME}(?:{STEMS})",
        ),
        Wide(
            "comparisons",
            r"set -{1,2}[a-z][a-z\-]*(?:[ \t]+-{1,2}[a-z][a-z\-]*)*[ \t]+[a-z0-9_]*"
            r"(?:pass|pwd|secret|token|cred|psk|key|auth|cookie|jwt|dsn)",
        ),
    ),
    line=(
        (
            r"(?m-u:^[ \t#;]*[\w.\-]*(?i:passw|secret|token|psk|pass|key|auth|pw"
            r"|cred)[\w.\-]*[ \t]+[!-:<-~][!-~]*[ \t]*;?\r?$)"
        ),
        insensitive(
            r"(?:env|arg|setenv|setx|header|param|header set|setenv[ \t]+-\w|set(?:[ \t]+-{1,2}[\w\-]+)+)[ \t]+"
            rf"{_N}(?:pass|secret|token|key|auth|cookie|cred|pwd){_N}[ \t]+\S"
        ),
    ),
    hit="requirepass «hunter2x9»",
    miss="requirepass no",
)
