"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final

_LOCAL_PEERCRED: Final = 1  # sys/un.h of macOS and the BSDs


def peer_uid(connection: socket.socket) -> int | None:
    """The peer's user id as the kernel knows it, or None (unix(7) SO_PEERCRED, unix(4) LOCAL_PEERCRED)."""
    try:
        linux = getattr(socket, "SO_PEERCRED", None)
        if linux is not None:
            credentials = connection.getsockopt(socket.SOL_SOCKET, linux, struct.calcsize("3i"))
            return int(struct.unpack("3i", credentials)[1])
        data = connection.getsockopt(0, _LOCAL_PEERCRED, 128)
        return int(struct.unpack_from("=II", data)[1])
    except (OSError, struct.error):
        return None


def user_name(uid: int) -> str:
    """The account's name, or its number."""
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return str(uid)


def is_ours(uid: int | None) -> bool:
    """Whether that user may talk to this server: the one it runs as."""
    return uid is not None and uid == os.geteuid()
