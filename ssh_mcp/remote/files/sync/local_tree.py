"""A directory of this machine as one side of a synchronisation: every name is opened below a descriptor of its root.

No link is followed anywhere, so that whoever swaps a directory for a link meanwhile gets an error and not a file from
elsewhere. Everything here blocks on the local disk; call it in a worker thread.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ssh_mcp.errors import InvalidArgument, LocalPathPolicyError, TooLarge
from ssh_mcp.policy.local_paths import Barred, LocalPolicy, barred_below, check_argument, decide_tree
from ssh_mcp.remote.files.local_io import policy_of
from ssh_mcp.remote.files.sync.plan import MODE_BITS, PARTIAL, STAGING, Entry, Kind, Layout
from ssh_mcp.settings.model import Settings

_FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _FLAGS
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
MAX_ENTRIES: Final = 200_000
"""Entries of one tree."""
_BLOCK: Final = 1 << 20


@dataclass(slots=True)
class Scan:
    """A tree as it was found. ``barred`` counts entries that no tool may touch; ``partial``: an earlier run was cut."""

    entries: dict[str, Entry] = field(default_factory=dict)
    barred: int = 0
    redact_listed: int = 0
    partial: bool = False
    unread: int = 0


Excluded = Callable[[str, bool], bool]


class LocalTree:
    """An open directory inside of a transfer root. Made by ``open_tree``."""

    def __init__(self, fd: int | None, path: Path, policy: LocalPolicy, barred: Barred) -> None:
        self._fd = fd
        self.path = path
        self.policy = policy
        self._barred = barred
        self._near: tuple[str, int] | None = None
        self._lock = threading.RLock()  # several files are opened and placed at the same time

    @property
    def fd(self) -> int:
        """Descriptor of the root. Raises LocalPathPolicyError where the directory does not exist."""
        if self._fd is None:
            raise LocalPathPolicyError(f"{self.path} does not exist.", "Check the directory.")
        return self._fd

    @property
    def exists(self) -> bool:
        return self._fd is not None

    def close(self) -> None:
        self._forget()
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _forget(self) -> None:
        if self._near is not None:
            os.close(self._near[1])
            self._near = None

    def create(self) -> None:
        """Make the root and the directories above it, below the transfer root."""
        if self._fd is None:
            verdict = decide_tree(self.path, self.policy)
            fd = os.open(verdict.root, _DIRECTORY)
            for name in verdict.names:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=fd)
                below = os.open(name, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
            self._fd = fd

    # --- looking ------------------------------------------------------------------------------------------------------

    def scan(self, excluded: Excluded) -> Scan:
        """All entries that are not excluded. Raises TooLarge beyond MAX_ENTRIES, LocalPathPolicyError."""
        found = Scan()
        if self._fd is None:
            return found
        waiting = [("", os.dup(self._fd))]
        try:
            while waiting:
                prefix, fd = waiting.pop()
                try:
                    self._scan_one(prefix, fd, found, excluded, waiting)
                finally:
                    os.close(fd)
        finally:
            for _, fd in waiting:
                os.close(fd)
        return found

    def _scan_one(self, prefix: str, fd: int, found: Scan, excluded: Excluded, waiting: list[tuple[str, int]]) -> None:
        below: list[tuple[str, str]] = []
        with os.scandir(fd) as entries:
            for each in entries:
                name = each.name
                path = f"{prefix}{name}"
                if name == PARTIAL or name.startswith(STAGING):
                    found.partial = True
                    continue
                if self._barred(path):
                    found.barred += 1
                    continue
                status = each.stat(follow_symlinks=False)
                kind = _kind(status.st_mode)
                if excluded(path, kind == "directory"):
                    continue
                target = os.readlink(name, dir_fd=fd) if kind == "symlink" else ""
                found.entries[path] = Entry(
                    kind, status.st_size, int(status.st_mtime_ns // 1_000_000_000), status.st_mode & 0o7777, target
                )
                if kind == "directory":
                    below.append((name, path))
        if len(found.entries) > MAX_ENTRIES:
            raise TooLarge(f"{self.path} holds more than {MAX_ENTRIES} entries.", "Synchronise parts of it.")
        for name, path in below:
            try:
                waiting.append((f"{path}/", os.open(name, _DIRECTORY, dir_fd=fd)))
            except OSError:
                found.unread += 1

    def folds_case(self, names: Iterable[str]) -> bool:
        """Whether the file system does not tell upper from lower case. ``names``: the tree's paths.

        Found out by looking for an entry under its name in the other case; in an empty directory, for the directory.
        """
        top = {name for name in names if "/" not in name}
        probe = next((name for name in top if name.swapcase() not in top), None)
        if probe is not None and self._fd is not None:
            return _same_file(probe, probe.swapcase(), self._fd)
        here = next((p for p in (self.path, *self.path.parents) if p.exists()), None)
        return here is not None and _same_file(str(here), str(here.with_name(here.name.swapcase())), None)

    def digest(self, path: str) -> str:
        """SHA-256 of a file, hexadecimal."""
        fd = self.open(path)
        try:
            digest = hashlib.sha256()
            while block := os.read(fd, _BLOCK):
                digest.update(block)
            return digest.hexdigest()
        finally:
            os.close(fd)

    def open(self, path: str) -> int:
        """Descriptor of a regular file, for reading; the caller closes it. Raises LocalPathPolicyError."""
        with _told(path), self._lock:
            directory, name = self.parent(path)
            fd = os.open(name, os.O_RDONLY | _NONBLOCK | _FLAGS, dir_fd=directory)
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                raise LocalPathPolicyError(f"{path} is no longer a regular file.", "Try again.")
        return fd

    def holds(self, path: str) -> bool:
        """Whether something is there. Raises LocalPathPolicyError."""
        with _told(path), self._lock:
            try:
                directory, name = self.parent(path)
                os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return True

    def parent(self, path: str) -> tuple[int, str]:
        """Descriptor of an entry's directory and its name in it; the descriptor is ours, kept until the next one."""
        above, _, name = path.rpartition("/")
        if not above:
            return self.fd, name
        if self._near is None or self._near[0] != above:
            fd = self._walk(above)
            self._forget()
            self._near = (above, fd)
        return self._near[1], name

    def _walk(self, directory: str) -> int:
        fd = os.dup(self.fd)
        try:
            for name in directory.split("/"):
                below = os.open(name, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
        except BaseException:
            os.close(fd)
            raise
        return fd

    # --- changing -----------------------------------------------------------------------------------------------------

    def mkdir(self, path: str, entry: Entry, old: Entry | None) -> None:
        """Create a directory, or give it its mode; a file or link in its place goes first."""
        with _told(path):
            directory, name = self.parent(path)
            if old is not None and old.kind != "directory":
                os.unlink(name, dir_fd=directory)
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=directory)
            fd = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                os.fchmod(fd, (entry.mode & MODE_BITS) | 0o700)  # ours to write into
            finally:
                os.close(fd)

    def symlink(self, path: str, target: str) -> None:
        """Create or replace a link in one step."""
        temporary = f"{STAGING}{secrets.token_hex(8)}"
        with _told(path):
            directory, name = self.parent(path)
            os.symlink(target, temporary, dir_fd=directory)
            try:
                os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                os.unlink(temporary, dir_fd=directory)
                raise

    def remove(self, path: str, entry: Entry) -> None:
        """Remove one entry; what is gone already is not a failure, nor a directory that holds something else by now."""
        try:
            directory, name = self.parent(path)
            if entry.kind == "directory":
                os.rmdir(name, dir_fd=directory)
            else:
                os.unlink(name, dir_fd=directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            if entry.kind != "directory":
                raise _failure(path, error) from None

    def place(self, staging: LocalTree, arrived: str, path: str, entry: Entry) -> bool:
        """Let a file that arrived in the staging directory take its place, whole; False where none arrived.

        Whatever arrived instead of a regular file is refused. Raises LocalPathPolicyError.
        """
        with _told(path), self._lock:
            try:
                source, name = staging.parent(arrived)
                fd = os.open(name, os.O_RDONLY | _NONBLOCK | _FLAGS, dir_fd=source)
            except FileNotFoundError:
                return False
            try:
                self._dress(fd, path, entry)
            finally:
                os.close(fd)
            target, last = self.parent(path)
            os.replace(name, last, src_dir_fd=source, dst_dir_fd=target)
        return True

    def arrange(self, layout: Layout) -> None:
        """In a staging directory: make the directories into which files arrive."""
        above = {path[:i] for s in layout.singles for path in (s.path,) for i, c in enumerate(path) if c == "/"}
        modes = dict.fromkeys(above, 0o700)
        modes |= {s.path: (s.source.mode & MODE_BITS) | 0o700 for s in layout.directories if s.source is not None}
        for path in sorted(modes):
            with _told(path):
                directory, name = self.parent(path)
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=directory)
                if modes[path] != 0o700:
                    os.chmod(name, modes[path], dir_fd=directory)

    def move_in(self, staging: LocalTree, layout: Layout, arrived: set[str]) -> None:
        """Let what arrived whole in the staging directory take its place."""
        for step in (*layout.tops, *(s for s in layout.singles if s.path in arrived)):
            with _told(step.path), self._lock:
                source, name = staging.parent(step.path)
                target, last = self.parent(step.path)
                os.replace(name, last, src_dir_fd=source, dst_dir_fd=target)

    def _dress(self, fd: int, path: str, entry: Entry) -> None:
        """Mode and times, for a regular file of a permitted size."""
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise LocalPathPolicyError(f"The host sent something else than a file as {path}.", "Look at it.")
        if status.st_size > self.policy.max_bytes:
            raise LocalPathPolicyError(
                f"{path} has more than {self.policy.max_bytes} bytes.",
                "The operator can raise SSH_LOCAL_TRANSFER_MAX_BYTES.",
            )
        if status.st_mode & 0o7777 != entry.mode & MODE_BITS:
            os.fchmod(fd, entry.mode & MODE_BITS)
        if status.st_mtime_ns // 1_000_000_000 != entry.mtime:
            os.utime(fd, (entry.mtime, entry.mtime))

    def staging(self, key: str) -> tuple[LocalTree, bool]:
        """A private directory below the root, on the same file system; True: a run that was cut left it."""
        name = f"{STAGING}{key}"
        left = False
        with _told(name):
            try:
                os.mkdir(name, 0o700, dir_fd=self.fd)
            except FileExistsError:
                left = True
            fd = os.open(name, _DIRECTORY, dir_fd=self.fd)
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or status.st_mode & 0o077:
                os.close(fd)
                raise LocalPathPolicyError(f"{self.path / name} is not ours.", "Remove it and try again.")
        return LocalTree(fd, self.path / name, self.policy, lambda _path: False), left

    def drop(self, staging: LocalTree) -> None:
        """Remove the staging directory with what is left in it."""
        name = staging.path.name
        staging.close()
        with suppress(OSError):
            shutil.rmtree(name, dir_fd=self.fd)


