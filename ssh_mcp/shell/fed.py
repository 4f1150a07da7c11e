"""What a program finds on its standard input, as far as the text of the command shows it.

A here-document, a here-string and the output of a literal ``echo`` or ``printf`` are known; a file, another program's
output and anything with an expansion are not. Programs that read commands from their input are decided by this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ssh_mcp.shell.tree import Command, Redirect, Simple, Text


@dataclass(frozen=True, slots=True)
class Fed:
    """``texts``: what the input can be, under any shell; empty: there is none; None: it cannot be read."""

    texts: tuple[str, ...] | None


NOTHING: Final = Fed(())
"""The end of file at once: what a command of a call finds."""
UNKNOWN: Final = Fed(None)

_OCTAL: Final = re.compile(r"\\(?:0?([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_NAMED: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "\\": "\\"}
_DIRECTIVE: Final = re.compile(r"%[sbi%]|%d")


def from_redirects(redirects: tuple[Redirect, ...], otherwise: Fed) -> Fed:
    """The input after the last redirection that sets it; ``otherwise`` where none does."""
    fed = otherwise
    for redirect in redirects:
        if redirect.fd not in ("", "0") or not redirect.op.startswith("<"):
            continue
        if redirect.op in ("<<", "<<-"):
            parts = redirect.heredoc.parts if redirect.heredoc else ()
            fed = _literal("".join(p.text for p in parts if isinstance(p, Text)), whole=_all_text(parts))
        elif redirect.op == "<<<":
            value = redirect.target.static
            fed = UNKNOWN if value is None else Fed((f"{value}\n",))
        else:
            fed = NOTHING if redirect.op == "<" and redirect.target.static == "/dev/null" else UNKNOWN
    return fed


def _all_text(parts: tuple[object, ...]) -> bool:
    return all(isinstance(p, Text) for p in parts)


def _literal(text: str, *, whole: bool) -> Fed:
    return Fed((text,)) if whole else UNKNOWN


def through_pipe(command: Command) -> Fed:
    """What ``command`` writes to the pipe behind it."""
    if not isinstance(command, Simple) or command.assignments or not command.words:
        return UNKNOWN
    words = [w.static for w in command.words]
    name = words[0]
    if name == "cat" and len(words) == 1 and not _redirected(command):
        return from_redirects(command.redirects, UNKNOWN)
    if None in words or command.redirects or name not in ("echo", "printf"):
        return UNKNOWN
    arguments = [w for w in words[1:] if w is not None]
    return _echo(arguments) if name == "echo" else _printf(arguments)


def _redirected(command: Simple) -> bool:
    return any(not r.op.startswith("<") and r.fd != "2" for r in command.redirects)


def _echo(words: list[str]) -> Fed:
    """Every reading: dash interprets escapes, bash only after -e, and each takes other options for text."""
    readings = {" ".join(words)}
    while words and re.fullmatch(r"-[neE]+", words[0]):
        words = words[1:]
        readings.add(" ".join(words))
    return Fed(tuple(sorted({f"{t}\n" for r in readings for t in (r, unescaped(r))})))


def _printf(words: list[str]) -> Fed:
    if words[:1] == ["--"]:
        words = words[1:]
    if not words or words[0].startswith("-"):
        return UNKNOWN
    template, arguments = unescaped(words[0]), words[1:]
    pieces = _DIRECTIVE.findall(template)
    if "%" in _DIRECTIVE.sub("", template):
        return UNKNOWN
    wanted = [p for p in pieces if p != "%%"]
    if arguments and not wanted:
        return Fed((template.replace("%%", "%"),))
    out, rest = [], list(arguments)
    while True:
        out.append(_DIRECTIVE.sub(lambda m: _filled(m.group(), rest), template))
        if not rest or len(out) > len(arguments):
            return Fed(("".join(out),))


def _filled(directive: str, rest: list[str]) -> str:
    if directive == "%%":
        return "%"
    value = rest.pop(0) if rest else ""
    return unescaped(value) if directive == "%b" else value


def unescaped(text: str) -> str:
    """Backslash escapes as printf(1) and the echo of dash read them."""

    def one(found: re.Match[str]) -> str:
        octal, hexadecimal, other = found.groups()
        if octal:
            return chr(int(octal, 8) & 0xFF)
        return chr(int(hexadecimal, 16)) if hexadecimal else _NAMED.get(other, f"\\{other}")

    return _OCTAL.sub(one, text)
