"""Searching a tree by name, kind and depth."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.globs import matcher
from ssh_mcp.policy.paths import Purpose, restricted_by
from ssh_mcp.remote.files.listing import readable
from ssh_mcp.remote.files.walking import Found, Walk, walk
from ssh_mcp.results.files import FindResult
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.policy.globs import Matcher
    from ssh_mcp.remote.files.paths import Places
    from ssh_mcp.remote.host import RemoteHost

_KINDS: Final = {
    "f": "file", "file": "file", "d": "directory", "dir": "directory", "directory": "directory",
    "l": "symlink", "symlink": "symlink", "link": "symlink", "any": None, "a": None,
}  # fmt: skip


async def find(
    host: RemoteHost, places: Places, path: str, *, name_pattern: str, kind: str, max_depth: int | None
) -> FindResult:
    """Paths below ``path`` whose last name matches. Raises InvalidArgument and the refusals of policy."""
    wanted, depth = _checked(name_pattern, kind), _depth(host, max_depth)
    root, attributes = await places.existing_file(path, Purpose.LIST)
    if attributes.kind not in ("directory", "unknown"):
        raise FileError(
            FileErrorKind.NOT_DIRECTORY, root, f"{root} is no directory.", "ssh_sftp_stat shows what it is."
        )
    policy = await places.policy()
    search = _Search(policy, matcher((name_pattern,), host.policy.windows), wanted, host.settings.ssh_find_max_results)
    log = Walk()
    with anyio.move_on_after(host.settings.ssh_command_timeout) as limit:
        files = await places.files()
        async with aclosing(walk(files, root, log, max_depth=depth, enter=search.enter)) as tree:
            async for found in tree:
                if not search.take(found):
                    break
    _remarks(host, search, log, max_depth, timed_out=limit.cancelled_caught)
    return FindResult(
        host=host.name,
        root=root,
        matches=readable(sorted(search.matches), host.call),
        truncated=search.full or limit.cancelled_caught,
    )


class _Search:
    """What was found so far."""

    def __init__(self, policy: PathPolicy, matches: Matcher, kind: str | None, most: int) -> None:
        self._policy = policy
        self._guarded = bool(policy.restricted or policy.restricted_globs)
        self._matches = matches
        self._kind = kind
        self._most = most
        self.matches: list[str] = []
        self.hidden = 0
        self.full = False

    def enter(self, found: Found) -> bool:
        return not self._hides(found)

    def take(self, found: Found) -> bool:
        """Note a match; False when there are as many as may be."""
        if (self._kind not in (None, found.entry.attributes.kind)) or not self._matches(found.entry.name):
            return True
        if self._hides(found):
            self.hidden += 1
            return True
        if len(self.matches) >= self._most:
            self.full = True
            return False
        self.matches.append(found.path)
        return True

    def _hides(self, found: Found) -> bool:
        return self._guarded and restricted_by(found.path, self._policy) is not None


def _checked(name_pattern: str, kind: str) -> str | None:
    if not name_pattern or "/" in name_pattern or len(name_pattern) > 255:
        raise InvalidArgument(
            "name_pattern is empty, too long or holds a slash.", "Give a pattern for the last name, such as *.conf."
        )
    if kind not in _KINDS:
        raise InvalidArgument(f"kind {kind[:20]!r} is unknown.", "Give f, d, l or any (or file, dir, symlink).")
    return _KINDS[kind]


def _depth(host: RemoteHost, asked: int | None) -> int:
    most = host.settings.ssh_find_max_depth
    if asked is None:
        return most
    if asked < 1:
        raise InvalidArgument(f"max_depth is {asked}.", "It is 1 or more; 1 is the directory's own entries.")
    if asked > most:
        host.call.warn(f"max_depth was cut to {most}, which is SSH_FIND_MAX_DEPTH.")
    return min(asked, most)


def _remarks(host: RemoteHost, search: _Search, log: Walk, asked: int | None, *, timed_out: bool) -> None:
    if search.full:
        host.call.warn("There are more matches than SSH_FIND_MAX_RESULTS: narrow path or name_pattern.")
    if timed_out:
        host.call.warn("The search was ended after SSH_COMMAND_TIMEOUT seconds: narrow path or max_depth.")
    if search.hidden:
        host.call.warn(f"{search.hidden} restricted entries are not shown.")
    if log.unread:
        host.call.warn(
            f"{len(log.unread)} directories could not be read, such as {readable(log.unread[:1], host.call)[0]}."
        )
    if log.below and asked is None:
        host.call.warn(f"{log.below} directories lie deeper than SSH_FIND_MAX_DEPTH and were not searched.")
