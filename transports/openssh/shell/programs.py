"""The programs of a command's frame: ``*.sh`` beside this file, without their comments and indentation."""

from __future__ import annotations

from functools import cache

from transports.programs import program_text, walk_text


@cache
def program(*names: str) -> str:
    """Shell text of the named files (``walk`` is the shared one), one after the other."""
    return "\n".join("\n".join(_lines(name)) for name in names)


@cache
def one_line(name: str) -> str:
    """The same on one line, for a word of a command line: each line of the file ends where a blank may follow."""
    return " ".join(_lines(name))


def with_parameters(parameters: tuple[str, ...], *names: str) -> str:
    """Shell text that runs a program with positional parameters (words without a special character)."""
    return f"set -- {' '.join(parameters)}\n{program(*names)}"


def _lines(name: str) -> list[str]:
    text = walk_text() if name == "walk" else program_text(__package__, f"{name}.sh")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line]
