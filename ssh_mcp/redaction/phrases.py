"""Named secrets that are no ``key = value``: flags, pairs of name and value, XML, calls, directives, SQL, block scalars.

Every pattern begins at a literal or at a bounded name, so that one line costs time linear in its length.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction import kv, values
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.keys import KeyMatcher, Strength
from ssh_mcp.redaction.kv import Reading
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import is_secret

_FLAG = re.compile(r"(?<![\w\-.])-{1,2}([A-Za-z][\w.\-]{0,60})[ \t]{1,8}(?=[^\s\-|&;<>=])")
_FLAG_ITEM = re.compile(
    r"[\"']?-{1,2}([A-Za-z][\w.\-]{0,60})[\"']?,?\s{1,80}(?:-[ \t]+)?(?=[^\s\-])|[\"']-{1,2}([A-Za-z][\w.\-]{0,60})[\"'][ \t]*,\s{0,80}(?=[\"'])"
)
_HELP = re.compile(r"(?:^|\n)[ \t]*-[^\n]*\Z")
_METAVAR = re.compile(r"[A-Z][A-Z0-9_\-]*|\[?<?[a-z]+>?\]?(?=\s{2,}|$)")
_NAME_KEY = r"(?:name|key|param(?:eter)?_?(?:name|key)|env_?var|variable|option|id|property|secretname|setting)"
_VALUE_KEY = (
    r"(?:value|val|default|content|defaultvalue|secret_?value|param(?:eter)?_?value|data|current|string_?value)"
)
_PAIR = re.compile(
    rf"(?ix)(?<![\w.\-])[\"']?{_NAME_KEY}[\"']?+[ \t]{{0,9}}+(?:=>|[:=])[ \t]{{0,9}}+[\"']?+([\w.\-/]{{1,100}}+)[\"']?+"
    rf"(?>[ \t]{{0,9}},)?+\s{{0,60}}+(?>[\"']?+(?!{_VALUE_KEY}\b)\w{{1,30}}+[\"']?+[ \t]{{0,9}}+[:=][ \t]{{0,9}}+[\"']?+[\w.\-]{{0,60}}+[\"']?+[ \t]{{0,9}}+,?+\s{{1,60}}+){{0,2}}+"
    rf"[\"']?+{_VALUE_KEY}[\"']?+[ \t]{{0,9}}+(?:=>|[:=])[ \t]{{0,9}}+"
)
_LINES_ABOVE = 3
"""How far above its value the name of a pair may stand."""
_PAIR_XML = re.compile(
    r"<(?:name|key|string)>\s{0,20}([\w.\-]{1,100})\s{0,20}</(?:name|key|string)>\s{0,60}<(?:value|string|data)(?:\s[^<>]{0,100})?>([^<]{1,2000})<"
)
_ELEMENT = re.compile(
    r"<([A-Za-z][\w:.\-]{0,80})(?:\s[^<>]{0,400})?>\s{0,40}(?:<!\[CDATA\[)?([^<>]{1,4000}?)\s{0,40}(?:\]\]>\s{0,40})?</([\w:.\-]{1,80})"
)
_NAMED = re.compile(
    r"<\w[\w:.\-]{0,60}\s[^<>]{0,200}?\b(?:name|key|id)=[\"']([\w.\-]{1,100})[\"'][^<>]{0,200}>\s{0,40}([^<>]{1,2000}?)\s{0,40}<"
)
_CALL = re.compile(r"(\w{0,40})\(\s{0,8}[\"']([\w.\-]{1,100})[\"'][ \t]*,[ \t]*(?=[\"'])")
_SETTERS = frozenset("define setenv putenv setproperty set put getenv get env fetch environ config lookup_env".split())
_SPACED = re.compile(
    r"(?i)(?<![\w.\-])(?:ENV|ARG|setenv|setx|SetEnv|(?:proxy_|more_)?set_(?:input_)?headers?|add_header|set-header|add-header|fastcgi_param|uwsgi_param"
    r"|(?:Request)?Header[ \t]+(?:always[ \t]+)?(?:set|add|append))[ \t]+[\"']?([\w.\-]{1,80})[\"']?[ \t]+(?=\S)"
)
_VARIABLE = re.compile(r"\b(?:variable|output|resource\s+\"\w+\")\s+\"([\w\-]{1,100})\"\s*\{")
_DEFAULT = re.compile(r"(?:^[ \t]*|\{[ \t]*)(?:default|value|result)[ \t]*=[ \t]*", re.MULTILINE)
_DIRECTIVE = re.compile(
    r"^([ \t]*(?:[#;][ \t]*)?)([A-Za-z][\w.\-]{0,60})[ \t]{1,40}([^\s;]{1,512})[ \t]*;?[ \t]*\r?$", re.MULTILINE
)
_KNOWN_DIRECTIVE = frozenset(
    "requirepass masterauth rpcpassword bindpw rootpw auth_pass rootbindpw adminpw ldap-password auth-pass".split()
)
_NUMBERED = re.compile(
    r"(?i)\b(?:password|secret|key|passphrase|psk|key-string|md5)[ \t]+(?:encrypted[ \t]+)?[0-9][ \t]+(\S{4,512})"
)
_QUOTED_WORD = re.compile(
    r"(?i)(?<![\w\-.])(password|passwd|secret|passphrase|psk|wpa-psk|ascii-text|pre-shared-key|authentication-key|token)[ \t]+(?:ascii-text[ \t]+|plaintext-password[ \t]+|encrypted-password[ \t]+)?\"([^\"\r\n]{3,512})\""
)
_LOGIN = re.compile(
    r"\b(?:login|user|account|username)[ \t]+\S{1,128}\s{1,40}(?:password|passwd|account|pass)[ \t]+(?:\"([^\"\r\n]{1,512})\"|(\S{1,512}))"
)
_NETRC = re.compile(r"^[ \t]*(?:password|passwd)[ \t]+(\S{1,512})[ \t]*\r?$", re.MULTILINE)
_SQL = re.compile(
    r"(?i)(?<![\w\"'.\-])(?:IDENTIFIED\s{1,20}(?:WITH\s{1,20}\S{1,60}\s{1,20})?(?:BY|AS)(?:\s{1,20}PASSWORD)?\s{1,20}"
    r"|PASSWORD(?:\s{1,20}|\s{0,5}\(\s{0,5})|SET\s{1,20}PASSWORD\s[^=\n]{0,100}=\s{0,20})(\\{0,3}['\"])(?=[^\s'\",;)])"
)
_BLOCK = re.compile(
    r"^([ \t]*(?:- +)*)[\"']?([\w.\-]{1,100})[\"']?[ \t]*:[ \t]+(?:![\w!:/.\-]+[ \t]+|&\w+[ \t]+)*[|>][+\-0-9]{0,2}[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)
_PASSWORD_IS = re.compile(
    r"(?i)\b(?:(?:unseal|recovery) key \d+:|(?:password|passphrase|secret|token|passwd|pin code)\s+(?:is|was|set to|changed to|generated)|(?:temporary|initial|generated|default|root|admin)\s+password[^:=\n]{0,40})[ \t]*(?:is[ \t]*)?[:=]?[ \t]+[\"'`]?([^\s\"'`]{6,256})"
)


def scan(text: str, start: int, end: int, keys: KeyMatcher, reading: Reading, out: list[Span]) -> None:
    """Report what ``text[start:end]`` (whole lines) begins; pairs and blocks may reach beyond ``end``."""
    piece_has = text.find
    if piece_has("-", start, end) >= 0:
        _flags(text, start, end, keys, out)
    if piece_has("<", start, end) >= 0:
        _elements(text, start, end, keys, out)
    if piece_has("(", start, end) >= 0:
        _calls(text, start, end, keys, out)
    _pairs(text, start, end, keys, out)
    _blocks(text, start, end, keys, out)
    _variables(text, start, end, keys, out)
    if keys.default_words:
        _directives(text, start, end, keys, reading, out)
        _sentences(text, start, end, keys, out)


def _flags(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    lines = Lines(text)
    for m in _FLAG.finditer(text, start, end):
        strength = keys.strength(m[1])
        if strength and (span := _argument(text, m.end(), end, strength, own=keys.is_own(m[1]))):
            out.append(Span(*span, "flag", m[1]))
    for m in _FLAG_ITEM.finditer(text, start, end):
        name = m[1] or m[2]
        strength = keys.strength(name)
        if not strength or ("\n" not in m[0] and "," not in m[0]):
            continue
        if span := _argument(text, m.end(), lines.end(m.end()), strength, own=keys.is_own(name)):
            out.append(Span(*span, "flag", name))


def _argument(text: str, at: int, end: int, strength: Strength, *, own: bool) -> tuple[int, int] | None:
    """The value of a flag: a quoted string or one word; help texts and prose have none."""
    span = kv.quoted(text, at, end)
    if span is None:
        word = re.compile(r"[^\s\"'`]{1,65536}").match(text, at, end)
        if not word:
            return None
        if _METAVAR.fullmatch(word[0]) and (
            word[0].isupper() or values.is_status(word[0]) or text[word.end() : word.end() + 2] == "  "
        ):
            return None
        if word[0] in _NOT_ARGUMENT or values.is_code(word[0]) or re.match(r"\w+=", word[0]):
            return None
        span = word.span()
        if text.startswith("  ", word.end()) and _HELP.search(text, max(0, at - 120), at):
            return None  # a help text: the flag begins the line, and a column of words follows
        if word[0][-1] in ",;)]}" and not any(c in word[0] for c in "([{"):
            span = (span[0], span[1] - 1)
    value = text[slice(*span)]
    if (
        not is_secret(strength, value, own=own)
        or values.is_status(value)
        or strength is not Strength.STRONG
        and values.is_harmless(value)
    ):
        return None
    return span


_NOT_ARGUMENT = frozenset(
    "string strings value is was to and or for the from with option options flag must will not if when in stdin file text on off "
    "via through argument parameter instead deprecated required prompt interactive a an of as are by you your this that should can has".split()
)


def xml(text: str, keys: KeyMatcher, out: list[Span]) -> None:
    """All of an XML text: elements and pairs may stand on several lines."""
    _elements(text, 0, len(text), keys, out)
    _pairs(text, 0, len(text), keys, out)
    kv.scan(text, 0, len(text), keys, Reading.OUTPUT, out)


def _elements(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    for m in _ELEMENT.finditer(text, start, end):
        if m[1] == m[3] and is_secret(keys.strength(m[1]), m[2], own=keys.is_own(m[1])):
            out.append(Span(*m.span(2), "key", m[1]))
    for pattern in (_NAMED, _PAIR_XML):
        at = start
        while m := pattern.search(text, at, min(len(text), end + 2000)):
            if m.start() >= end:
                break
            at = m.end(1)
            if is_secret(keys.strength(m[1]), m[2], own=keys.is_own(m[1])):
                out.append(Span(*m.span(2), "key", m[1]))


def _calls(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    for m in _CALL.finditer(text, start, end):
        strength = keys.strength(m[2])
        if not strength or not m[1]:
            continue
        if (span := kv.quoted(text, m.end(), end)) is None:
            continue
        value = text[slice(*span)]
        plain = m[1].lower() in _SETTERS
        if is_secret(strength, value, own=keys.is_own(m[2])) and (plain or not values.is_harmless(value)):
            out.append(Span(*span, "key", m[2]))


def _pairs(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    lines = Lines(text)
    limit = min(len(text), end + 600)
    at = start
    for _ in range(_LINES_ABOVE if start else 0):
        at = text.rfind("\n", max(0, at - 300), max(0, at - 1)) + 1
    while m := _PAIR.search(text, at, limit):
        if m.start() >= end:
            return
        at = m.end(1)
        strength = keys.strength(m[1])
        if not strength:
            continue
        eol = lines.end(m.end())
        span = kv.quoted(text, m.end(), eol)
        if span is None:
            word = re.compile(r"[^\s,\"'}]{1,4096}").match(text, m.end(), eol)
            if not word or word[0][0] in "|>&*{[":
                continue
            span = word.span()
        value = text[slice(*span)]
        if inner := kv.reference_default(value):
            span = (span[0] + inner[0], span[0] + inner[1])
            value = text[slice(*span)]
        if is_secret(strength, value, own=keys.is_own(m[1])):
            out.append(Span(*span, "key", m[1]))


def _blocks(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    for m in _BLOCK.finditer(text, start, end):
        if not keys.strength(m[2]) or "!vault" in m[0]:
            continue
        span = block_content(text, m.end(), len(m[1].expandtabs()))
        if span and is_secret(keys.strength(m[2]), text[slice(*span)], own=keys.is_own(m[2])):
            out.append(Span(*span, "key", m[2]))


def block_content(text: str, at: int, indent: int) -> tuple[int, int] | None:
    """The lines after ``at`` that are indented deeper than ``indent``, without outer blanks."""
    at = text.find("\n", at)
    first = last = -1
    while 0 <= at < len(text):
        nl = text.find("\n", at + 1)
        line = text[at + 1 : nl if nl >= 0 else len(text)]
        core = line.strip()
        if core:
            depth = len(line) - len(line.lstrip())
            if depth <= indent:
                break
            if first < 0:
                first = at + 1 + depth
            last = at + 1 + len(line.rstrip())
        if nl < 0:
            break
        at = nl
    return (first, last) if first >= 0 else None


def _variables(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    lines = Lines(text)
    for m in _VARIABLE.finditer(text, start, end):
        strength = keys.strength(m[1])
        if not strength:
            continue
        stop = text.find("\n}", m.end(), m.end() + 2000)
        if d := _DEFAULT.search(text, m.end() - 1, stop if stop >= 0 else min(len(text), m.end() + 600)):
            span = kv.quoted(text, d.end(), lines.end(d.end()))
            if span and is_secret(strength, text[slice(*span)], own=keys.is_own(m[1])):
                out.append(Span(*span, "key", m[1]))


def _directives(text: str, start: int, end: int, keys: KeyMatcher, reading: Reading, out: list[Span]) -> None:
    for m in _DIRECTIVE.finditer(text, start, end):
        name, value = m[2], m[3]
        strength = keys.strength(name)
        known = name.lower() in _KNOWN_DIRECTIVE
        if not strength and not known:
            continue
        span = m.span(3)
        in_quotes = value[0] in "\"'" and value[-1] == value[0] and len(value) > 2
        if in_quotes:
            span, value = (span[0] + 1, span[1] - 1), value[1:-1]
        commented = bool(m[1].strip())
        if not known and (strength is not Strength.STRONG or values.is_status(value) or value[0] in "=:-([{"):
            if not (strength and values.looks_random(value)):
                continue
        if (
            not in_quotes
            and values.is_harmless(value)
            and (commented or not known)
            and not (reading is Reading.FILE and _plain_pair(text, m))
        ):
            continue
        if is_secret(max(strength, Strength.STRONG if known else strength), value, own=keys.is_own(name)):
            out.append(Span(*span, "key", name))


def _plain_pair(text: str, m: re.Match[str]) -> bool:
    """``password swordfish``: a lower-case directive in a configuration file, no heading and no sentence."""
    return not m[1].strip() and m[2].islower() and m[3].isalnum() and m[3].islower() and not values.is_status(m[3])


def _sentences(text: str, start: int, end: int, keys: KeyMatcher, out: list[Span]) -> None:
    lines = Lines(text)
    for m in _SPACED.finditer(text, start, end):
        strength = keys.strength(m[1])
        if m[1].lower() in {"authorization", "cookie"}:
            continue  # shapes.headers knows their inner form
        if strength and (span := _argument(text, m.end(), end, strength, own=keys.is_own(m[1]))):
            out.append(Span(*span, "key", m[1]))
    for pattern in (_NUMBERED, _PASSWORD_IS):
        for m in pattern.finditer(text, start, end):
            value = m[1]
            if not values.is_harmless(value) and not values.is_code(value) and not values.is_marker(value):
                out.append(Span(m.start(1), m.end(1) - (value[-1] in ".,;"), "key"))
    for m in _QUOTED_WORD.finditer(text, start, end):
        if is_secret(Strength.STRONG, m[2]) and not values.is_status(m[2]) and " " not in m[2]:
            out.append(Span(*m.span(2), "key", m[1]))
    for m in _LOGIN.finditer(text, start, end):
        group = 1 if m[1] is not None else 2
        if (
            is_secret(Strength.STRONG, m[group])
            and not values.is_status(m[group])
            and (m[0].startswith("login") or not values.is_harmless(m[group]))
        ):
            out.append(Span(*m.span(group), "key", "password"))
    for m in _SQL.finditer(text, start, end):
        if span := kv.quoted(text, m.start(1), min(end, lines.end(m.end()))):
            if is_secret(Strength.STRONG, text[slice(*span)]):
                out.append(Span(*span, "key", "password"))
