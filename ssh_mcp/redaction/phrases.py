"""Named secrets by grammar: flags, calls with a name and a value, directives, SQL, sentences that tell a password."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place, quoted
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading
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
_CALL = re.compile(r"(\w{0,40})\(\s{0,8}[\"']([\w.\-]{1,100})[\"'][ \t]*,[ \t]*(?=[\"'])")
_SETTERS = words("define setenv putenv setproperty set put getenv get env fetch environ config lookup_env")
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
_NUMBERED = re.compile(
    r"(?i)\b(?:password|secret|key|passphrase|psk|key-string|md5)[ \t]+(?:encrypted[ \t]+|ascii[ \t]+|hex[ \t]+)?"
    r"[0-9][ \t]+(\S{4,512})"
)
_QUOTED_WORD = re.compile(
    r"(?i)(?<![\w\-.])(password|passwd|secret|passphrase|psk|wpa-psk|ascii-text|pre-shared-key"
    r"|authentication-key|token)"
    r"[ \t]+(?:ascii-text[ \t]+|plaintext-password[ \t]+|encrypted-password[ \t]+)?\"([^\"\r\n]{3,512})\""
)
_TOLD = re.compile(
    r"(?i)(?<![\w.\-])(?:(?:with|using|enable|set|has|config)[ \t]+(?:the[ \t]+)?"
    r"(?:password|passphrase|secret|token|passwd|\w{0,20}secret|psk\w{0,12})"
    r"|requirepass|masterauth|rpcpassword|authentication-key|key-string|pre-shared-key)"
    r"[ \t]+(?:ENC[ \t]+|level[ \t]+\d+[ \t]+)?[\"'`]?([^\s\"'`]{4,512})"
)
"""A value that only a word names: ``with password x``, ``enable secret x``."""
_IPSEC = re.compile(
    r"(?:^|[ \t:])(?:PSK|XAUTH|EAP|NTLM|PIN|(?:RSA|ECDSA|PKCS8|PKCS12|P12)[ \t]+[^\s\"]{1,256})[ \t]+"
    r"\"([^\"\n]{3,256})\""
)
_IPSEC_CODED = re.compile(r"(?:^|[ \t:])PSK[ \t]+(?:0[sx])([A-Za-z0-9+/=]{8,512})")
_REGISTRY = re.compile(r"(?<![\w.\-])(\w{1,80})[ \t]{1,40}REG_(?:SZ|EXPAND_SZ|MULTI_SZ)[ \t]{1,40}([^\r\n]{1,512})")
_COMMUNITY = re.compile(
    r"(?i)(?:snmp-server[ \t]+community|\br[ow]community6?|\bcom2sec6?[ \t]+\S{1,64}[ \t]+\S{1,64})[ \t]+"
    r"\"?([^\s\"]{3,128})"
)
_SASL = re.compile(r"\bAUTH[ \t]+(?:PLAIN|LOGIN)[ \t]+([A-Za-z0-9+/]{8,2048}={0,2})(?![\w\-])")
"""What a mail client says, in base64."""
_PROXY_USER = re.compile(r"(?:insecure-password[ \t]+|\bstats[ \t]+auth[ \t]+[^\s:]{1,64}:)(\S{3,256})")
_THIRD = re.compile(
    r"(?i)(?:\bmysqli?_(?:p|real_)?connect|\bnew[ \t]+(?:\\?PDO|mysqli)|\b(?:PDO|mysqli)->\w{1,20})\("
    r"\s{0,8}[^,\n()]{1,300},\s{0,8}[\"'][^\"'\n]{0,128}[\"'],\s{0,8}[\"']([^\"'\n]{1,256})[\"']"
)
"""The password of PHP's database calls."""
_INSERT = re.compile(r"(?i)\(([^()\n]{1,1000})\)\s{0,9}VALUES\s{0,9}(?=\()")
_INSERT_HEAD = re.compile(r"(?i)\(([^()\n]{1,1000})\)\s{0,9}VALUES\s{0,9}\Z")
_TUPLE = re.compile(r"[ \t,]*\(")
_SQL_VALUE = re.compile(r"[ \t]*(?:'((?:[^'\\\n]|\\.|'')*+)'|([^,()'\n]*+))[ \t]*(?=[,)])")
_ACL_USER = re.compile(r"(?im)^[ \t>]*(?:ACL[ \t]+SETUSER|user)[ \t]+\S{1,128}[ \t][^\n>]{0,200}>(\S{3,256})")
_LOGIN_CALL = re.compile(
    r"(?:\.(?:auth|login|authenticate)|\bauth=|BasicAuth)\(\s{0,5}[\"'][^\"'\n]{1,128}[\"'],\s{0,5}[\"']([^\"'\n]{1,256})[\"']"
)
_LOGIN = re.compile(
    r"\b(?:login|user|account|username)[ \t]+\S{1,128}\s{1,40}(?:password|passwd|account|pass|secret)[ \t]+"
    r"(?:\"([^\"\r\n]{1,512})\"|(\S{1,512}))"
)
_SQL = re.compile(
    r"(?i)(?<![\w\"'.\-])(?:IDENTIFIED\s{1,20}(?:WITH\s{1,20}\S{1,60}\s{1,20}(?:BY|AS)|BY)(?:\s{1,20}PASSWORD)?\s{1,20}"
    r"|PASSWORD(?:\s{1,20}|\s{0,5}\(\s{0,5})|SET\s{1,20}PASSWORD\s[^=\n]{0,100}=\s{0,20})(\\{0,3}['\"])(?=[^\s'\",;)])"
)
_PASSWORD_IS = re.compile(
    r"(?i)\b(?:(?:unseal|recovery) key \d+:"
    r"|(?:password|passphrase|secret|token|passwd|pin code)\s{1,8}(?:is|was|set to|changed to|generated)"
    r"|(?:temporary|initial|generated|default|root|admin)\s+password[^:=\n]{0,40})"
    r"[ \t]{0,8}(?:is[ \t]{0,8})?[:=]?[ \t]{1,8}[\"'`]?([^\s\"'`]{6,256})"
)


