"""Files of our own machine for ``local_path=``: opened so that no race leads outside the permitted roots.

The path is resolved and decided on (``policy.local_paths``); then the root is opened and each name below it walked by
directory descriptor without following a link. Whoever swaps a directory for a link in between gets an error, not a
file. Windows has no such walk: there the opened file is compared with what was permitted.

Everything here blocks on the local disk; call it in a worker thread.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from ssh_mcp.approval.store import state_directory
from ssh_mcp.errors import ConfigError, LocalPathPolicyError
from ssh_mcp.policy.local_paths import Kind, LocalPolicy, LocalVerdict, check_argument, decide, too_large
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.settings.model import Settings

_BY_DESCRIPTOR: Final = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_FLAGS: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_DIRECTORY: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
"""Opening a named pipe must not wait for its other end."""


@dataclass(frozen=True, slots=True)
class LocalSource:
    """An open regular file. The caller owns ``fd`` and closes it. ``size`` is in bytes."""

    fd: int
    size: int
    path: Path


@dataclass(slots=True)
class LocalTarget:
    """A temporary beside the target. ``write`` keeps to the size limit; ``commit`` makes it the target, atomically."""

    fd: int
    path: Path
    policy: LocalPolicy
    written: int = 0
    committed: bool = False

    def write(self, data: bytes) -> None:
        """Write all of ``data``. Raises LocalPathPolicyError beyond SSH_LOCAL_TRANSFER_MAX_BYTES."""
        refusal = too_large(self.written + len(data), self.policy)
        if refusal:
            raise refusal
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.fd, view) :]
        except OSError as error:
            raise _unwritable(self.path, error) from None
        self.written += len(data)

    def commit(self) -> None:
        """Say that the bytes are complete: leaving the context then replaces the target instead of dropping them."""
        self.committed = True


def policy_of(settings: Settings) -> LocalPolicy:
    """The settings with all links resolved, as they are on this machine now."""
    homes = {Path.home() / ".ssh", *_passwd_home()}
    own = (
        settings.ssh_audit_file, settings.ssh_hosts_file, settings.ssh_config_file, settings.ssh_known_hosts,
        settings.ssh_default_key, settings.mcp_http_token_file, ".env", "hosts.toml",
    )  # fmt: skip
    return LocalPolicy(
        roots=tuple(_resolved(r) for r in settings.ssh_local_transfer_roots),
        never=tuple({_resolved(h) for h in homes}),
        own=tuple({_resolved(o) for o in own if o}),
        max_bytes=settings.ssh_local_transfer_max_bytes,
        closed=tuple({_resolved(str(d)) for d in _closed(settings.ssh_record_dir)}),
        ignore_case=os.name == "nt" or os.uname().sysname == "Darwin",
    )


def _closed(recordings: str | None) -> list[Path]:
    """Where the operator's decisions and recordings are: a tool that could write there would approve itself."""
    directories = [state_directory().parent]
    if recordings is not None:
        directories.append(Path(recordings))
    with suppress(ConfigError):
        directories.append(runtime_directory())
    return directories


def open_for_read(path: str, settings: Settings) -> LocalSource:
    """Open a local file for reading. Raises LocalPathPolicyError."""
    policy = policy_of(settings)
    resolved, verdict = _judge(path, policy, writing=False)
    with _parent(verdict) as parent:
        fd = _open(verdict.names[-1], os.O_RDONLY | _NONBLOCK, resolved, parent)
    try:
        status = os.fstat(fd)
        _regular(status.st_mode, resolved)
        _unmoved(fd, resolved)
        refusal = too_large(status.st_size, policy)
        if refusal:
            raise refusal
    except BaseException:
        os.close(fd)
        raise
    return LocalSource(fd, status.st_size, Path(resolved))


