"""The shell programs that run on hosts: ``*.sh`` beside the module that sends them, with positional parameters only."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from ssh_mcp.tokens import Command, arg, command, lit

if TYPE_CHECKING:
    from collections.abc import Sequence


@lru_cache(maxsize=64)
def program_text(package: str, name: str) -> str:
    """The text of ``name`` (with its ``.sh``) in ``package``, without comment lines: they need not travel."""
    text = (resources.files(package) / name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")) + "\n"


def run_program(text: str, *arguments: str) -> Command:
    """A command that runs ``text`` in the shell that is there anyway, with ``arguments`` as ``$1``, ``$2`` …"""
    return command("set --", *(arg(a) for a in arguments), lit(f"\n{text}"))


def files_text(*names: str) -> str:
    """The programs of the file service, one behind the other: functions first."""
    return "".join(program_text("ssh_mcp.remote.files", f"programs/{name}.sh") for name in names)


def files_program(names: Sequence[str], *arguments: str) -> Command:
    """One of them in a shell of its own, which root's programs need; each argument travels as a quoted word."""
    return command("sh -c", arg(files_text(*names)), "sh", [arg(a) for a in arguments])
