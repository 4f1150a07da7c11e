"""Assignments a line: dotenv and shell, INI, Java properties, systemd units, and their like."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors.assigned import SHELL_TAIL
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place, lone_user, quoted, without_reference
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.values import is_secret

_ENV = re.compile(
    (
        r"^[ \t]*(?:(?:export|set|setenv|declare(?:[ \t]+-\w+)?|local|readonly|ENV|ARG)[ \t]+)?"
        r"([A-Za-z_][\w.\-]{0,120})(?:[ \t]*=[ \t]*|:[ \t]+)(?=\S)"
    ),
    re.MULTILINE,
)
_INI = re.compile(
    r"^[ \t]*([^\s=:#;\[\]!<>{}\"'/(][^=:\n#;\"'<>{}()]{0,120}?)[ \t]*(?:=|:(?!//))[ \t]*(?=\S)", re.MULTILINE
)
_SECTION = re.compile(r"^[ \t]*\[([^\]\n]{1,200})\]", re.MULTILINE)
_LONG_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.){0,65536}+)"', re.DOTALL),
    "'": re.compile(r"'([^']{0,65536}+)'"),
}
_COMMENT = re.compile(r"[ \t]+[#;](?:[^\n]*)|[ \t]+//[ \t][^\n]*")
_INI_COMMENT = re.compile(r"[ \t]+[#;][ \t][^\n]*|[ \t]{2,}[#;][^\n]*")
_INDENTED = re.compile(r"(?:\r?\n[ \t]+(?![#;\s])(?![^\n]{0,120}[=:][ \t])[^\n]+)+")


def env(text: str, rules: Rules) -> list[Span]:
    """Secrets of a dotenv or shell file. A quoted value may go on over lines; so may one that ends in a backslash."""
    out: list[Span] = []
    lines = Lines(text)
    at = 0
    while m := _ENV.search(text, at):
        place, after = _env_value(text, lines, m.end())
        at = max(after, m.end())
        if rules.keys.strength(m[1]):
            out += _secret_in(text, place, m[1], m[1], rules)
        elif "\n" not in text[m.end() : at]:
            at = m.end()  # a value on one line may hold further assignments
    return out


def _env_value(text: str, lines: Lines, at: int) -> tuple[Place, int]:
    """The value at ``at`` without its quotes, and where reading goes on."""
    start = at + 1 if text.startswith("$'", at) else at
    quote = text[start]
    if quote in _LONG_QUOTED and (m := _LONG_QUOTED[quote].match(text, start)):
        after = text[m.end() : m.end() + 1]
        if not after or after in " \t\r\n;#,)&|":
            return m.span(1), m.end()
    stop = _continued(text, lines, at, lines.end(at))
    for ending in (_COMMENT, SHELL_TAIL):
        if c := ending.search(text, at, stop):
            stop = c.start()
    return (at, at + len(text[at:stop].rstrip())), stop


def _continued(text: str, lines: Lines, at: int, stop: int) -> int:
    """The end of a value whose lines end in a backslash."""
    while text.endswith("\\", at, stop) and not text.endswith("\\\\", at, stop):
        following = text.find("\n", stop) + 1
        if not following:
            break
        stop = lines.end(following)
    return stop


def ini(text: str, rules: Rules) -> list[Span]:
    """Secrets of an INI or properties file, keys with their section."""
    out: list[Span] = []
    sections = [(m.start(), m[1].strip()) for m in _SECTION.finditer(text)]
    lines = Lines(text)
    which = at = 0
    while m := _INI.search(text, at):
        at = m.end()
        name = m[1].strip()
        if not rules.keys.strength(name):
            continue
        while which < len(sections) and sections[which][0] < m.start():
            which += 1
        place = _ini_value(text, lines, m.end())
        out += _secret_in(text, place, name, f"{sections[which - 1][1]}.{name}" if which else name, rules)
        at = max(at, place[1])
    return out


def _ini_value(text: str, lines: Lines, at: int) -> Place:
    eol = lines.end(at)
    if text.startswith(("# ", "; "), at):
        return at, at
    if text[at] != "`" and (inner := quoted(text, at, eol)):
        rest = inner[1] + 1
        if rest >= eol or not text[rest:eol].strip() or _INI_COMMENT.match(text, rest, eol):
            return inner
    stop = eol
    if c := _INI_COMMENT.search(text, at, eol):
        stop = c.start()
    stop = _continued(text, lines, at, stop)
    begin = lines.start(at)
    depth = at - begin - len(text[begin:at].lstrip(" \t"))
    if (m := _INDENTED.match(text, stop)) and len(m[0]) - len(m[0].lstrip()) - 1 - m[0].startswith("\r") > depth:
        stop = m.end()  # deeper than its key, as configparser has it
    return at, at + len(text[at:stop].rstrip())


def _secret_in(text: str, place: Place, name: str, path: str, rules: Rules) -> list[Span]:
    """The span of a value that is secret under ``name``; ``path`` is what it is reported as."""
    place = without_reference(text, place)
    own, strength = rules.keys.is_own(name), rules.keys.strength(name)
    place = lone_user(text, place) if strength is Strength.WEAK and not own else place
    value = text[slice(*place)]
    if not is_secret(strength, value, own=own):
        return []
    if not own and values.is_code(value) and ("(" in value or value.startswith("$")):
        return []
    return [Span(*place, "key", path)]
