"""Literals in program text that a name elsewhere than before a separator makes secret.

Constructors and setters (``std::string secret("x")``, ``setPassword("x")``), comparisons with the literal first or in a
call (``"x".equals(password)``, ``strcmp(password, "x")``, ``[ "x" = "$PASSWORD" ]``), a shell's defaults
(``${PASSWORD:-x}``). The literal before the name, and ``name == "x"``, see ``assigned``.
"""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.listed import is_compared
from ssh_mcp.redaction.detectors.vocabulary import INDEX, INIT, KEY_KINDS, NAME, NAMES, STEM, STEMS, insensitive
from ssh_mcp.redaction.keys import Strength, words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.words import words

_STRING = r"(?:[bruL@$]{1,2}(?=[\"']))?(?:\"((?:[^\"\\\n]|\\.){1,512}+)\"|'((?:[^'\\\n]|\\.){1,512}+)')"
_WRAPPED = rf"(?:(?:\[\]byte|b|String|str|String::from|&)?\(?[ ]?){_STRING}"
_CHAIN = r"[$@%&*]?\\?(?:\w{1,40}(?:\.|->|::|\?\.))*"
"""What may precede a name: ``self.``, ``$this->``, ``user?.``, ``$_POST['`` needs the index below."""
_NAME = rf"[\"']?{_CHAIN}(?:\w{{1,40}}[\[(][\"'])?\$?\{{?([A-Za-z_][\w\-]{{0,60}})"

_INIT = re.compile(
    rf"(?<![\w$\-])([A-Za-z_]\w{{0,60}})(?:\[\w{{0,20}}\])?[ \t]?([({{])[ \t]{{0,4}}(?:(?:_T|TEXT)\()?"
    rf"{_STRING}[ \t]{{0,4}}[)}}]"
)
_DECLARED = re.compile(
    r"(?<![\w.])(?:[\w:]{2,40}(?:<[\w:, *&]{1,60}>)?|\[\]\w{1,20})(?:[ \t]{1,4}[*&]?|[*&][ \t]{0,4})\Z"
)
"""A type before the name: ``std::string ``, ``QString *``."""
_NO_TYPE = words(
    "return new else throw case in not and or await yield def func fn function print puts echo assert if",
    "import call do let exec raise del",
)
_SETTERS = words(
    "set with add use put update change store save send reset append default initial bind root",
    "admin db database user my",
)
_ASKS = words("get read ask prompt check validate verify has is find require load fetch lookup show hide expect match")

