"""Named values in a line: ``key = value``, ``key: value``, ``"key": "value"``, ``--key value``, pairs of name and value.

This is the reading that needs no format. It serves any tool's output, and it is the net under the format readers.
``Reading.OUTPUT`` must leave prose, code and status lines alone; ``Reading.FILE`` reads a whole configuration file.
"""

from __future__ import annotations

import re
from enum import IntEnum

from ssh_mcp.redaction import values
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.keys import KeyMatcher, Strength, words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.values import is_secret


class Reading(IntEnum):
    """How eager: any output at all, or a file that is known to hold configuration."""

    OUTPUT = 0
    FILE = 1


KEY_VALUE = re.compile(
    r"""(?x)
    (?<![\w.\-]) (-{0,2}[A-Za-z_][\w.\-]{0,99}+) (?![\w.\-])      # 1 name
    (\\{0,3}["'`]|\\u0022)? [\]}]{0,2}                            # 2 closing quote
    ([ \t]{0,8}:(?:[ \t]{1,8}[A-Za-z_][\w\[\]|.?<>]{0,40}|str|string|String|any)[ \t]{0,8}(?==[^=~>])   # 3 its type
      |[ \t]{1,4}(?:string|String|\[\]byte|char)[ \t]{1,4}(?==[^=~>]))?
    [ \t]{0,40}+ (=>|:=|\?=|\+=|<-|:{1,2}(?!:)|=(?![=~>])) [ \t]{0,40}+ (?!["'`]?<sha:[0-9a-f])   # 4 separator
    """
)
_PREFIX = re.compile(
    r"[ \t]*(?:[-*+~|>][ \t]+)*(?:(?:\#|//|;|--|REM\b|\*)[ \t#/;]*)?(?:- )?"
    r"(?:(?:export|set|setx|setenv|declare|typeset|local|readonly|let|const|var|val|env|ENV|ARG|define|default|final|static"
    r"|public|private|protected|string|String|String\?|auto|char\*?|-x|-r|-g|-gx|-Ux|-e)[ \t]+){0,4}[\"'$@:%]?"
)
_COMMENT = re.compile(r"[ \t]*(?:#|//|;|--[ \t]|REM\b|\*[ \t])")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\\r\n]|\\.)*+)"'),
    "'": re.compile(r"'((?:[^'\\\r\n]|\\.|'')*+)'(?!')"),
    "`": re.compile(r"`([^`\r\n]*+)`"),
}
_LITERAL_PREFIX = re.compile(
    r"(?:[bBrRuUfFL]{1,2}|@|\$|N)(?=[\"'])|(?:\[\]byte|String|Secret|SecretStr|Buffer\.from|b64decode)\((?=[\"'`])"
)
_SPACED_NAME = re.compile(r"(?<![\w])([A-Za-z]{2,14}) \Z")
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "cookie2", "set-cookie2"})
"""Header names whose values ``shapes.headers`` takes apart."""
_TEST_WORDS = frozenset({"PASS", "KEY", "TOKEN", "SECRET", "PRIVATE"})
"""In capitals and with a colon these are rather a verdict or a label: ``PASS: TestLogin``."""
_PROPERTIES = re.compile(r"(?:[&!][\w!:/.\-]+[ \t]+)+")
_BLOCK_SIGN = re.compile(r"[|>][+\-0-9]{0,2}[ \t]*(?:#.*)?")
_ESCAPED = re.compile(r"(\\{1,3})([\"'])")
_TIGHT = re.compile(r"[^\s\"'<>]{1,4096}")
_REST = re.compile(r"[^\s\"'<>]*")
_WORD = re.compile(r"[^\s\"'`]{1,65536}")
_NEXT_PAIR = re.compile(r"[;&,](?=\s*$|[ \t]*[\w.\-]{1,40}=|[ \t])")
_TAIL = re.compile(r"[)\]};,.]{1,4}$")
_INLINE_COMMENT = re.compile(r"[ \t]+(?:#|//|;)(?:[ \t]|$).*|[ \t]+#.*")
_ITEM = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|'((?:[^'\\\n]|\\.)*)'")
_ARROW = re.compile(r"[ \t]{0,8}->[ \t]{0,8}\"((?:[^\"\\\n]|\\.)*)\"")
_PROSE = re.compile(
    r"(?i)\b(?:must|is|are|was|were|be|been|for|the|a|an|of|to|not|required|expired|incorrect|changed|updated|mismatch|with|from"
    r"|has|have|should|can|cannot|will|your|you|this|that|and|or|in|on|by|if|no|at|least|characters?|user|file|found|invalid"
    r"|failed|please|enter|new|old|set|using|used|type|missing|unexpected|expected|error|more|less|than|per|via)\b"
)
_SHELL_TAIL = re.compile(
    r"[ \t]+(?:-{1,2}\w|/|\.{1,2}/|[|&;<>]|\w+=|\$|(?:psql|mysql|pg_dump|python3?|node|npm|make|docker|sh|bash|sudo|env)\b)"
)


