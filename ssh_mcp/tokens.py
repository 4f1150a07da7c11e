"""A remote command as a list of tokens, not a string.

``lit("systemctl")``, ``arg(user_value)``, ``secret(value)``: rendered once for the wire and once, masked, for logs
and audit. Only the exec tier's free-form text never becomes tokens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from transports.api import CommandLine

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@%+")


def quote(value: str) -> str:
    """``value`` as exactly one word of a POSIX shell. Raises ValueError on NUL, which no argv can hold."""
    if "\0" in value:
        raise ValueError("a shell word cannot hold NUL")
    if value and all(c in _SAFE for c in value) and value[0] not in "=~":
        return value
    return "'" + value.replace("'", "'\\''") + "'"


@dataclass(frozen=True, slots=True)
class Token:
    """One word (or, for ``kind`` literal, one piece of shell syntax that the program itself wrote)."""

    text: str
    kind: Literal["literal", "value", "secret"]

    def wire(self) -> str:
        return self.text if self.kind == "literal" else quote(self.text)

    def masked(self) -> str:
        return "***" if self.kind == "secret" else self.wire()


def lit(text: str) -> Token:
    """Shell text written in this program: never anything that came from outside."""
    return Token(text, "literal")


def arg(value: str) -> Token:
    """A value from outside, quoted."""
    return Token(value, "value")


def secret(value: str) -> Token:
    """A quoted value that logs and audit must not show."""
    return Token(value, "secret")


@dataclass(frozen=True, slots=True)
class Command:
    """Tokens joined by single blanks."""

    tokens: tuple[Token, ...]

    def wire(self) -> CommandLine:
        """What the remote ``sh`` gets."""
        return CommandLine(" ".join(t.wire() for t in self.tokens))

    def masked(self) -> str:
        """The same for people and hashes, secrets replaced by ``***``."""
        return " ".join(t.masked() for t in self.tokens)


def command(*parts: Token | str | Iterable[Token]) -> Command:
    """``command("systemctl", "show", "--", arg(unit))``: plain strings are literals."""
    tokens: list[Token] = []
    for part in parts:
        if isinstance(part, Token):
            tokens.append(part)
        elif isinstance(part, str):
            tokens.append(lit(part))
        else:
            tokens.extend(part)
    return Command(tuple(tokens))
