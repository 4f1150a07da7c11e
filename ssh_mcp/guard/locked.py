"""A lock file that shows whether the process that made it is alive: the kernel drops the lock with the process."""

from __future__ import annotations

import os
from pathlib import Path


def try_lock(path: Path) -> int | None:
    """The descriptor that holds the lock (close it to give the lock back); None while another process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        if _locked(descriptor) and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    except OSError:  # locked by another, or removed by a cleaner between the two calls
        pass
    os.close(descriptor)
    return None


def _locked(descriptor: int) -> bool:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return True
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
