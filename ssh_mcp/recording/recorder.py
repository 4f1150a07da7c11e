"""Recordings on disk: one file per shell, terminal, job and command; its hash goes into the audit line.

Files are appended to only and have mode 0600. The directory is a real one of this user, made with mode 0700. What is
recorded has passed the guard of its hosts' policies: it is what the model saw.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ssh_mcp.errors import ConfigError

from .asciicast import CLEAR, SIZE, Event, as_output, encoded, header
from .moments import LASTING, Moment

if TYPE_CHECKING:
    from hashlib import _Hash

    from ssh_mcp.guard.guard import Guard

SUFFIX: Final = ".cast"
_OPEN: Final = 64
"""Recordings whose hash is kept at hand; of another one it is computed from the file."""

_TIDY_EVERY: Final = 60.0
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Recorded:
    """``name`` is the file's without ``SUFFIX``; ``sha256`` is of the whole file as it is now."""

    name: str
    sha256: str


@dataclass(slots=True)
class _Growing:
    file: Path
    began: float
    size: int
    digest: _Hash
    window: tuple[int, int] = SIZE
    """Columns and rows, as the file says so far."""


class Recorder:
    """Writes recordings below one directory. Thread-safe. Raises ConfigError where the directory cannot be trusted."""

    def __init__(self, directory: Path, *, keep_days: float, max_bytes: int) -> None:
        self._directory = directory
        self._keep = keep_days * 86_400
        self._max = max_bytes
        self._known: OrderedDict[str, _Growing] = OrderedDict()
        self._lock = threading.Lock()
        self._tidied = 0.0
        _require_private(directory)
        self.tidy()

    def add(self, moments: Sequence[Moment], tool: str, guards: Sequence[Guard]) -> Recorded:
        """Append the parts of one call, of which there are some, all of one recording. Raises OSError.

        ``guards`` redact each text before it is written.
        """
        parts = [_guarded(part, guards) for part in moments]
        with self._lock:
            now = time.time()
            growing = self._growing(parts[0], tool, now)
            text = "".join(encoded(event) for part in parts for event in _events(part, now, growing))
            self._append(growing, text.encode("ascii"))
            if now - self._tidied > _TIDY_EVERY:
                self.tidy(growing.file)
            return Recorded(growing.file.name.removesuffix(SUFFIX), growing.digest.hexdigest())

    def tidy(self, current: Path | None = None) -> None:
        """Remove what is too old, then the oldest until the rest fits; never ``current``."""
        self._tidied = now = time.time()
        found = sorted((file.lstat().st_mtime, file.lstat().st_size, file) for file in self._files() if file != current)
        total = sum(size for _, size, _ in found)
        for changed, size, file in found:
            if total > self._max or now - changed > self._keep:
                file.unlink(missing_ok=True)
                total -= size

    def _files(self) -> list[Path]:
        return [file for file in self._directory.glob(f"*{SUFFIX}") if stat.S_ISREG(file.lstat().st_mode)]

    def _growing(self, part: Moment, tool: str, now: float) -> _Growing:
        name = f"{part.kind}-{_UNSAFE.sub('_', part.id)[:64]}"
        known = self._known.get(name)
        if known is None or not known.file.exists() or known.file.stat().st_size != known.size:
            known = self._found(name) if part.kind in LASTING else None
        if known is None:
            host = _UNSAFE.sub("_", part.host or "host")[:64]
            day = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
            began = now - part.seconds
            file = self._directory / f"{day}-{host}-{name}{SUFFIX}"
            known = _Growing(file, began, 0, hashlib.sha256(), part.size)
            title = f"{tool} on {part.host}" if part.host else tool
            self._append(known, header(began, title, part.size).encode("ascii"))
        self._known[name] = known
        self._known.move_to_end(name)
        if len(self._known) > _OPEN:
            self._known.popitem(last=False)
        return known

    def _found(self, name: str) -> _Growing | None:
        """A recording that a former process began."""
        for file in sorted(self._files(), reverse=True):
            if file.name.endswith(f"-{name}{SUFFIX}"):
                data = file.read_bytes()
                began = re.search(rb'"timestamp": ([0-9]{1,12})', data[:400])
                return _Growing(file, float(began[1]) if began else time.time(), len(data), hashlib.sha256(data))
        return None

    def _append(self, growing: _Growing, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        fd = os.open(growing.file, flags | (0 if growing.size else os.O_EXCL), 0o600)
        try:
            view = memoryview(data)
            while view:
                written = os.write(fd, view)
                growing.digest.update(view[:written])
                growing.size += written
                view = view[written:]
        finally:
            os.close(fd)


def _guarded(part: Moment, guards: Sequence[Guard]) -> Moment:
    output, command = part.output, part.command
    for guard in guards:
        output = guard.text(output).text
        command = None if command is None else guard.text(command).text
    return replace(part, output=output, command=command)


def _events(part: Moment, now: float, growing: _Growing) -> list[Event]:
    """What ``part`` adds to a recording, a new size before it."""
    seconds = now - growing.began
    found = shown(part, seconds)
    if part.size != growing.window:
        growing.window = part.size
        found.insert(0, Event(seconds, "r", f"{part.size[0]}x{part.size[1]}"))
    return found


def shown(part: Moment, now: float) -> list[Event]:
    """The events of one call. ``now``: seconds since the recording began."""
    if part.screen:
        return [Event(now, "o", CLEAR + as_output(part.output))]
    start = max(0.0, now - part.seconds)
    found = []
    if part.command is not None:
        prompt = f"\x1b[1;32m{as_output(part.host)}\x1b[0m$ "
        found.append(Event(start, "o", f"{prompt}{as_output(part.command)}\r\n"))
    if part.output:
        text = as_output(part.output)
        found.append(Event(now, "o", text if text.endswith("\n") else f"{text}\r\n"))
    if part.exit_code:
        found.append(Event(now, "o", f"\x1b[31mexit {part.exit_code}\x1b[0m\r\n"))
    return found


def _require_private(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        seen = directory.lstat()
    except OSError as error:
        raise ConfigError(f"SSH_RECORD_DIR={directory}: cannot be used: {error.strerror or error}.") from None
    closed = os.name != "posix" or (seen.st_uid == os.geteuid() and not stat.S_IMODE(seen.st_mode) & 0o022)
    if not stat.S_ISDIR(seen.st_mode) or not closed:
        raise ConfigError(
            f"SSH_RECORD_DIR={directory}: must be a directory that belongs to you and that nobody else can write to "
            "(chmod 700)."
        )