_DEFINE = re.compile(rf"#[ \t]{{0,8}}define[ \t]{{1,8}}(\w{{1,60}})[ \t]{{1,40}}{_STRING}")
_OPERATOR = r"(?:===?|!==?|=~?|eq|ne|-c?i?eq|-c?i?ne|<=>)"
_METHOD = r"(?:[eE]quals\w{0,20}|eql\?|isEqual\w{0,20}|contentEquals|compare\w{0,20}|match(?:es)?)"
_FUNCTION = (
    r"\b(?:str\w{0,4}c(?:mp|py)|memcpy|snprintf|strcoll|memcmp|hash_equals|\w{0,20}compare\w{0,20}|\w{0,20}[eE]quals?\w{0,20}"
    r"|ConstantTimeCompare|assert\w{0,20}!?)\([ \t]{0,4}"
)
_BYTES = r"(?:\[\]byte\()?"
_NAME_FIRST = tuple(
    re.compile(pattern)
    for pattern in (
        (
            rf"(?<![\w$\-])([A-Za-z_][\w\-]{{0,60}})(?:[\"']?\])?\)?\.{_METHOD}\(:?[ \t]{{0,4}}"
            rf"{_STRING}"
        ),  # password.equals("x")
        rf"(?<![\w\-])expect\({_NAME}\)\.(?:not\.)?to\w{{2,20}}\({_STRING}",  # expect(token).toBe("x")
        (
            rf"(?<![\w\-]){_NAME}[ \t]{{1,4}}(?:eq|ne|-c?i?eq|-c?i?ne|-c?i?like|(?i:like|ilike|is|in))"
            rf"[ \t]{{1,4}}\(?{_STRING}"
        ),
        (
            rf"{_FUNCTION}{_BYTES}{_NAME}[\"'\])]{{0,3}},[ \t]{{0,4}}(?:sizeof[^,\n]{{0,40}},[ \t]{{0,4}})?"
            rf"{_WRAPPED}"
        ),  # strcmp(password, "x")
        rf"[{{(][ \t]{{0,2}}[:'\"]?([A-Za-z_]\w{{0,60}})['\"]?,[ \t]{{0,4}}{_STRING}[ \t]{{0,4}}[}})]",  # a pair
        (
            rf"\((?:defvar|defconst|defparameter|defcustom|setq|setf|def|define)[ \t]{{1,4}}([\w\-*]{{1,60}})"
            rf"[ \t]{{1,4}}{_STRING}"
        ),
    )
)
"""Group 1 is the name, 2 or 3 the literal."""
_LITERAL_FIRST = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_STRING}[ \t]{{0,4}}{_OPERATOR}[ \t]{{0,4}}{_NAME}",  # "x" == password, [ "x" = "$PASSWORD" ]
        rf"{_STRING}\.{_METHOD}\({_NAME}",  # "x".equals(password)
        rf"{_FUNCTION}{_WRAPPED}\)?,[ \t]{{0,4}}{_BYTES}{_NAME}",  # strcmp("x", password)
        # In a shell's brackets, without quotes.
        r"\[\[?[ \t]{1,4}([^\s\"'$\[\]]{4,256})()[ \t]{1,4}(?:==?|!=)[ \t]{1,4}[\"']?\$\{?([A-Za-z_]\w{0,60})",
    )
)
"""Groups 1 or 2 are the literal, 3 is the name."""
_DEFAULT = re.compile(
    r"\$\{([A-Za-z_][\w.\-]{0,60}?)(?::[-=]?|[-=])(?![?+=\-]|\d{1,6}[:}])((?:[^{}\s\"'$`\\]|\\.){3,512}+)\}"
)
"""A shell's ``${PASSWORD:-x}`` and Spring's ``${db.password:x}``."""
_SECURE = re.compile(rf"(?i)ConvertTo-SecureString[ \t]{{1,4}}(?:-String[ \t]{{1,4}})?{_STRING}")
_ECHOED = re.compile(
    r"(?<![\w.\-])([A-Za-z_]\w{0,60})=[\"']?\$\((?:echo|printf)[ \t]{1,4}(?:-\w[ \t]{1,4}|[\"']%s[\"'][ \t]{1,4})?"
    r"[\"']?([^\s\"'$()|]{3,256})[\"']?\)"
)


def scan(s: Stretch) -> list[Span]:
    """All of this module's kinds in the stretch."""
    out = _initialised(s) if s.has("(") or s.has("{") else []
    for pattern in _NAME_FIRST:
        for m in pattern.finditer(s.text, s.start, s.end):
            out += _compared(s, m[1], m, 2 if m[2] is not None else 3)
    for pattern in _LITERAL_FIRST:
        for m in pattern.finditer(s.text, s.start, s.end):
            out += _compared(s, m[3], m, 1 if m[1] is not None else 2)
    if s.has("${"):
        out += _defaults(s)
    for m in _SECURE.finditer(s.text, s.start, s.end):
        out += (
            [s.span(m.span(m.lastindex or 1), "SecureString")] if not values.is_reference(m[m.lastindex or 1]) else []
        )
    for m in _ECHOED.finditer(s.text, s.start, s.end):
        out += [s.span(m.span(2), m[1])] if s.is_secret(m[1], m[2]) else []
    if s.has("#"):
        for m in _DEFINE.finditer(s.text, s.start, s.end):
            group = 2 if m[2] is not None else 3
            out += [s.span(m.span(group), m[1])] if s.is_secret(m[1], m[group]) else []
    return out


def _initialised(s: Stretch) -> list[Span]:
    out = []
    for m in _INIT.finditer(s.text, s.start, s.end):
        name = m[1].strip("_")
        strength = s.keys.strength(name)
        group = 3 if m[3] is not None else 4
        if not strength or not _is_value(s, m, name, m[group]):
            continue
        if s.is_secret(name, m[group]) and (
            s.keys.is_own(name) or strength is Strength.STRONG or values.looks_random(m[group])
        ):
            out.append(s.span(m.span(group), name))
    return out


