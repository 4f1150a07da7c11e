"""Paths in the SFTP view of a host: canonicalised there, decided on here, and looked at again after opening.

Every argument costs one round trip. What the host's restricted paths resolve to is asked along with the first of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from ssh_mcp.errors import InvalidArgument, PathChanged
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import (
    Purpose,
    child,
    decide,
    normalise_argument,
    split_parent,
    with_resolved_restrictions,
)
from ssh_mcp.policy.permitted_path import PermittedPath
from ssh_mcp.remote.files.resolver import READER, PathResolver
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.together import settled, together
from transports.api import FileAttributes, FileHandle, Files
from transports.errors import FileError, FileErrorKind, MasterLost

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.remote.host import RemoteHost

T = TypeVar("T")
_POLICIES: WeakKeyDictionary[Files, dict[PathPolicy, PathPolicy]] = WeakKeyDictionary()
"""A channel's policies with restricted paths as the host resolves them: asked once a channel."""
_LOOKS = 5
"""How often a file that is being written is compared with what is at its path."""
_AROUND = 3
"""Looks at a path on each side of its opening, all sent at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory entry itself: ``path`` is its name below a canonical directory, ``leads_to`` where it ends."""

    path: PermittedPath
    leads_to: PermittedPath
    attributes: FileAttributes | None
    """Its own (a link's are the link's); None: missing."""

    @property
    def is_link(self) -> bool:
        return self.attributes is not None and self.attributes.kind == "symlink"


