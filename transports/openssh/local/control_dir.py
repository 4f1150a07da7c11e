"""The private directory where the control sockets lie, and what lies beside each socket.

Whoever can reach a control socket is logged in to the host. So nothing is put into a directory that is not ours, not
mode 0700 or a symbolic link. A wrong mode is refused, not fixed: somebody may have been in there meanwhile.

Beside a socket ``<id>`` (16 hex digits): ``.log`` ssh's log, ``.login`` facts of the login, ``.lock`` held while
somebody starts or ends the master, ``.use`` held shared by each process that uses it, ``.keep`` marks one that a person
opened, ``.fwd`` names the ports that the host listens on for us. ``.pub`` files are pinned public keys.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from transports.errors import LocalError

ID_LENGTH: Final = 16
SUFFIXES: Final = (".log", ".login", ".lock", ".use", ".keep", ".fwd")
SOCKET_MAX: Final = 86 if sys.platform == "darwin" else 90
"""Bytes of a control path. ssh binds ``path.`` plus 16 random characters and links it into place, and a Unix socket's
address holds 104 (macOS) or 108 bytes with the final NUL."""

_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._@+=,-")


@dataclass(frozen=True, slots=True)
class ControlDir:
    """A directory that passed every check. Made by ``open_control_dir`` alone."""

    path: str

    def socket(self, identity: str, suffix: str = "") -> str:
        """Path of a socket, or of one of the files beside it."""
        return f"{self.path}/{identity}{suffix}"

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        """Write a file in one step (a reader sees the old or the new one) and return its path. Raises LocalError."""
        path = f"{self.path}/{name}"
        try:
            descriptor, temporary = tempfile.mkstemp(prefix=".new-", dir=self.path)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                    os.fchmod(file.fileno(), mode)
                Path(temporary).replace(path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
        except (OSError, UnicodeError) as error:
            raise LocalError(
                f"{path} cannot be written: {error}.", "Check disk space and rights.", sent=False
            ) from error
        return path

    @contextlib.contextmanager
    def scratch(self, text: str) -> Iterator[str]:
        """A file that is gone after the ``with`` block; gives its path."""
        path = self.write(f".tmp-{os.urandom(8).hex()}", text)
        try:
            yield path
        finally:
            remove(path)

    def sockets(self, limit: int) -> list[str]:
        """Identities of at most ``limit`` sockets or leftovers of sockets, in no order."""
        found: dict[str, None] = {}
        with contextlib.suppress(OSError), os.scandir(self.path) as entries:
            for entry in entries:
                identity = entry.name[:ID_LENGTH]
                if _is_identity(identity) and entry.name[ID_LENGTH:] in ("", *SUFFIXES):
                    found[identity] = None
                    if len(found) >= limit:
                        break
        return list(found)

    def forget(self, identity: str, *, keep_locks: bool = False) -> None:
        """Remove what lies beside a socket, and the socket. The caller holds its ``.lock``."""
        for suffix in ("", *SUFFIXES):
            if not (keep_locks and suffix in {".lock", ".use"}):
                remove(self.socket(identity, suffix))


def _is_identity(text: str) -> bool:
    return len(text) == ID_LENGTH and all(c in "0123456789abcdef" for c in text)


def remove(path: str) -> None:
    """Delete a file if it is there."""
    with contextlib.suppress(OSError):
        Path(path).unlink()


def default_candidates() -> list[str]:
    """Where the directory may lie when nobody says: the first that is usable counts.

    ``/run/user/UID`` is looked for also without XDG_RUNTIME_DIR, so that a server started by a desktop launcher and
    ``ssh-mcp connect`` in a terminal meet at the same place.
    """
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    home = os.environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - a string is wanted
    candidates = [f"{runtime}/ssh-mcp"] if _is_ours(runtime) else []
    return [*candidates, f"{home}/.cache/ssh-mcp", f"/tmp/ssh-mcp-{uid}"]


def _is_ours(path: str) -> bool:
    try:
        seen = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) + 1 + ID_LENGTH <= SOCKET_MAX and set(path) <= _PLAIN


def open_control_dir(wanted: str | None) -> ControlDir:
    """The control directory, made (mode 0700) where it does not exist.

    Raises LocalError where it is a link, not a directory, not ours or open to others, where its path is too long for a
    socket (90 bytes on Linux, 86 on macOS, the 17 of ``/`` and the name included), or where it cannot be made.
    """
    if wanted is not None:
        _check_path(wanted)
        return _checked(wanted)
    usable = [path for path in default_candidates() if _fits(path)]
    for path in usable[:-1]:
        with contextlib.suppress(_CannotMake):
            return _checked(path)
    return _checked(usable[-1])


class _CannotMake(LocalError):
    """The directory does not exist and cannot be made: the only failure after which another place is tried."""


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise LocalError(f"The socket directory {path} is not an absolute path.", "Give a full path.", sent=False)
    if bad := sorted(set(path) - _PLAIN):
        raise LocalError(
            f"The path of the socket directory {path!r} holds {''.join(bad)!r}, which ssh might expand.",
            "Choose a path of letters, digits and ._@+=,-/.",
            sent=False,
        )
    length = len(os.fsencode(path)) + 1 + ID_LENGTH
    if length > SOCKET_MAX:
        raise LocalError(
            f"The socket directory {path} is too long: {length} bytes with a socket's name, {SOCKET_MAX} work.",
            "Choose a shorter directory, such as one under /tmp.",
            sent=False,
        )


def _checked(path: str) -> ControlDir:
    try:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)  # noqa: PTH102 - exactly one level, exactly this mode
        seen = os.lstat(path)
    except OSError as error:
        raise _CannotMake(
            f"The socket directory {path} cannot be made: {error.strerror}.", "Make it with mode 0700.", sent=False
        ) from error
    if (problem := _problem(seen)) is not None:
        raise LocalError(
            f"The socket directory {path} {problem}, so that others could use our connections.",
            "Remove it; it is created again with mode 0700.",
            sent=False,
        )
    return ControlDir(path)


def _problem(seen: os.stat_result) -> str | None:
    if stat.S_ISLNK(seen.st_mode):
        return "is a link"
    if not stat.S_ISDIR(seen.st_mode):
        return "is not a directory"
    if seen.st_uid != os.geteuid():
        return f"belongs to user {seen.st_uid} and not to us"
    if seen.st_mode & 0o077:
        return f"has mode {stat.S_IMODE(seen.st_mode):04o} instead of 0700"
    return None
