"""A host's files as root sees them, for the file service: programs behind sudo (``programs/*.sh``) and their output."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import FileConflict, TooLarge
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import Purpose, split_parent
from ssh_mcp.remote.files.arguments import DEFAULT_MODE, Selection
from ssh_mcp.remote.files.attributes import parse_kept, parse_look, remark, remark_links, unkept
from ssh_mcp.remote.files.leftovers import LEFTOVERS
from ssh_mcp.remote.files.paths import changed
from ssh_mcp.remote.files.pieces import CONTEXT, Piece, Window, cut_piece
from ssh_mcp.remote.files.resolver import ROOT_READER, TYPES, ProgramPaths
from ssh_mcp.remote.files.view import Directory, Located, Replacement, Seen
from ssh_mcp.remote.files.writer import temporary_name
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.programs import files_program
from transports.api import DirectoryEntry, FileAttributes
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.policy.permitted_path import PermittedPath
    from ssh_mcp.remote.host import RemoteHost
    from ssh_mcp.remote.sudo.sudo import Sudo
    from transports.api import Completed

_NO_ACL: Final = 65
_NOT_FOUND, _NO_FILE, _CHANGED, _IS_DIRECTORY, _NOT_DIRECTORY, _FAILED, _CONFLICT = 70, 71, 72, 73, 74, 75, 76

_LIST_CAP: Final = 64 << 20
"""Bytes of a directory's listing."""
_LINES_AROUND: Final = 100
"""Lines read beside those asked for: a secret is found in the light of its neighbours."""


