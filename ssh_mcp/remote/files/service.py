"""The file service: what the file tools do, the same in every view of a host's files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.guard.aside import aside
from ssh_mcp.policy.paths import Purpose, redact_listed
from ssh_mcp.remote.files.listing import MAX_PAGE, readable, row_of, unrestricted
from ssh_mcp.remote.files.local_files import local_source
from ssh_mcp.remote.files.pieces import WHOLE
from ssh_mcp.remote.files.shown import as_download, as_redacted
from ssh_mcp.remote.files.sources import BytesSource, LocalFileSource
from ssh_mcp.remote.files.view import FileView, Replacement
from ssh_mcp.remote.files.writer import lock_for
from ssh_mcp.remote.progress import reporting
from ssh_mcp.results.files import ContentResult, FileResult, SftpListing

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.redaction.model import Format
    from ssh_mcp.remote.files.arguments import Content, Selection
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.results.files import Download, RedactedRead

ViewT = TypeVar("ViewT", bound=FileView)


class FileService(Generic[ViewT]):
    """Files of one host within one call. Every path is canonicalised and decided on before it is used.

    All methods raise the refusals of policy (PathNotAllowed, PathRestricted, PathChanged, RedactBypassBlocked),
    InvalidArgument for what cannot be meant, FileError for what the host refuses, MasterLost for a lost connection.
    """

    def __init__(self, host: RemoteHost, view: ViewT) -> None:
        self._host = host
        self._view = view

    async def list(self, path: str, offset: int, limit: int) -> SftpListing:
        """One page of a directory, sorted by name; entries in restricted zones are left out and counted."""
        if offset < 0 or not 1 <= limit <= MAX_PAGE:
            raise InvalidArgument(
                f"offset {offset} or limit {limit} is out of range.", f"offset is 0 or more, limit 1 to {MAX_PAGE}."
            )
        found = await self._view.directory(path)
        entries = unrestricted(found.entries, found.path, found.policy, self._host.call)
        entries.sort(key=attrgetter("name"))
        page = entries[offset : offset + limit]
        links = [entry.name for entry in page if entry.attributes.kind == "symlink"]
        targets = await found.targets(links) if links else {}
        texts = readable(list(targets.values()), self._host.call)
        shown = dict(zip(targets, texts, strict=True))
        names = readable([entry.name for entry in page], self._host.call)
        has_more = offset + limit < len(entries)
        # one validation of plain rows: a model made row by row takes three times as long, 4 ms a thousand
        return SftpListing.model_validate(
            {
                "host": self._host.name,
                "path": str(found.path),
                "entries": [row_of(entry, name, shown) for entry, name in zip(page, names, strict=True)],
                "offset": offset,
                "limit": limit,
                "has_more": has_more,
                "next_offset": offset + limit if has_more else None,
            }
        )

    async def download(self, path: str, selection: Selection) -> Download:
        """A file's bytes, byte for byte: text where it is UTF-8, else base64; at most SSH_READ_MAX_BYTES."""
        where, piece = await self._view.read(path, Purpose.READ_RAW, selection)
        return await aside(len(piece.data), as_download, self._host, where, piece, self._view.reader)

    async def redacted(self, path: str, selection: Selection, wanted: Format | None) -> RedactedRead:
        """A file's text with markers for its secrets."""
        where, piece = await self._view.read(path, Purpose.READ_REDACTED, selection, whole=WHOLE)
        return await aside(len(piece.data), as_redacted, self._host, where, piece, wanted)

    async def write(self, path: str, content: Content, mode: int | None, *, owner: str = ":") -> FileResult:
        """Create or replace a file. ``mode`` None: an old file keeps its own, a new one gets 0644."""
        target = await self._view.target(path)
        async with lock_for(self._host, target), self.source(content, target) as (source, _):
            size = await self._view.replace(Replacement(target, source, mode, owner))
        return FileResult(host=self._host.name, path=target, bytes_written=size, message="Wrote the file.")

    async def edit(
        self, path: str, old: str, new: str, occurrence: Literal["single", "all"], *, dry_run: bool
    ) -> ContentResult:
        """Replace an exact piece of a file's text; owner and mode stay."""
        from ssh_mcp.remote.files.text_edits import replace

        return await self._change(path, lambda text, name: replace(text, old, new, occurrence, name), dry_run=dry_run)

    async def patch(self, path: str, unified_diff: str, *, dry_run: bool) -> ContentResult:
        """Apply a unified diff, all of it or nothing."""
        from ssh_mcp.remote.files.text_edits import patch

        return await self._change(path, lambda text, name: patch(text, unified_diff, name), dry_run=dry_run)

    async def _change(self, path: str, change: Callable[[str, str], str], *, dry_run: bool) -> ContentResult:
        from ssh_mcp.remote.files import text_edits

        where = await self._view.located(path)
        async with lock_for(self._host, where.path):
            seen = await self._view.content(where)
            text = text_edits.decode(seen.data, where.path)
            changed = change(text, where.path)
            result = ContentResult(host=self._host.name, path=where.path, dry_run=dry_run)
            if self.shows(where.path):
                result.diff = text_edits.diff(text, changed, where.path)
            if dry_run:
                await self._view.foresee(where.path)
            else:
                source = BytesSource(changed.encode("utf-8"))
                wanted = Replacement(where.path, source, unchanged=seen.state)
                result.bytes_written = await self._view.replace(wanted)
                result.sha256 = await source.sha256()
        result.message = "Would change the file." if dry_run else "Changed the file."
        return result

    @asynccontextmanager
    async def source(
        self, content: Content, target: PermittedPath
    ) -> AsyncIterator[tuple[BytesSource | LocalFileSource, int]]:
        """The bytes to write and their number: from memory, or from a local file that policy allows."""
        if content.data is not None:
            yield BytesSource(content.data), len(content.data)
            return
        assert content.local_path is not None
        async with (
            local_source(content.local_path, self._host.settings) as file,
            reporting(self._host.call, f"upload to {target}") as progress,
        ):
            yield await LocalFileSource(file, progress).lightest(), file.size

    def shows(self, path: PermittedPath) -> bool:
        """Whether a diff may show the file's text: a redact-listed one only goes through the masking reader."""
        if redact_listed(path, self._host.policy.paths):
            self._host.call.warn("No diff is shown, for the file is redact-listed.")
            return False
        return True
