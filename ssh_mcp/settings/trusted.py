"""Files that decide policy: read only where nobody but this user (or root) can have written them.

The file is opened first and examined by its descriptor, so that what was checked is what is read. A FIFO or a device
is refused without waiting for it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from ssh_mcp.errors import ConfigError

MAX_BYTES: Final = 4 << 20
"""Larger than any settings file or hosts.toml; a bound for a file that is something else."""


def read_trusted(file: Path, *, secret: bool = False) -> bytes:
    """The content of ``file``. Raises ConfigError where it is not a regular file, is not ours, or others may write it.

    ``secret``: others may not read it either (mode 0600 or less). Windows has no modes; there only the kind counts.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}). Fix or remove it.") from None
    try:
        problem = _problem(os.fstat(descriptor), secret=secret)
        if problem is not None:
            what, remedy = problem
            raise ConfigError(f"{file}: {what}. {remedy.format(file=file)}")
        with os.fdopen(os.dup(descriptor), "rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}). Fix or remove it.") from None
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{file}: is larger than {MAX_BYTES >> 20} MiB. Name the right file.")
    return content


def _problem(status: os.stat_result, *, secret: bool) -> tuple[str, str] | None:
    """What forbids the use of a file, and what to do about it."""
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file", "Name a file."
    if os.name == "nt":
        return None
    if status.st_uid not in (0, os.geteuid()):
        return f"belongs to another user (uid {status.st_uid})", "Run: chown $USER {file}"
    if status.st_mode & 0o022:
        return f"can be changed by others (mode {status.st_mode & 0o777:04o})", "Run: chmod go-w {file}"
    if secret and status.st_mode & 0o077:
        return f"can be read by others (mode {status.st_mode & 0o777:04o})", "Run: chmod 600 {file}"
    return None
