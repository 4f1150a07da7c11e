"""Reading remote files over SFTP: whole, in part, masked, or into a local file."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import anyio

from ssh_mcp.errors import FileConflict, InvalidArgument, TooLarge
from ssh_mcp.guard.aside import aside
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files.arguments import Selection
from ssh_mcp.remote.files.local_files import check_size, local_failure, local_target
from ssh_mcp.remote.files.paths import Places, in_place
from ssh_mcp.remote.progress import reporting
from ssh_mcp.remote.together import together
from ssh_mcp.results.files import Download, RedactedRead
from transports.api import FileAttributes, FileHandle, Files
from transports.errors import MasterLost, TransportError

if TYPE_CHECKING:
    from ssh_mcp.redaction.model import Format
    from ssh_mcp.remote.host import RemoteHost

_FIRST_STEP: Final = 32 * 1024
"""Bytes of the first step when looking for lines; each further step doubles."""
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
        """0 where the server does not tell, such as in /proc."""
        return self.attributes.size or 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a file's bytes. ``cut``: the cap ended it, not the file or the selection."""

    data: bytes
    offset: int
    cut: bool


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


async def read_piece(file: OpenFile, selection: Selection, cap: int) -> Piece:
    """The selected part, at most ``cap`` bytes. A file that is too large is not read at all unless a part is asked."""
    cap = min(cap, selection.max_bytes or cap)
    if selection.first_lines is not None:
        return await _first_lines(file, selection.first_lines, cap)
    if selection.last_lines is not None:
        return await _last_lines(file, selection.last_lines, cap)
    if selection.whole and file.size > cap:
        return Piece(b"", 0, cut=True)
    offset = selection.offset or 0
    data = await file.handle.read(offset, cap if not file.size else max(min(cap, file.size - offset), 0))
    if not file.size and selection.whole and len(data) == cap:
        return Piece(b"", 0, cut=True)  # such as in /proc, where no file tells its size
    cut = offset + len(data) < file.size and selection.max_bytes is None
    return Piece(data, offset, cut)


async def _first_lines(file: OpenFile, lines: int, cap: int) -> Piece:
    got = bytearray()
    step = _FIRST_STEP
    found = 0
    while len(got) < cap:
        data = await file.handle.read(len(got), min(step, cap - len(got)))
        if not data:
            return Piece(bytes(got), 0, cut=False)
        scanned = len(got)
        got += data
        while found < lines and (newline := got.find(b"\n", scanned)) >= 0:
            found += 1
            scanned = newline + 1
        if found == lines:
            return Piece(bytes(got[:scanned]), 0, cut=False)
        step *= 2
    return Piece(bytes(got), 0, cut=True)


async def _last_lines(file: OpenFile, lines: int, cap: int) -> Piece:
    """From the end backwards; a final newline ends the last line and begins none."""
    got = b""
    start = file.size
    step = _FIRST_STEP
    if not start:
        got = await file.handle.read(0, cap)
    while start and len(got) < cap:
        length = min(step, start, cap - len(got))
        start -= length
        got = await file.handle.read(start, length) + got
        if got.removesuffix(b"\n").count(b"\n") >= lines:
            break
        step *= 2
    end = len(got) - (1 if got.endswith(b"\n") else 0)
    position = end
    for _ in range(lines):
        position = got.rfind(b"\n", 0, position)
        if position < 0:
            break
    return Piece(got[position + 1 :], start + position + 1, cut=position < 0 and start > 0)


def as_text(data: bytes, *, partial: bool) -> tuple[str, int] | None:
    """The text and how many bytes it takes, or None for what is no text.

    The last character of a part may be cut: up to three bytes are then left for the next part.
    """
    for tail in range(4 if partial else 1):
        with suppress(UnicodeDecodeError):
            text = data[: len(data) - tail].decode("utf-8")
            return None if "\0" in text else (text, len(data) - tail)
        if tail == len(data):
            break
    return None


