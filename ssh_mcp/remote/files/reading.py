"""Opening remote files over SFTP, and the windows of bytes that parts of them are cut out of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import FileConflict, InvalidArgument
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files.paths import SftpPaths, in_place
from ssh_mcp.remote.files.pieces import CONTEXT, Window
from ssh_mcp.remote.files.view import Located
from transports.api import FileAttributes, FileHandle, Files
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.arguments import Selection

_FIRST_STEP: Final = 32 * 1024
"""Bytes of the first step when looking for lines; each further step doubles."""
_UNTOLD_MAX: Final = 4 << 20
"""Bytes of a file whose size the host does not report, read for its last lines."""
_CLOSE_WITHIN: Final = 5.0
"""Seconds given to closing a handle that is no longer needed."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file, open for reading."""

    files: Files
    handle: FileHandle
    path: PermittedPath
    attributes: FileAttributes

    @property
    def size(self) -> int:
        """What the host says: 0 in /proc, a page in /sys, whatever the length of the content."""
        return self.attributes.size or 0

    async def check_length(self, read: int) -> None:
        """Raise FileConflict where a whole read brought ``read`` bytes because the file changed meanwhile.

        A file that still has the same size was read to its end: in /sys and /proc it is never the content's length.
        """
        if self.size and read != self.size and (await self.handle.stat()).size != self.size:
            raise FileConflict(f"{shown(self.path)} changed its size while it was read.", "Try again.")


async def located(paths: SftpPaths, path: str, purpose: Purpose) -> Located:
    """The regular file that ``path`` leads to, if policy allows it. One round trip.

    Anything else is refused before it is opened: opening a pipe would block the server. Raises InvalidArgument,
    FileError and the refusals of policy.
    """
    canonical, attributes = await paths.existing_file(path, purpose)
    if attributes.kind not in ("file", "unknown"):
        what = "a directory" if attributes.kind == "directory" else "not a regular file"
        raise InvalidArgument(f"{shown(canonical)} is {what}.", "Give the path of a regular file.")
    return Located(canonical, attributes)


@asynccontextmanager
async def opened(paths: SftpPaths, path: str, purpose: Purpose, *, verify: bool = True) -> AsyncIterator[OpenFile]:
    """Open what ``path`` leads to, if policy allows it, and close it again: ``located`` and ``opened_at``.

    Three round trips: resolve and look, open, look again (``verify``; else the caller does it before it uses a byte).
    """
    where = await located(paths, path, purpose)
    async with opened_at(paths, where) as file:
        seen = file.attributes
        if verify:
            seen = await paths.opened(file.files, file.handle, file.path)
        yield replace(file, attributes=seen)


@asynccontextmanager
async def opened_at(paths: SftpPaths, where: Located) -> AsyncIterator[OpenFile]:
    """Open a file that was permitted before. ``SftpPaths.opened`` is the caller's before it uses a byte.

    Raises FileError and PathChanged. One round trip.
    """
    canonical = where.path
    files = await paths.files()
    handles: list[FileHandle] = []

    async def take() -> None:
        handles.append(await files.open(canonical, "r"))

    try:
        await in_place(files, canonical, take())
        (handle,) = handles
        yield OpenFile(files, handle, canonical, where.attributes)
    finally:
        for handle in handles:
            with anyio.move_on_after(_CLOSE_WITHIN, shield=True), suppress(TransportError):
                await handle.close()


async def read_window(file: OpenFile, selection: Selection, cap: int, *, whole: int = 0) -> Window:
    """The bytes that ``cut_piece`` needs for ``selection``, and little more: one read, or a few for lines.

    A file of at most ``whole`` bytes is read whole. EOF counts, not ``st_size``: that is 0 in /proc and a page in /sys.
    """
    limit = min(cap, selection.max_bytes or cap)
    if 0 < file.size <= whole or (not file.size and selection.last_lines is not None):
        wanted = file.size or _UNTOLD_MAX
        data = await file.handle.read(0, wanted)
        return Window(data, 0, not file.size or len(data) < wanted or wanted == file.size, file.size)
    if selection.first_lines is not None:
        return await _first_lines(file, selection.first_lines, limit)
    if selection.last_lines is not None:
        return await _last_lines(file, selection.last_lines, limit)
    offset = selection.offset or 0
    start = max(offset - CONTEXT, 0)
    wanted = offset - start + limit + CONTEXT
    if file.size:
        wanted = max(min(wanted, file.size - start), 0)
    data = await file.handle.read(start, wanted)
    return Window(data, start, len(data) < wanted or start + len(data) == file.size, file.size)


async def _first_lines(file: OpenFile, lines: int, limit: int) -> Window:
    got = bytearray()
    step = _FIRST_STEP
    found = 0
    while len(got) < limit + CONTEXT and found < lines:
        data = await file.handle.read(len(got), step)
        got += data
        if len(data) < step:
            return Window(bytes(got), 0, at_end=True, size=file.size)
        found += data.count(b"\n")
        step *= 2
    return Window(bytes(got), 0, len(got) == file.size, file.size)


async def _last_lines(file: OpenFile, lines: int, limit: int) -> Window:
    """From the end backwards, in steps that double."""
    got = b""
    start = file.size
    step = _FIRST_STEP
    while start and len(got) < limit + CONTEXT:
        length = min(step, start)
        data = await file.handle.read(start - length, length)
        if len(data) < length and not got:  # shorter than st_size says: its end is wherever EOF comes
            return Window(await file.handle.read(0, min(start, _UNTOLD_MAX)), 0, at_end=True, size=file.size)
        start -= length
        got = data + got
        if got[CONTEXT if start else 0 :].removesuffix(b"\n").count(b"\n") >= lines:
            break
        step *= 2
    return Window(got, start, at_end=True, size=file.size)