def scan(text: str, start: int, end: int, keys: KeyMatcher, reading: Reading, out: list[Span]) -> None:
    """Report named secrets in ``text[start:end]`` (whole lines). A value may be read beyond ``end`` only in arrays."""
    at = skip = start
    lines = Lines(text)
    while m := KEY_VALUE.search(text, at, end):
        name = m[1].lstrip("-")
        strength = keys.strength(name)
        # "Environment: DB_PASSWORD=x" reads like a name with its type; the type may be the name that counts.
        at = m.end(1) if m[3] and not strength else m.end()
        if (
            strength is Strength.FAINT
            and name.lower() == "key"
            and (spaced := _SPACED_NAME.search(text, max(0, m.start() - 16), m.start()))
        ):
            name = f"{spaced[1]}_{name}"
            strength = max(strength, keys.strength(name)) if keys.strength(name) else Strength.NONE
        if name.lower() in _HEADERS and (m[3] or m[4] == ":"):
            at = m.end(1)
            continue
        if strength and text[m.start() - 2 : m.start()] in {"${", "//"}:
            continue
        if strength and at < skip and text[m.end() : m.end() + 1] == "[":
            continue  # inside a list that was read already
        if strength and (found := _value(text, m, end, lines, keys, name, strength, reading)):
            out.extend(found)
            at = max(at, found[-1].end) if text[at : at + 1] != "[" else at
            skip = found[-1].end


def _value(
    text: str,
    m: re.Match[str],
    end: int,
    lines: Lines,
    keys: KeyMatcher,
    name: str,
    strength: Strength,
    reading: Reading,
) -> list[Span] | None:
    eol = min(lines.end(m.end()), end)
    at = m.end()
    if at >= eol:
        return None
    own = keys.is_own(name)
    if prefix := _LITERAL_PREFIX.match(text, at, eol):
        at = prefix.end()
    elif tag := _PROPERTIES.match(text, at, eol):
        if tag[0].startswith(("!vault", "!secret", "!Ref", "!Sub")):
            return None
        at = tag.end()
    if at >= eol or _BLOCK_SIGN.fullmatch(text, at, eol) or _closes(text, m, at, eol):
        return None
    if text[at] in "[{" or text.startswith("({", at):
        return _array(text, at, end, strength, name) if text[at] == "[" else None
    if span := quoted(text, at, eol):
        return _judge_quoted(text, span, eol, strength, name, own=own)
    line_start = lines.start(m.start())
    return _bare(text, m, at, line_start, eol, strength, name, reading, own=own)


def _closes(text: str, m: re.Match[str], at: int, eol: int) -> bool:
    """``"Password: " + x``: the quote where the value should begin ends the string that the name stands in."""
    if text[at] not in "\"'" or m[2]:
        return False
    return at + 1 >= eol or text[at + 1] in " \t;),+]" and text[at + 2 : at + 3] != text[at]


