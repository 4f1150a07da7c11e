"""Results of the tools about whole directories. Paths are relative to the directory; sizes are bytes."""

from __future__ import annotations

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled


class SyncStep(Result):
    """One thing that is done: mkdir, create, update or delete. ``bytes``: of the file that is copied."""

    action: Ours
    path: str
    bytes: int = 0


class SyncResult(Spooled):
    """What a synchronisation did, or with dry_run would do.

    ``created`` and ``updated`` count files and links, ``deleted`` all entries, ``skipped`` what was left alone:
    ``unchanged`` files, and what was left out for the reasons in the warnings. ``bytes`` are those of the files copied.
    ``resumed``: an earlier run was cut, and this one went on from there. ``method``: rsync, tar or sftp.
    """

    host: Ours
    other_host: Ours | None = None
    direction: Ours
    dry_run: bool = False
    plan: list[SyncStep] = Field(default_factory=list)
    plan_total: int = 0
    created: int = 0
    updated: int = 0
    deleted: int = 0
    skipped: int = 0
    unchanged: int = 0
    bytes: int = 0
    resumed: bool = False
    method: Ours = ""


class ArchiveMember(Result):
    """One member: file, directory, symlink or other."""

    path: str
    kind: Ours
    bytes: int = 0


class ArchiveResult(Spooled):
    """``entries`` counts the members, ``bytes`` are those of the files unpacked; ``members`` lists the first ones."""

    host: Ours
    action: Ours
    archive: Ours
    entries: int = 0
    bytes: int = 0
    members: list[ArchiveMember] = Field(default_factory=list)
