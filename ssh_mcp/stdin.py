"""Standard input whose blocked reader a signal can wake.

The protocol's stdin is read by a thread, and a thread in ``read(2)`` can be neither cancelled nor woken by closing the
descriptor: a server told to stop would wait for the client's next line. So the thread waits for one of two things here,
bytes or our own wake-up, and takes the second for the end of the input: from there on all is as if the client had left.
"""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class _Input(io.RawIOBase):
    """Reads ``fd`` until its end, or until ``wake`` is readable. Tells no ``fileno``: nobody may read around it."""

    def __init__(self, fd: int, wake: int) -> None:
        self._fd = fd
        self._wake = wake

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        ready, _, _ = select.select((self._fd, self._wake), (), ())
        return 0 if self._wake in ready else os.readv(self._fd, [buffer])


def stoppable() -> Callable[[], None]:
    """Put such an input in ``sys.stdin``'s place, for good; answers what ends it (callable from a signal's handler).

    Descriptor 0 then is the null device, so that no child can eat from the protocol. POSIX only: on Windows ``select``
    knows no pipes.
    """
    wake, waker = os.pipe()
    fd = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(_Input(fd, wake)), encoding="utf-8", errors="replace")

    def stop() -> None:
        os.write(waker, b"\0")

    return stop
