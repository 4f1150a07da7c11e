"""What the rows of the table are: checks of one program's arguments, and what they may ask the reader for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ssh_mcp.shell.fed import Fed
from ssh_mcp.shell.options import Forbidden, scan
from ssh_mcp.shell.values import Arg


class Inner(Protocol):
    """What a row hands the command to that its program starts (the reader)."""

    @property
    def fed(self) -> Fed:
        """What the program finds on its standard input."""

    def run(self, args: list[Arg]) -> None:
        """Decide about a command given as arguments: no shell reads it again. Raises Denied."""

    def run_text(self, arg: Arg, starter: str) -> None:
        """Decide about a text that a POSIX shell will read. Raises Denied."""


Check = Callable[[list[Arg], Inner], None]
"""Decides about the arguments of one program. Raises Denied."""


def forbidding(name: str, spec: Forbidden) -> Check:
    """The row of a program that is harmless without the options of ``spec``."""

    def check(args: list[Arg], _inner: Inner) -> None:
        scan(name, args, spec)

    return check


def rows(*families: tuple[str, Check]) -> dict[str, Check]:
    """Rows from pairs of program names, separated by blanks, and their check."""
    return {name: check for programs, check in families for name in programs.split()}
