"""Files of one host over SFTP, confined by the host's path policy: what the file tools call."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from ssh_mcp.remote.files.paths import Places

if TYPE_CHECKING:
    from ssh_mcp.redaction.model import Format
    from ssh_mcp.remote.files.arguments import Content, Selection
    from ssh_mcp.remote.files.contents import Contents
    from ssh_mcp.remote.files.hashing import Algorithm
    from ssh_mcp.remote.files.listing import Listing
    from ssh_mcp.remote.files.reading import Reading
    from ssh_mcp.remote.files.search.find import Sort
    from ssh_mcp.remote.files.search.grep import GrepQuery
    from ssh_mcp.remote.files.trees import Trees
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.results.files import (
        ContentResult,
        DeleteFolderResult,
        DeployResult,
        DiskUsage,
        Download,
        FileHash,
        FileResult,
        FindResult,
        GrepResult,
        RedactedRead,
        SftpListing,
        SftpStat,
    )


class RemoteFiles:
    """Made by ``RemoteHost.files``. Every path is canonicalised on the host and judged before it is used.

    All methods raise the refusals of policy (PathNotAllowed, PathRestricted, PathChanged, RedactBypassBlocked),
    InvalidArgument for what cannot be meant, FileError for what the host refuses, MasterLost for a lost link.
    """

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        self.places = Places(host)

    # --- reading ------------------------------------------------------------------------------------------------------

    async def list(self, path: str, offset: int, limit: int) -> SftpListing:
        return await self._listing.page(path, offset, limit)

    async def stat(self, path: str) -> SftpStat:
        return await self._listing.stat(path)

    async def download(self, path: str, selection: Selection) -> Download:
        return await self._reading.download(path, selection)

    async def download_to(self, path: str, local_path: str) -> Download:
        return await self._reading.download_to(path, local_path)

    async def redacted(self, path: str, selection: Selection, wanted: Format | None) -> RedactedRead:
        return await self._reading.redacted(path, selection, wanted)

    async def find(
        self,
        path: str,
        name_pattern: str,
        kind: str,
        max_depth: int | None,
        *,
        min_size: int = 0,
        newer_than: str = "",
        sort: Sort = "name",
    ) -> FindResult:
        from ssh_mcp.remote.files.search.find import checked, find

        query = checked(self._host, name_pattern, kind, max_depth, min_size=min_size, newer_than=newer_than, sort=sort)
        return await find(self._host, self.places, path, query)

    async def grep(self, path: str, query: GrepQuery, *, name_pattern: str, max_depth: int | None) -> GrepResult:
        from ssh_mcp.remote.files.search.grep import grep

        return await grep(self._host, self.places, path, query, name_pattern=name_pattern, max_depth=max_depth)

    async def usage(self, path: str, depth: int) -> DiskUsage:
        from ssh_mcp.remote.files.search.usage import usage

        return await usage(self._host, self.places, path, depth)

    async def hash(self, path: str, algorithm: Algorithm, timeout: int | None) -> FileHash:
        from ssh_mcp.remote.files.hashing import file_hash

        return await file_hash(self._host, self.places, path, algorithm, timeout)

    # --- content ------------------------------------------------------------------------------------------------------

    async def upload(self, path: str, content: Content, mode: int | None, *, dry_run: bool) -> ContentResult:
        return await self._contents.upload(path, content, mode, dry_run=dry_run)

    async def deploy(
        self, path: str, content: Content, mode: int | None, *, backup: bool, dry_run: bool
    ) -> DeployResult:
        return await self._contents.deploy(path, content, mode, backup=backup, dry_run=dry_run)

    async def edit(
        self, path: str, old: str, new: str, occurrence: Literal["single", "all"], *, dry_run: bool
    ) -> ContentResult:
        from ssh_mcp.remote.files.text_edits import replace

        return await self._change(path, lambda text, name: replace(text, old, new, occurrence, name), dry_run=dry_run)

    async def patch(self, path: str, unified_diff: str, *, dry_run: bool) -> ContentResult:
        from ssh_mcp.remote.files.text_edits import patch

        return await self._change(path, lambda text, name: patch(text, unified_diff, name), dry_run=dry_run)

    async def _change(self, path: str, change: Callable[[str, str], str], *, dry_run: bool) -> ContentResult:
        return await self._contents.edit(path, change, dry_run=dry_run)

    # --- names --------------------------------------------------------------------------------------------------------

    async def mkdir(self, path: str, mode: int, *, parents: bool) -> FileResult:
        return await self._trees.mkdir(path, mode, parents=parents)

    async def delete(self, path: str) -> FileResult:
        return await self._trees.delete(path)

    async def delete_folder(self, path: str, *, recursive: bool, dry_run: bool) -> DeleteFolderResult:
        return await self._trees.delete_folder(path, recursive=recursive, dry_run=dry_run)

    async def copy(self, src: str, dst: str) -> FileResult:
        return await self._trees.copy(src, dst)

    async def move(self, src: str, dst: str) -> FileResult:
        return await self._trees.move(src, dst)

    async def link(self, src: str, dst: str, *, symbolic: bool, follow_symlinks: bool) -> FileResult:
        return await self._trees.link(src, dst, symbolic=symbolic, follow_symlinks=follow_symlinks)

    # --- parts --------------------------------------------------------------------------------------------------------

    @cached_property
    def _listing(self) -> Listing:
        from ssh_mcp.remote.files.listing import Listing

        return Listing(self._host, self.places)

    @cached_property
    def _reading(self) -> Reading:
        from ssh_mcp.remote.files.reading import Reading

        return Reading(self._host, self.places)

    @cached_property
    def _contents(self) -> Contents:
        from ssh_mcp.remote.files.contents import Contents

        return Contents(self._host, self.places, self._reading)

    @cached_property
    def _trees(self) -> Trees:
        from ssh_mcp.remote.files.trees import Trees

        return Trees(self._host, self.places)