def named(s: Stretch) -> list[Span]:
    """Flags and calls: a name in front, but no separator."""
    out = _flags(s) if s.has("-") else []
    return out + _calls(s) if s.has("(") else out


def told(s: Stretch) -> list[Span]:
    """Directives, SQL and sentences, in the default words only."""
    return _directives(s) + _headers(s) + _sentences(s) + _logins(s) + _sql(s)


def _flags(s: Stretch) -> list[Span]:
    out = [
        s.span(place, m[1], "flag")
        for m in _FLAG.finditer(s.text, s.start, s.end)
        if s.keys.strength(m[1]) and (place := _argument(s, m.end(), s.lines.end(m.end()), m[1]))
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
            place = _argument(s, m.end(), s.lines.end(m.end()), name)
            out += [s.span(place, name, "flag")] if place else []
    return out


def _argument(s: Stretch, at: int, end: int, name: str) -> Place | None:
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


def _calls(s: Stretch) -> list[Span]:
    """``define('DB_PASSWORD', 'x')``, ``os.getenv("TOKEN", "x")``."""
    out = []
    for m in _CALL.finditer(s.text, s.start, s.end):
        if not m[1] or not s.keys.strength(m[2]):
            continue
        if place := quoted(s.text, m.end(), s.lines.end(m.end())):
            value = s.text[slice(*place)]
            literal = m[1].lower() in _SETTERS or m[2].isupper() or not values.is_harmless(value)
            if literal and s.is_secret(m[2], value):
                out.append(s.span(place, m[2]))
    return out


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
        if s.keys.strength(m[1]) and (place := _argument(s, m.end(), s.lines.end(m.end()), m[1])):
            out.append(s.span(place, m[1]))
    for m in _FISH.finditer(s.text, s.start, s.end):
        group = next(n for n in (2, 3, 4) if m[n] is not None)
        if len(m[group]) > 2 and s.is_secret(m[1], m[group]) and not values.is_status(m[group]):
            out.append(s.span(m.span(group), m[1]))
    return out


def _sentences(s: Stretch) -> list[Span]:
    """``password 7 0822…``, ``Your password is x``, ``secret "x"``."""
    out = []
    for pattern in (_NUMBERED, _PASSWORD_IS, _TOLD):
        for m in pattern.finditer(s.text, s.start, s.end):
            value = m[1]
            told = pattern is _PASSWORD_IS and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
            if not ((values.is_plain(value) and not told) or _is_call(value) or values.is_marker(value)):
                out.append(s.span((m.start(1), m.end(1) - (value[-1] in ".,;")), None))
    out += [
        s.span(m.span(1), None)
        for pattern in (_IPSEC, _IPSEC_CODED, _ACL_USER, _LOGIN_CALL, _PROXY_USER, _THIRD, _SASL)
        for m in pattern.finditer(s.text, s.start, s.end)
        if s.is_secret("password", m[1], Strength.STRONG)
    ]
    out += [
        s.span(m.span(1), None)
        for m in _COMMUNITY.finditer(s.text, s.start, s.end)
        if not (values.is_status(m[1]) or m[1].lower() in {"public", "private"} or values.is_reference(m[1]))
    ]
    out += [
        s.span((m.start(2), m.start(2) + len(m[2].rstrip())), m[1])
        for m in _REGISTRY.finditer(s.text, s.start, s.end)
        if s.is_secret(m[1], m[2])
    ]
    out += [
        s.span(m.span(2), m[1])
        for m in _QUOTED_WORD.finditer(s.text, s.start, s.end)
        if s.is_secret(m[1], m[2], Strength.STRONG)
        and not (values.is_status(m[2]) or " " in m[2] or values.is_code(m[2]))
        and not (m[1].lower() in {"secret", "token"} and values.is_plain(m[2]))  # secret "web-tls" created
    ]
    return out


def _is_call(value: str) -> bool:
    """A piece of program; a generated password may hold a bracket too."""
    mixed = any(c.isdigit() for c in value) and any(c.isupper() for c in value) and any(c.islower() for c in value)
    return values.is_code(value) and not (mixed and "(" in value and ")" not in value)


def _logins(s: Stretch) -> list[Span]:
    """``login x password y`` on one line, as in netrc."""
    out = []
    for m in _LOGIN.finditer(s.text, s.start, s.end):
        group = 1 if m[1] is not None else 2
        if not s.is_secret("password", m[group], Strength.STRONG) or values.is_status(m[group]):
            continue
        if m[0].startswith("login") or not values.is_plain(m[group]):
            out.append(s.span(m.span(group), "password"))
    return out


def _sql(s: Stretch) -> list[Span]:
    """``IDENTIFIED BY 'x'``, ``WITH PASSWORD 'x'``, ``PASSWORD('x')``, ``INSERT INTO t (password) VALUES ('x')``."""
    out = []
    for m in _INSERT.finditer(s.text, s.start, s.end):
        names = _names(m[1])
        if any(s.keys.strength(name) for name in names):
            out += insert_rows(s, m.end(), s.end, names)
    for m in _SQL.finditer(s.text, s.start, s.end):
        place = quoted(s.text, m.start(1), min(s.end, s.lines.end(m.end())))
        if place and s.is_secret("password", s.text[slice(*place)], Strength.STRONG):
            out.append(s.span(place, "password"))
    return out


def insert_names(head: str) -> list[str]:
    """The columns of ``INSERT INTO t (a, b) VALUES``, where the rows stand on the lines below."""
    m = _INSERT_HEAD.search(head)
    return _names(m[1]) if m else []


def _names(listed: str) -> list[str]:
    return [name.strip(' \t`"[]') for name in listed.split(",")]


def insert_rows(s: Stretch, at: int, end: int, names: list[str]) -> list[Span]:
    """The tuples behind ``VALUES``, as far as they stand on the line."""
    out: list[Span] = []
    while opening := _TUPLE.match(s.text, at, end):
        at = opening.end()
        for name in names:
            if not (value := _SQL_VALUE.match(s.text, at, end)):
                return out
            if value[1] is not None and s.is_secret(name, value[1]):
                out.append(s.span(value.span(1), name))
            at = value.end() + 1
        if s.text[at - 1] != ")":
            return out
    return out
