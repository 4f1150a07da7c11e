"""Files as root: what the programs behind the sudo tools (``programs/*.sh``) are given, and what their output means."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import split_parent
from ssh_mcp.remote.files.arguments import Selection
from ssh_mcp.remote.files.attributes import Kept, parse_kept, unkept
from ssh_mcp.remote.files.paths import changed
from ssh_mcp.remote.files.pieces import CONTEXT, WHOLE, Piece, Window, cut_piece
from ssh_mcp.remote.files.shell_paths import ShellPath, read_answer
from ssh_mcp.remote.files.writer import temporary_name
from ssh_mcp.remote.programs import files_program
from transports.api import Destination, DirectoryEntry, FileAttributes
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.sudo.sudo import Sudo
    from transports.api import Completed

_NO_ACL = 65
_NOT_FOUND, _NO_FILE, _CHANGED, _IS_DIRECTORY, _NOT_DIRECTORY, _FAILED, _CONFLICT = 70, 71, 72, 73, 74, 75, 76

_LIST_CAP = 64 << 20
"""Bytes of a directory's listing."""

_LINES_AROUND = 100
"""Lines read beside those asked for: a secret is found in the light of its neighbours."""

_leftovers: dict[tuple[Destination, str], set[str]] = {}
"""Temporaries, by host and directory, whose removal nobody has confirmed: the next write there removes them."""

_TYPES = {"f": 0o100000, "d": 0o040000, "l": 0o120000}


@dataclass(frozen=True, slots=True)
class RootRead:
    """Some of a file. ``state`` says how the file stood, for a write that must not overwrite another's."""

    piece: Piece
    state: str


class RootFiles:
    """Shell-backed files of one host within one call, without policy. Paths are canonical in root's view.

    All methods raise SudoFailed, FileError and MasterLost.
    """

    def __init__(self, sudo: Sudo) -> None:
        self._sudo = sudo

    async def canonical(self, paths: Sequence[str]) -> list[ShellPath]:
        """Where paths really lead in root's view; what does not exist is taken up to its deepest ancestor."""
        done = await self._run(("canonical",), *paths)
        return read_answer(done, paths, self._sudo.host_name)

    async def read(self, path: str, selection: Selection, cap: int, *, whole: bool = False) -> RootRead:
        """The selected bytes, at most ``cap``, with some around them. Raises PathChanged.

        ``whole``: a small file comes whole, so that a part can be masked in the light of all of it.
        """
        limit = min(cap, selection.max_bytes or cap)
        start = max((selection.offset or 0) - CONTEXT, 0)
        what, number, most = "range", start + 1, (selection.offset or 0) - start + limit + CONTEXT
        if whole and not start:
            most = max(most, WHOLE)
        if selection.first_lines is not None:
            what, number = "first", selection.first_lines + _LINES_AROUND
        elif selection.last_lines is not None:
            what, number = "last", selection.last_lines + _LINES_AROUND
        done = await self._run(("state", "read"), path, what, str(most), str(number), cap=most + 256)
        self._check(done, path)
        head, _, data = done.stdout.partition(b"\n")
        state = head.decode("ascii", "replace")
        window = _window(data, int(state.split()[0]), what, start=start, most=most, lines=number)
        return RootRead(cut_piece(window, selection, cap), state)

    async def write(
        self,
        path: str,
        content: AsyncIterator[bytes] | bytes,
        *,
        size: int,
        mode: int | None,
        owner: str,
        new_mode: int,
        state: str = "",
    ) -> Kept:
        """Replace or create ``path`` atomically.

        ``mode`` None keeps the old file's; ``owner`` is ``user:group`` where either side may be empty (keep);
        ``new_mode`` is the mode of a file that did not exist. ``state``: as read before, else FileConflict.
        Raises PathChanged, and FileConflict for an access list that cannot be kept.
        """
        directory, name = split_parent(path)
        wanted = "keep" if mode is None else f"{mode:o}"
        temporary = temporary_name()
        old = _leftovers.setdefault((self._sudo.destination, directory), set())
        removing = set(old)
        values = (directory, name, temporary, str(size), wanted, owner, f"{new_mode:o}", state, " ".join(removing))
        # A slow link must not end a large write: a quarter of a megabyte a second is still fine.
        timeout = min(self._sudo.timeout + size / 262_144, 86_400)
        old.add(temporary)
        done = await self._run(("state", "attributes", "write"), *values, stdin=content, timeout=timeout)
        if not done.timed_out and done.exit_code >= 0:
            old -= {temporary, *removing}
            if not old:
                _leftovers.pop((self._sudo.destination, directory), None)
        self._check(done, path)
        return parse_kept(done.stdout)

    async def list(self, path: str) -> tuple[list[DirectoryEntry], dict[str, str]]:
        """All entries of a directory, unsorted, and where its links lead. Raises PathChanged."""
        done = await self._run(("list",), path, cap=_LIST_CAP)
        self._check(done, path)
        fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        entries, targets = [], {}
        for i in range(0, len(fields) - 6, 6):
            name, kind, size, mode, mtime, target = fields[i : i + 6]
            bits = _TYPES.get(kind, 0o060000) | int(mode, 8)
            entries.append(
                DirectoryEntry(name, b"", FileAttributes(size=int(size), permissions=bits, mtime=int(float(mtime))))
            )
            if kind == "l":
                targets[name] = target
        return entries, targets

    async def _run(
        self,
        names: tuple[str, ...],
        *values: str,
        stdin: AsyncIterator[bytes] | bytes | None = None,
        cap: int = 1 << 20,
        timeout: float | None = None,
    ) -> Completed:
        return await self._sudo.run(files_program(names, *values), stdin=stdin, stdout_cap=cap, timeout=timeout)

    def _check(self, done: Completed, path: str) -> None:
        """Raise what an exit status means."""
        name = shown(path)
        if done.timed_out:
            raise FileError(FileErrorKind.FAILURE, path, f"{name} could not be handled in time.", "Try again.")
        if done.exit_code == 0:
            return
        if done.exit_code == _CHANGED:
            raise changed(path)
        if done.exit_code == _CONFLICT:
            raise FileConflict(f"{name} was changed meanwhile.", "Read it again and redo the change.")
        if done.exit_code == _NO_ACL:
            raise unkept(path)
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        kind, what, remedy = {
            _NOT_FOUND: (FileErrorKind.NOT_FOUND, f"{name} does not exist.", "ssh_sudo_sftp_list shows what does."),
            _NO_FILE: (FileErrorKind.FAILURE, f"{name} is no regular file.", "Give the path of a regular file."),
            _IS_DIRECTORY: (FileErrorKind.IS_DIRECTORY, f"{name} is a directory.", "Use ssh_sudo_sftp_list."),
            _NOT_DIRECTORY: (FileErrorKind.NOT_DIRECTORY, f"{name} is no directory.", "Use ssh_sudo_read."),
        }.get(done.exit_code, (FileErrorKind.FAILURE, f"{name}: {said or f'exit {done.exit_code}'}.", ""))
        if "No space left" in said:
            kind = FileErrorKind.NO_SPACE
        raise FileError(kind, path, what, remedy)


def _window(data: bytes, size: int, what: str, *, start: int, most: int, lines: int) -> Window:
    """What a read brought. Less than was asked for means that the file ends there, whatever ``st_size`` says."""
    short = len(data) < most and (what == "range" or data.count(b"\n") < lines)
    if what == "last":
        return Window(data, 0 if short else max(size - len(data), 0), at_end=True, size=size)
    return Window(data, start, short, size)
