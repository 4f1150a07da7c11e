"""ssh_disk_usage_of: what fills a directory."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.facts.search import usage_rows
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files.listing import readable
from ssh_mcp.remote.files.search.hidden import Hidden
from ssh_mcp.remote.files.search.shell import Feed, Program, search
from ssh_mcp.remote.files.walking import Walk, walk
from ssh_mcp.remote.without_shell import require_files
from ssh_mcp.results.files import DiskUsage, UsageEntry
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost

SHOWN: Final = 50
"""Largest entries of a result."""
_DEPTH_MAX: Final = 8
_OUTPUT_MAX: Final = 32 * 1024 * 1024
"""Bytes of du's output that are kept."""


async def usage(host: RemoteHost, path: str, depth: int) -> DiskUsage:
    """The largest entries down to ``depth``. Raises InvalidArgument, FileError and the refusals of policy."""
    if not 1 <= depth <= _DEPTH_MAX:
        raise InvalidArgument(f"depth is {depth}.", f"It is 1 to {_DEPTH_MAX}.")
    able = await host.capabilities()
    if able.has("find"):
        return await _on_host(host, path, depth)
    require_files(able)
    return await _over_sftp(host, path, depth)


class _Kept:
    """The first bytes of du's output."""

    def __init__(self) -> None:
        self.data = bytearray()

    def begin(self) -> Feed:
        self.data.clear()
        return self._feed

    def _feed(self, data: bytes) -> None:
        self.data += data[: _OUTPUT_MAX - len(self.data)]


async def _on_host(host: RemoteHost, path: str, depth: int) -> DiskUsage:
    dialect = (await host.capabilities()).dialect("find") or "bsd"
    kept = _Kept()
    done = await search(
        host, path, Purpose.LIST, Program("usage.sh", {"dialect": dialect, "depth": str(depth)}, kept.begin)
    )
    if done.kind != "d":
        raise _no_directory(done.root)
    sizes = dict(usage_rows(bytes(kept.data)))
    total = sizes.pop(".", sum(sizes.values()))
    _remark(host, done.unreadable, timed_out=done.done.timed_out)
    found = _result(host, done.root, sizes, Hidden(done.root, done.policy))
    return found.model_copy(update={"bytes": total, "truncated": found.truncated or done.done.timed_out})


async def _over_sftp(host: RemoteHost, path: str, depth: int) -> DiskUsage:
    root, attributes = await host.paths.existing_file(path, Purpose.LIST)
    if attributes.kind not in ("directory", "unknown"):
        raise _no_directory(root)
    hidden = Hidden(root, await host.paths.policy())
    log = Walk()
    start = len(root.rstrip("/")) + 1
    sizes: dict[str, int] = {}
    total = 0
    with anyio.move_on_after(host.settings.ssh_command_timeout) as limit:
        tree = walk(await host.paths.files(), root, log, enter=lambda found: not hidden.restricts(found.path[start:]))
        async with aclosing(tree):
            async for found in tree:
                size = found.entry.attributes.size or 0 if found.entry.attributes.kind == "file" else 0
                total += size
                parts = found.path[start:].split("/")
                for level in range(1, min(depth, len(parts)) + 1):
                    above = "/".join(parts[:level])
                    sizes[above] = sizes.get(above, 0) + size
    _remark(host, len(log.unread), timed_out=limit.cancelled_caught)
    shown = _result(host, root, sizes, hidden)
    return shown.model_copy(
        update={"bytes": total, "method": "sftp", "truncated": shown.truncated or limit.cancelled_caught}
    )


def _no_directory(root: str) -> FileError:
    return FileError(FileErrorKind.NOT_DIRECTORY, root, f"{root} is not a directory.", "ssh_sftp_stat shows its size.")


def _remark(host: RemoteHost, unread: int, *, timed_out: bool) -> None:
    if unread:
        host.call.warn(f"{unread} directories could not be read: what lies there is not counted.")
    if timed_out:
        host.call.warn("The count was ended after SSH_COMMAND_TIMEOUT seconds: ask about a directory further down.")


def _result(host: RemoteHost, root: str, sizes: dict[str, int], hidden: Hidden) -> DiskUsage:
    """The entries by size; the total is the caller's."""
    shown = [(path, size) for path, size in sizes.items() if not hidden.hides(path)]
    shown.sort(key=lambda entry: (-entry[1], entry[0]))
    base = "" if root == "/" else root
    paths = readable([f"{base}/{path}" for path, _ in shown[:SHOWN]], host.call)
    if hidden.restricted or hidden.redact_listed:
        host.call.warn(f"{hidden.restricted + hidden.redact_listed} restricted or redact-listed entries are not shown.")
    return DiskUsage(
        host=host.name,
        path=root,
        bytes=0,
        entries=[UsageEntry(path=p, bytes=size) for p, (_, size) in zip(paths, shown, strict=False)],
        entries_total=len(shown),
        truncated=len(shown) > SHOWN,
    )
