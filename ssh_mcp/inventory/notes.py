"""The agent's notes about hosts: one Markdown file per host, shared by all server processes of this user.

A change is made under a lock file, written to a temporary, synced and renamed: no reader sees half of it, and two
servers that append at once lose nothing. The operator's notes are part of hosts.toml and read only.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ssh_mcp.errors import InvalidArgument, TooLarge
from ssh_mcp.settings.model import Settings

_SAFE: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True, slots=True)
class NotesWritten:
    """What a change did: ``bytes_written`` counts the new text (append) or the whole (set)."""

    path: Path
    bytes_written: int
    created: bool


class Notes:
    """The directory SSH_HOST_NOTES_DIR, made on first write with mode 0700. All calls block on the local disk."""

    def __init__(self, settings: Settings) -> None:
        self._configured = settings.ssh_host_notes_dir
        self._limit = settings.ssh_host_notes_max_bytes

    @property
    def directory(self) -> Path:
        if self._configured is not None:
            return Path(self._configured).absolute()
        from platformdirs import user_data_path

        return user_data_path("ssh-mcp", appauthor=False) / "notes"

    def path(self, alias: str) -> Path:
        """Where the notes of ``alias`` are kept; characters no file name should hold are written as ``%XX``."""
        name = "".join(c if c in _SAFE else "".join(f"%{b:02X}" for b in c.encode("utf-8", "replace")) for c in alias)
        return self.directory / f"{name}.md"

    def exists(self, alias: str) -> bool:
        """Whether there are notes, at the cost of one stat."""
        try:
            return self.path(alias).stat().st_size > 0
        except OSError:
            return False

    def read(self, alias: str) -> str | None:
        """The notes, at most SSH_HOST_NOTES_MAX_BYTES of them; None where there are none."""
        try:
            with self.path(alias).open("rb") as file:
                data = file.read(self._limit)
        except OSError:
            return None
        return data.decode("utf-8", "replace") or None

    def append(self, alias: str, entry: str) -> NotesWritten:
        """Add ``entry`` under a heading with the time in UTC. Raises InvalidArgument, TooLarge."""
        text = _checked(entry).strip("\n")
        if not text.strip():
            raise InvalidArgument("The entry is empty.", "Give the text to append.")
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        block = f"## {now}\n\n{text}\n".encode()
        with self._locked(alias) as file:
            old = _bytes(file)
            gap = b"" if not old else b"\n" if old.endswith(b"\n") else b"\n\n"
            return self._replace(file, (old or b"") + gap + block, written=len(block), created=old is None)

    def set(self, alias: str, content: str) -> NotesWritten:
        """Replace the notes. Raises InvalidArgument, TooLarge."""
        data = _checked(content).encode()
        with self._locked(alias) as file:
            return self._replace(file, data, written=len(data), created=_bytes(file) is None)

    @contextmanager
    def _locked(self, alias: str) -> Iterator[Path]:
        """Hold the host's lock file; the notes file itself is replaced and so cannot carry the lock."""
        file = self.path(alias)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file.with_name(f".{file.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _lock(handle)
            yield file
        finally:
            os.close(handle)

    def _replace(self, file: Path, data: bytes, *, written: int, created: bool) -> NotesWritten:
        if len(data) > self._limit:
            raise TooLarge(
                f"The notes would have {len(data)} bytes; the limit is {self._limit}.",
                "Shorten them with ssh_host_notes_set.",
            )
        temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}.tmp")
        try:
            with open(temporary, "xb", opener=_private) as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(file)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_directory(file.parent)
        return NotesWritten(path=file, bytes_written=written, created=created)


def _checked(text: str) -> str:
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidArgument("The text holds NUL or is not valid Unicode.", "Give plain text.")
    return text


def _bytes(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


def _lock(handle: int) -> None:
    """Wait for the lock; it goes with the descriptor, also when a process dies."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(handle, fcntl.LOCK_EX)


def _sync_directory(directory: Path) -> None:
    """Make the rename last; file systems that cannot sync a directory do without."""
    with suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
