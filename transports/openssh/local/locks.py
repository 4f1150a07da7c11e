"""Locks between server processes. The kernel drops them with the process, also after kill -9; POSIX only.

Two kinds a socket: ``Turn`` (exclusive, short: whoever starts or ends a master) and ``Use`` (shared, for as long as a
process uses the master; whoever can get it exclusively is the last one).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import anyio

_FIRST_PAUSE_SECONDS: Final = 0.005
_LONGEST_PAUSE_SECONDS: Final = 0.05


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _open(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _still_there(descriptor: int, path: str) -> bool:
    """Whether the locked file is still the one at ``path``: a cleaner may have removed it before we had the lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), Path(path).stat())
    except FileNotFoundError:
        return False


def try_exclusive(path: str) -> int | None:
    """An exclusive lock at once, or None. Close the descriptor to give it back."""
    descriptor = _open(path)
    if _try_lock(descriptor, shared=False) and _still_there(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


@contextlib.asynccontextmanager
async def turn(path: str) -> AsyncIterator[None]:
    """Hold the exclusive lock; waits for it by asking again (flock cannot be awaited, and a thread that waits in it
    cannot be cancelled). Waiters here wait for a login, which takes at least a hundred times the pause.
    """
    pause = _FIRST_PAUSE_SECONDS
    while (descriptor := try_exclusive(path)) is None:
        await anyio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
    try:
        yield
    finally:
        os.close(descriptor)


class Use:
    """Our share in a master. Taken and dropped under its ``turn``."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = _open(path)
        _try_lock(self._descriptor, shared=True)  # exclusive holders hold the turn too, and the caller has that

    def is_last(self) -> bool:
        """Whether no other process uses the master. On True our share has become exclusive.

        On False it may be gone (flock(2): a failed conversion can lose the lock), so ask only in order to drop it.
        """
        return self._descriptor is not None and _try_lock(self._descriptor, shared=False)

    def drop(self) -> None:
        """Give it back. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
