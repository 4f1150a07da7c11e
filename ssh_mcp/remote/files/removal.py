"""Removing a tree that was counted and permitted, without ever following a link out of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ssh_mcp.remote.files.paths import changed
from ssh_mcp.remote.together import settled
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.files.walking import Found
    from transports.api import Files, Progress

_AT_ONCE: Final = 64
"""Removals on their way at the same time."""


async def remove_tree(files: Files, root: str, found: Sequence[Found], progress: Progress) -> int:
    """Remove ``found`` and then ``root``; returns how many entries were removed.

    Deepest directories first. Each directory must still lead to itself right before its entries go, so that a link put
    in its place does not lead the removal elsewhere. Raises FileError, PathChanged; what went until then is gone.
    """
    inside: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        inside[one.path.rpartition("/")[0]].append(one)
    directories = [root, *(f.path for f in found if f.is_directory)]
    gone = 0
    for directory in sorted(directories, key=lambda path: path.count("/"), reverse=True):
        leaves = [f.path for f in inside[directory] if not f.is_directory]
        for start in range(0, max(len(leaves), 1), _AT_ONCE):
            if await files.realpath(directory) != directory:
                raise changed(directory)
            gone += _count(await settled([files.remove(path) for path in leaves[start : start + _AT_ONCE]]))
            progress(gone, len(found) + 1)
        gone += _count(await settled([files.rmdir(directory)]))
    return gone


def _count(outcomes: Sequence[object]) -> int:
    """How many were removed. What was gone already is not a failure; the first real one is raised."""
    removed = 0
    for outcome in outcomes:
        if outcome is None:
            removed += 1
        elif isinstance(outcome, Exception) and not (
            isinstance(outcome, FileError) and outcome.kind is FileErrorKind.NOT_FOUND
        ):
            raise outcome
    return removed