def quoted(text: str, at: int, eol: int) -> tuple[int, int] | None:
    """The inside of a quoted string that begins at ``at``; cut off at ``eol`` where it is not closed. None: no quote."""
    if at >= eol:
        return None
    char = text[at]
    if char == "\\":
        if not (m := _ESCAPED.match(text, at, eol)):
            return None
        stop = text.find(m[0], m.end(), eol)
        if stop < 0:
            stop = text.find(m[2], m.end(), eol)
        return m.end(), eol if stop < 0 else stop
    if char not in _QUOTED:
        return None
    triple = char * 3
    if text.startswith(triple, at):
        stop = text.find(triple, at + 3, eol)
        return at + 3, eol if stop < 0 else stop
    if m := _QUOTED[char].match(text, at, eol):
        return m.span(1)
    stop = text.find(char, at + 1, eol)
    return at + 1, eol if stop < 0 else stop


def _judge_quoted(
    text: str, span: tuple[int, int], eol: int, strength: Strength, name: str, *, own: bool
) -> list[Span] | None:
    value = text[slice(*span)]
    found: list[Span] = []
    if inner := reference_default(value):
        value, span = value[slice(*inner)], (span[0] + inner[0], span[0] + inner[1])
    if is_secret(strength, value, own=own) and not (values.is_status(value) and not own):
        found.append(Span(*span, "key", name))
    if (m := _ARROW.match(text, span[1] + 1, eol)) and is_secret(strength, m[1], own=own):
        found.append(Span(*m.span(1), "key", name))
    return found


_DEFAULT = re.compile(r"\$\{\w+:?[-=]([^{}]*)\}")


def reference_default(value: str) -> tuple[int, int] | None:
    """Where the literal default stands in ``${VAR:-default}``."""
    m = _DEFAULT.fullmatch(value)
    return m.span(1) if m else None


def _array(text: str, at: int, end: int, strength: Strength, name: str) -> list[Span] | None:
    """Strings in ``[…]``; it may go on over a few lines."""
    stop = text.find("]", at, min(len(text), max(min(end, at + 65_536), at) + 4096))
    if stop < 0:
        stop = min(end, at + 4096)
    if text.find("{", at, stop) >= 0:
        return None
    found = []
    for m in _ITEM.finditer(text, at, stop):
        group = 1 if m[1] is not None else 2
        if is_secret(strength, m[group]) and not (strength is not Strength.STRONG and values.is_harmless(m[group])):
            found.append(Span(*m.span(group), "key", name))
    return found


def _bare(
    text: str,
    m: re.Match[str],
    at: int,
    line_start: int,
    eol: int,
    strength: Strength,
    name: str,
    reading: Reading,
    *,
    own: bool,
) -> list[Span] | None:
    prefix = text[max(line_start, m.start() - 80) : m.start()]
    anchored = bool(_PREFIX.fullmatch(prefix)) and m.start() - line_start <= 80 and not m[1].startswith("--")
    comment = anchored and bool(_COMMENT.match(prefix))
    tight = text[at - 1] not in " \t"
    if m[4] in {":", "::"}:
        span = _after_colon(text, m, at, eol, anchored=anchored, tight=tight, name=name)
    else:
        span = _after_equals(text, m, at, eol, anchored=anchored, tight=tight)
    if span is None:
        return None
    value = text[slice(*span)]
    if inner := reference_default(value):
        span = (span[0] + inner[0], span[0] + inner[1])
        value = text[slice(*span)]
    if own and is_secret(strength, value, own=True):
        return [Span(*span, "key", name)]
    if strength is Strength.STRONG and values.is_code(value):
        if found := _fallback(text, span[0], eol, name, own=own):
            return found
    if not is_secret(strength, value):
        return None
    if _is_talk(text, m, span, value, strength, reading, anchored=anchored, comment=comment, tight=tight):
        return None
    return [Span(*span, "key", name)]


_OR_ELSE = re.compile(r"(?:\|\||\?\?|\bor\b|\?:|[\"'][ \t]*,)[ \t]*(?:[\"'])([^\"'\n]{1,512})[\"']")


def _fallback(text: str, at: int, eol: int, name: str, *, own: bool) -> list[Span] | None:
    """The literal in ``os.environ["X"] or "literal"``, ``process.env.X || 'literal'``, ``env('X', 'literal')``."""
    m = _OR_ELSE.search(text, at, min(eol, at + 512))
    if m and is_secret(Strength.STRONG, m[1], own=own) and not values.is_status(m[1]):
        return [Span(*m.span(1), "key", name)]
    return None


