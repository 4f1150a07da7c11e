"""The runtime directory: sockets, tokens and spools of the servers of this user on this machine.

Whoever can read it can act for the user, so it is a real directory of ours with mode 0700, or nothing is put there. A
wrong mode is refused, not repaired: it may have been wrong for a while, and somebody may be in it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ssh_mcp.errors import ConfigError

NAME = "ssh-mcp-run"


def runtime_directory() -> Path:
    """The directory, made where it is missing. Raises ConfigError with one line where it cannot be trusted.

    The first usable of ``$XDG_RUNTIME_DIR``, ``/run/user/UID``, ``~/.cache`` and ``/tmp`` counts, also where
    XDG_RUNTIME_DIR is unset: a server started by a desktop launcher and a command in a terminal meet at one place.
    """
    for parent, name in _candidates():
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            continue
        return _private(parent / name)
    raise ConfigError("No runtime directory can be made. Set XDG_RUNTIME_DIR to a directory that only you can use.")


def _candidates() -> list[tuple[Path, str]]:
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")
    candidates = [(runtime, NAME)] if _is_ours(runtime) else []
    home = Path(os.environ.get("HOME") or Path.home())
    if _is_ours(home):
        cache = home / ".cache"
        if not cache.exists():
            try:
                cache.mkdir(mode=0o700)
            except OSError:
                return [*candidates, (Path("/tmp"), f"{NAME}-{uid}")]
        candidates.append((cache, NAME))
    return [*candidates, (Path("/tmp"), f"{NAME}-{uid}")]


def _is_ours(path: Path) -> bool:
    try:
        seen = path.stat()
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and (not hasattr(os, "geteuid") or seen.st_uid == os.geteuid())


def _private(path: Path) -> Path:
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        seen = path.lstat()
    except OSError as error:
        raise ConfigError(f"The runtime directory {path} cannot be used: {error.strerror or error}.") from None
    if not stat.S_ISDIR(seen.st_mode):
        raise ConfigError(f"The runtime directory {path} is not a directory. Remove what lies there.")
    if os.name == "posix" and (seen.st_uid != os.geteuid() or stat.S_IMODE(seen.st_mode) & 0o077):
        raise ConfigError(
            f"The runtime directory {path} must belong to you and be closed to everybody else. "
            "Remove it, or set XDG_RUNTIME_DIR to a directory of yours."
        )
    return path
