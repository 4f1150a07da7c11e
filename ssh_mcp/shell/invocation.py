"""What a command would start: a program with its arguments, as far as they are known from the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ssh_mcp.shell.values import Arg


@dataclass(frozen=True, slots=True)
class Invocation:
    """``program`` as written; an argument that depends on an expansion is None in ``words``."""

    program: str
    words: tuple[str | None, ...] = ()

    @property
    def base(self) -> str:
        """The program's name without its directory."""
        return self.program.rpartition("/")[2]

    def __str__(self) -> str:
        return " ".join([self.program, *("…" if w is None else w for w in self.words)])


class Permission(Protocol):
    """Which programs may be started."""

    def names(self, program: str) -> bool:
        """Whether any entry is about ``program``, with whatever arguments."""

    def permits(self, program: str, args: Sequence[Arg]) -> bool:
        """Whether ``program`` may be started with ``args``."""


class Everything:
    """Permits every program: for reading what a command starts where the policy does not restrict it."""

    def names(self, program: str) -> bool:
        return bool(program)

    def permits(self, program: str, args: Sequence[Arg]) -> bool:
        return bool(program) and args is not None