def _is_value(s: Stretch, m: re.Match[str], name: str, value: str) -> bool:
    """Whether the literal is what the name holds, and not a prompt, a key to look up or a word of a grammar."""
    first = (words_of(name) or [""])[0]
    if first in _ASKS or values.is_status(value) or values.is_code(value) or value[-1] in ":? " or " " in value:
        return False
    declared = _DECLARED.search(s.text, max(s.start, m.start() - 60), m.start())
    if declared and declared[0].strip(" \t*&:") not in _NO_TYPE:
        return True
    method = s.text[m.start() - 1 : m.start()] == "." and m[2] == "("
    return (
        not values.is_plain(value) or (first in _SETTERS and first != name.lower()) or (method and first == "password")
    )


def _compared(s: Stretch, name: str, m: re.Match[str], group: int) -> list[Span]:
    strength = s.keys.strength(name)
    return [s.span(m.span(group), name)] if strength and is_compared(name, strength, m[group]) else []


def _defaults(s: Stretch) -> list[Span]:
    return [
        s.span(m.span(2), m[1])
        for m in _DEFAULT.finditer(s.text, s.start, s.end)
        if s.keys.strength(m[1]) and s.is_secret(m[1], m[2]) and not values.is_status(m[2])
    ]


DETECTOR = LineDetector(
    name="program text",
    find=scan,
    wide=(
        Wide("names", rf"{NAMES}(?:{INIT}|:?-[!-|]|[ \t]+-?[a-z]{{2,5}}[ \t]+\(?[\"']|[ \t]+[\"'])"),
        Wide("keys", rf"(?:{KEY_KINDS})[_\-]key{NAME}(?:{INIT}|[ \t]+-?[a-z]{{2,5}}[ \t]+\(?[\"'])"),
        Wide("keys", r"convertto-securestring"),
        Wide("names", rf"{NAMES}=[\"']?\$\((?:echo|printf)"),
        Wide("run-together keys", rf"(?:pi|ss|te|er|nt|on|ng|ed|th|se|pp)[ .]?key{NAME}{INIT}"),
        Wide(
            "comparisons",
            rf"(?:==|!=|\" = |' = | eq \"| eq '| ne \"| ne '|\" eq |' eq |-eq |-ne )[ \t]*"
            rf"[\"'$@&*(\[\\{{\w.\->]{{0,60}}(?:{STEMS})",
        ),
        Wide(
            "comparisons",
            rf"(?:cmp|cpy|snprintf|equal|compare|_digest|ignorecase|coll|expect)[a-z_]*[!?]?\([^\n]{{0,200}}(?:{STEMS})",
        ),
        Wide("values", rf"(?:define |define\t)[ \t]*{NAME}(?:{STEMS})"),
    ),
    line=(
        insensitive(rf"{STEM}{INDEX}[)\]]?[ \t]*[({{][ \t]*(?:_t\(|text\()?[brul@$]*[\"']"),
        insensitive(rf"(?:[=!]=|[\"'][ \t]*=~?|[ \t]-?(?:c?i?eq|c?i?ne|like|ilike|is|in)|<=>)[ \t]+[^\n]*{STEM}"),
        insensitive(rf"{STEM}[^\n]{{0,40}}[ \t]-?(?:c?i?eq|c?i?ne|c?i?like|ilike|is|in)[ \t]+\(?[bru]*[\"']"),
        insensitive(rf"(?:cmp|cpy|snprintf|coll|equals?|compare|digest|assert|ignorecase|expect)[\w!?]*\([^\n]*{STEM}"),
        insensitive(rf"{STEM}[\"'\])]*\.\w+\(:?[ \t]*[\"']"),
        insensitive(rf"\$\{{[\w.\-]*{STEM}[:=-]"),
        insensitive(rf"{STEM}[\"']?,[ \t]*[bru]*[\"']"),
        insensitive(rf"\((?:def|set)\w*[ \t]+[\w\-*]*{STEM}[\w\-*]*[ \t]+\""),
        insensitive(rf"{STEM}=[\"']?\$\((?:echo|printf)"),
        insensitive(r"convertto-securestring"),
        insensitive(rf"define[ \t]+\w*{STEM}\w*[ \t]+[bru@]*[\"']"),
    ),
    hit='std::string secret("«hunter2x9»");',
    miss="std::string secret(buffer);",
)