def _after_colon(
    text: str, m: re.Match[str], at: int, eol: int, *, anchored: bool, tight: bool, name: str
) -> tuple[int, int] | None:
    if anchored and not tight:
        stop = eol
        if c := _INLINE_COMMENT.search(text, at, eol):
            stop = c.start()
        value = text[at:stop].rstrip().rstrip(",")
        return (at, at + len(value)) if value else None
    return _token(text, at, eol)


def _after_equals(
    text: str, m: re.Match[str], at: int, eol: int, *, anchored: bool, tight: bool
) -> tuple[int, int] | None:
    if not anchored:
        return _token(text, at, eol)
    stop = eol
    if c := _INLINE_COMMENT.search(text, at, eol):
        stop = c.start()
    before = text[m.start() - 1 : m.start()]
    if before in {'"', "'", "`"} and (closing := text.find(before, at, eol)) >= 0:
        return (at, closing) if closing > at else None
    if tight and (c := _SHELL_TAIL.search(text, at, stop)):
        stop = c.start()
    value = text[at:stop].rstrip()
    if value.endswith(" \\"):
        value = value[:-2].rstrip()
    if value.endswith(";") and not tight:
        value = value[:-1].rstrip()
    return (at, at + len(value)) if value else None


def _token(text: str, at: int, eol: int) -> tuple[int, int] | None:
    """One word inside a line: up to a blank, a quote, or a separator that another ``name=`` follows."""
    w = _TIGHT.match(text, at, eol)
    if not w:
        return None
    stop = w.end() if w.end() - at < 4096 else _long_end(text, w.end(), eol)
    if c := _NEXT_PAIR.search(text, at, stop + 1 if stop < eol else stop):
        stop = min(stop, c.start())
    value = text[at:stop]
    if (t := _TAIL.search(value)) and not any(o in value for o in "([{"):
        stop = at + t.start()
    return (at, stop) if stop > at else None


def _long_end(text: str, at: int, eol: int) -> int:
    """The end of a word beyond 4096 characters; one that repeats names and separators is none."""
    if KEY_VALUE.search(text, at - 4096, at):
        return at
    m = _REST.match(text, at, eol)
    return m.end() if m else at


def _is_talk(
    text: str,
    m: re.Match[str],
    span: tuple[int, int],
    value: str,
    strength: Strength,
    reading: Reading,
    *,
    anchored: bool,
    comment: bool,
    tight: bool,
) -> bool:
    """A sentence, a status or a piece of program *about* a secret."""
    colon = m[4] in {":", "::"}
    if colon and m[1] in _TEST_WORDS and (reading is Reading.OUTPUT or not anchored):
        return True if " " in value else values.is_harmless(value)
    if values.is_status(value):
        return True
    if values.is_code(value) and not (tight and m[1].isupper()):
        return True
    if comment and (values.is_harmless(value) or " " in value):
        return True
    if (
        _mirrors(m[1], value)
        and (not tight or colon or text[span[1] : span[1] + 1] in ",);")
        and not (anchored and colon and not text.startswith(",", span[1]))
    ):
        return True
    if " " in value:
        return colon and (reading is Reading.OUTPUT or comment) and _is_prose(value)
    if colon and not anchored:
        if "-" in m[1] and text[m.start() - 1 : m.start()] in {'"', "'"} and strength is Strength.STRONG:
            return False  # a header in quotes
        return values.is_harmless(value) or value[0] in "([<{"
    return False


def _mirrors(name: str, value: str) -> bool:
    """``password=db_password``: an identifier that speaks of secrets itself, in lower-case code."""
    if name.isupper() or not re.fullmatch(r"[A-Za-z_]{1,60}[;,)]*", value):
        return False
    return bool(
        set(words_of(value))
        & {"password", "passwd", "token", "secret", "key", "pass", "pwd", "auth", "credential", "passphrase"}
    )


def _is_prose(value: str) -> bool:
    words = value.split()
    if len(words) > 8 or value[-1] in ".!?:" or value[0] in "([<":
        return True
    if _PROSE.search(value):
        return True
    return not all(w.islower() for w in words) and not any(c.isdigit() for c in value)
