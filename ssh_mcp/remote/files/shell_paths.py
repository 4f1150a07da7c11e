"""Paths in the shell's view of a host, for what is done by a command and not over SFTP (BEHAVIOUR section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssh_mcp.errors import InvalidArgument, PathChanged
from ssh_mcp.policy.paths import PathVerdict, Purpose, decide, normalise_argument
from ssh_mcp.remote.programs import files_program
from ssh_mcp.tokens import Command, Token, arg, command, lit
from transports.errors import FileError, FileErrorKind, RemoteError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed

STOPPED = "|| { echo ssh-mcp-path-changed >&2; exit 66; };"
"""Ends a guarded command whose path leads elsewhere by now; what it says tells it from a command's own exit 66."""

MISSING = 64
"""Exit status of canonical.sh where a path cannot be resolved."""


@dataclass(frozen=True, slots=True)
class ShellPath:
    """A canonical path. ``kind``: d, f, o (something else) or - (nothing there)."""

    path: str
    kind: str


async def canonical(host: RemoteHost, paths: Sequence[str]) -> list[ShellPath]:
    """Where each argument really leads, links followed, all in one session. Raises InvalidArgument, FileError."""
    if not paths:
        return []
    wanted = [normalise_argument(path, host.policy.paths) for path in paths]
    done = await host.commands.run(files_program(("canonical",), *wanted))
    return read_answer(done, paths, host.name)


def read_answer(done: Completed, paths: Sequence[str], host_name: str) -> list[ShellPath]:
    """What canonical.sh printed about ``paths``. Raises FileError, RemoteError."""
    # surrogateescape both ways: a name on the host is bytes
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    if done.exit_code != 0 or len(fields) != 2 * len(paths) + 1:
        if done.exit_code == MISSING:
            raise FileError(FileErrorKind.NOT_FOUND, paths[0], f"{paths[0]} does not exist.", "Look at the spelling.")
        raise RemoteError(f"{host_name} could not resolve {paths[0]}.", "It needs readlink -f or realpath.")
    return [ShellPath(fields[2 * i], fields[2 * i + 1]) for i in range(len(paths))]


async def permitted(host: RemoteHost, paths: Sequence[tuple[str, Purpose]]) -> list[ShellPath]:
    """Canonical paths that policy allows for their purposes, in order. Raises PathNotAllowed, PathRestricted."""
    found = await canonical(host, [path for path, _ in paths])
    allowed: list[ShellPath] = []
    for place, (_, purpose) in zip(found, paths, strict=True):
        verdict = decide(place.path, host.policy.paths, purpose=purpose)
        _note(host, verdict)
        allowed.append(ShellPath(verdict.path, place.kind))
    return allowed


def _note(host: RemoteHost, verdict: PathVerdict) -> None:
    host.call.note_path(verdict.path)
    if verdict.redact_bypass:
        host.call.note_bypass()
    for warning in verdict.warnings:
        host.call.warn(warning)


def guarded(inner: Command, paths: Sequence[str]) -> Command:
    """``inner``, run only while every path still leads to itself."""
    checks: list[Token] = []
    for path in paths:
        checks += [lit('[ "$(readlink -f --'), arg(path), lit(')" ='), arg(path), lit(f"] {STOPPED}")]
    return command(*checks, inner.tokens)


def raise_if_changed(exit_code: int, stderr: bytes, path: str) -> None:
    """Raise PathChanged where a guarded command did not start."""
    if exit_code == 66 and stderr == b"ssh-mcp-path-changed\n":
        raise PathChanged(f"{path} led elsewhere after it was judged.", "Nothing was done: look at it and try again.")


def require_kind(place: ShellPath, kinds: str, what: str) -> None:
    """Raise InvalidArgument where the path is not of a wanted kind."""
    if place.kind not in kinds:
        found = {"d": "a directory", "f": "a file", "o": "no plain file", "-": "missing"}[place.kind]
        raise InvalidArgument(f"{place.path} is {found}.", f"Give {what}.")
