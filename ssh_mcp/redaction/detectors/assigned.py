"""Named values in a line: ``key = value``, ``key: value``, ``"key": "value"``, ``--key=value``, typed declarations.

This is the reading that needs no format. It serves any tool's output, and it is the net under the format readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ssh_mcp.redaction import talk, values
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors import listed
from ssh_mcp.redaction.detectors.base import LineDetector, Reach, Wide, bounded
from ssh_mcp.redaction.detectors.listed import OPENING, Listed, is_compared
from ssh_mcp.redaction.detectors.vocabulary import (
    CLOSED,
    DIGIT_OR_LONG,
    EQUALS,
    FIRST,
    HARD,
    HARD_VALUE,
    KEY_KINDS,
    LISTED,
    MIXED,
    NAME,
    NAMES,
    SOFT,
    SOFT_NAMES,
    TYPED,
    insensitive,
)
from ssh_mcp.redaction.keys import KeyMatcher, Strength, words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import (
    SEVERAL_LINES,
    Place,
    glued,
    lone_user,
    open_quote,
    quoted,
    several_lines,
    without_reference,
)
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Assignment, Reading
from ssh_mcp.redaction.values import is_secret

KEY_VALUE = re.compile(
    r"""(?x)
    (?<![\w.\-]) (-{0,2}(?:802-11-)?[A-Za-z_][\w.\-]{0,99}+) (?![\w.\-])      # 1 name
    %?(\\{0,3}["'`]|\\u0022|&quot;)? [\]}]{0,2}                            # 2 closing quote
    ((?:\[[^\[\]\n]{0,60}+\]){1,3}+            # 3 the size of an array, an index, C#'s accessors, TypeScript's "!"
        |[ ]?\{[ ]?get;[^{}\n]{0,30}\}|[!?](?=[ \t]{0,4}:))?
    ( [ \t]{0,8}:(?:[ \t]{1,8}(?:&(?:'static[ ])?)?[A-Za-z_][\w\[\]|.?<>]{0,40}[ \t]{1,8}   # 4 its type
        |(?:str|string|String|any)[ \t]{0,8})(?==[^=~>])
    | [ \t]{1,4}(?:string|String|\[\]byte|char|[Aa]s[ \t]{1,4}[\w.]{1,40})[ \t]{1,4}(?==[^=~>]))?
    [ \t]{0,40}+                                                       # 5 separator
    (=>|<{1,2}-|<>|:{1,3}=|(?:\?\?|\|\||&&|//|[?+.~|&^])=(?![=~>])|[=!]==?(?![=~>])|:{1,2}(?![:=])|=(?![=~>]))
    [ \t]{0,40}+
    (?!["'`]?<sha:[0-9a-f])
    """
)
_PREFIX = re.compile(
    r"[ \t]*(?:[-*+~|>][ \t]+)*(?:(?:\#|//|;|--|REM\b|\*)[ \t#/;]*)?(?:- )?"
    r"(?:(?:export|set|setx|setenv|declare|typeset|local|readonly|let|const|var|val|env|ENV|ARG|define"
    r"|default|final|static"
    r"|public|private|protected|string|String|String\?|auto|char\*?|-x|-r|-g|-gx|-Ux|-e)[ \t]+){0,4}[\"'$@:%]?"
)
_COMMENT = re.compile(r"[ \t]*(?:#|//|;|--[ \t]|REM\b|\*[ \t](?!\*))")
_AMONG = re.compile(r"[{\[](?:[^{}\[\]*#]*[, ])?\Z")
_QUOTED_ENV = re.compile(r"(?<![\w\\])([\"'])[A-Z][A-Z0-9_]{1,99}=\Z")
_ANOTHER = re.compile(r"[ \t,;&][\w.\-]{1,60}=")
_LITERAL_PREFIX = re.compile(
    r"(?:[bBrRuUfFL]{1,2}|@|\$|N)(?=[\"'])"
    r"|(?:new[ ]|Q|std::|NS|C|(?:Box|Rc|Arc|Cow)::(?:from|new)\()?"
    r"(?:\[\]byte|String|string|StringLiteral|String::from|Latin1String|Latin1StringLiteral|Secret|SecretStr|SecretString"
    r"|SecretString::(?:new|from)|SecureString|str|bytes|bytearray|strdup|[gx]_?strdup|_strdup|wcsdup|_T|TEXT|Buffer\.from"
    r"|b64decode|base64_decode|atob|String\.valueOf|Some|ByteString|ConvertTo-SecureString)[ ]{0,2}[({]?[ ]?(?=[\"'`])"
)
"""What wraps a literal: ``b"x"``, ``new String("x")``, ``QStringLiteral("x")``, ``ConvertTo-SecureString "x"``."""
_ASSIGNS = re.compile(r"^[ \t]*[\w.\-]{1,60}[ \t]*[=:]", re.MULTILINE)
_TEST = re.compile(r"(?:\[\[?|\btest)[ \t][^\n\]]*\Z")
_COMPARISONS = frozenset({"==", "===", "!=", "!==", "<>"})
_APPENDING = frozenset({"+=", ".=", "||=", "&&=", "??=", "//=", "~=", "|=", "&=", "^="})
_SPACED_NAME = re.compile(r"(?<![\w])([A-Za-z]{2,14}) \Z")
_WORKING_DIRECTORY = frozenset({"PWD", "OLDPWD"})
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "cookie2", "set-cookie2"})
"""Header names whose values ``shapes.headers`` takes apart."""
_PROPERTIES = re.compile(r"(?:[&!][\w!:/.\-]+[ \t]+)+")
_BLOCK_SIGN = re.compile(r"[|>][+\-0-9]{0,2}[ \t]*(?:#.*)?")
_MAX_WORD = 4096
_TIGHT = re.compile(r"[^\s\"'<>]{1,4096}")
_REST = re.compile(r"[^\s\"'<>]*")
_NEXT_PAIR = re.compile(r"[;&,](?=\s*$|[ \t]*[\w.\-]{1,40}=|[ \t]|&?quot;)")
_TAIL = re.compile(r"[)\]};:,.]{1,4}$")
_INLINE_COMMENT = re.compile(r"[ \t]+(?:#|//|;)(?:[ \t]|$).*|[ \t]+#.*")


_ARROW = re.compile(r"[ \t]{0,8}->[ \t]{0,8}\"((?:[^\"\\\n]|\\.)*)\"")
_HELP = re.compile(r"[ \t]{1,40}[A-Z][a-z]")
_UNPACKED = re.compile(r"[ \t]*(?:[A-Za-z_]\w{0,40},[ \t]{0,4}){1,8}[A-Za-z_]\w{0,40} = ")
_SIGNS = re.compile(r"[_\-.]+")
_OR_ELSE = re.compile(
    r"(?:\|\||\?\?|\bor\b|\?:)[ \t]*[\"']([^\"'\n]{1,512})[\"']|[\"'][ \t]*,[ \t]*[\"']([^\"'\n]{1,512})[\"'][ \t]*\)"
)
_ENDS_IN_LITERAL = re.compile(r"[\"'][ \t]*(\+|\.{1,2}|\|\||&|<>|\\)?[ \t]*\r?\n\Z")
_LITERAL_LINE = re.compile(
    r"[ \t]{1,200}(\+|\.{1,2}|\|\||&|<>)?[ \t]{0,9}([bruLf@$]{0,2}[\"'][^\n]{0,4096}?)"
    r"(\+|\.{1,2}|\|\||&|<>|\\)?[ \t]*\r?\n"
)
SEVERAL_LITERALS = 64
SHELL_TAIL = re.compile(
    r"[ \t]+(?:-{1,2}\w|/|\.{1,2}/|[|&;<>]|\w+=|\$"
    r"|(?:psql|mysql|pg_dump|python3?|node|npm|make|docker|sh|bash|sudo|env)\b)"
)
"""What follows ``NAME=value`` where the line is a command with its environment."""


def scan(text: str, start: int, end: int, keys: KeyMatcher, reading: Reading) -> list[Span]:
    """Named secrets in ``text[start:end]`` (whole lines). A list may reach beyond ``end``."""
    return _Scanner(text, end, keys, reading).run(start)


@dataclass(slots=True)
class _Scanner:
    """One pass over one stretch of text."""

    text: str
    stop: int
    keys: KeyMatcher
    reading: Reading

    def run(self, start: int) -> list[Span]:
        out: list[Span] = []
        lines = Lines(self.text)
        at = listed = start
        while m := KEY_VALUE.search(self.text, at, self.stop):
            name, strength = self._name(m)
            # "Environment: DB_PASSWORD=x" reads like a name with its type; the type may be the name that counts.
            # An index may hold one, too: config["password"] = "x".
            at = m.end() if strength else m.start(3) if m[3] else m.end(1) if m[4] else m.end()
            if name.lower() in _HEADERS and (m[4] or m[5] == ":"):
                at = m.end(1)
                continue
            if not strength or self.text[m.start() - 2 : m.start()] in {"${", "//"}:
                continue
            if name in _WORKING_DIRECTORY and self.text[m.start() - 1 : m.start()] == "$":
                continue
            a_list = self.text.startswith("[", m.end())
            if a_list and m.end() < listed:
                continue  # inside a list that was read already
            if found := self._value(m, name, strength, lines):
                out += found
                listed = found[-1].end
                at = at if a_list else max(at, listed)
        return out

    def _name(self, m: re.Match[str]) -> tuple[str, Strength]:
        """The name and its strength; for a plain ``Key:`` the word before it counts too (``Access Key:``)."""
        name = m[1].lstrip("-")
        strength = self.keys.strength(name)
        if strength is Strength.FAINT and name.lower() == "key":
            spaced = _SPACED_NAME.search(self.text, max(0, m.start() - 16), m.start())
            if spaced:
                name = f"{spaced[1]}_{name}"
                strength = self.keys.strength(name)
        return name, strength

    def _value(self, m: re.Match[str], name: str, strength: Strength, lines: Lines) -> list[Span]:
        text, at = self.text, m.end()
        eol = min(lines.end(at), self.stop)
        if at >= eol:
            return []
        if prefix := _LITERAL_PREFIX.match(text, at, eol):
            at = prefix.end()
        elif tag := _PROPERTIES.match(text, at, eol):
            if tag[0].startswith(("!vault", "!secret", "!Ref", "!Sub")):
                return []
            at = tag.end()
        if m[5] == ":=" and text.startswith("range ", at):
            return []  # for token := range tokens
        if at >= eol or _BLOCK_SIGN.fullmatch(text, at, eol) or _closes(text, m, at, eol):
            return []
        if m[5] in _COMPARISONS:
            return self._compared(m, at, eol, name, strength)
        if OPENING.match(text, at, eol) or (text[at] in "[{" and not text.startswith("[[", at)):
            tight = m[5] in {"=", "+="} and text[m.end() - 1] == "="
            found = listed.find(Listed(text, at, self.stop, name, strength, self.keys, tight))
            if found is not None:
                return found
        return self._single(m, (at, eol), name, strength, lines)

    def _single(self, m: re.Match[str], rest: Place, name: str, strength: Strength, lines: Lines) -> list[Span]:
        """One value: a quoted string, perhaps over several lines, or bare words."""
        text, (at, eol) = self.text, rest
        own = self.keys.is_own(name)
        if place := several_lines(text, at, eol):
            return self._several(place, name, strength, own=own)
        if place := quoted(text, at, eol):
            if text[at] == "`" and " " in text[slice(*place)]:
                return []  # a command, not a value
            found = self._quoted(place, eol, name, strength, own=own)
            return found + self._glued(m, place, name, strength) if found or strength is Strength.STRONG else found
        if m[5] in _APPENDING or m[3]:
            value = _TIGHT.match(text, at, eol)
            if value and not m[1].isupper() and values.is_plain(value[0].rstrip(";,)")):
                return []  # token += ch; token[i] = ch
        prefix_text = text[max(lines.start(at), m.start() - 80) : m.start()]
        anchored = (
            m.start() - lines.start(at) <= 80 and bool(_PREFIX.fullmatch(prefix_text)) and not m[1].startswith("--")
        )
        return self._bare(
            Assignment(
                name=m[1],
                before=text[m.start() - 1 : m.start()],
                strength=strength,
                own=own,
                colon=m[5] in {":", "::"},
                tight=text[at - 1] not in " \t",
                anchored=anchored,
                inside=bool(_AMONG.search(prefix_text)),
                comment=anchored and bool(_COMMENT.match(prefix_text)),
            ),
            name,
            (at, eol),
        )

    def _quoted(self, place: Place, eol: int, name: str, strength: Strength, *, own: bool) -> list[Span]:
        text, found = self.text, []
        inner = without_reference(text, place)
        inner = lone_user(text, inner) if strength is Strength.WEAK and not own else inner
        value = text[slice(*inner)]
        if is_secret(strength, value, own=own) and (own or not (values.is_status(value) or _repeats(name, value))):
            found.append(Span(*inner, "key", name))
        if (m := _ARROW.match(text, place[1] + 1, eol)) and is_secret(strength, m[1], own=own):
            found.append(Span(*m.span(1), "key", name))  # a plan's old and new value
        return found

    def _glued(self, m: re.Match[str], place: Place, name: str, strength: Strength) -> list[Span]:
        """The rest of a string of several literals: ``"a" + "b"``. In a shell or YAML blanks join nothing."""
        text = self.text
        spaced = text[m.end() - 1] in " \t" and "=" in m[5] and not m[2] and not m[1].startswith("-")
        return [
            Span(*more, "key", name)
            for more in glued(text, place[1] + 1, spaced=spaced)
            if is_secret(strength, text[slice(*more)]) and not values.is_status(text[slice(*more)])
        ]

    def _compared(self, m: re.Match[str], at: int, eol: int, name: str, strength: Strength) -> list[Span]:
        """``password == "x"``; a bare word only in a shell's brackets: ``[[ $TOKEN == x ]]``."""
        text = self.text
        place = quoted(text, at, eol)
        if place is None and text.find("]", at, eol) > 0 and _TEST.search(text, max(0, m.start() - 40), m.start()):
            word = _TIGHT.match(text, at, eol)
            place = word.span() if word else None
        if place is None or not is_compared(name, strength, text[slice(*place)]):
            return []
        return [Span(*place, "key", name)]

    def _several(self, place: Place, name: str, strength: Strength, *, own: bool) -> list[Span]:
        """A quoted value that goes on over lines."""
        value = self.text[slice(*place)]
        if _ASSIGNS.search(value):
            return []  # a text with named values of its own
        sure = own or strength is Strength.STRONG
        return [Span(*place, "key", name)] if sure and is_secret(strength, value, own=own) else []

    def _bare(self, seen: Assignment, name: str, rest: Place) -> list[Span]:
        if seen.anchored and not (seen.colon and seen.tight):
            place = self._whole(seen, *rest)
        else:
            place = self._word(*rest)
        if place is None:
            return []
        place = without_reference(self.text, place)
        if seen.strength is Strength.WEAK and not seen.own and (user := lone_user(self.text, place)) != place:
            return [Span(*user, "key", name)] if is_secret(seen.strength, self.text[slice(*user)]) else []
        value = self.text[slice(*place)]
        if seen.own:
            return [Span(*place, "key", name)] if is_secret(seen.strength, value, own=True) else []
        if seen.strength is Strength.STRONG and values.is_code(value) and (found := self._fallback(place[0], rest[1])):
            return [Span(*found, "key", name)]
        if seen.name.startswith("--") and value.isalpha() and value.islower() and self._is_help(place, rest[1]):
            return []
        if _repeats(name, value) or (not (seen.tight or seen.colon) and self._is_unpacked(place[0], value)):
            return []
        behind = self.text[place[1] : min(rest[1], place[1] + 200)]
        if is_secret(seen.strength, value) and not talk.is_talk(seen, value, behind, self.reading):
            return [Span(*place, "key", name)]
        return []

    def _is_help(self, place: Place, eol: int) -> bool:
        """``  --password=name  Password to use``: the flag begins the line, and a sentence follows."""
        if not _HELP.match(self.text, place[1], eol):
            return False
        line = self.text[max(self.text.rfind("\n", 0, place[0]) + 1, place[0] - 120) : place[0]]
        return line.lstrip().startswith("-")

    def _is_unpacked(self, at: int, value: str) -> bool:
        """``username, password = value``: names of a program."""
        low = max(self.text.rfind("\n", 0, at) + 1, at - 120)
        return value.isidentifier() and bool(_UNPACKED.fullmatch(self.text, low, at))

    def _fallback(self, at: int, eol: int) -> Place | None:
        """The literal in ``os.environ["X"] or "literal"``, ``process.env.X || 'literal'``, ``env('X', 'literal')``."""
        m = _OR_ELSE.search(self.text, at, min(eol, at + 512))
        value = m and (m[1] or m[2])
        return (
            m.span(m.lastindex or 1)
            if m and value and is_secret(Strength.STRONG, value) and not values.is_status(value)
            else None
        )

    def _whole(self, seen: Assignment, at: int, eol: int) -> Place | None:
        """The rest of the line, without what a line of that kind may end in."""
        text, stop = self.text, eol
        if text.startswith(("# ", "; ", "// "), at):
            return None
        if c := _INLINE_COMMENT.search(text, at, eol):
            stop = c.start()
        if seen.colon:
            value = text[at:stop].rstrip().rstrip(",")
            return (at, at + len(value)) if value else None
        if seen.before in {'"', "'", "`"} and (closing := _closing(text, seen.before, at, eol)) >= 0:
            return (at, closing) if closing > at else None
        if seen.tight and (c := SHELL_TAIL.search(text, at, stop)):
            stop = c.start()
        value = text[at:stop].rstrip()
        value = value.removesuffix(" \\").rstrip()
        if value.endswith(";") and not seen.tight:
            value = value[:-1].rstrip()
        return (at, at + len(value)) if value else None

    def _word(self, at: int, eol: int) -> Place | None:
        """One word inside a line: up to a blank, a quote, or a separator that another ``name=`` follows.

        In quotes together with a name in capitals (``Environment="DB_PASSWORD=a b"``) it is all of the quotes' inside.
        """
        text = self.text
        if text[at - 1] == "=" and (m := _QUOTED_ENV.search(text, max(0, at - 104), at)):
            closing = _closing(text, m[1], at, eol)
            if closing > at and not _ANOTHER.search(text, at, closing):
                return at, closing
        w = _TIGHT.match(text, at, eol)
        if not w:
            return None
        stop = w.end() if w.end() - at < _MAX_WORD else self._long_end(w.end(), eol)
        if c := _NEXT_PAIR.search(text, at, stop + 1 if stop < eol else stop):
            stop = min(stop, c.start())
        value = text[at:stop]
        if (t := _TAIL.search(value)) and not any(o in value for o in "([{"):
            stop = at + t.start()
        return (at, stop) if stop > at else None

    def _long_end(self, at: int, eol: int) -> int:
        """The end of a word beyond 4096 characters; one that repeats names and separators is none."""
        if KEY_VALUE.search(self.text, at - _MAX_WORD, at):
            return at
        m = _REST.match(self.text, at, eol)
        return m.end() if m else at


def _repeats(name: str, value: str) -> bool:
    """``CLIENT_SECRET = "client-secret"``: the name once more; of a single word it may be a bad password."""
    if value.rstrip(";,)").endswith(f".{name}"):
        return True  # Secret = corev1.Secret
    core = _SIGNS.sub("", name).lower()
    return len(words_of(name)) > 1 and core == _SIGNS.sub("", value).lower()


def _closing(text: str, quote: str, at: int, eol: int) -> int:
    """Where the quote that is open at ``at`` closes, or -1; one behind a backslash does not."""
    found = text.find(quote, at, eol)
    while found > at and text[found - 1] == "\\" and text[found - 2] != "\\":
        found = text.find(quote, found + 1, eol)
    return found


def _closes(text: str, m: re.Match[str], at: int, eol: int) -> bool:
    """``"Password: " + x``: the quote where the value should begin ends the string that contains the name."""
    if text[at] not in "\"'" or m[2]:
        return False
    return at + 1 >= eol or (text[at + 1] in " \t;),+]" and text[at + 2 : at + 3] != text[at])


def _reach(s: Stretch) -> list[Reach]:
    """A list or a quoted string that the line leaves open, or a literal that may go on below."""
    return [Reach(s.start, end) for end in (*_open_lists(s), *_open_quotes(s), *_glued_below(s))]


def _glued_below(s: Stretch) -> Iterator[int | None]:
    m = _ENDS_IN_LITERAL.search(s.text, max(s.start, s.end - 200), s.end)
    if m is None or not any(s.keys.strength(k[1].lstrip("-")) for k in KEY_VALUE.finditer(s.text, s.start, s.end)):
        return
    at, joined = s.end, bool(m[1])
    for _ in range(SEVERAL_LITERALS):
        below = _LITERAL_LINE.match(s.text, at)
        if below is None or not (below[1] or below[3] or joined or _indented(s.text, at)):
            yield at if at < len(s.text) else None
            return
        at, joined = below.end(), bool(below[3])
    yield at


def _indented(text: str, at: int) -> bool:
    return text[at : at + 1] in {" ", "\t"}


def _open_lists(s: Stretch) -> Iterator[int | None]:
    """Ends of ``passwords: [`` that are on a line below."""
    if not s.has("["):
        return
    closed = max(s.text.rfind("]", s.start, s.end), s.text.rfind("{", s.start, s.end), s.start)
    for m in KEY_VALUE.finditer(s.text, max(s.start, closed - 240), s.end):
        at = m.end()
        if at > closed and s.text.startswith("[", at) and s.keys.strength(m[1].lstrip("-")):
            limit = listed.limit(at, s.end)
            found = listed.LIST_END.search(s.text, at + 1, limit)
            yield bounded(s.text, found.end() if found else -1, limit)


def _open_quotes(s: Stretch) -> Iterator[int | None]:
    for m in KEY_VALUE.finditer(s.text, s.start, s.end):
        if s.keys.strength(m[1].lstrip("-")) and (mark := open_quote(s.text, m.end(), s.end)):
            limit = s.end + SEVERAL_LINES
            found = s.text.find(mark, s.end, limit)
            line_end = s.text.find("\n", found) if found >= 0 else -1
            yield bounded(s.text, line_end + 1 if line_end >= 0 else -1, limit + SEVERAL_LINES)


DETECTOR = LineDetector(
    name="assignments",
    find=lambda s: scan(s.text, s.start, s.end, s.keys, s.reading),
    reach=_reach,
    wide=(
        Wide("names", rf"{NAMES}(?:{CLOSED}{FIRST}|{TYPED})"),
        Wide("keys", rf"(?:{KEY_KINDS})[_\-]key{NAME}{CLOSED}{FIRST}"),
        Wide("run-together keys", rf"(?:pi|ss|te|er|nt|on|ng|ed|th|se|pp)[ .]?key{NAME}{CLOSED}{FIRST}"),
        Wide("soft names", rf"{SOFT_NAMES}(?:{CLOSED}(?:{DIGIT_OR_LONG}|{LISTED})|{TYPED})"),
        Wide("soft names", rf"{SOFT_NAMES}[\"']?[ \t]*[:=][ \t]*\[[^\]\n]{{0,200}}[0-9!@#$%^&*+]"),
        Wide("rare", r"(?:sig=|sid=|sig:|sid:|sig\"|sid\"|sig'|sid')[^\s]{4}"),
    ),
    line=(
        # A hard word and any value; a soft one, and a value with a digit or a sign in it, or a URL with a user.
        insensitive(rf"{HARD}{EQUALS}{HARD_VALUE}"),
        insensitive(rf"{SOFT}[\"']?[ \t]*[:=][ \t]*\[[^\]\n]{{0,200}}[0-9!@#$%^&*+]"),
        insensitive(rf"{SOFT}{EQUALS}(?:{MIXED}|{LISTED}|[a-z][a-z0-9+.\-]*://[^\s/:@]+:?@)"),
    ),
    hit="DB_PASSWORD=«hunter2x9»",
    miss="password_file=/run/secrets/db",
)
