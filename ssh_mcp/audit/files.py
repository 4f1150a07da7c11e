"""The audit file on disk: opened safely, appended to under a lock, completed after a writer that was stopped.

Several server processes may share one file. Beside it lies a head file (``<file>.head``) that is the lock and holds
what the last line was; it stays when the file is rotated away, which is how the chain goes on in the next file, and it
remembers what should be there when the end of the file was cut off.

Lines are only ever appended with one ``write`` (O_APPEND): nothing is truncated or rewritten, so that ``chattr +a``
works. There is no fsync per line, since it would cost milliseconds: a line survives the death of every process on this
machine, a power cut can take the last seconds. ``close`` syncs.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .chain import GENESIS, HEAD_SUFFIX, MAX_LINE, Head, Mended, read_link, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "win32":
    import fcntl
else:  # pragma: no cover
    import msvcrt

_MODE: Final = 0o600
_HEAD_SIZE: Final = 192
LOCK_PATIENCE: Final = 0.5  # seconds; a holder needs some 20 microseconds, so that longer means a stopped process
_TAIL: Final = MAX_LINE


class ChainFile:
    """An append-only file of sealed lines. Not for use by several threads at once; the sink sees to that."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head_path = path.with_name(path.name + HEAD_SUFFIX)
        self._fd = -1
        self._identity: tuple[int, int] = (-1, -1)
        self._head_fd = -1
        self._head_identity: tuple[int, int] = (-1, -1)
        self._known: tuple[bytes, Head] | None = None
        self.patience = LOCK_PATIENCE

    def append(self, record_json: str) -> None:
        """Seal and write one line. Raises OSError where that is not possible; then nothing counts as written."""
        with self._locked():
            self._reopen_if_moved()
            size = os.fstat(self._fd).st_size
            head, mended = self._catch_up(size)
            seq, prev = (head.seq, head.hash) if head is not None else (0, GENESIS)
            sealed = seal(record_json, seq + 1, prev, file_start=size == 0, mended=mended)
            self._write(sealed.line)
            end = os.fstat(self._fd).st_size
            self._remember(Head(seq + 1, sealed.hash, self._identity[1], end))

    def probe(self) -> None:
        """Raise OSError where an append would fail, as far as that can be known without writing."""
        with self._locked():
            self._reopen_if_moved()
            if sys.platform != "win32":
                space = os.fstatvfs(self._fd)
                if space.f_blocks and not (space.f_bavail if os.geteuid() else space.f_bfree):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Sync to disk and let go. A later append opens again."""
        for fd in (self._fd, self._head_fd):
            if fd >= 0:
                with suppress(OSError):
                    os.fsync(fd)
                os.close(fd)
        self._fd = self._head_fd = -1
        self._known = None

    # -- the lock and the two files ------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._head_fd < 0 or _identity_at(self._head_path) != self._head_identity:
            if self._head_fd >= 0:
                os.close(self._head_fd)
                self._head_fd = -1
            self._known = None
            self._head_fd, self._head_identity = _open_private(self._head_path, os.O_RDWR)
        _lock(self._head_fd, self.patience)
        try:
            yield
        finally:
            _unlock(self._head_fd)

    def _reopen_if_moved(self) -> None:
        if self._fd >= 0 and _identity_at(self.path) == self._identity:
            return
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._fd, self._identity = _open_private(self.path, os.O_RDWR | os.O_APPEND)

    def _remember(self, head: Head) -> None:
        raw = head.to_bytes()
        self._known = (raw, head)
        # The line is written; a head that lags behind is caught up by the next append.
        with suppress(OSError):
            _pwrite(self._head_fd, raw)

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        while written < len(data):  # the disk filled up in mid-line, or raises now
            written += os.write(self._fd, data[written:])

    # -- the end of the chain ------------------------------------------------------------------------------------

    def _catch_up(self, size: int) -> tuple[Head | None, Mended | None]:
        """The last line, and what a stopped writer left unfinished after it (now closed with a newline)."""
        raw = _pread(self._head_fd, _HEAD_SIZE, 0)
        head = self._known[1] if self._known and self._known[0] == raw else Head.from_bytes(raw)
        same_file = head is not None and head.inode == self._identity[1]
        if size == 0 or (head is not None and same_file and head.size == size):
            return head, None
        start = head.size if head is not None and same_file and head.size < size else max(0, size - _TAIL)
        tail = _pread(self._fd, size - start, start) if size - start <= _TAIL else _pread(self._fd, _TAIL, size - _TAIL)
        *complete, unfinished = tail.split(b"\n")
        if head is None:
            head = self._last_of(complete, size)
        elif not same_file or head.size < size:
            head = self._follow(head, complete, size)
        if not unfinished:
            return head, None
        self._write(b"\n")
        return head, Mended(len(unfinished), hashlib.sha256(unfinished).hexdigest())

    def _last_of(self, lines: list[bytes], size: int) -> Head | None:
        """No head file: the last intact line of the file is what the chain goes on from."""
        for line in reversed(lines):
            link = read_link(line)
            if link is not None and link.intact:
                return Head(link.seq, link.hash, self._identity[1], size)
        return None

    def _follow(self, head: Head, lines: list[bytes], size: int) -> Head:
        """Lines whose writer was stopped before it could note them: adopted where they continue the chain."""
        for line in lines:
            link = read_link(line)
            if link is not None and link.intact and (link.seq, link.prev) == (head.seq + 1, head.hash):
                head = Head(link.seq, link.hash, self._identity[1], size)
        return head


def _identity_at(path: Path) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _open_private(path: Path, flags: int) -> tuple[int, tuple[int, int]]:
    """Open or create; a link, another's file or anything but a regular file raises OSError. Mode 0600 is enforced."""
    extra = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        fd = os.open(path, flags | os.O_CREAT | extra, _MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "it is a symbolic link") from error
        raise
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if found.st_nlink > 1:
            raise OSError(errno.EMLINK, "it has a second name (hard link)")
        if sys.platform != "win32":
            if found.st_uid != os.geteuid():
                raise OSError(errno.EPERM, "it belongs to another user")
            if stat.S_IMODE(found.st_mode) != _MODE:
                os.fchmod(fd, _MODE)
    except OSError:
        os.close(fd)
        raise
    return fd, (found.st_dev, found.st_ino)


if sys.platform != "win32":

    def _lock(fd: int, patience: float) -> None:
        """Wait briefly, since this happens on the event loop: a stopped holder must not stop us for good."""
        deadline = 0.0
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                now = time.monotonic()
                deadline = deadline or now + patience
                if now >= deadline:
                    raise OSError(errno.EAGAIN, "another process keeps it locked") from None
                time.sleep(0.0002)

    def _unlock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_UN)

    def _pread(fd: int, size: int, offset: int) -> bytes:
        return os.pread(fd, size, offset)

    def _pwrite(fd: int, data: bytes) -> None:
        os.pwrite(fd, data, 0)

else:  # pragma: no cover

    def _lock(fd: int, patience: float) -> None:
        # A region far beyond the head's bytes: Windows locks are mandatory, and readers must get at the head.
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        deadline = time.monotonic() + patience
        while True:
            try:
                msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
                return
            except OSError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.0002)

    def _unlock(fd: int) -> None:
        os.lseek(fd, 1 << 30, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)

    def _pread(fd: int, size: int, offset: int) -> bytes:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, size)

    def _pwrite(fd: int, data: bytes) -> None:
        os.lseek(fd, 0, os.SEEK_SET)
        os.write(fd, data)