@contextmanager
def create_for_write(path: str, settings: Settings) -> Iterator[LocalTarget]:
    """A local file to be written: complete after ``commit()``, otherwise as it was. Raises LocalPathPolicyError.

    The file gets mode 0600, because what came from a host may be secret.
    """
    policy = policy_of(settings)
    resolved, verdict = _judge(path, policy, writing=True)
    name = verdict.names[-1]
    temporary = f".ssh-mcp-tmp.{secrets.token_hex(8)}"
    with _parent(verdict) as parent:
        fd = _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, resolved.with_name(temporary), parent)
        target = LocalTarget(fd, Path(resolved), policy)
        placed = False
        try:
            try:
                yield target
                if target.committed:
                    _sync(fd, target.path)
            finally:
                os.close(fd)
            if target.committed:
                _place(temporary, name, resolved, parent)
                placed = True
        finally:
            if not placed:
                with suppress(OSError):
                    _unlink(temporary, resolved, parent)


def _judge(text: str, policy: LocalPolicy, *, writing: bool) -> tuple[PurePath, LocalVerdict]:
    check_argument(text, policy)
    given = Path(text)
    try:
        resolved = given.parent.resolve(strict=True) / given.name if given.name else given.resolve(strict=True)
        kind = _kind(resolved)
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError before Python 3.13
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it cannot be resolved"
        raise LocalPathPolicyError(f"local_path cannot be used: {reason}.", "Check the directory it names.") from None
    return resolved, decide(resolved, kind, policy, writing=writing)


def _kind(path: Path) -> Kind:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return "missing"
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else "other"


@contextmanager
def _parent(verdict: LocalVerdict) -> Iterator[int | None]:
    """Descriptor of the directory that holds the file, walked from the root; None where the system has no such."""
    if not _BY_DESCRIPTOR:
        yield None
        return
    fd = _open(str(verdict.root), _DIRECTORY, verdict.root, None)
    try:
        for name in verdict.names[:-1]:
            below = _open(name, _DIRECTORY, verdict.root, fd)
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def _open(name: str, flags: int, path: PurePath, parent: int | None) -> int:
    try:
        if parent is None:
            return os.open(path, flags | _FLAGS, 0o600)
        return os.open(name, flags | _FLAGS, 0o600, dir_fd=parent)
    except OSError as error:
        raise LocalPathPolicyError(
            f"{path} cannot be opened: {error.strerror}.", "Check the path on the machine that runs this server."
        ) from None


def _regular(mode: int, path: PurePath) -> None:
    if not stat.S_ISREG(mode):
        raise LocalPathPolicyError(f"{path} is not a regular file.", "Give the path of a regular file.")


def _unmoved(fd: int, path: PurePath) -> None:
    """Without a walk by descriptor: what was opened must be what lies at the permitted path, still link-free."""
    if not _BY_DESCRIPTOR and (
        Path(path).resolve() != Path(path) or not os.path.samestat(os.fstat(fd), os.lstat(path))
    ):
        raise LocalPathPolicyError(f"{path} changed while it was opened.", "Try again.")


def _place(temporary: str, name: str, path: PurePath, parent: int | None) -> None:
    """Rename over the target. A link that appeared there meanwhile is replaced, a directory refused."""
    try:
        if parent is None:
            Path(path.with_name(temporary)).replace(path)
        else:
            os.replace(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError as error:
        raise LocalPathPolicyError(f"{path} cannot be replaced: {error.strerror}.", "Choose another name.") from None


def _sync(fd: int, path: Path) -> None:
    try:
        os.fsync(fd)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> LocalPathPolicyError:
    return LocalPathPolicyError(f"{path} cannot be written: {error.strerror}.", "Nothing was kept of it.")


def _unlink(temporary: str, path: PurePath, parent: int | None) -> None:
    if parent is None:
        Path(path.with_name(temporary)).unlink()
    else:
        os.unlink(temporary, dir_fd=parent)


def _resolved(path: str | Path) -> Path:
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError):
        return Path(path).absolute()


def _passwd_home() -> set[Path]:
    """The account's real ~/.ssh, whatever HOME says."""
    try:
        import pwd

        return {Path(pwd.getpwuid(os.getuid()).pw_dir) / ".ssh"}
    except (ImportError, KeyError):
        return set()
