"""Literals that a body yields under a secret name: getters, lazy properties, branches of ``switch`` and ``match``.

``def get_password(): return "x"``, ``val password by lazy { "x" }``, ``case "password": return "x"``. A literal right
behind a separator is ``assigned``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssh_mcp.redaction.detectors.base import LineDetector, Reach, Wide, bounded, dedent, head_of
from ssh_mcp.redaction.detectors.listed import is_item
from ssh_mcp.redaction.detectors.vocabulary import HARD, NAMES, insensitive
from ssh_mcp.redaction.keys import Strength, words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place, block_content
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.words import words

BODY_MAX = 4_096
"""Characters below its heading in which a body is read."""
_NAME = r"([A-Za-z_][\w\-]{0,60})"
_PARAMETERS = r"\([^()\n\"']{0,160}\)"
_EXPRESSION = r"(?:when|match|switch|if|case|lazy|lambda|function|func|async|\(\)|\(\(\)|\(\w{1,30}\)|\{)"
_BODIES = (
    rf"[!?]?{_PARAMETERS}[^\n;={{}}\"']{{0,60}}(?:\{{|=>|:[ \t]*\r?$|=(?!=)|->)",
    (
        r"(?:[ \t]*:[ \t]*[\w.<>?]{1,40})?[ \t]*"
        r"(?:by[ \t]+lazy\b[^{\n]{0,40}\{|get\(\)[ \t]*=|\{[ \t]*(?:get\b|return\b|\r?$))"
    ),
    rf"(?:[ \t]*:[ \t]*[\w.<>?&']{{1,40}})?[ \t]*:?=[ \t]*{_EXPRESSION}",
    rf"[ \t]*:[ \t]*(?:{_PARAMETERS}[ \t]*=>|function\b|async\b|lambda\b)",
    r"\)[ \t]*(?:\{|do\b)",
    r"[ \t]*\r?$",
)
"""What follows the name: ``(env) {``, ``by lazy {``, ``= when (env) {``, ``: () =>``, RSpec's ``let(:password) {``."""
_NAMED = re.compile(rf"(?<![\w.\-$@\"'!&|]){_NAME}")
_BODY = re.compile("|".join(_BODIES), re.MULTILINE)
_CASE = re.compile(
    r"(?:\bcase[ \t]{1,4}|\bwhen[ \t]{1,4})[\"']([A-Za-z_][\w.\-]{0,60})[\"'][ \t]{0,4}(?::|->|=>|then\b|\r?$)"
    r"|[\"']([A-Za-z_][\w.\-]{0,60})[\"'][ \t]{0,4}->",
    re.MULTILINE,
)
_BEFORE = re.compile(r"([A-Za-z_]\w*)[ \t*&]*\Z")
_NO_DECLARATION = words(
    "if while for unless elif until catch return throw new await not and or in else yield print puts echo assert",
    "switch match raise del import from with require",
)
_BARE_NAME = re.compile(r"\bdef[ \t]+(?:self\.)?\Z")
_ASKS = words(
    "is has check validate verify prompt show hide reset forgot change update confirm match test should can on handle",
    "render assert expect hash encrypt compare find",
)
"""First words of names whose body says something of the secret, and not the secret."""
_LITERAL = r"(?:[bruLf@$]{1,2}(?=[\"']))?(?:\"((?:[^\"\\\n\s]|\\.){1,512}+)\"|'((?:[^'\\\n\s]|\\.){1,512}+)')"
_YIELD = re.compile(
    rf"(?:\breturn\b|->|=>|\belse\b|\bthen\b|\?[?:]?|\|\||\bor\b|\byield\b|\{{|\blambda\b[^:\n]{{0,40}}:"
    rf"|\bget\(\)[ \t]*=|^)[ \t(]{{0,40}}{_LITERAL}(?![ \t]*(?:->|=>|==|:=|[\[.(+]))"
    r"(?=[ \t]*(?:[;)}\]:,]|\r?$|\#|//|\?\?|if\b|else\b|\|\|))",
    re.MULTILINE,
)
_BLANKS = re.compile(r"[ \t]{0,200}")
_KEY_BEHIND = re.compile(r"[ \t]*(?::(?!:)|,)")
_SHELL_CASE = re.compile(
    r"(?<![\w$.\-])([A-Za-z_][\w\-]{0,60})\)[ \t]{1,8}(?:echo|printf[ \t]{1,4}\S{1,8})[ \t]{1,4}[\"']?"
    r"([^\s\"'$();&|]{3,256})"
)
_OPTION = re.compile(rf"(?<![\w.]){_NAME}")
_DEFAULT = re.compile(
    rf"[\"']?[^\n()]{{0,80}}\(?[^\n()]{{0,60}}?(?<=[ \t(,])default(?:_?[vV]alue)?[ \t]{{0,4}}[=:][ \t]{{0,4}}{_LITERAL}"
)
_HEREDOC = re.compile(
    rf"(?<![\w.]){_NAME}=[\"']?\$\(cat[ \t]{{0,4}}<<-?[ \t]{{0,4}}[\"']?(\w{{1,40}})[\"']?[ \t]*\r?$", re.MULTILINE
)


def scan(s: Stretch) -> list[Span]:
    """All of this module's kinds whose heading is in the stretch."""
    out: list[Span] = []
    for name, body in _bodies(s):
        out += _yields(s, name, body)
    for m in _SHELL_CASE.finditer(s.text, s.start, s.end):
        out += _item(s, m[1], m, 2)
    for named in _OPTION.finditer(s.text, s.start, s.end):
        if s.keys.strength(named[1]) and (default := _DEFAULT.match(s.text, named.end(), s.end)):
            out += _item(s, named[1], default, 1 if default[1] is not None else 2)
    if (here := _HEREDOC.search(s.text, s.start, s.end)) and s.keys.strength(here[1]) is Strength.STRONG:
        place = _heredoc(s.text, here.end(), here[2])
        if place is not None and s.is_secret(here[1], s.text[slice(*place)]):
            out.append(s.span(place, here[1]))
    return out


def _item(s: Stretch, name: str, m: re.Match[str], group: int) -> list[Span]:
    strength = s.keys.strength(name)
    found = strength is Strength.STRONG and is_item(name, strength, m[group])
    return [s.span(m.span(group), name)] if found else []


def _bodies(s: Stretch) -> Iterator[tuple[str, Place]]:
    """Name and body of each heading."""
    for m in _NAMED.finditer(s.text, s.start, s.end):
        behind = _BODY.match(s.text, m.end(), s.end) if s.keys.strength(m[1]) is Strength.STRONG else None
        if behind is not None and _declares(s, m, behind[0]):
            yield m[1], _body(s, m.end(), s.lines.end(m.end()))
    for m in _CASE.finditer(s.text, s.start, s.end):
        name = m[1] or m[2]
        if s.keys.strength(name) is Strength.STRONG:
            yield name, _body(s, m.end(), s.lines.end(m.start()))


def _declares(s: Stretch, m: re.Match[str], behind: str) -> bool:
    """Whether the name is being defined there, not used."""
    if (words_of(m[1]) or [""])[0] in _ASKS:
        return False
    before = s.text[max(s.lines.start(m.start()), m.start() - 80) : m.start()]
    if not behind.strip():
        return bool(_BARE_NAME.search(before))
    if behind[0] == ")":
        return before.endswith("(:")
    if before.rstrip().endswith(("(", "=", ",")) and "=>" not in behind and "lambda" not in behind:
        return False
    word = _BEFORE.search(before)
    return word is None or word[1] not in _NO_DECLARATION


def _body(s: Stretch, at: int, eol: int) -> Place:
    """The rest of the line; where that leaves the body open, the lines indented deeper below it too."""
    stop = min(eol, at + BODY_MAX)
    rest = s.text[at:stop]
    if stop < eol or 0 < rest.count("{") <= rest.count("}"):
        return at, stop
    below = block_content(s.text[eol : eol + BODY_MAX], 0, _indent(s.text, s.lines.start(at)))
    return at, eol + below[1] if below else eol


def _indent(text: str, start: int) -> int:
    """Blanks at the beginning of a line."""
    blanks = _BLANKS.match(text, start)
    return len(blanks[0]) if blanks else 0


def _yields(s: Stretch, name: str, body: Place) -> Iterator[Span]:
    strength = s.keys.strength(name)
    for m in _YIELD.finditer(s.text, *body):
        group = 1 if m[1] is not None else 2
        lead = m[0][: m.start(group) - m.start()].strip("\"'brufL@$ \t(")
        if not lead and m.start() <= body[0]:
            continue
        if (
            lead not in {"?", "??", "||"}
            and _KEY_BEHIND.match(s.text, m.end(group) + 1, body[1])
            and not (lead in {"->", "=>"} and s.text[m.end(group) + 1 :].lstrip(" \t")[:1] == ",")
        ):
            continue
        if is_item(name, strength, m[group]):
            yield s.span(m.span(group), name)


def _heredoc(text: str, at: int, word: str) -> Place | None:
    nl = text.find("\n", at)
    end = (
        re.compile(rf"^[ \t]*{re.escape(word)}\b", re.MULTILINE).search(text, nl + 1, nl + BODY_MAX)
        if nl >= 0
        else None
    )
    return (nl + 1, end.start() - 1) if end is not None and end.start() - 1 > nl + 1 else None


def _reach(s: Stretch) -> list[Reach]:
    """To the end of the body, at most ``BODY_MAX`` below its heading."""
    out = []
    if (m := _HEREDOC.search(s.text, s.start, s.end)) and s.keys.strength(m[1]) is Strength.STRONG:
        out.append(Reach(s.start, bounded(s.text, s.text.find(f"\n{m[2]}", s.end) + 1, s.end + BODY_MAX)))
    for _, (_, end) in _bodies(s):
        line = s.text[s.start : s.end]
        limit = s.end + BODY_MAX
        if end >= s.end - 1 or not line.rstrip().endswith("}"):
            found = dedent(s.text[s.end : limit], 0, _indent(s.text, s.start))
            out.append(Reach(s.start, bounded(s.text, -1 if found is None else s.end + found, limit), head_of(s)))
    return out


_FUNCTIONS = rf"{NAMES}[!?]?\([^)\n\"']{{0,160}}\)[^\n;=\"']{{0,60}}(?:\{{|=>|:[ \t]*\r?(?:\n|$)|=|->)"
_PROPERTIES = (
    rf"{NAMES}(?:[ \t]*:[ \t]*[\w.<>?&']{{1,40}})?[ \t]*(?:by[ \t]+lazy|get\(\)|\{{[ \t]*(?:get|return|\r?(?:\n|$))"
    r"|:?=[ \t]*(?:when|match|switch|if|case|lazy|lambda|func|async|\(|\{)|:[ \t]*(?:\(|func|async|lambda))"
)
_CASES = (
    rf"{NAMES}(?:\)[ \t]*(?:\{{|do)|\)[ \t]+(?:echo|printf)|[\"'][ \t]*(?::|->|=>|then|\r?(?:\n|$))"
    r"|=[\"']?\$\(cat[ \t]*<<)"
)
_DEFAULTS = rf"{NAMES}[\"']?[^\n]{{0,120}}[ \t(,]default(?:_?value)?[ \t]*[=:]"
_DEF = r"def[ \t]+(?:self\.)?[a-z_]*(?:pass|pwd|secret|token)[a-z_]*[ \t]*\r?(?:\n|$)"
DETECTOR = LineDetector(
    name="what a body yields",
    find=scan,
    reach=_reach,
    wide=(
        *(Wide("names", pattern) for pattern in (_FUNCTIONS, _PROPERTIES, _CASES, _DEFAULTS)),
        Wide("values", _DEF),
    ),
    line=(
        insensitive(
            rf"{HARD}[!?]?(?:\(|[ \t]*:|[ \t]+by[ \t]|[ \t]*get\(|[ \t]*\{{|[ \t]*:?=[ \t]*(?:[a-z(\{{]|\$)|\)"
            r"|[\"'][ \t]*(?::|->|=>|then|\r?(?:\n|$))|[ \t]*\r?(?:\n|$)|[^\n]*default)"
        ),
    ),
    named=False,
    hit='def get_password():\n    return "«hunter2x9»"',
    miss='def get_password():\n    return os.environ["PASSWORD"]',
)
