"""Reading remote files over SFTP: whole, in part, masked, or into a local file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import FileConflict, InvalidArgument, TooLarge
from ssh_mcp.guard.aside import aside
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files.local_files import check_size, local_failure, local_target
from ssh_mcp.remote.files.paths import Places, in_place
from ssh_mcp.remote.files.pieces import CONTEXT, WHOLE, Piece, Window, cut_piece
from ssh_mcp.remote.files.shown import as_download, as_redacted
from ssh_mcp.remote.progress import reporting
from ssh_mcp.remote.together import together
from ssh_mcp.results.files import Download, RedactedRead
from transports.api import FileAttributes, FileHandle, Files
from transports.errors import MasterLost, TransportError

if TYPE_CHECKING:
    from ssh_mcp.redaction.model import Format
    from ssh_mcp.remote.files.arguments import Selection
    from ssh_mcp.remote.host import RemoteHost

_FIRST_STEP: Final = 32 * 1024
"""Bytes of the first step when looking for lines; each further step doubles."""
_UNTOLD_MAX: Final = 4 << 20
"""Bytes of a file whose size the host does not tell, read for its last lines."""
_CLOSE_WITHIN: Final = 5.0
"""Seconds given to closing a handle that is no longer needed."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where a regular file stands, judged, and what it looked like then."""

    path: str
    attributes: FileAttributes


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A regular file, open for reading."""

    files: Files
    handle: FileHandle
    path: str
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


async def located(places: Places, path: str, purpose: Purpose) -> Located:
    """The regular file that ``path`` leads to, if policy allows it. One round trip.

    Anything else is refused before it is opened: opening a pipe would block the server. Raises InvalidArgument,
    FileError and the refusals of policy.
    """
    canonical, attributes = await places.existing_file(path, purpose)
    if attributes.kind not in ("file", "unknown"):
        what = "a directory" if attributes.kind == "directory" else "no regular file"
        raise InvalidArgument(f"{shown(canonical)} is {what}.", "Give the path of a regular file.")
    return Located(canonical, attributes)


@asynccontextmanager
async def opened(places: Places, path: str, purpose: Purpose, *, verify: bool = True) -> AsyncIterator[OpenFile]:
    """Open what ``path`` leads to, if policy allows it, and close it again: ``located`` and ``opened_at``.

    Three round trips: resolve and look, open, look again (``verify``; else the caller does it before it uses a byte).
    """
    where = await located(places, path, purpose)
    async with opened_at(places, where) as file:
        seen = file.attributes
        if verify:
            seen = await places.opened(file.files, file.handle, file.path)
        yield replace(file, attributes=seen)


@asynccontextmanager
async def opened_at(places: Places, where: Located) -> AsyncIterator[OpenFile]:
    """Open a file that was judged before. ``Places.opened`` is the caller's before it uses a byte.

    Raises FileError and PathChanged. One round trip.
    """
    canonical = where.path
    files = await places.files()
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


class Reading:
    """The readers of one host within one call."""

    def __init__(self, host: RemoteHost, places: Places) -> None:
        self._host = host
        self._places = places

    async def download(self, path: str, selection: Selection) -> Download:
        """A file's bytes, byte for byte: text where it is UTF-8, else base64; at most SSH_READ_MAX_BYTES."""
        canonical, piece = await self._again(path, Purpose.READ_RAW, selection)
        return await aside(len(piece.data), as_download, self._host, canonical, piece)

    async def download_to(self, path: str, local_path: str) -> Download:
        """Stream a whole file into a local one, which appears when it is complete."""
        async with local_target(local_path, self._host.settings) as target:
            async with opened(self._places, path, Purpose.READ_RAW) as file:
                check_size(file.size, target)
                async with reporting(self._host.call, f"download of {file.path}") as progress:
                    try:
                        size = await file.handle.download(
                            target.fd, length=target.policy.max_bytes + 1, progress=progress
                        )
                    except OSError as error:
                        raise local_failure(local_path, error) from None
                check_size(size, target)
                await file.check_length(size)
            target.commit()
        return Download(host=self._host.name, path=file.path, size=size, local_path_written=str(target.path))

    async def redacted(self, path: str, selection: Selection, wanted: Format | None) -> RedactedRead:
        """A file's text with markers for its secrets."""
        canonical, piece = await self._again(path, Purpose.READ_REDACTED, selection, whole=WHOLE)
        return await aside(len(piece.data), as_redacted, self._host, canonical, piece, wanted)

    async def for_edit(self, where: Located) -> tuple[bytes, FileAttributes]:
        """A whole file that is to be changed: its bytes, and how it stands. Raises TooLarge. Two round trips."""
        cap = self._host.settings.ssh_edit_max_file_bytes
        async with opened_at(self._places, where) as file:
            data, stands = await self.whole(file, cap + 1)
        if len(data) > cap:
            raise TooLarge(
                f"{shown(file.path)} has more than {cap} bytes.", "The operator can raise SSH_EDIT_MAX_FILE_BYTES."
            )
        return data, stands

    async def whole(self, file: OpenFile, cap: int) -> tuple[bytes, FileAttributes]:
        """The bytes of a file, at most ``cap``, and how it stands, verified. As long as it was seen to be, it is one
        round trip.
        """
        expected = min(file.size, cap)
        stands, data = await together(
            self._places.opened(file.files, file.handle, file.path), file.handle.read(0, expected)
        )
        # Verified at a second look, the bytes may be older than what was seen then: an edit would undo that change.
        seen = file.attributes
        if not stands.size or (stands.size, stands.mtime) != (seen.size, seen.mtime) or len(data) != expected:
            data = await file.handle.read(0, cap)
        return data, stands

    async def _again(self, path: str, purpose: Purpose, selection: Selection, *, whole: int = 0) -> tuple[str, Piece]:
        """Reading changes nothing: once more after a lost connection."""
        try:
            return await self._read(path, purpose, selection, whole)
        except MasterLost:
            return await self._read(path, purpose, selection, whole)

    async def _read(self, path: str, purpose: Purpose, selection: Selection, whole: int) -> tuple[str, Piece]:
        cap = self._host.settings.ssh_read_max_bytes
        async with opened(self._places, path, purpose, verify=False) as file:
            _, window = await together(
                self._places.opened(file.files, file.handle, file.path),
                read_window(file, selection, cap, whole=whole),
            )
        return file.path, cut_piece(window, selection, cap)
