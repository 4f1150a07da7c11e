"""What a replaced file has besides content, owner and mode: access list, extended attributes, further names.

SFTP shows none of it: the group bits of a file with a POSIX access list are the list's mask (acl(5)), and a new file
with those bits would let the whole group in. The host's own tools copy what is there, where the login has a shell that
sees the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.programs import files_text, run_program
from transports.errors import MasterLost, RemoteError, TransportError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Completed, Files

_LIMIT: Final = 10.0
"""Seconds that a program over one file may take; a shell that takes longer is not used."""
_TREE_LIMIT: Final = 300.0
_OTHER_VIEW, _NO_ACL, _NO_MODE = 64, 65, 66
_ELSEWHERE: WeakSet[Files] = WeakSet()
"""SFTP channels whose view of files the login's shell does not share, such as in a chroot."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The new file has the old one's attributes and its mode. ``links``: how many names the old file had."""

    links: int
    lost: bool
    in_place: bool = False
    """It is a mount point, and its content was overwritten."""


class Attributes:
    """Copies attributes on one host within one call. Paths are canonical and permitted."""

    def __init__(self, host: RemoteHost, files: Files) -> None:
        self._host = host
        self._files = files

    async def usable(self) -> bool:
        """Whether the login has a shell which, as far as is known, sees the same files."""
        if self._host.policy.windows or self._files in _ELSEWHERE:
            return False
        return (await self._host.capabilities()).posix

    async def keep(self, old: str, new: str, mode: int, *, same_mode: bool) -> Kept | None:
        """Give ``new`` the attributes of ``old`` and ``mode``; None where the shell does not see them, or cannot.

        ``same_mode``: that is the mode of ``old``, which costs the host a process less.

        Raises FileConflict where ``old`` has an access list that cannot be kept, RemoteError at the time limit.
        """
        done = await self._run(("attributes", "keep"), old, new, f"{mode:o}", "same" if same_mode else "")
        if done is not None and done.timed_out:  # an access list that is there must not be lost for that
            raise RemoteError(f"The attributes of {shown(old)} could not be read.", "Nothing was changed: try again.")
        if done is None or done.exit_code not in (0, _NO_ACL):
            _ELSEWHERE.add(self._files)
            return None
        if done.exit_code == _NO_ACL:
            raise unkept(old)
        return parse_kept(done.stdout)

    async def keep_tree(self, old: str, new: str) -> None:
        """The same for all of a copied tree, where the host has GNU cp."""
        if await self.usable():
            await self._run(("keep_tree",), old, new, limit=_TREE_LIMIT)

    async def look(self, path: str) -> tuple[bool, int]:
        """Whether the file has an access list, and how many names; (False, 1) where nothing can be known."""
        done = await self._run(("attributes", "look"), path) if await self.usable() else None
        return (False, 1) if done is None else parse_look(done)

    async def _run(self, names: tuple[str, ...], *values: str, limit: float = _LIMIT) -> Completed | None:
        line = run_program(files_text(*names), *values).wire()
        try:
            return await connection_of(self._host).run(line, timeout=limit, idempotent=True)
        except MasterLost:
            raise
        except TransportError:  # no session to be had
            return None


def parse_kept(stdout: bytes) -> Kept:
    """What keep.sh and write.sh print: ``links N``, ``lost``, ``mounted``."""
    words = stdout.decode("ascii", "replace").split()
    links = words[words.index("links") + 1] if "links" in words[:-1] else "1"
    return Kept(int(links) if links.isdigit() else 1, "lost" in words, "mounted" in words)


def parse_look(done: Completed) -> tuple[bool, int]:
    """What look.sh prints: whether the file has an access list, and how many names; (False, 1) where it failed."""
    words = done.stdout.decode("ascii", "replace").split() if done.exit_code == 0 else []
    if len(words) != 2 or not words[1].isdigit():
        return False, 1
    return words[0].endswith("+"), int(words[1])


def unkept(path: str) -> FileConflict:
    """The refusal for a file whose access list would be lost, and its group let in."""
    return FileConflict(
        f"{shown(path)} has an access list (ACL), which this host has no tool to keep.",
        "Ask the operator to install the acl package there. Nothing was changed.",
    )


def remark(host: RemoteHost, path: str, kept: Kept) -> None:
    """Say what replacing a file did besides changing its content."""
    if kept.in_place:
        host.call.warn(f"{shown(path)} is a mount point and was written in place: readers may have seen a part of it.")
    elif kept.links > 1:
        host.call.warn(
            f"{shown(path)} had {kept.links} names (hard links): it was split off, the others keep the old content."
        )
    if kept.lost:
        host.call.warn(f"Extended attributes of {shown(path)} could not be kept.")


def remark_links(host: RemoteHost, path: str, links: int) -> None:
    """Say before a write that it will split a file off its other names."""
    if links > 1:
        host.call.warn(
            f"{shown(path)} has {links} names (hard links): it will be split off, the others keep the old content."
        )