def open_tree(text: str, settings: Settings, *, missing: bool) -> LocalTree:
    """A directory of this machine that may be read or (``missing``: need not exist) written.

    Raises LocalPathPolicyError, InvalidArgument.
    """
    policy = policy_of(settings)
    check_argument(text, policy)
    if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
        raise LocalPathPolicyError("This machine cannot open directories safely.", "Use ssh_upload with local_path.")
    given = Path(text)
    if not given.name or ".." in given.parts:
        raise InvalidArgument(f"local_path {text} names no directory.", "Give the directory's full path.")
    resolved = _existing(given)
    verdict = decide_tree(resolved, policy)
    barred = barred_below(resolved, policy)
    fd: int | None = None
    with _told(text):
        try:
            fd = os.open(verdict.root, _DIRECTORY)
            for name in verdict.names:
                below = os.open(name, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = below
        except FileNotFoundError:
            if fd is not None:
                os.close(fd)
                fd = None
            if not missing:
                raise LocalPathPolicyError(f"{text} does not exist.", "Check the path on this machine.") from None
        except BaseException:
            if fd is not None:
                os.close(fd)
            raise
    return LocalTree(fd, resolved, policy, barred)


def _same_file(one: str, other: str, directory: int | None) -> bool:
    if one == other:
        return False
    try:
        first, second = (os.stat(name, dir_fd=directory, follow_symlinks=False) for name in (one, other))
    except OSError:
        return False
    return os.path.samestat(first, second)


def _existing(path: Path) -> Path:
    """The path with the links of what exists resolved; names that do not exist yet stay as they are."""
    missing: list[str] = []
    while True:
        try:
            return path.resolve(strict=True).joinpath(*reversed(missing))
        except FileNotFoundError:
            missing.append(path.name)
            path = path.parent
        except (OSError, RuntimeError):
            raise LocalPathPolicyError("local_path cannot be resolved.", "Check the directory it names.") from None


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "symlink" if stat.S_ISLNK(mode) else "other"


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failure(path, error) from None


def _failure(path: str, error: OSError) -> LocalPathPolicyError:
    return LocalPathPolicyError(f"{path} on this machine failed: {error.strerror}.", "Check the directory there.")
