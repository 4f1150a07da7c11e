"""From host to host through us: neither needs the other, nothing passes through the protocol channel."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files.attributes import Attributes
from ssh_mcp.remote.files.reading import OpenFile, opened
from ssh_mcp.remote.files.sources import OtherHostSource
from ssh_mcp.remote.files.writer import Job, Writer, lock_for
from ssh_mcp.remote.progress import reporting
from ssh_mcp.results.files import TransferResult
from ssh_mcp.tokens import arg, command
from transports.errors import RemoteError, TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Files

_ON_HOST: Final = """
command -v sha256sum >/dev/null 2>&1 && exec sha256sum <"$1"
command -v shasum >/dev/null 2>&1 && exec shasum -a 256 <"$1"
command -v sha256 >/dev/null 2>&1 && exec sha256 -q <"$1"
exit 72
"""


async def transfer(
    source: RemoteHost, source_path: str, target: RemoteHost, target_path: str, *, overwrite: bool
) -> TransferResult:
    """Copy one file. Size and SHA-256 are compared before the new name appears. Raises FileConflict and refusals."""
    there = target.paths
    path, end = await source.paths.two(source_path, target_path, other=there)
    started = time.monotonic()
    async with (
        lock_for(target, end),
        opened(source.paths, path, Purpose.STAT) as file,
        reporting(target.call, f"transfer to {target.name}") as progress,
    ):
        files = await there.files()
        poured = OtherHostSource(file, progress)
        mode = await _mode(source, file)
        check = _comparison(target, files, poured)
        written = await Writer(target, files).write(Job(end, poured, mode, overwrite=overwrite, check=check))
    seconds = max(time.monotonic() - started, 1e-6)
    return TransferResult(
        src_host=source.name,
        src_path=path,
        dst_host=target.name,
        dst_path=end,
        size=written.size,
        duration_ms=round(seconds * 1000),
        throughput_mb_s=round(written.size / seconds / 1e6, 2),
        sha256=poured.digest.hexdigest(),
    )


async def _mode(source: RemoteHost, file: OpenFile) -> int | None:
    """The mode of the copy. The group bits of a file with an access list are its mask, and no right of the group."""
    if file.attributes.permissions is None:
        return None
    mode = file.attributes.permissions & 0o777
    if mode & 0o070 and (await Attributes(source, file.files).look(file.path))[0]:
        source.call.warn(f"The access list (ACL) of {shown(file.path)} was not copied: its group has no access.")
        return mode & 0o707
    return mode


def _comparison(target: RemoteHost, files: Files, poured: OtherHostSource) -> Callable[[str, int], Awaitable[None]]:
    async def compare(temporary: str, _size: int) -> None:
        wanted = poured.digest.hexdigest()
        found = await _digest_on_host(target, temporary) or await _digest_over_sftp(files, temporary)
        if found != wanted:
            raise FileConflict(
                f"What arrived at {shown(target.name)} differs from what was sent.", "Nothing was replaced: try again."
            )

    return compare


async def _digest_on_host(target: RemoteHost, path: str) -> str | None:
    """The host's own checksum; None where it has no shell, no program, or another view of its files than SFTP's."""
    if target.policy.windows:
        return None
    try:
        done = await target.commands.run(command("sh -c", arg(_ON_HOST), "sh", arg(path)), timeout=None)
    except (RemoteError, TransportError):
        return None
    digest = done.stdout.decode("ascii", "replace").split()
    return digest[0].lower() if done.exit_code == 0 and digest and len(digest[0]) == 64 else None


async def _digest_over_sftp(files: Files, path: str) -> str:
    handle = await files.open(path, "r")
    try:
        hashed = hashlib.sha256()
        async for piece in handle.read_stream(0, None):
            hashed.update(piece)
        return hashed.hexdigest()
    finally:
        await handle.close()
