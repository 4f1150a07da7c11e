"""Files as root: the few shell scripts behind the sudo tools, and what their answers mean.

Every script takes its values as positional parameters and answers failures by its exit status, so that no message has
to be parsed. They run on GNU and BusyBox hosts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ssh_mcp.errors import InvalidArgument, PathChanged
from ssh_mcp.tokens import Command, arg, command, lit
from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.sudo import Sudo
    from transports.api import Completed

_NOT_FOUND, _NO_FILE, _CHANGED, _IS_DIRECTORY, _NOT_DIRECTORY, _FAILED = 64, 65, 66, 67, 68, 69

_CANONICAL = f"""
q=$(readlink -f -- "$1"; printf .) || exit {_NOT_FOUND}
q=${{q%??}}
[ -n "$q" ] || exit {_NOT_FOUND}
printf '%s\\0' "$q"
if [ -d "$q" ]; then echo d; elif [ -f "$q" ]; then echo f; elif [ -e "$q" ]; then echo o; else echo -; fi
"""

_VERIFY = f"""
q=$(readlink /proc/$$/fd/3 2>/dev/null) || q=$(readlink -f -- "$1")
[ "$q" = "$1" ] || exit {_CHANGED}
"""

_READ = f"""
[ -d "$1" ] && exit {_IS_DIRECTORY}
[ -f "$1" ] || exit {_NO_FILE}
exec 3<"$1" || exit {_FAILED}
{_VERIFY}
wc -c <"$1" || exit {_FAILED}
case $2 in
  all) head -c "$3" <&3 ;;
  range) tail -c +"$4" <&3 | head -c "$3" ;;
  first) head -n "$4" <&3 | head -c "$3" ;;
  last) tail -n "$4" <&3 | tail -c "$3" ;;
