"""A whole tree copied on one host, for a move across filesystems: complete under its new name, or not there at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose, child, split_parent
from ssh_mcp.remote.files.attributes import Attributes
from ssh_mcp.remote.files.reading import opened
from ssh_mcp.remote.files.removal import remove_tree
from ssh_mcp.remote.files.sources import SameHostSource
from ssh_mcp.remote.files.walking import Walk, walk
from ssh_mcp.remote.files.writer import accepted, temporary_name
from transports.api import FileAttributes
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.walking import Found
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Files, Progress

_CLEAN_WITHIN: Final = 30.0


async def copy_tree(
    host: RemoteHost, source: PermittedPath, target: PermittedPath, *, found: Sequence[Found], progress: Progress
) -> int:
    """Copy ``found``, all that lies below ``source``, to the new name ``target``; the number of bytes of its files.

    Modes and times are kept, owners where the login may give them, access lists where the host has GNU cp. Raises
    FileConflict for pipes, sockets and devices.
    """
    files = await host.paths.files()
    for one in found:
        if one.entry.attributes.kind not in ("file", "directory", "symlink"):
            raise FileConflict(f"{shown(one.path)} is not a file, directory or link.", "Nothing was moved.")
    temporary = child(split_parent(target)[0], temporary_name())
    total = sum(one.entry.attributes.size or 0 for one in found if one.entry.attributes.kind == "file")
    done = 0
    try:
        await files.mkdir(temporary, 0o700)
        for one in found:
            place = temporary + one.path[len(source) :]
            if one.is_directory:
                await files.mkdir(place, 0o700)
            elif one.entry.attributes.kind == "symlink":
                await files.symlink(await files.readlink(one.path), place)
            else:
                done += await _copy(host, files, one, place)
                progress(done, total)
        for one in reversed(found):
            if one.is_directory:
                await _dress(files, temporary + one.path[len(source) :], one.entry.attributes)
        await Attributes(host, files).keep_tree(source, temporary)  # while nobody else can enter it
        await _dress(files, temporary, await files.stat(source))
        await files.rename(temporary, target)
    except BaseException:
        with anyio.move_on_after(_CLEAN_WITHIN, shield=True), suppress(TransportError):
            litter = [one async for one in walk(files, temporary, Walk())]
            await remove_tree(files, temporary, litter, lambda _done, _total: None)
        raise
    return done


async def _copy(host: RemoteHost, files: Files, one: Found, place: str) -> int:
    async with opened(host.paths, one.path, Purpose.STAT) as file:
        handle = await files.open(place, "x", 0o600)
        try:
            size = await SameHostSource(file, lambda _done, _total: None).pour(handle)
            await file.check_length(size)
        finally:
            await handle.close()
        await _dress(files, place, file.attributes)
    return size


async def _dress(files: Files, path: str, wanted: FileAttributes) -> None:
    mode = None if wanted.permissions is None else wanted.permissions & 0o7777
    with suppress(TransportError):
        await files.setstat(path, FileAttributes(uid=wanted.uid, gid=wanted.gid))
    await accepted(files.setstat(path, FileAttributes(permissions=mode, atime=wanted.atime, mtime=wanted.mtime)))
