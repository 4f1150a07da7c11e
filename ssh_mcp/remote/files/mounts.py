"""Whether a file is a mount point of its own, as the host's kernel shows it in /proc (proc(5), mountinfo)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from transports.errors import FileError

if TYPE_CHECKING:
    from transports.api import Files

_MOUNTINFO: Final = "/proc/self/mountinfo"
_MAX: Final = 4 << 20
_ESCAPED: Final = re.compile(rb"\\([0-7]{3})")
"""A blank, tab, newline or backslash in a mount point, such as ``\\040``."""


async def is_mount_point(files: Files, path: str) -> bool:
    """False where the host does not show it: it has no /proc, or shows another one to SFTP."""
    try:
        handle = await files.open(_MOUNTINFO, "r")
        try:
            data = await handle.read(0, _MAX)
        finally:
            await handle.close()
    except FileError:
        return False
    return path.encode("utf-8", "surrogateescape") in mount_points(data)


def mount_points(mountinfo: bytes) -> set[bytes]:
    """The fifth field of each line."""
    fields = (line.split(b" ", 5) for line in mountinfo.splitlines())
    return {_ESCAPED.sub(lambda m: bytes([int(m[1], 8)]), row[4]) for row in fields if len(row) > 5}
