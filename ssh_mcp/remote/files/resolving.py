"""Where paths lead on a host, for an explanation: canonical forms only, nothing is opened or decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.errors import Refusal
from ssh_mcp.remote.together import settled
from transports.errors import FileError

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost


async def resolved_paths(host: RemoteHost, paths: list[str]) -> dict[str, str]:
    """Each path with its canonical form in the SFTP view; missing names are kept below what exists.

    One that the host cannot resolve is left out. Raises TransportError.
    """
    wanted = list(dict.fromkeys(paths))
    found: dict[str, str] = {}
    for path, outcome in zip(wanted, await settled([host.paths.ancestry(path) for path in wanted]), strict=True):
        if isinstance(outcome, tuple):
            found[path] = outcome[0]
        elif not isinstance(outcome, FileError | Refusal):
            raise outcome
    return found