class RootView:
    """Implements ``FileView``."""

    reader = ROOT_READER

    def __init__(self, host: RemoteHost, sudo: Sudo) -> None:
        self._host = host
        self._sudo = sudo
        self._paths = ProgramPaths(host, ROOT_READER, sudo.run)

    async def read(
        self, path: str, purpose: Purpose, selection: Selection, *, whole: int = 0
    ) -> tuple[PermittedPath, Piece]:
        where = await self._permitted(path, purpose)
        piece, _ = await self._read(where, selection, self._host.settings.ssh_read_max_bytes, whole)
        return where, piece

    async def directory(self, path: str) -> Directory:
        where = await self._permitted(path, Purpose.LIST)
        done = await self._run(("list",), where, cap=_LIST_CAP)
        self._check(done, where)
        entries, links = _entries(done.stdout)

        async def targets(names: Sequence[str]) -> dict[str, str]:
            return {name: links[name] for name in names if name in links}

        return Directory(where, await self._paths.policy(), entries, targets)

    async def target(self, path: str) -> PermittedPath:
        return await self._permitted(path, Purpose.WRITE)

    async def located(self, path: str) -> Located:
        """That it is a regular file is found out when it is read."""
        return Located(await self._permitted(path, Purpose.WRITE), FileAttributes())

    async def content(self, where: Located) -> Seen:
        cap = self._host.settings.ssh_edit_max_file_bytes
        piece, state = await self._read(where.path, Selection(), cap, 0)
        if piece.more:
            raise TooLarge(
                f"{shown(where.path)} has more than {cap} bytes.", "The operator can raise SSH_EDIT_MAX_FILE_BYTES."
            )
        return Seen(piece.data, state)

    async def foresee(self, path: PermittedPath) -> None:
        done = await self._run(("attributes", "look"), path)
        remark_links(self._host, path, parse_look(done)[1])

    async def replace(self, wanted: Replacement) -> int:
        source = wanted.source
        size = source.size
        await self._write(wanted, source.all_or_blocks(), size)
        return size

    async def _permitted(self, path: str, purpose: Purpose) -> PermittedPath:
        (found,) = await self._paths.permitted((path, purpose))
        return found.path

    async def _read(self, path: PermittedPath, selection: Selection, cap: int, whole: int) -> tuple[Piece, str]:
        """The selected bytes, at most ``cap``, with some around them, and how the file was. Raises PathChanged."""
        limit = min(cap, selection.max_bytes or cap)
        start = max((selection.offset or 0) - CONTEXT, 0)
        what, number, most = "range", start + 1, (selection.offset or 0) - start + limit + CONTEXT
        if not start:
            most = max(most, whole)
        if selection.first_lines is not None:
            what, number = "first", selection.first_lines + _LINES_AROUND
        elif selection.last_lines is not None:
            what, number = "last", selection.last_lines + _LINES_AROUND
        done = await self._run(("state", "read"), path, what, str(most), str(number), cap=most + 256)
        self._check(done, path)
        head, _, data = done.stdout.partition(b"\n")
        state = head.decode("ascii", "replace")
        window = _window(data, int(state.split()[0]), what, start=start, most=most, lines=number)
        return cut_piece(window, selection, cap), state

    async def _write(self, wanted: Replacement, content: AsyncIterator[bytes] | bytes, size: int) -> None:
        path = wanted.path
        directory, name = split_parent(path)
        mode = "keep" if wanted.mode is None else f"{wanted.mode:o}"
        temporary = temporary_name()
        where = connection_of(self._host).destination
        old = LEFTOVERS.of(where, root=True, directory=directory)
        left = " ".join(each.rpartition("/")[2] for each in old)
        state = wanted.unchanged if isinstance(wanted.unchanged, str) else ""
        new_mode = f"{DEFAULT_MODE:o}"
        values = (directory, name, temporary, str(size), mode, wanted.owner, new_mode, state, left)
        # A slow connection must not end a large write: a quarter of a megabyte a second is still fine.
        timeout = min(self._host.commands.timeout(None) + size / 262_144, 86_400)
        mine = f"{directory.rstrip('/')}/{temporary}"
        LEFTOVERS.add(where, mine, root=True)
        done = await self._run(("state", "attributes", "write"), *values, stdin=content, timeout=timeout)
        if not done.timed_out and done.exit_code >= 0:
            LEFTOVERS.discard(where, mine, *old, root=True)
        self._check(done, path)
        remark(self._host, path, parse_kept(done.stdout))

    async def _run(
        self,
        names: tuple[str, ...],
        *values: str,
        stdin: AsyncIterator[bytes] | bytes | None = None,
        cap: int = 1 << 20,
        timeout: float | None = None,
    ) -> Completed:
        return await self._sudo.run(files_program(names, *values), stdin=stdin, stdout_cap=cap, timeout=timeout)

    def _check(self, done: Completed, path: PermittedPath) -> None:
        """Raise what an exit status means."""
        name = shown(path)
        if done.timed_out:
            raise FileError(FileErrorKind.FAILURE, path, f"{name} was not processed in time.", "Try again.")
        if done.exit_code == 0:
            return
        if done.exit_code == _CHANGED:
            raise changed(path)
        if done.exit_code == _CONFLICT:
            raise FileConflict(f"{name} was changed in the meantime.", "Read it again and redo the change.")
        if done.exit_code == _NO_ACL:
            raise unkept(path)
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        kind, what, remedy = {
            _NOT_FOUND: (FileErrorKind.NOT_FOUND, f"{name} does not exist.", "ssh_sudo_sftp_list shows what does."),
            _NO_FILE: (FileErrorKind.FAILURE, f"{name} is not a regular file.", "Give the path of a regular file."),
            _IS_DIRECTORY: (FileErrorKind.IS_DIRECTORY, f"{name} is a directory.", "Use ssh_sudo_sftp_list."),
            _NOT_DIRECTORY: (FileErrorKind.NOT_DIRECTORY, f"{name} is not a directory.", "Use ssh_sudo_read."),
        }.get(done.exit_code, (FileErrorKind.FAILURE, f"{name}: {said or f'exit {done.exit_code}'}.", ""))
        if "No space left" in said:
            kind = FileErrorKind.NO_SPACE
        raise FileError(kind, path, what, remedy)


def _entries(printed: bytes) -> tuple[list[DirectoryEntry], dict[str, str]]:
    """What list.sh printed: all entries, unsorted, and where its links lead."""
    fields = printed.decode("utf-8", "surrogateescape").split("\0")
    entries, targets = [], {}
    for i in range(0, len(fields) - 6, 6):
        name, kind, size, mode, mtime, target = fields[i : i + 6]
        bits = TYPES.get(kind, TYPES["o"]) | int(mode, 8)
        entries.append(
            DirectoryEntry(name, b"", FileAttributes(size=int(size), permissions=bits, mtime=int(float(mtime))))
        )
        if kind == "l":
            targets[name] = target
    return entries, targets


def _window(data: bytes, size: int, what: str, *, start: int, most: int, lines: int) -> Window:
    """What a read brought. Less than was asked for means that the file ends there, whatever ``st_size`` says."""
    short = len(data) < most and (what == "range" or data.count(b"\n") < lines)
    if what == "last":
        return Window(data, 0 if short else max(size - len(data), 0), at_end=True, size=size)
    return Window(data, start, short, size)
