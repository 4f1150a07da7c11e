"""Results of the file tools. Paths are canonical; sizes are bytes; times are UTC in ISO 8601."""

from __future__ import annotations

from pydantic import Field

from ssh_mcp.results.base import Ours, Raw, Result, Spooled, Warned


class SftpEntry(Result):
    """One directory entry. ``mode`` is octal such as 0644; ``kind`` file, directory, symlink or other."""

    name: str
    kind: Ours
    size: int
    mode: Ours
    mtime: Ours
    symlink_target: str | None = None


class SftpListing(Spooled):
    """One page of a directory, sorted by name.

    ``next_offset``: where the next page starts, while ``has_more``. It is ``offset + limit`` of the result, also where
    the page is shorter than the limit that was asked for.
    """

    host: Ours
    path: Ours
    entries: list[SftpEntry] = Field(default_factory=list)
    offset: int = 0
    limit: int = 0
    has_more: bool = False
    next_offset: int | None = None

    def when_cut(self) -> dict[str, object]:
        """The page ends with the last entry that fits, and the next one starts after it."""
        count = len(self.entries)
        following = self.offset + count
        remark = f"This page has {count} of the {self.limit} entries asked for. Continue with offset={following}."
        return {
            "has_more": True,
            "limit": count,
            "next_offset": following,
            "output_warnings": [remark, *self.output_warnings],
        }


class SftpStat(Warned):
    """One path; of a link the link itself, with where it leads."""

    path: Ours
    kind: Ours
    size: int
    mode: Ours
    mtime: Ours
    owner: str | None = None
    group: str | None = None
    symlink_target: str | None = None


class Download(Warned):
    """A file's bytes: ``content_text`` where they are UTF-8 text, else base64.

    ``next_offset``: where the next part starts, while the file goes on. ``truncated``: the limit on one read ended it.
    """

    host: Ours
    path: Ours
    size: int
    content_base64: Ours = ""
    truncated: bool = False
    local_path_written: Ours | None = None
    content_text: Raw | None = None
    next_offset: int | None = None


class RedactedRead(Spooled):
    """A file's text with markers for its secrets. The text is masked already: the guard leaves it alone."""

    host: Ours
    path: Ours
    size_original: int
    content: Raw
    format_detected: Ours
    redactions: list[dict[str, Ours | int | None]] = Field(default_factory=list)
    truncated: bool = False
    next_offset: int | None = None


class FileHash(Warned):
    """A file's checksum, hexadecimal."""

    host: Ours
    path: Ours
    algorithm: Ours
    digest: Ours
    size: int


class FindEntry(Result):
    """One match with its size in bytes and the UTC time of its last change."""

    path: str
    kind: Ours
    size: int
    mtime: Ours


class FindResult(Spooled):
    """Matching paths, sorted. ``truncated``: there may be more than these; ``found`` counts them all.

    ``entries`` holds the same with size and time where the query was about these.
    """

    host: Ours
    root: Ours
    matches: list[str] = Field(default_factory=list)
    truncated: bool = False
    found: int = 0
    entries: list[FindEntry] = Field(default_factory=list)


class GrepMatch(Result):
    """One matching line, its number counted from 1, and the lines around it. Long lines are cut."""

    path: str
    line: int
    text: str
    before: list[str] = Field(default_factory=list)
    after: list[str] = Field(default_factory=list)


class SkippedFiles(Result):
    """Files that were not searched, by reason."""

    restricted: int = 0
    redact_listed: int = 0
    binary: int = 0
    unreadable: int = 0


class GrepResult(Spooled):
    """Matching lines by path and line. ``truncated``: there may be more than these."""

    host: Ours
    root: Ours
    matches: list[GrepMatch] = Field(default_factory=list)
    files_searched: int = 0
    files_skipped: SkippedFiles = Field(default_factory=SkippedFiles)
    truncated: bool = False


class UsageEntry(Result):
    """What one entry takes up on disk, with all that lies below it, in bytes."""

    path: str
    bytes: int


class DiskUsage(Spooled):
    """What fills a directory, largest first. ``method``: ``du`` (disk space) or ``sftp`` (sum of file sizes)."""

    host: Ours
    path: Ours
    bytes: int
    entries: list[UsageEntry] = Field(default_factory=list)
    entries_total: int = 0
    truncated: bool = False
    method: Ours = "du"


class FileResult(Warned):
    """What a change did. ``message`` says it in words."""

    host: Ours
    path: Ours
    success: bool = True
    bytes_written: int = 0
    message: Ours | None = None
    local_path_written: Ours | None = None


class ContentResult(FileResult):
    """A change of content: ``diff`` is a bounded unified diff of text, ``sha256`` that of what was written."""

    dry_run: bool = False
    diff: str | None = None
    sha256: Ours | None = None


class DeployResult(ContentResult):
    """``backup_path`` holds what was there before."""

    backup_path: Ours | None = None


class DeleteFolderResult(FileResult, Spooled):
    """``would_delete`` is the list of a dry run (paths below the directory come before it)."""

    dry_run: bool = False
    would_delete: list[str] = Field(default_factory=list)
    deleted: int = 0


class TransferResult(Warned):
    """A file copied between two hosts; its size and SHA-256 were compared at the destination."""

    src_host: Ours
    src_path: Ours
    dst_host: Ours
    dst_path: Ours
    size: int
    duration_ms: int
    throughput_mb_s: float
    sha256: Ours = ""
