"""Paths in the shell's view of a host, for what is done by a command and not over SFTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssh_mcp.errors import InvalidArgument, PathChanged
from ssh_mcp.remote.files.resolver import READER, ProgramPaths, Resolved
from ssh_mcp.tokens import Command, Token, arg, command, lit

if TYPE_CHECKING:
    from ssh_mcp.policy.paths import Purpose
    from ssh_mcp.remote.host import RemoteHost

STOPPED = "|| { echo ssh-mcp-path-changed >&2; exit 66; };"
"""Ends a guarded command whose path leads elsewhere by now; the message sets it apart from a command's own exit 66."""


def shell_paths(host: RemoteHost) -> ProgramPaths:
    """Paths as the login's shell shows them."""
    return ProgramPaths(host, READER, host.commands.run)


async def permitted(host: RemoteHost, paths: Sequence[tuple[str, Purpose]]) -> list[Resolved]:
    """Canonical paths in that view, permitted for their purposes, in order. Writes are the caller's to confirm."""
    return await shell_paths(host).permitted(*paths, confirm=False) if paths else []


def guarded(inner: Command, paths: Sequence[str]) -> Command:
    """``inner``, run only while every path still leads to itself."""
    checks: list[Token] = []
    for path in paths:
        checks += [lit('[ "$(readlink -f --'), arg(path), lit(')" ='), arg(path), lit(f"] {STOPPED}")]
    return command(*checks, inner.tokens)


def raise_if_changed(exit_code: int, stderr: bytes, path: str) -> None:
    """Raise PathChanged where a guarded command did not start."""
    if exit_code == 66 and stderr == b"ssh-mcp-path-changed\n":
        raise PathChanged(
            f"{path} resolved differently after it was checked.", "Nothing was done: look at it and try again."
        )


def require_kind(place: Resolved, kinds: str, what: str) -> None:
    """Raise InvalidArgument where the path is not of a wanted kind."""
    if place.kind not in kinds:
        found = {"d": "a directory", "f": "a file", "o": "no plain file", "-": "missing"}[place.kind]
        raise InvalidArgument(f"{place.path} is {found}.", f"Give {what}.")
