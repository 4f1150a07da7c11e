"""Rust's ``regex`` for "does it match anywhere?", borrowed from pydantic-core.

A lazy DFA: one pass whatever the number of alternatives, never quadratic; Python's ``re`` needs 5 ms a MiB for one
alternation. docs/adr/0011 has the figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from pydantic_core import SchemaValidator, core_schema

Ask = Callable[[str], bool]
_NEGATED = re.compile(r"\[\^(?:\\.|[^\]\\])+\]|\\S")


def rust_asks(pattern: str) -> Ask:
    """Whether ``pattern`` (Rust's syntax) matches anywhere in a text, which must be without lone surrogates."""
    # ASCII classes keep the automaton small; only a negated class must know all of Unicode.
    return _asks(_NEGATED.sub(lambda m: f"(?u:{m[0]})", pattern))


def ascii_asks(pattern: str) -> Ask:
    """The same for a text that is ASCII (see ``as_ascii``): without Unicode's ranges the automata take 4 MiB less."""
    return _asks(_NEGATED.sub(_ascii_class, pattern))


def _ascii_class(negated: re.Match[str]) -> str:
    """ASCII without what is excluded: ``[^"]`` itself would also match bytes that are not UTF-8, which Rust refuses."""
    excluded = r"[\s]" if negated[0] == r"\S" else f"[{negated[0][2:]}"
    return rf"[\x00-\x7f--{excluded}]"


def _asks(pattern: str) -> Ask:
    schema = core_schema.str_schema(pattern=pattern, strict=True, regex_engine="rust-regex")
    return SchemaValidator(schema).isinstance_python


def one_of(patterns: Iterable[str]) -> str:
    """An alternation of ``patterns``, their classes ASCII."""
    return "|".join(f"(?-u:{p})" for p in patterns)


def as_ascii(text: str) -> str:
    """``text`` with every other character as ``?``, position by position.

    Rust's strings are UTF-8: a lone surrogate would make it refuse the whole text (and so find nothing), and checking
    what is not ASCII costs 2 ms a MiB each time. No pattern names a character beyond ASCII.
    """
    return text if text.isascii() else text.encode("ascii", "replace").decode("ascii")


def literal(key: str) -> str:
    """A pattern that matches ``key`` itself."""
    return re.sub(r"([^A-Za-z0-9_])", lambda m: rf"\x{{{ord(m[1]):x}}}", key)
