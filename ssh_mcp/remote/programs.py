"""The shell programs that run on hosts: ``*.sh`` beside the module that sends them, with positional parameters only."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from ssh_mcp.tokens import Command, arg, command, lit


@lru_cache(maxsize=64)
def program_text(package: str, name: str) -> str:
    """The text of ``name`` (with its ``.sh``) in ``package``, without comment lines: they need not travel."""
    text = (resources.files(package) / name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")) + "\n"


def run_program(text: str, *arguments: str) -> Command:
    """A command that runs ``text`` in the shell that is there anyway, with ``arguments`` as ``$1``, ``$2`` …"""
    return command("set --", *(arg(a) for a in arguments), lit(f"\n{text}"))
