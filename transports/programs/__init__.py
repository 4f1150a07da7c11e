"""The shell programs that run on hosts: ``*.sh`` beside the modules that send them, with positional parameters only.

Nothing is formatted into their text. ``scripts/check`` runs shellcheck over them. Here is also the one program that
several of them share: ``walk.sh``.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def program_text(package: str, name: str) -> str:
    """The text of ``name`` (with its ``.sh``) in ``package``, without comment lines: they need not travel."""
    text = files(package).joinpath(name).read_text("utf-8")
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")) + "\n"


def walk_text() -> str:
    """``walk``, which lists the host's processes."""
    return program_text(__name__, "walk.sh")
