"""Entries of command_allowlist: their shape and what they permit. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ssh_mcp.shell.parse import BASH_ONLY, RESERVED
from ssh_mcp.shell.refused import REFUSED
from ssh_mcp.shell.values import Arg

_NAME: Final = re.compile(r"[A-Za-z0-9_.+:@,\[-][A-Za-z0-9_.+:@,\[\]-]*\Z")
_PATH: Final = re.compile(r"[A-Za-z0-9_./+:@,\[\]-]+")
_WORD: Final = re.compile(r"[A-Za-z0-9_./+:@,%=\[\]-]+")
_SILENT: Final = frozenset({"--no-pager"})
"""Options that may precede the first words of an entry: no program gives them another meaning or a value."""


@dataclass(frozen=True, slots=True)
class Allowlist:
    """``bare``: names and absolute paths without arguments; ``words``: programs with the first words they need."""

    bare: frozenset[str]
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def of(cls, entries: Sequence[str]) -> Allowlist:
        split = [tuple(e.split()) for e in entries]
        return cls(
            frozenset(words[0] for words in split if len(words) == 1 and _is_name(words[0])),
            tuple((words[0], words[1:]) for words in split if len(words) > 1 and _is_name(words[0])),
        )

    def names(self, program: str) -> bool:
        """Whether any entry is about ``program``."""
        return any(_covers(entry, program) for entry in (*self.bare, *(name for name, _ in self.words)))

    def permits(self, program: str, args: Sequence[Arg]) -> bool:
        """A bare entry permits any arguments; one of several words only arguments that begin with these words."""
        if program in self.bare or (program.startswith("/") and program.rpartition("/")[2] in self.bare):
            return True
        return any(_covers(name, program) and _begins(args, words) for name, words in self.words)


def _is_name(entry: str) -> bool:
    return "/" not in entry or entry.startswith("/")


def _covers(entry: str, program: str) -> bool:
    """A bare entry means the name and any absolute path to it, an absolute one only itself."""
    return entry == program or ("/" not in entry and program.startswith("/") and program.rpartition("/")[2] == entry)


def _begins(args: Sequence[Arg], words: tuple[str, ...]) -> bool:
    rest = [a.value for a in args]
    while rest and rest[0] in _SILENT:
        rest.pop(0)
    return tuple(rest[: len(words)]) == words


def check_allow_entry(entry: str) -> str | None:
    """What is wrong with one entry of command_allowlist or SSH_COMMAND_ALLOWLIST, as one clause; None if it is fine."""
    if entry == "*":
        return None
    if not entry or entry != entry.strip():
        return "is empty or has blanks around it"
    name, *words = entry.split()
    if "/" in name and not name.startswith("/"):
        return "is a relative path: write the bare name or the absolute path"
    base = name.rpartition("/")[2]
    if not _NAME.match(base) or not _PATH.fullmatch(name):
        return 'is not the name of a program (patterns are not understood, only "*" for everything)'
    if not all(_WORD.fullmatch(w) for w in words):
        return "holds a word with quotes, patterns or shell characters: an entry lists plain first words"
    if base in REFUSED or base in RESERVED or base in BASH_ONLY - {"time"}:
        return "can never be allowed: what it starts cannot be decided from the text of a command"
    return None
