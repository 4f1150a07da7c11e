"""Checksums: of large files computed on the host where it can be, else from the bytes read over SFTP."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import anyio

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.policy.paths import Purpose
from ssh_mcp.remote.files import shell_paths
from ssh_mcp.remote.files.reading import OpenFile, opened
from ssh_mcp.remote.programs import files_program
from ssh_mcp.remote.progress import reporting
from ssh_mcp.remote.together import together
from ssh_mcp.results.files import FileHash
from ssh_mcp.tokens import command, lit
from transports.errors import FileError, FileErrorKind, RemoteError, SessionRefused, SFTPSubsystemUnavailable

if TYPE_CHECKING:
    from ssh_mcp.remote.host import RemoteHost
    from transports.api import FileHandle

Algorithm = Literal["md5", "sha1", "sha256", "sha512"]

_DIGITS: Final[dict[Algorithm, int]] = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
_UNREADABLE: Final = 73
_BY_SFTP: Final = 1 << 20
"""Up to this size in bytes a file is read over SFTP: that costs no more than starting a program."""
_SAMPLE: Final = 32 * 1024
"""Bytes of a file's start and of its end, by whose checksums it is known to be the same file for the shell."""


async def file_hash(host: RemoteHost, path: str, algorithm: Algorithm, timeout: int | None) -> FileHash:
    """The digest in hexadecimal. Raises the refusals of policy, FileError, RemoteError at the timeout.

    The path is canonicalised and permitted in SFTP's view. The host's own program sums a large file up where
    the shell is proven to see the same file; in a chroot it may see another one of that name.
    """
    seconds = host.commands.timeout(timeout)
    if host.policy.windows:
        return await _by_powershell(host, path, algorithm, seconds)
    try:
        return await _by_sftp(host, path, algorithm, seconds)
    except SFTPSubsystemUnavailable:
        return await _by_shell(host, path, algorithm, seconds)


async def _by_sftp(host: RemoteHost, path: str, algorithm: Algorithm, seconds: float) -> FileHash:
    async with (
        opened(host.paths, path, Purpose.STAT) as file,
        reporting(host.call, f"{algorithm} of {file.path}") as count,
    ):
        with anyio.move_on_after(seconds) as limit:
            found = await _proven(host, file, algorithm, seconds) if file.size > _BY_SFTP else None
            digest, size = found or await _read_through(
                file.handle, algorithm, lambda done: count(done, file.size or None)
            )
        if limit.cancelled_caught:
            raise _too_slow(file.path, seconds)
    return FileHash(host=host.name, path=file.path, algorithm=algorithm, digest=digest, size=size)


async def _proven(host: RemoteHost, file: OpenFile, algorithm: Algorithm, seconds: float) -> tuple[str, int] | None:
    """The host's own sum; None where it has no shell or program, or the shell sees another file under the path."""
    if not (await host.capabilities()).posix:
        return None
    ends = await together(file.handle.read(0, _SAMPLE), file.handle.read(max(file.size - _SAMPLE, 0), _SAMPLE))
    seen = [hashlib.new(algorithm, data, usedforsecurity=False).hexdigest() for data in ends]
    try:
        sums = await _sums(host, file.path, algorithm, seconds)
    except SessionRefused:
        return None
    if sums is None or sums.size != file.size or [sums.head, sums.tail] != seen:
        return None
    return sums.whole, sums.size


@dataclass(frozen=True, slots=True)
class _Sums:
    size: int
    head: str
    tail: str
    whole: str


async def _sums(host: RemoteHost, path: str, algorithm: Algorithm, seconds: float) -> _Sums | None:
    """What hash.sh prints; None where it cannot."""
    done = await host.commands.run(files_program(("hash",), path, algorithm, str(_SAMPLE)), timeout=seconds)
    if done.timed_out:
        raise _too_slow(path, seconds)
    if done.exit_code == _UNREADABLE:
        raise FileError(FileErrorKind.PERMISSION, path, f"{path} cannot be read.", "Check its owner and mode.")
    lines = done.stdout.decode("ascii", "replace").splitlines()
    digests = [d for line in lines[1:] if (d := _digest(line, algorithm)) is not None]
    if done.exit_code or len(digests) != 3 or not lines[0].strip().isdigit():
        return None
    return _Sums(int(lines[0]), *digests)


async def _by_shell(host: RemoteHost, path: str, algorithm: Algorithm, seconds: float) -> FileHash:
    """On a host without SFTP everything happens in the shell's view."""
    place = (await shell_paths.permitted(host, [(path, Purpose.STAT)]))[0]
    if place.kind == "-":
        raise FileError(FileErrorKind.NOT_FOUND, path, f"{place.path} does not exist.", "Check the path.")
    shell_paths.require_kind(place, "f", "the path of a regular file")
    sums = await _sums(host, place.path, algorithm, seconds)
    if sums is None:
        raise RemoteError(
            f"{host.name} has no program for {algorithm}.", "Try sha256, or ask the operator to enable SFTP there."
        )
    return FileHash(host=host.name, path=place.path, algorithm=algorithm, digest=sums.whole, size=sums.size)


async def _read_through(handle: FileHandle, algorithm: Algorithm, progress: Callable[[int], None]) -> tuple[str, int]:
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    size = 0
    async for piece in handle.read_stream(0, None):
        hashed.update(piece)
        size += len(piece)
        progress(size)
    return hashed.hexdigest(), size


async def _by_powershell(host: RemoteHost, path: str, algorithm: Algorithm, seconds: float) -> FileHash:
    """Get-FileHash, its path inside an encoded command: no quoting rules of any shell in between apply."""
    canonical, attributes = await host.paths.existing_file(path, Purpose.STAT)
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
        return await _by_sftp(host, path, algorithm, seconds)
    return FileHash(host=host.name, path=canonical, algorithm=algorithm, digest=digest, size=attributes.size or 0)


def _digest(text: str, algorithm: Algorithm) -> str | None:
    match = re.search(rf"(?<![0-9a-fA-F])[0-9a-fA-F]{{{_DIGITS[algorithm]}}}(?![0-9a-fA-F])", text)
    return match[0].lower() if match else None


def _too_slow(path: str, seconds: float) -> RemoteError:
    return RemoteError(f"The checksum of {path} was not ready after {seconds:g} s.", "Give a larger timeout.")
