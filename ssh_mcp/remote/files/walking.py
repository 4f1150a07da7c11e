"""Walking a remote tree over SFTP, many directories at a time, without following links.

The same on every host: it needs no shell, and results do not depend on whose ``find`` is installed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ssh_mcp.policy.paths import child
from ssh_mcp.remote.files.listing import entries_of
from ssh_mcp.remote.files.paths import in_place
from ssh_mcp.remote.together import settled
from transports.api import DirectoryEntry, Files
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE: Final = 32
"""Directories read at the same time: one round trip's worth of waiting for all of them."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of the tree; ``depth`` 1 is directly in the root."""

    path: str
    entry: DirectoryEntry
    depth: int

    @property
    def is_directory(self) -> bool:
        return self.entry.attributes.kind == "directory"


@dataclass(slots=True)
class Walk:
    """How a walk went. ``unread`` directories could not be listed, ``below`` lie deeper than was allowed."""

    unread: list[str] = field(default_factory=list)
    below: int = 0


async def walk(
    files: Files, root: str, log: Walk, *, max_depth: int | None = None, enter: Callable[[Found], bool] | None = None
) -> AsyncGenerator[Found, None]:
    """All entries below the canonical ``root``, nearer ones first. ``enter`` says whether a directory is gone into.

    Raises FileError where the root itself cannot be listed; a directory further down that vanished is left out.
    """
    level = [root]
    depth = 0
    while level:
        depth += 1
        below: list[str] = []
        for start in range(0, len(level), _AT_ONCE):
            batch = level[start : start + _AT_ONCE]
            for directory, entries in zip(batch, await _read(files, batch, log, root), strict=True):
                for entry in entries:
                    found = Found(child(directory, entry.name), entry, depth)
                    yield found
                    if found.is_directory and (enter is None or enter(found)):
                        below.append(found.path)
        if max_depth is not None and depth >= max_depth:
            log.below += len(below)
            return
        level = below


async def _read(files: Files, batch: Sequence[str], log: Walk, root: str) -> list[list[DirectoryEntry]]:
    out: list[list[DirectoryEntry]] = []
    reading = [entries_of(files, directory) for directory in batch]
    outcomes = await settled([in_place(files, root, reading[0])] if batch[0] == root else reading)
    for directory, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, list):
            out.append(sorted(outcome, key=lambda entry: entry.name))
            continue
        if directory == root or not isinstance(outcome, FileError):
            raise outcome
        if outcome.kind not in (FileErrorKind.NOT_FOUND, FileErrorKind.NOT_DIRECTORY):
            log.unread.append(directory)
        out.append([])
    return out
