"""The files beside a control socket: facts of the login, and which sockets are left over."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Final

from transports.api import LoginInfo
from transports.openssh.local.control_dir import ID_LENGTH, ControlDir
from transports.openssh.local.launch import read_text
from transports.openssh.local.locks import try_exclusive

_SWEEP_MAX: Final = 64


def write_login(
    directory: ControlDir, path: str, pid: int, login: LoginInfo, more: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Write the facts of the login, and ``more``, for other processes, which cannot get them from the socket."""
    directory.write(f"{path[-ID_LENGTH:]}.login", json.dumps({**more, "pid": pid, **asdict(login)}))


def _recorded(path: str) -> dict[str, object]:
    try:
        found = json.loads(read_text(path + ".login"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def recorded_pid(path: str) -> int | None:
    """The master's process id as written down at its login."""
    pid = _recorded(path).get("pid")
    return pid if isinstance(pid, int) else None


def read_login(path: str, pid: int) -> LoginInfo:
    """What the process that logged in wrote down, where it was this master."""
    found = _recorded(path)
    if found.get("pid") != pid:
        return LoginInfo()
    values = {name: found.get(name) for name in LoginInfo.__slots__}
    return LoginInfo(**{name: value for name, value in values.items() if isinstance(value, str)})


def is_dead(path: str) -> bool:
    """Whether nobody listens at a socket any more. A busy or wedged master is not dead."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe_socket:
        probe_socket.setblocking(False)
        try:
            probe_socket.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        except OSError:
            return False
    return False


def sweep(directory: ControlDir, used: Iterable[str]) -> int:
    """Remove what ended masters left behind, at most 64 at a time, and return how many. Nothing is waited for."""
    removed = 0
    for identity in directory.sockets(_SWEEP_MAX):
        path = directory.socket(identity)
        if path in used or not is_dead(path):
            continue
        with contextlib.suppress(OSError):
            descriptor = try_exclusive(path + ".lock")
            if descriptor is None:
                continue
            try:
                if is_dead(path):
                    directory.forget(identity)
                    removed += 1
            finally:
                os.close(descriptor)
    return removed
