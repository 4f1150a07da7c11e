"""The ``#!`` line of a script: which program reads it, and whether that is a shell that this package can read."""

from __future__ import annotations

import re
from typing import Final

from ssh_mcp.shell.tree import names

_READ_ALIKE: Final = names("sh bash dash ash")
_DIRECTORIES: Final = frozenset({"", "/bin", "/usr/bin", "/usr/local/bin"})
_FLAGS: Final = re.compile(r"-[efuxvhC]+\Z")
"""Options of a shell that change nothing about what a script starts: ``-eu``, ``-x``."""


def interpreter(body: str) -> tuple[str, ...]:
    """The words of the ``#!`` line, without ``/usr/bin/env`` and its ``-S``; ``("sh",)`` where there is none."""
    if not body.startswith("#!"):
        return ("sh",)
    words = body.split("\n", 1)[0][2:].split()
    if words and words[0].rsplit("/", 1)[-1] == "env":
        words = [w for w in words[1:] if w != "-S"]
    return tuple(words) or ("sh",)


def is_plain_shell(words: tuple[str, ...]) -> bool:
    """Whether a system's own sh, bash, dash or ash reads the script, with harmless options at most."""
    directory, _, name = words[0].rpartition("/")
    return name in _READ_ALIKE and directory in _DIRECTORIES and all(_FLAGS.match(w) for w in words[1:])
