"""Checksums: computed on the host where it has a program for it, else from the bytes read over SFTP."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files import shell_paths
from ssh_mcp.remote.files.reading import opened
from ssh_mcp.remote.progress import reporting
from ssh_mcp.results.files import FileHash
from ssh_mcp.tokens import arg, command, lit
from transports.errors import FileError, FileErrorKind, RemoteError, SessionRefused

if TYPE_CHECKING:
    from ssh_mcp.remote.files.paths import Places
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import FileHandle

Algorithm = Literal["md5", "sha1", "sha256", "sha512"]

_DIGITS: Final[dict[Algorithm, int]] = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_NO_PROGRAM: Final = 72
_SIZE_THEN_SUM: Final = f"""
wc -c <"$1" || exit 73
if command -v "$2sum" >/dev/null 2>&1; then exec "$2sum" <"$1"; fi
if command -v shasum >/dev/null 2>&1 && [ "$2" != md5 ]; then exec shasum -a "${{2#sha}}" <"$1"; fi
if command -v "$2" >/dev/null 2>&1; then exec "$2" -q <"$1"; fi
if command -v openssl >/dev/null 2>&1; then openssl dgst -r "-$2" <"$1"; exit; fi
exit {_NO_PROGRAM}
"""
"""``$1`` the canonical path, ``$2`` the algorithm: coreutils and BusyBox, Perl's shasum, the BSDs' own, OpenSSL."""


async def file_hash(host: RemoteHost, places: Places, path: str, algorithm: Algorithm, timeout: int | None) -> FileHash:
    """The digest in hexadecimal. Raises the refusals of policy, FileError, RemoteError at the timeout."""
    seconds = host.commands.timeout(timeout)
    if host.policy.windows:
        return await _by_powershell(host, places, path, algorithm, seconds)
    try:
        found = await _by_shell(host, path, algorithm, seconds)
    except SessionRefused:
        found = None
    return found or await _by_sftp(host, places, path, algorithm, seconds)


async def _by_shell(host: RemoteHost, path: str, algorithm: Algorithm, seconds: float) -> FileHash | None:
    """None where the host has no shell for us, or no program."""
    try:
        place = (await shell_paths.permitted(host, [(path, Purpose.STAT)]))[0]
    except FileError:
        raise
    except RemoteError:
        return None
    if place.kind == "-":
        raise FileError(FileErrorKind.NOT_FOUND, path, f"{place.path} does not exist.", "Check the path.")
    shell_paths.require_kind(place, "f", "the path of a regular file")
    inner = command("sh -c", arg(_SIZE_THEN_SUM), "sh", arg(place.path), lit(algorithm))
    done = await host.commands.run(shell_paths.guarded(inner, [place.path]), timeout=seconds)
    shell_paths.raise_if_changed(done.exit_code, done.stderr, place.path)
    if done.timed_out:
        raise _too_slow(place.path, seconds)
    if done.exit_code == 73:
        raise FileError(
            FileErrorKind.PERMISSION, place.path, f"{place.path} cannot be read.", "Check its owner and mode."
        )
    size, _, rest = done.stdout.decode("ascii", "replace").strip().partition("\n")
    digest = _digest(rest, algorithm)
    if done.exit_code or digest is None or not size.strip().isdigit():
        return None
    return FileHash(host=host.name, path=place.path, algorithm=algorithm, digest=digest, size=int(size))


async def _by_sftp(host: RemoteHost, places: Places, path: str, algorithm: Algorithm, seconds: float) -> FileHash:
    async with opened(places, path, Purpose.STAT) as file, reporting(host.call, f"{algorithm} of {file.path}") as count:
        with anyio.move_on_after(seconds) as limit:
            digest, size = await _read_through(file.handle, algorithm, lambda done: count(done, file.size or None))
        if limit.cancelled_caught:
            raise _too_slow(file.path, seconds)
    return FileHash(host=host.name, path=file.path, algorithm=algorithm, digest=digest, size=size)


async def _read_through(handle: FileHandle, algorithm: Algorithm, progress: Callable[[int], None]) -> tuple[str, int]:
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    size = 0
    async for piece in handle.read_stream(0, None):
        hashed.update(piece)
        size += len(piece)
        progress(size)
    return hashed.hexdigest(), size


async def _by_powershell(host: RemoteHost, places: Places, path: str, algorithm: Algorithm, seconds: float) -> FileHash:
    """Get-FileHash, its path inside an encoded command: no quoting rules of any shell in between apply."""
    canonical, attributes = await places.existing_file(path, Purpose.STAT)
    if attributes.kind == "directory":
        raise InvalidArgument(f"{canonical} is a directory.", "Give the path of a file.")
    native = canonical.removeprefix("/").replace("/", "\\").replace("'", "''")
    script = (
        "$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue';"
        f"(Get-FileHash -LiteralPath '{native}' -Algorithm {algorithm.upper()}).Hash"
    )
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    done = await host.commands.run(
        command("powershell -NoProfile -NonInteractive -EncodedCommand", lit(encoded)), timeout=seconds
    )
    if done.timed_out:
        raise _too_slow(canonical, seconds)
    digest = _digest(done.stdout.decode("ascii", "replace"), algorithm)
    if done.exit_code or digest is None:
        return await _by_sftp(host, places, path, algorithm, seconds)
    return FileHash(host=host.name, path=canonical, algorithm=algorithm, digest=digest, size=attributes.size or 0)


def _digest(text: str, algorithm: Algorithm) -> str | None:
    match = re.search(rf"(?<![0-9a-fA-F])[0-9a-fA-F]{{{_DIGITS[algorithm]}}}(?![0-9a-fA-F])", text)
    return match[0].lower() if match else None


def _too_slow(path: str, seconds: float) -> RemoteError:
    return RemoteError(f"The checksum of {path} was not ready after {seconds:g} s.", "Give a larger timeout.")
