"""How a shell program (``transports.programs``) becomes a command on a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.tokens import Command, arg, command, lit
from transports.programs import program_text

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_program(text: str, *arguments: str) -> Command:
    """A command that runs ``text`` in the shell that is there anyway, with ``arguments`` as ``$1``, ``$2`` …"""
    return command("set --", *(arg(a) for a in arguments), lit(f"\n{text}"))


def files_text(*names: str) -> str:
    """The programs of the file service, one behind the other: functions first."""
    return "".join(program_text("ssh_mcp.remote.files", f"programs/{name}.sh") for name in names)


def files_program(names: Sequence[str], *arguments: str) -> Command:
    """One of them in a shell of its own, which root's programs need; each argument travels as a quoted word."""
    return command("sh -c", arg(files_text(*names)), "sh", [arg(a) for a in arguments])