esac
"""

_WRITE = f"""
d=${{1%/*}}; [ -n "$d" ] || d=/
[ -d "$1" ] && exit {_IS_DIRECTORY}
[ -d "$d" ] || exit {_NOT_FOUND}
q=$(readlink -f -- "$1") && [ "$q" = "$1" ] || exit {_CHANGED}
t=$d/$2
trap 'rm -f -- "$t"' EXIT
trap 'exit {_FAILED}' HUP INT TERM PIPE
umask 077
set -C
cat >"$t" || exit {_FAILED}
[ "$(wc -c <"$t")" -eq "$3" ] || exit {_FAILED}
old=
if [ -e "$1" ]; then old=$(stat -c '%a %u:%g' -- "$1") || exit {_FAILED}; fi
mode=$4; owner=$5
if [ -n "$old" ]; then
  [ "$mode" != keep ] || mode=${{old% *}}
  case $owner in
    :) owner=${{old#* }} ;;
    :*) o=${{old#* }}; owner=${{o%%:*}}$owner ;;
    *:) owner=$owner${{old##*:}} ;;
  esac
fi
[ "$mode" != keep ] || mode=$6
owner=${{owner%:}}
[ -z "$owner" ] || chown -- "$owner" "$t" || exit {_FAILED}
chmod -- "$mode" "$t" || exit {_FAILED}
sync "$t" 2>/dev/null || sync
q=$(readlink -f -- "$1") && [ "$q" = "$1" ] || exit {_CHANGED}
[ -d "$1" ] && exit {_IS_DIRECTORY}
mv -f -- "$t" "$1" || exit {_FAILED}
trap - EXIT
"""

_LIST = f"""
[ -d "$1" ] || exit {_NOT_DIRECTORY}
cd -- "$1" || exit {_FAILED}
[ "$(pwd -P)" = "$1" ] || exit {_CHANGED}
if find . -maxdepth 0 -printf '' 2>/dev/null; then
  exec find . -maxdepth 1 -mindepth 1 -printf '%f\\0%y\\0%s\\0%m\\0%T@\\0%l\\0'
fi
for f in .* *; do
  case $f in .|..) continue ;; esac
  [ -e "$f" ] || [ -h "$f" ] || continue
  l=; y=o
  if [ -h "$f" ]; then y=l; l=$(readlink -- "$f"); elif [ -d "$f" ]; then y=d; elif [ -f "$f" ]; then y=f; fi
  s=$(stat -c '%s %a %Y' -- "$f") || continue
  printf '%s\\0%s\\0%s\\0%s\\0%s\\0%s\\0' "$f" "$y" "${{s%% *}}" "$(x=${{s#* }}; echo "${{x% *}}")" "${{s##* }}" "$l"
done
"""


@dataclass(frozen=True, slots=True)
class RootPath:
    """A canonical path in root's view, and what is there."""

    path: str
    kind: str
    """f, d, o (something else) or - (nothing yet)."""


@dataclass(frozen=True, slots=True)
class RootEntry:
    """One directory entry. ``mtime`` is seconds since the epoch, ``mode`` the permission bits."""

    name: str
    kind: str
    size: int
    mode: int
    mtime: float
    target: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a file: ``all``, ``range`` (from byte ``number``, 1-based), ``first`` or ``last`` lines."""

    what: str = "all"
    number: int = 1


class RootFiles:
    """Shell-backed files of one host within one call. Paths are canonical except for ``canonical``'s argument."""

    def __init__(self, sudo: Sudo) -> None:
        self._sudo = sudo

    async def canonical(self, path: str) -> RootPath:
        """Where ``path`` really leads in root's view; a missing last component is fine. Raises FileError."""
        done = await self._run(_CANONICAL, path)
        self._check(done, path)
        text, _, kind = done.stdout.decode("utf-8", "surrogateescape").partition("\0")
        return RootPath(text, kind.strip())

    async def read(self, path: str, selection: Selection, cap: int) -> tuple[int, bytes]:
        """Size of the file and the selected bytes, at most ``cap``. Raises FileError, PathChanged."""
        done = await self._run(_READ, path, selection.what, str(cap), str(selection.number), cap=cap + 64)
        self._check(done, path)
        size, _, data = done.stdout.partition(b"\n")
        return int(size), data[:cap]

    async def write(
        self,
        path: str,
        chunks: AsyncIterator[bytes] | bytes,
        *,
        temporary: str,
        size: int,
        mode: str,
        owner: str,
        new_mode: str,
    ) -> None:
        """Replace or create ``path`` atomically.

        ``mode`` is octal digits or ``keep``; ``owner`` is ``user:group`` where either side may be empty (keep);
        ``new_mode`` is the mode of a file that did not exist. Raises FileError, PathChanged.
        """
        done = await self._run(_WRITE, path, temporary, str(size), mode, owner, new_mode, stdin=chunks)
        self._check(done, path)

    async def list(self, path: str) -> list[RootEntry]:
        """All entries of a directory, unsorted, without ``.`` and ``..``."""
        done = await self._run(_LIST, path, cap=64 << 20)
        self._check(done, path)
        fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
        rows = [fields[i : i + 6] for i in range(0, len(fields) - 1, 6)]
        return [
            RootEntry(name, kind, int(size), int(mode, 8), float(mtime), target)
            for name, kind, size, mode, mtime, target in rows
        ]

    async def _run(
        self, script: str, *values: str, stdin: AsyncIterator[bytes] | bytes | None = None, cap: int = 1 << 20
    ) -> Completed:
        for value in values:
            if "\0" in value or "\n" in value:
                raise InvalidArgument("A value holds a newline or NUL.", "Give it without.")
        inner: Command = command(lit("sh -c"), arg(script), lit("sh"), [arg(v) for v in values])
        return await self._sudo.run(inner, stdin=stdin, stdout_cap=cap)

    def _check(self, done: Completed, path: str) -> None:
        code = done.exit_code
        if done.timed_out:
            raise FileError(FileErrorKind.FAILURE, path, f"{path} could not be handled in time.", "Try again.")
        if code == 0:
            return
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[-300:]
        if code == _CHANGED:
            raise PathChanged(f"{path} led elsewhere when it was opened.", "Look at the links on the way to it.")
        kinds = {
            _NOT_FOUND: (
                FileErrorKind.NOT_FOUND,
                f"{path} does not exist on the host.",
                "ssh_sudo_sftp_list shows what does.",
            ),
            _NO_FILE: (
                FileErrorKind.NOT_FOUND,
                f"{path} is no regular file on the host.",
                "ssh_sudo_sftp_list shows what is there.",
            ),
            _IS_DIRECTORY: (FileErrorKind.IS_DIRECTORY, f"{path} is a directory.", "Use ssh_sudo_sftp_list."),
            _NOT_DIRECTORY: (FileErrorKind.NOT_DIRECTORY, f"{path} is no directory.", "Use ssh_sudo_read."),
        }
        kind, what, remedy = kinds.get(code, (FileErrorKind.FAILURE, f"{path}: {said or f'exit {code}'}.", ""))
        raise FileError(kind, path, what, remedy)
