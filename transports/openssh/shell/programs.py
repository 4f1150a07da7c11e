"""The programs that run on hosts: ``*.sh`` beside this file, read once, without their comments and indentation.

They take positional parameters; nothing is formatted into their text. ``scripts/check`` runs shellcheck over them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def program(*names: str) -> str:
    """Shell text of the named files, one behind the other."""
    return "\n".join("\n".join(_lines(name)) for name in names)


@cache
def one_line(name: str) -> str:
    """The same on one line, for a word of a command line: each line of the file ends where a blank may follow."""
    return " ".join(_lines(name))


def with_parameters(parameters: tuple[str, ...], *names: str) -> str:
    """Shell text that runs a program with positional parameters (words without a special character)."""
    return f"set -- {' '.join(parameters)}\n{program(*names)}"


def _lines(name: str) -> list[str]:
    text = files(__package__).joinpath(f"{name}.sh").read_text("ascii")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]