def as_download(host: RemoteHost, path: str, size: int, piece: Piece, selection: Selection) -> Download:
    """The answer of a raw reader: text where it is UTF-8, else base64; of a file over the cap only its size."""
    result = Download(host=host.name, path=path, size=size, truncated=piece.cut)
    if piece.cut and not piece.data:
        host.call.warn(
            f"The file has {size} bytes, and {host.settings.ssh_stdout_cap_bytes} are shown at once: "
            "ask for first_lines, last_lines, or offset and max_bytes, or use local_path."
        )
        return result
    text = as_text(piece.data, partial=piece.offset + len(piece.data) < size)
    if text is None:
        result.content_base64 = base64.b64encode(piece.data).decode("ascii")
    else:
        result.content_text = text[0]
    end = piece.offset + (text[1] if text else len(piece.data))
    result.next_offset = end if end < size and selection.offset is not None else None
    return result


def as_redacted(host: RemoteHost, path: str, size: int, piece: Piece, wanted: Format | None) -> RedactedRead:
    """The answer of a redacting reader: text with markers for its secrets.

    Sanitised first, as all output is: a NUL or an escape sequence within a key's name would hide it from redaction.
    """
    from ssh_mcp.guard.guard import decode
    from ssh_mcp.guard.sanitise import strip_controls
    from ssh_mcp.redaction.engine import redact_file, rules_from

    text, remarks = decode(piece.data, truncated=piece.offset + len(piece.data) < size)
    for remark in remarks:
        host.call.warn(remark)
    if piece.cut and not piece.data:
        host.call.warn(
            f"The file has {size} bytes, and {host.settings.ssh_edit_max_file_bytes} are masked at once: "
            "ask for first_lines, last_lines, or offset and max_bytes."
        )
    visible = strip_controls(text)
    if visible != text:
        host.call.warn("Escape sequences, NULs or backspaces in the file were removed from the text.")
    redacted = redact_file(visible, rules_from(host.policy.redaction), path=path, format=wanted)
    return RedactedRead(
        host=host.name,
        path=path,
        size_original=size,
        content=redacted.text,
        format_detected=redacted.format.value,
        redactions=[{"key": r.key, "line": r.line, "kind": r.kind, "hash": r.hash} for r in redacted.redactions],
        truncated=piece.cut,
    )


class Reading:
    """The readers of one host within one call."""

    def __init__(self, host: RemoteHost, places: Places) -> None:
        self._host = host
        self._places = places

    async def download(self, path: str, selection: Selection) -> Download:
        """A file's bytes, byte for byte: text where it is UTF-8, else base64; over the cap nothing but its size."""
        cap = self._host.settings.ssh_stdout_cap_bytes
        canonical, size, piece = await self._again(path, Purpose.READ_RAW, selection, cap)
        return as_download(self._host, canonical, size, piece, selection)

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
                if size < file.size:
                    raise FileConflict(f"{shown(file.path)} became shorter while it was read.", "Try again.")
            target.commit()
        return Download(host=self._host.name, path=file.path, size=size, local_path_written=str(target.path))

    async def redacted(self, path: str, selection: Selection, wanted: Format | None) -> RedactedRead:
        """A file's text with markers for its secrets."""
        cap = self._host.settings.ssh_edit_max_file_bytes
        canonical, size, piece = await self._again(path, Purpose.READ_REDACTED, selection, cap)
        return await aside(len(piece.data), as_redacted, self._host, canonical, size, piece, wanted)

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

    async def _again(self, path: str, purpose: Purpose, selection: Selection, cap: int) -> tuple[str, int, Piece]:
        """Reading changes nothing: once more after a lost link."""
        try:
            return await self._read(path, purpose, selection, cap)
        except MasterLost:
            return await self._read(path, purpose, selection, cap)

    async def _read(self, path: str, purpose: Purpose, selection: Selection, cap: int) -> tuple[str, int, Piece]:
        async with opened(self._places, path, purpose, verify=False) as file:
            _, piece = await together(
                self._places.opened(file.files, file.handle, file.path), read_piece(file, selection, cap)
            )
            return file.path, file.size or len(piece.data), piece
