"""What the file service asks of a view of a host's files: SFTP's, or root's behind sudo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import PathPolicy
    from ssh_mcp.policy.paths import Purpose
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.arguments import Selection
    from ssh_mcp.remote.files.pieces import Piece
    from ssh_mcp.remote.files.sources import BytesSource, LocalFileSource
    from transports.api import DirectoryEntry, FileAttributes


@dataclass(frozen=True, slots=True)
class Located:
    """A regular file, permitted, and what it looked like when it was located."""

    path: PermittedPath
    attributes: FileAttributes


@dataclass(frozen=True, slots=True)
class Seen:
    """A whole file that is to be changed. ``state``: how it was when it was read, as its view shows it."""

    data: bytes
    state: FileAttributes | str


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory's entries, unsorted. ``targets`` says where the links among some names lead."""

    path: PermittedPath
    policy: PathPolicy
    entries: list[DirectoryEntry]
    targets: Callable[[Sequence[str]], Awaitable[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Replacement:
    """One write. ``mode`` None keeps the old file's; ``owner`` is ``user:group``, either side empty to keep it.

    ``unchanged``: the file must still be as it was seen, else FileConflict.
    """

    path: PermittedPath
    source: BytesSource | LocalFileSource
    mode: int | None = None
    owner: str = ":"
    unchanged: FileAttributes | str | None = None


class FileView(Protocol):
    """Files of one host as one of its views shows them, within one call.

    All methods raise the refusals of policy, FileError, and MasterLost; root's also SudoFailed.
    """

    @property
    def reader(self) -> str:
        """The tool that shows files of this view with their secrets masked."""

    async def read(
        self, path: str, purpose: Purpose, selection: Selection, *, whole: int = 0
    ) -> tuple[PermittedPath, Piece]:
        """The selected part of a file, at most SSH_READ_MAX_BYTES; a file of up to ``whole`` bytes is around it."""

    async def directory(self, path: str) -> Directory: ...

    async def target(self, path: str) -> PermittedPath:
        """What will be written; it need not exist."""

    async def located(self, path: str) -> Located:
        """A regular file that will be changed. Raises InvalidArgument for anything else."""

    async def content(self, where: Located) -> Seen:
        """All of it. Raises TooLarge beyond SSH_EDIT_MAX_FILE_BYTES, PathChanged."""

    async def foresee(self, path: PermittedPath) -> None:
        """For a dry run: warn of what replacing the file would do besides changing its content."""

    async def replace(self, wanted: Replacement) -> int:
        """Create or replace a file atomically; its size. Raises FileConflict, PathChanged."""
