"""Where paths lead on a host, for an explanation: canonical forms only, nothing is opened or decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transports.errors import FileError, FileErrorKind

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import Files


async def resolved_paths(host: RemoteHost, paths: list[str]) -> dict[str, str]:
    """Each normalised path with its canonical form in the SFTP view; missing names are kept below what exists.

    One that the host cannot resolve is left out. Raises TransportError.
    """
    if not paths:
        return {}
    files = await host.connection.files()
    found = {path: await _resolved(files, path) for path in dict.fromkeys(paths)}
    return {path: canonical for path, canonical in found.items() if canonical is not None}


async def _resolved(files: Files, path: str) -> str | None:
    missing: list[str] = []
    while True:
        try:
            canonical = await files.realpath(path)
        except FileError as error:
            parent, _, name = path.rstrip("/").rpartition("/")
            if error.kind not in (FileErrorKind.NOT_FOUND, FileErrorKind.NOT_DIRECTORY) or name in ("", ".."):
                return None
            path = parent or "/"
            missing.insert(0, name)
        else:
            return "/".join([canonical.rstrip("/"), *missing]) if missing else canonical
