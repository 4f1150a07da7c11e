"""What results leave out, kept on disk for ``ssh_output_read``.

Every server process has a directory below the runtime directory and holds a lock beside it, which the kernel drops
with the process: the next start removes the directories of those that are gone, also after ``kill -9``. Files are 0600
and hold guarded text; what is not guarded yet is written to files without a name.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock, RLock
from typing import Final

from ssh_mcp.errors import InvalidArgument, OutputExpired
from ssh_mcp.guard.locked import try_lock

FOLDER: Final = "spool"
CHUNK: Final = 1 << 20
"""Bytes that are read or written at once."""
TEND_EVERY: Final = 60.0
"""Seconds between two looks at what is expired."""
_ID_BYTES: Final = 16
"""Of an output's id: it is the only key to it for a client that gives another one's name (HTTP without sessions)."""
_REMEMBERED: Final = 4096
"""Ids that are gone and still called expired."""

logger = logging.getLogger("ssh_mcp")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose output it is: another identity, and another client of the same one, do not see it."""

    identity: str
    scope: str


class SpoolFile:
    """One stream on disk. Written once from begin to end, then read anywhere; closed and removed with the object.

    ``account`` is called with the bytes of each write, and with their negative sum at the end.
    """

    def __init__(self, path: Path | None, descriptor: int, account: Callable[[int], None]) -> None:
        self.size = 0
        self.lines = 0
        """Line ends, and a last line without one."""
        self._open_line = False
        self._path = path
        self._descriptor = descriptor
        self._account = account
        self._written = [0]
        self._lock = Lock()
        weakref.finalize(self, _end, path, descriptor, self._written, account)

    def write(self, data: bytes) -> None:
        """Append. Raises OSError where the disk is full."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        self._written[0] += len(data)
        self._account(len(data))
        self.size += len(data)
        if data:
            self.lines += data.count(b"\n") - self._open_line
            self._open_line = not data.endswith(b"\n")
            self.lines += self._open_line

    def read(self, offset: int, length: int) -> bytes:
        """At most ``length`` bytes from ``offset``; fewer only at the end."""
        length = min(length, self.size - offset)  # beyond it is what a failed write left
        with self._lock:
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            parts = []
            while length > 0 and (data := os.read(self._descriptor, length)):
                parts.append(data)
                length -= len(data)
        return b"".join(parts)

    def chunks(self, offset: int = 0) -> Iterator[bytes]:
        """All from ``offset`` on, in pieces."""
        while data := self.read(offset, CHUNK):
            yield data
            offset += len(data)

    def unlink(self) -> None:
        """Remove its name. Whoever still reads has it until the object is gone: a descriptor closed under a reader
        could be another file's by then.
        """
        if self._path is not None and os.name != "nt":
            self._path.unlink(missing_ok=True)


def _end(path: Path | None, descriptor: int, written: list[int], account: Callable[[int], None]) -> None:
    os.close(descriptor)
    if path is not None:
        path.unlink(missing_ok=True)
    account(-written[0])


@dataclass(frozen=True, slots=True)
class Kept:
    """One result's output. ``deadline`` is the spool's clock, ``expires`` the same as UTC in ISO 8601."""

    owner: Owner
    streams: Mapping[str, SpoolFile]
    deadline: float
    expires: str

    @property
    def size(self) -> int:
        return sum(stream.size for stream in self.streams.values())


class Spool:
    """One server's. Nothing is made on disk before there is something to keep.

    ``max_bytes`` is the most that is kept, oldest output goes first; 0 keeps nothing. As much again may be written to
    files without a name while commands run. ``suffix`` ends each id: the instance's name.
    """

    def __init__(
        self,
        directory: Callable[[], Path],
        max_bytes: int,
        keep_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        suffix: str = "",
    ) -> None:
        self._directory = directory
        self._suffix = suffix
        self._max_bytes = max_bytes
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._home: Path | None = None
        self._lock: int | None = None
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._gone: OrderedDict[str, Owner] = OrderedDict()
        self._scratch_bytes = 0
        self._closed = False
        self._lock_kept = RLock()
        """Results are cut in worker threads."""

    @property
    def off(self) -> bool:
        """Whether nothing is kept."""
        return self._max_bytes == 0 or self._closed

    @property
    def room(self) -> int:
        """Bytes that files without a name may still take."""
        return 0 if self.off else max(self._max_bytes - self._scratch_bytes, 0)

    def scratch(self) -> SpoolFile | None:
        """A file without a name, for output that is not guarded yet; None where there can be none."""
        home = self._made()
        if home is None:
            return None
        try:
            descriptor, name = tempfile.mkstemp(dir=home)
            if os.name != "nt":  # there an open file keeps its name
                Path(name).unlink()
        except OSError as error:
            self._say(error)
            return None
        return SpoolFile(Path(name) if os.name == "nt" else None, descriptor, self._count_scratch)

    def _count_scratch(self, size: int) -> None:
        self._scratch_bytes += size

    def file(self) -> SpoolFile | None:
        """A file for guarded text; ``keep`` takes it, or it goes with the object. None where there can be none."""
        home = self._made()
        if home is None:
            return None
        try:
            descriptor, name = tempfile.mkstemp(dir=home)
        except OSError as error:
            self._say(error)
            return None
        return SpoolFile(Path(name), descriptor, lambda _size: None)

    def keep(self, owner: Owner, streams: Mapping[str, bytes | SpoolFile]) -> str | None:
        """Keep guarded text under a new id; None where it is off, too much, or the disk refuses it."""
        files: dict[str, SpoolFile] = {}
        for name, stream in streams.items():
            made = stream if isinstance(stream, SpoolFile) else self._written(stream)
            if made is None:
                return None
            files[name] = made
        now = self._clock()
        expires = datetime.now(UTC) + timedelta(seconds=self._keep_seconds)
        kept = Kept(owner, files, now + self._keep_seconds, expires.isoformat(timespec="seconds"))
        if kept.size > self._max_bytes:
            return None
        output_id = secrets.token_urlsafe(_ID_BYTES) + self._suffix
        with self._lock_kept:
            self._drop_expired()
            while self._kept and kept.size + sum(k.size for k in self._kept.values()) > self._max_bytes:
                self._forget(next(iter(self._kept)))
            self._kept[output_id] = kept
        return output_id

    def _written(self, data: bytes) -> SpoolFile | None:
        made = self.file()
        if made is not None:
            try:
                made.write(data)
            except OSError as error:
                self._say(error)
                return None
        return made

    def find(self, owner: Owner, output_id: str) -> Kept:
        """Raises OutputExpired, or InvalidArgument for an id that is unknown or another client's."""
        with self._lock_kept:
            self._drop_expired()
            kept = self._kept.get(output_id)
        if kept is not None and kept.owner == owner:
            return kept
        if self._gone.get(output_id) == owner:
            raise OutputExpired(
                f"The output {output_id} is no longer kept.",
                "Run the command again with a filter or a larger max_bytes.",
            )
        raise InvalidArgument(
            f"There is no kept output {output_id[:40]!r}.", "Use the output_id of one of your results."
        )

    def _drop_expired(self) -> None:
        now = self._clock()
        for output_id in [key for key, kept in self._kept.items() if kept.deadline <= now]:
            self._forget(output_id)

    def _forget(self, output_id: str) -> None:
        kept = self._kept.pop(output_id)
        for stream in kept.streams.values():
            stream.unlink()
        self._gone[output_id] = kept.owner
        while len(self._gone) > _REMEMBERED:
            self._gone.popitem(last=False)

    def _made(self) -> Path | None:
        if self.off:
            return None
        if self._home is None or not self._home.is_dir():  # cleaners of /tmp take what is old
            self._unlock()
            try:
                self._home, self._lock = _own_directory(self._directory() / FOLDER)
            except Exception as error:  # noqa: BLE001 - results must come without a spool too
                self._say(error)
                return None
        return self._home

    def _say(self, error: Exception) -> None:
        logger.warning("what results leave out is not kept: %s", error)

    def sweep(self) -> None:
        """Remove what servers left behind that were killed. Never fails."""
        try:
            remove_dead(self._directory() / FOLDER)
        except Exception as error:  # noqa: BLE001 - housekeeping
            logger.warning("old output could not be removed: %s", error)

    @asynccontextmanager
    async def tended(self) -> AsyncIterator[None]:
        """While the block lasts, what is expired is removed also when nobody asks for it. Removes all at its end.

        A task of asyncio's own: FastMCP leaves a lifespan from another task than it entered it.
        """
        self.sweep()
        task = asyncio.get_running_loop().create_task(self._tend())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,))
            self.close()

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(min(self._keep_seconds, TEND_EVERY))
            with self._lock_kept:
                self._drop_expired()

    def close(self) -> None:
        """Remove everything; nothing is kept from then on."""
        self._closed = True
        with self._lock_kept:
            for output_id in list(self._kept):
                self._forget(output_id)
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            _lock_of(self._home).unlink(missing_ok=True)
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_of(home: Path) -> Path:
    return home.with_suffix(".lock")


def _own_directory(folder: Path) -> tuple[Path, int]:
    """A new directory and the descriptor that locks it. The lock comes first: what has none is dead."""
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        home = folder / secrets.token_hex(8)
        lock = try_lock(_lock_of(home))
        if lock is not None:
            home.mkdir(mode=0o700)
            return home, lock


def remove_dead(folder: Path) -> None:
    """Remove the directories in ``folder`` that no process locks, with their locks."""
    if not folder.is_dir():
        return
    for entry in {path.with_suffix("") for path in folder.iterdir()}:
        if not _lock_of(entry).exists():
            shutil.rmtree(entry, ignore_errors=True)
            continue
        lock = try_lock(_lock_of(entry))
        if lock is not None:
            shutil.rmtree(entry, ignore_errors=True)
            _lock_of(entry).unlink(missing_ok=True)
            os.close(lock)
