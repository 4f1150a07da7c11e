"""A host's files over SFTP, for the file service. Requests that need no reply before them go out together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ssh_mcp.errors import TooLarge
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose, child
from ssh_mcp.remote.files.attributes import Attributes, remark_links
from ssh_mcp.remote.files.listing import entries_of
from ssh_mcp.remote.files.paths import in_place
from ssh_mcp.remote.files.pieces import Piece, cut_piece
from ssh_mcp.remote.files.reading import OpenFile, located, opened, opened_at, read_window
from ssh_mcp.remote.files.view import Directory, Located, Replacement, Seen
from ssh_mcp.remote.files.writer import Job, Writer
from ssh_mcp.remote.together import settled, together
from transports.api import FileAttributes
from transports.errors import MasterLost

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.files.arguments import Selection
    from ssh_mcp.remote.host import RemoteHost


class SftpView:
    """Implements ``FileView``."""

    def __init__(self, host: RemoteHost) -> None:
        self._host = host
        self._paths = host.paths

    @property
    def reader(self) -> str:
        return self._paths.reader

    async def read(
        self, path: str, purpose: Purpose, selection: Selection, *, whole: int = 0
    ) -> tuple[PermittedPath, Piece]:
        """Reading changes nothing: once more after a lost connection."""
        try:
            return await self._read(path, purpose, selection, whole)
        except MasterLost:
            return await self._read(path, purpose, selection, whole)

    async def _read(self, path: str, purpose: Purpose, selection: Selection, whole: int) -> tuple[PermittedPath, Piece]:
        cap = self._host.settings.ssh_read_max_bytes
        async with opened(self._paths, path, purpose, verify=False) as file:
            _, window = await together(
                self._paths.opened(file.files, file.handle, file.path),
                read_window(file, selection, cap, whole=whole),
            )
        return file.path, cut_piece(window, selection, cap)

    async def directory(self, path: str) -> Directory:
        where = await self._paths.existing(path, Purpose.LIST)
        policy = await self._paths.policy()
        found = await self._paths.asking(lambda files: in_place(files, where, entries_of(files, where)))

        async def targets(names: Sequence[str]) -> dict[str, str]:
            files = await self._paths.files()
            replies = await settled([files.readlink(child(where, name)) for name in names])
            return {name: reply for name, reply in zip(names, replies, strict=True) if isinstance(reply, str)}

        return Directory(where, policy, found, targets)

    async def target(self, path: str) -> PermittedPath:
        return await self._paths.target(path)

    async def located(self, path: str) -> Located:
        return await located(self._paths, path, Purpose.WRITE)

    async def content(self, where: Located) -> Seen:
        """Two round trips."""
        cap = self._host.settings.ssh_edit_max_file_bytes
        async with opened_at(self._paths, where) as file:
            data, attributes = await self.whole(file, cap + 1)
        if len(data) > cap:
            raise TooLarge(
                f"{shown(where.path)} has more than {cap} bytes.", "The operator can raise SSH_EDIT_MAX_FILE_BYTES."
            )
        return Seen(data, attributes)

    async def whole(self, file: OpenFile, cap: int) -> tuple[bytes, FileAttributes]:
        """The bytes of a file, at most ``cap``, and its attributes, verified. As long as it is as it was located, it is
        one round trip.
        """
        expected = min(file.size, cap)
        now, data = await together(
            self._paths.opened(file.files, file.handle, file.path), file.handle.read(0, expected)
        )
        # Verified at a second look, the bytes may be older than what was seen then: an edit would undo that change.
        seen = file.attributes
        if not now.size or (now.size, now.mtime) != (seen.size, seen.mtime) or len(data) != expected:
            data = await file.handle.read(0, cap)
        return data, now

    async def foresee(self, path: PermittedPath) -> None:
        found = await Attributes(self._host, await self._paths.files()).look(path)
        remark_links(self._host, path, found[1])

    async def replace(self, wanted: Replacement) -> int:
        assert wanted.owner == ":", "SFTP gives a file its old owner, or the login's"
        before = wanted.unchanged if isinstance(wanted.unchanged, FileAttributes) else None
        job = Job(wanted.path, wanted.source, wanted.mode, unchanged=before)
        return (await Writer(self._host, await self._paths.files()).write(job)).size