class SftpPaths(PathResolver):
    """The paths of one host as SFTP shows them. A look at a path goes out with the question where it leads."""

    def __init__(self, host: RemoteHost) -> None:
        super().__init__(host, READER)

    async def files(self) -> Files:
        """The host's SFTP service."""
        return await connection_of(self.host).files()

    async def asking(self, question: Callable[[Files], Awaitable[T]]) -> T:
        """A read-only question; asked once more where the connection was lost."""
        try:
            return await question(await self.files())
        except MasterLost:
            return await question(await self.files())

    # --- arguments ----------------------------------------------------------------------------------------------------

    async def existing(self, path: str, purpose: Purpose) -> PermittedPath:
        """The permitted path of what exists, or of a missing name in an existing directory."""
        return await self.confirmed(await self._existing(path, purpose), purpose)

    async def _existing(self, path: str, purpose: Purpose) -> PermittedPath:
        wanted = self._wanted(path)
        try:
            canonical, policy = await self.asking(lambda files: self._resolve(files, wanted))
        except FileError as error:
            if error.kind is FileErrorKind.NOT_FOUND:
                self.decide(*await self.ancestry(path), purpose)  # what lies outside is refused, existing or not
            raise
        return self.decide(canonical, policy, purpose)

    async def existing_file(self, path: str, purpose: Purpose) -> tuple[PermittedPath, FileAttributes]:
        """The same with the attributes of what is there, in one round trip; policy decides before they are returned."""
        wanted = self._wanted(path)

        async def look(files: Files) -> FileAttributes:
            return await files.stat(wanted)

        canonical, found = await settled([self._existing(path, purpose), self.asking(look)])
        for failure in (canonical, found):
            if isinstance(failure, Exception):
                raise failure
        assert isinstance(canonical, PermittedPath)
        assert isinstance(found, FileAttributes)
        return await self.confirmed(canonical, purpose), found

    async def target(self, path: str, purpose: Purpose = Purpose.WRITE) -> PermittedPath:
        """The permitted path of what need not exist, nor its directories."""
        canonical, policy = await self.ancestry(path)
        return await self.confirmed(self.decide(canonical, policy, purpose), purpose)

    async def entry(self, path: str, purpose: Purpose) -> Entry:
        """The entry itself; its own path and where it leads are both permitted. Two round trips."""
        wanted = self._wanted(path)
        try:
            parent, name = split_parent(wanted)
        except InvalidArgument:  # a root, or what ends in "..": it has no name of its own
            canonical = await self.existing(path, purpose)
            return Entry(canonical, canonical, await self.asking(partial(_own, canonical)))
        leads_to, above = await settled([self.ancestry(path), self.asking(partial(self._resolve_here, parent))])
        if isinstance(leads_to, Exception):
            raise leads_to
        end = decide(*leads_to, purpose=purpose)  # what lies outside is refused, whether it exists or not
        if isinstance(above, Exception):
            raise above
        here = self.decide(child(above[0], name), above[1], purpose)
        attributes = await self.asking(partial(_own, here))
        if attributes is not None and attributes.kind != "symlink":
            here = end  # the same in the host's own spelling, where case does not count
        if attributes is not None or purpose is not Purpose.DELETE:  # nobody is asked about what is not there
            await self.confirmed(here, purpose, tree=True)
        return Entry(here, end, attributes)

    async def two(
        self,
        source: str,
        target: str,
        *,
        source_purpose: Purpose = Purpose.READ_RAW,
        other: SftpPaths | None = None,
        confirm: bool = True,
    ) -> tuple[PermittedPath, PermittedPath]:
        """Both paths of a copy or transfer, decided on together; ``other``: the target's host.

        ``confirm`` False: the target is a name of our own beside a path that was confirmed.
        """
        there = other or self
        wanted = self._wanted(source)
        (canonical, policy), (end, end_policy) = await together(
            self.asking(lambda files: self._resolve(files, wanted)),
            there.ancestry(target),
        )
        found = self.decide_two(canonical, policy, end, end_policy, source_purpose=source_purpose, other=there)
        if confirm:
            await there.confirmed(found[1], Purpose.WRITE)
        return found

    async def policy(self) -> PathPolicy:
        """The host's path policy with its restricted paths resolved."""
        given = self.host.policy.paths
        known = _POLICIES.get(await self.files(), {})
        if given in known:
            return known[given]
        return (await self.asking(partial(self._resolve_here, "/")))[1]

    # --- after opening ------------------------------------------------------------------------------------------------

    async def opened(self, files: Files, handle: FileHandle, path: str) -> FileAttributes:
        """Make sure that ``handle`` is what is at the canonical ``path``. Raises PathChanged; one round trip.

        The path must still lead to itself, and what was opened must look like what is there: SFTP version 3 shows
        no inode, so owner, mode, size and time are compared. A file that grows meanwhile is looked at again.
        """
        for _ in range(_LOOKS):
            now, opened, there = await together(files.realpath(path), handle.stat(), files.lstat(path))
            if now != path or (there.permissions, there.uid, there.gid) != (
                opened.permissions, opened.uid, opened.gid
            ):  # fmt: skip
                break
            if (there.size, there.mtime) == (opened.size, opened.mtime):
                return opened
        raise changed(path)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _wanted(self, path: str) -> str:
        return normalise_argument(path, self.host.policy.paths)

    async def _resolve(self, files: Files, path: str) -> tuple[str, PathPolicy]:
        given = self.host.policy.paths
        known = _POLICIES.setdefault(files, {})
        if given in known:
            return await files.realpath(path), known[given]
        questions = [files.realpath(path), *(files.realpath(r) for r in given.restricted)]
        canonical, *found = await settled(questions)
        for failure in found:
            if isinstance(failure, Exception) and not isinstance(failure, FileError):
                raise failure
        resolved = {r: f for r, f in zip(given.restricted, found, strict=True) if isinstance(f, str)}
        known[given] = with_resolved_restrictions(given, resolved)
        if isinstance(canonical, Exception):
            raise canonical
        return canonical, known[given]

    async def ancestry(self, path: str) -> tuple[str, PathPolicy]:
        """Canonical form below the deepest directory that exists. Raises InvalidArgument for ``..`` below it."""
        wanted = self._wanted(path)
        missing: list[str] = []
        while True:
            here = wanted
            try:
                canonical, policy = await self.asking(partial(self._resolve_here, here))
            except FileError as error:
                if error.kind not in (FileErrorKind.NOT_FOUND, FileErrorKind.NOT_DIRECTORY) or wanted in ("/", ""):
                    raise
                try:
                    wanted, name = split_parent(wanted)
                except InvalidArgument:
                    raise error from None
                missing.insert(0, name)
            else:
                return child(canonical, *missing) if missing else canonical, policy

    async def _resolve_here(self, path: str, files: Files) -> tuple[str, PathPolicy]:
        return await self._resolve(files, path)


async def in_place(files: Files, path: str, opening: Awaitable[T]) -> T:
    """What ``opening`` returns, which opens the canonical ``path`` with its first request. Raises PathChanged.

    The server replies in order: what leads to itself right before and right after was no link in between, unless it was
    flipped between two requests. A look that comes a round trip later alone missed two links in five.
    """
    found: list[T] = []

    async def take() -> None:
        found.append(await opening)

    looks = [files.realpath(path) for _ in range(2 * _AROUND)]
    replies = await settled([*looks[:_AROUND], take(), *looks[_AROUND:]])
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    if any(reply not in (path, None) for reply in replies):
        raise changed(path)
    return found[0]


def changed(path: str) -> PathChanged:
    """The refusal for a path that resolves differently after it was checked."""
    return PathChanged(
        f"{shown(path)} resolved differently when it was opened than when it was checked.",
        "Look at the links on the way to it and try again.",
    )


async def _own(path: str, files: Files) -> FileAttributes | None:
    try:
        return await files.lstat(path)
    except FileError as error:
        if error.kind is FileErrorKind.NOT_FOUND:
            return None
        raise
