"""Keeps the C allocator from holding memory that calls are done with.

By default glibc gives each thread an arena of its own, and after the first freed block of some MiB it keeps blocks up
to that size for later (mallopt(3): dynamic thresholds). A server that now and then guards a megabyte in a worker thread
then holds the peak of every thread forever. Other C libraries (musl, macOS, Windows) have no such settings.
"""

from __future__ import annotations

import os
import sys
from typing import Final

M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Parameters of mallopt(3), from malloc.h."""

_SETTINGS: Final = (
    (M_ARENA_MAX, 1),  # the interpreter's lock lets one thread allocate at a time anyway
    (M_MMAP_THRESHOLD, 131_072),  # glibc's own default; set, it stays
    (M_TRIM_THRESHOLD, 131_072),
)


def hold_little() -> bool:
    """Set glibc's allocator for this process, before threads start. False: the C library is another one."""
    if sys.platform != "linux" or not _glibc():
        return False
    import ctypes

    mallopt = ctypes.CDLL(None).mallopt
    accepted = [mallopt(parameter, value) == 1 for parameter, value in _SETTINGS]
    return all(accepted)


def _glibc() -> bool:
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except ValueError:  # musl knows no such name
        return False
