"""Talking to running servers from a command: blocking, one request at a time."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ssh_mcp.runtime import runtime_directory
from ssh_mcp.server.operator.messages import MAX_LINE, ErrorReply, decode_reply, encode
from ssh_mcp.server.operator.peer import is_ours, peer_uid
from ssh_mcp.server.operator.service import SOCKETS

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ssh_mcp.server.operator.messages import Reply

TIMEOUT: Final = 5.0
"""Seconds a server may take to reply."""


def sockets() -> list[Path]:
    """The sockets of this user's servers, some perhaps of servers that are gone. Raises ConfigError.

    None on Windows, whose Python has no Unix sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        return []
    return sorted(runtime_directory().glob(SOCKETS))


def ask_all(request: BaseModel) -> Iterator[tuple[Path, Reply]]:
    """Each running server's reply; one that is gone or hangs is left out."""
    for path in sockets():
        try:
            yield path, ask(path, request)
        except (OSError, ValueError):
            continue


def ask(path: Path, request: BaseModel) -> Reply:
    """One server's reply. Raises OSError, ValueError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect(str(path))
        if not is_ours(peer_uid(connection)):
            raise PermissionError(f"{path} does not belong to you")
        connection.sendall(encode(request))
        line = b""
        while not line.endswith(b"\n"):
            data = connection.recv(65536)
            if not data or len(line) > MAX_LINE:
                return ErrorReply(error="failed", text="The server closed the connection.")
            line += data
    return decode_reply(line)
