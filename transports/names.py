"""The grammar of login names, for every route by which one reaches ssh. Pure."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 255
"""Characters. Bastions pack account, target and port into one name."""

_SHELL: Final = frozenset("'`\";&<>|(){}")
_OPTION_INSIDE: Final = re.compile(r"\s-")
_ESCAPED: Final = re.compile(r"\\[\\']|\\\Z")


def login_name_problem(name: str) -> str | None:
    r"""Why ``name`` cannot be a login name, as a clause that begins with a verb; None where it can.

    The rule is ssh's own for names on its command line (``valid_ruser`` in ssh.c, 9.6): bastions use ``alice:db1``,
    ``alice%db1``, ``alice#root#10.0.0.7`` and ``gu=alice@db1``, domains ``CORP\john doe``. In addition a name is
    printable and has no blank at either end, and a backslash does not precede what ssh_config would read as an escape.
    """
    if not name:
        return "is empty"
    if len(name) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if name.startswith("-"):
        return "begins with '-', which ssh would take for an option"
    if _OPTION_INSIDE.search(name):
        return "has a word that begins with '-', which ssh would take for an option"
    if not name.isprintable() or name != name.strip():
        return "holds control characters, or blanks at an end"
    if bad := sorted(set(name) & _SHELL):
        return f"holds {' '.join(bad)}, which ssh refuses in a login name"
    if _ESCAPED.search(name):
        return "holds a backslash that ssh would read as an escape"
    return None
