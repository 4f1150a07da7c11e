"""How commands print: sentences wrapped between words at the terminal's width, and never within a path or a name."""

from __future__ import annotations

import os
import sys
import textwrap

from rich.console import Console
from rich.text import Text

UNLIMITED = 10_000
"""Columns where nobody looks at a terminal: a pipe gets each sentence in one line."""


def console(*, stderr: bool = False) -> Console:
    """For text that is printed as it is, without markup and without colours of its own."""
    return Console(stderr=stderr, highlight=False, markup=False, soft_wrap=True)


def width(target: Console) -> int:
    """Columns to wrap at: the terminal's, or what COLUMNS says."""
    if target.is_terminal or os.environ.get("COLUMNS", "").isdigit():
        return max(20, target.width)
    return UNLIMITED


def lines(text: str, columns: int, indent: int = 0) -> list[str]:
    """``text`` wrapped between words; every line but the first begins with ``indent`` blanks.

    A word that is longer than a line, such as a path, stays whole.
    """
    return textwrap.wrap(
        text, columns, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


def say(target: Console, text: str, *, indent: int = 0, style: str = "") -> None:
    """Print a sentence."""
    for line in lines(text, width(target), indent):
        target.print(Text(line, style=style), soft_wrap=True)


def print_json(text: str) -> None:
    """JSON on stdout, byte for byte."""
    sys.stdout.write(text + "\n")
