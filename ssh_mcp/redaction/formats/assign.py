"""Assignments a line: dotenv and shell, INI, Java properties, systemd units, and their like."""

from __future__ import annotations

import re

from ssh_mcp.redaction import kv, values
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.values import is_secret

_ENV = re.compile(
    r"^[ \t]*(?:(?:export|set|setenv|declare(?:[ \t]+-\w+)?|local|readonly|ENV|ARG)[ \t]+)?([A-Za-z_][\w.\-]{0,120})(?:[ \t]*=[ \t]*|:[ \t]+)(?=\S)",
    re.MULTILINE,
)
_INI = re.compile(
    r"^[ \t]*([^\s=:#;\[\]!<>{}\"'/(][^=:\n#;\"'<>{}()]{0,120}?)[ \t]*(?:=|:(?!//))[ \t]*(?=\S)", re.MULTILINE
)
_SECTION = re.compile(r"^[ \t]*\[([^\]\n]{1,200})\]", re.MULTILINE)
_LONG_QUOTED = {
    '"': re.compile(r'"((?:[^"\\]|\\.){0,65536}+)"', re.DOTALL),
    "'": re.compile(r"'([^']{0,65536}+)'"),
    "`": re.compile(r"`([^`]{0,65536}+)`"),
}
_COMMENT = re.compile(r"[ \t]+[#;](?:[^\n]*)|[ \t]+//[ \t][^\n]*")
_INI_COMMENT = re.compile(r"[ \t]+[#;][ \t][^\n]*|[ \t]{2,}[#;][^\n]*")
_INDENTED = re.compile(r"(?:\r?\n[ \t]+(?![#;\s])(?![^\n]{0,120}[=:][ \t])[^\n]+)+")


def env(text: str, rules: Rules) -> list[Span]:
    """Secrets of a dotenv or shell file. A quoted value may go on over lines; so may one that ends in a backslash."""
    out: list[Span] = []
    keys = rules.keys
    at = 0
    lines = Lines(text)
    while m := _ENV.search(text, at):
        eol = lines.end(m.end())
        span, at = _env_value(text, lines, m.end(), eol)
        at = max(at, m.end())
        name = m[1]
        strength = keys.strength(name)
        if not strength:
            at = at if "\n" in text[m.end() : at] else m.end()
            continue
        _judge(text, span, strength, name, name, out, own=keys.is_own(name))
    return out


def _env_value(text: str, lines: Lines, at: int, eol: int) -> tuple[tuple[int, int], int]:
    """The value at ``at`` without its quotes, and where reading goes on."""
    start = at + 1 if text.startswith("$'", at) else at
    quote = text[start]
    if quote in _LONG_QUOTED and (m := _LONG_QUOTED[quote].match(text, start)):
        after = text[m.end() : m.end() + 1]
        if not after or after in " \t\r\n;#,)&|":
            return m.span(1), m.end()
    stop = eol
    while text.endswith("\\", at, stop) and stop < len(text):
        stop = lines.end(text.find("\n", stop) + 1)
    if c := _COMMENT.search(text, at, stop):
        stop = c.start()
    if s := kv._SHELL_TAIL.search(text, at, stop):  # noqa: SLF001
        stop = s.start()
    value = text[at:stop].rstrip()
    return (at, at + len(value)), stop


def ini(text: str, rules: Rules) -> list[Span]:
    """Secrets of an INI or properties file, keys with their section."""
    out: list[Span] = []
    keys = rules.keys
    sections = [(m.start(), m[1].strip()) for m in _SECTION.finditer(text)]
    which = 0
    at = 0
    lines = Lines(text)
    while m := _INI.search(text, at):
        at = m.end()
        name = m[1].strip()
        strength = keys.strength(name)
        if not strength:
            continue
        while which < len(sections) and sections[which][0] < m.start():
            which += 1
        eol = lines.end(m.end())
        span = _ini_value(text, lines, m.end(), eol)
        path = f"{sections[which - 1][1]}.{name}" if which else name
        _judge(text, span, strength, name, path, out, own=keys.is_own(name))
        at = max(at, span[1])
    return out


def _ini_value(text: str, lines: Lines, at: int, eol: int) -> tuple[int, int]:
    if text[at] in "\"'":
        inner = kv.quoted(text, at, eol)
        if inner and (
            inner[1] >= eol or not text[inner[1] + 1 : eol].strip() or _INI_COMMENT.match(text, inner[1] + 1, eol)
        ):
            return inner
    stop = eol
    if c := _INI_COMMENT.search(text, at, eol):
        stop = c.start()
    while text.endswith("\\", at, stop) and not text.endswith("\\\\", at, stop) and stop < len(text):
        stop = lines.end(text.find("\n", stop) + 1)
    if m := _INDENTED.match(text, stop):
        stop = m.end()
    return at, at + len(text[at:stop].rstrip())


def _judge(
    text: str, span: tuple[int, int], strength: Strength, name: str, path: str, out: list[Span], *, own: bool
) -> None:
    value = text[slice(*span)]
    if inner := kv.reference_default(value):
        span = (span[0] + inner[0], span[0] + inner[1])
        value = text[slice(*span)]
    if not is_secret(strength, value, own=own):
        return
    if not own and values.is_code(value) and ("(" in value or value.startswith("$")) and not value[0].isdigit():
        return
    out.append(Span(*span, "key", path))
