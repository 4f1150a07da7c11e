"""The one table of programs whose arguments matter: program name → what decides about its arguments.

Each family has a module; a program under another of its names (Homebrew's ``gsort``, ``psql-15``, ``nc.openbsd``,
``x86_64-linux-gnu-nm``) finds the same row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from ssh_mcp.shell import admin, clients, containers, databases, launchers, programs, wrappers
from ssh_mcp.shell.inner import Check
from ssh_mcp.shell.tree import names

ROWS: Final[dict[str, Check]] = {
    **programs.ROWS,
    **admin.ROWS,
    **clients.ROWS,
    **databases.ROWS,
    **containers.ROWS,
    **launchers.ROWS,
    **wrappers.ROWS,
}

_GNU: Final = names(
    """
    awk basename cat chgrp chmod chown chroot cksum comm cp csplit cut date dd df diff diff3 dircolors dirname du echo
    env expand expr factor find fmt fold grep egrep fgrep groups head hostid id install join kill link ln locate
    logname ls make md5sum mkdir mkfifo mknod mktemp mv nice nl nohup nproc numfmt od paste pathchk pinky pr printenv
    printf ptx pwd readlink realpath rm rmdir sdiff sed seq sha1sum sha256sum shred shuf sleep sort split stat stdbuf
    stty sum sync tac tail tar tee test time timeout touch tr truncate tsort tty uname unexpand uniq unlink updatedb
    uptime users vdir wc which who whoami xargs yes strip objdump objcopy nm ar ranlib readelf strings size
    """
)
"""GNU programs that Homebrew and BSD ports install with a g before their names."""

_TARGET = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*-(?:linux|elf|eabi|darwin)[a-z0-9]*(?:-[a-z0-9]+)?-(.+)\Z")
"""A tool for another machine: x86_64-linux-gnu-objdump."""
_SUFFIX = re.compile(
    r"(.+?)(?:-?\d[\d.]*|\.(?:openbsd|traditional|mailutils|basic|tiny|nox|gnu|distrib|orig|real|static|netkit))\Z"
)
"""A version or the name of an alternative: psql-15, lua5.4, nc.openbsd, mail.mailutils."""


@cache
def row(base: str) -> Check | None:
    """The row of a program by its name without directory; None: its arguments do not matter."""
    return next((ROWS[name] for name in other_names(base) if name in ROWS), None)


def other_names(base: str) -> Iterator[str]:
    """The name itself, then the names under which the same program is known."""
    yield base
    if base[:1] == "g" and base[1:] in _GNU:
        yield base[1:]
    for pattern in (_TARGET, _SUFFIX):
        if (found := pattern.match(base)) is not None:
            yield from other_names(found.group(1))
