"""Files as root: the few shell scripts behind the sudo tools, and what their answers mean.

Every script takes its values as positional parameters and answers failures by its exit status, so that no message has
to be parsed. They run on GNU and BusyBox hosts. A directory is entered before anything is done in it, and names are
relative from then on: whoever swaps a directory on the way for a link does not lead root elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssh_mcp.errors import FileConflict
from ssh_mcp.inventory.values import shown
from ssh_mcp.policy.paths import split_parent
from ssh_mcp.remote.files.arguments import Selection
from ssh_mcp.remote.files.paths import changed
from ssh_mcp.remote.files.pieces import CONTEXT, WHOLE, Piece, Window, cut_piece
from ssh_mcp.remote.files.shell_paths import CANONICAL, ShellPath, read_answer
from ssh_mcp.remote.files.writer import PREFIX, temporary_name
from ssh_mcp.tokens import arg, command, lit
from transports.api import Destination, DirectoryEntry, FileAttributes
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.sudo.sudo import Sudo
    from transports.api import Completed

_NOT_FOUND, _NO_FILE, _CHANGED, _IS_DIRECTORY, _NOT_DIRECTORY, _FAILED, _CONFLICT = 70, 71, 72, 73, 74, 75, 76

_LIST_CAP = 64 << 20
"""Bytes of a directory's listing."""

_LINES_AROUND = 100
"""Lines read beside those asked for: a secret is found in the light of its neighbours."""

# What stands at a path: size, mode, owner, and marks by which a change is noticed.
_STATE = """
state() { stat -c '%s %a %u %g %Y %i' -- "$1" 2>/dev/null || stat -f '%z %Lp %u %g %m %i' -- "$1"; }
"""

# The opened file must be the judged one: /proc tells what a descriptor leads to; elsewhere the path is asked again.
_READ = f"""{_STATE}
[ -d "$1" ] && exit {_IS_DIRECTORY}
[ -e "$1" ] || exit {_NOT_FOUND}
[ -f "$1" ] || exit {_NO_FILE}
exec 3<"$1" || exit {_FAILED}
q=$(readlink /proc/$$/fd/3 2>/dev/null) || q=$(readlink -f -- "$1")
[ "$q" = "$1" ] || exit {_CHANGED}
s=$(state "$1") || exit {_FAILED}
printf '%s\\n' "$s"
case $2 in
  range) tail -c "+$4" <&3 | head -c "$3" ;;
  first) head -n "$4" <&3 | head -c "$3" ;;
  last) tail -n "$4" <&3 | tail -c "$3" ;;
esac
"""

_WRITE = f"""{_STATE}
d=$1 n=$2 t=$3
[ -d "$d" ] || exit {_NOT_FOUND}
cd -P -- "$d" || exit {_FAILED}
[ "$(pwd -P)" = "$d" ] || exit {_CHANGED}
find . -maxdepth 1 -name '{PREFIX}*' -type f -mmin +60 -exec rm -f -- {{}} + 2>/dev/null
for x in $9; do rm -f -- "./$x"; done
trap 'rm -f -- "$t"' EXIT
trap 'exit {_FAILED}' HUP INT TERM PIPE
umask 077
set -C
cat >"./$t" || exit {_FAILED}
[ "$(wc -c <"./$t")" -eq "$4" ] || exit {_FAILED}
[ -h "./$n" ] && exit {_CHANGED}
[ -d "./$n" ] && exit {_IS_DIRECTORY}
mode=$5 owner=$6
if [ -e "./$n" ]; then
  [ -f "./$n" ] || exit {_NO_FILE}
  s=$(state "./$n") || exit {_FAILED}
  [ -z "$8" ] || [ "$s" = "$8" ] || exit {_CONFLICT}
  set -- $s
  [ "$mode" != keep ] || {{ mode=$2; case $owner in :) ;; *) mode=$(printf %o $((0$2 & 01777))) ;; esac; }}
  case $owner in
    :) owner=$3:$4 ;;
    :*) owner=$3$owner ;;
    *:) owner=$owner$4 ;;
  esac
else
  [ -z "$8" ] || exit {_CONFLICT}
  [ "$mode" != keep ] || mode=$7
  case $owner in :) owner= ;; *:) owner=${{owner%:}} ;; esac
fi
[ -z "$owner" ] || chown -- "$owner" "./$t" || exit {_FAILED}
chmod -- "$mode" "./$t" || exit {_FAILED}
sync "./$t" 2>/dev/null || sync
mv -fT -- "./$t" "./$n" 2>/dev/null || {{ [ ! -d "./$n" ] && mv -f -- "./$t" "./$n"; }} || exit {_FAILED}
trap - EXIT
"""

_LIST = f"""
[ -e "$1" ] || exit {_NOT_FOUND}
[ -d "$1" ] || exit {_NOT_DIRECTORY}
cd -P -- "$1" || exit {_FAILED}
[ "$(pwd -P)" = "$1" ] || exit {_CHANGED}
if find . -maxdepth 0 -printf '' 2>/dev/null; then
  exec find . -maxdepth 1 -mindepth 1 -printf '%f\\0%y\\0%s\\0%m\\0%T@\\0%l\\0'
fi
for f in .* *; do
  case $f in .|..) continue ;; esac
  [ -e "./$f" ] || [ -h "./$f" ] || continue
  l= y=o
  if [ -h "./$f" ]; then y=l; l=$(readlink -- "./$f"); elif [ -d "./$f" ]; then y=d; elif [ -f "./$f" ]; then y=f; fi
  s=$(stat -c '%s %a %Y' -- "./$f" 2>/dev/null || stat -f '%z %Lp %m' -- "./$f") || continue
  m=${{s#* }}
  printf '%s\\0%s\\0%s\\0%s\\0%s\\0%s\\0' "$f" "$y" "${{s%% *}}" "${{m% *}}" "${{s##* }}" "$l"
done
"""

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
        done = await self._run(CANONICAL, *paths)
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
        done = await self._run(_READ, path, what, str(most), str(number), cap=most + 256)
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
    ) -> None:
        """Replace or create ``path`` atomically.

        ``mode`` None keeps the old file's; ``owner`` is ``user:group`` where either side may be empty (keep);
        ``new_mode`` is the mode of a file that did not exist. ``state``: as read before, else FileConflict.
        Raises PathChanged.
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
        done = await self._run(_WRITE, *values, stdin=content, timeout=timeout)
        if not done.timed_out and done.exit_code >= 0:
            old -= {temporary, *removing}
            if not old:
                _leftovers.pop((self._sudo.destination, directory), None)
        self._check(done, path)

    async def list(self, path: str) -> tuple[list[DirectoryEntry], dict[str, str]]:
        """All entries of a directory, unsorted, and where its links lead. Raises PathChanged."""
        done = await self._run(_LIST, path, cap=_LIST_CAP)
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
        script: str,
        *values: str,
        stdin: AsyncIterator[bytes] | bytes | None = None,
        cap: int = 1 << 20,
        timeout: float | None = None,
    ) -> Completed:
        inner = command(lit("sh -c"), arg(script), lit("sh"), [arg(v) for v in values])
        return await self._sudo.run(inner, stdin=stdin, stdout_cap=cap, timeout=timeout)

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
