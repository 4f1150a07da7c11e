"""Copying many files by rsync(1) over a live master: the program runs here, its other half on the host.

The caller lists the files; everything else on both command lines is ours. The list travels over rsync's own protocol
(``--files-from`` with ``--from0``, ``--protect-args``), so that no name is seen by a shell, and nothing that is
not on the list is created. Links, devices and directories are never taken from the peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import anyio

from transports.api import Progress, RsyncCopy, RsyncEnded
from transports.errors import LocalError

_FIXED: Final = (
    "--files-from=-", "--from0", "--protect-args", "--times", "--perms", "--chmod=Fu-s,Fg-s", "--sparse", "--no-motd",
    "--no-links", "--no-devices", "--no-specials", "--no-owner", "--no-group", "--info=progress2,flist1",
    "--no-human-readable",
)  # fmt: skip
IDLE_SECONDS: Final = 300
"""A copy in which nothing has moved for so long is over (``--timeout``); both sides send signs of life meanwhile."""
_OLDEST: Final = (3, 1, 0)
"""The first with ``--info``. macOS's openrsync says 2.6.9."""
_VERSION: Final = re.compile(rb"rsync\s+version\s+v?(\d+)\.(\d+)\.(\d+)")
_PROGRESS: Final = re.compile(rb"\s*(\d+)\s+\d+%")
"""One line of ``--info=progress2``, such as ``  1234567  45%   10.5MB/s    0:00:01``."""
_TIMEOUT: Final = 30
"""Its exit status after a timeout (rsync(1), EXIT VALUES)."""
_LINE_MAX: Final = 200
"""Bytes kept of a line that was not complete."""
_STDERR_MAX: Final = 64 * 1024
_GRACE: Final = 3.0
_BLOCK: Final = 512
"""Bytes: the unit of ``ulimit -f`` in sh(1)."""
_LIMITED: Final = 'ulimit -f "$0" && exec "$@"'


@lru_cache(maxsize=1)
def local_rsync() -> str | None:
    """Absolute path of an rsync of this machine that is new enough; None without one."""
    found = shutil.which("rsync")
    if found is None or os.name != "posix":
        return None
    try:
        said = subprocess.run([found, "--version"], capture_output=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(said)
    return found if version and tuple(map(int, version.groups())) >= _OLDEST else None


def remote_shell(argv: Sequence[str]) -> str:
    """``argv`` as rsync's ``-e`` takes it: blanks part words, a quote within quotes is doubled (rsync(1))."""
    return " ".join("'" + word.replace("'", "''") + "'" for word in argv)


def rsync_argv(rsync: str, shell: Sequence[str], name: str, copy: RsyncCopy) -> list[str]:
    """The command line. ``shell`` is an ssh over the master up to its ``--``; the local side is the directory that it
    is started in.
    """
    options = [*_FIXED, f"--timeout={IDLE_SECONDS}"]
    if not copy.upload:
        options.append("--no-implied-dirs")  # directories here are not given modes that shut us out
    if copy.ignore_times:
        options.append("--ignore-times")
    if copy.partial_dir is not None:
        options.append(f"--partial-dir={copy.partial_dir}")
    else:
        options.append("--partial")
    there = f"{name}:{copy.remote.rstrip('/')}/"
    ends = ["./", there] if copy.upload else [there, "./"]
    return [rsync, *options, "-e", remote_shell(shell), "--", *ends]


async def run_rsync(rsync: str, shell: Sequence[str], copy: RsyncCopy, progress: Progress | None) -> RsyncEnded:
    """Run it to its end; killed when cancelled. Raises LocalError where it cannot be started."""
    argv = rsync_argv(rsync, shell, "host", copy)
    if copy.max_file_bytes is not None:  # what a host sends beyond what it announced is not limited by rsync itself
        argv = ["/bin/sh", "-c", _LIMITED, str(-(-copy.max_file_bytes // _BLOCK) + 1), *argv]
    # No RSYNC_* variable and no ~/.popt may add options.
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LC_ALL": "C"}
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=f"/dev/fd/{copy.local}",
            start_new_session=True,
        )
    except OSError as error:
        raise LocalError(
            f"rsync could not be started ({error.strerror}).", "Check it on this machine.", sent=False
        ) from error
    begun, errors = asyncio.Event(), bytearray()
    reading = asyncio.ensure_future(_errors(process, errors))
    try:
        _, silent, _ = await asyncio.gather(
            _feed(process, copy.names), _greeted(process, begun), _watch(process, copy.total, progress, begun)
        )
        code = await process.wait()
        # the master holds its stderr as long as the host's half lives
        await asyncio.wait([reading], timeout=_GRACE)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await _end(process)
        raise
    finally:
        reading.cancel()
    if silent:
        return RsyncEnded(_TIMEOUT, b"the other rsync was silent for %d seconds" % IDLE_SECONDS)
    return RsyncEnded(code, bytes(errors))


async def _feed(process: asyncio.subprocess.Process, names: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):
        process.stdin.write(names)
        await process.stdin.drain()
    process.stdin.close()


async def _greeted(process: asyncio.subprocess.Process, begun: asyncio.Event) -> bool:
    """End it where the host's half does not say its version: ``--timeout`` counts from then on. True: ended."""
    try:
        await asyncio.wait_for(begun.wait(), IDLE_SECONDS)
    except TimeoutError:
        await _end(process)
        return True
    return False


async def _watch(
    process: asyncio.subprocess.Process, total: int, progress: Progress | None, begun: asyncio.Event
) -> None:
    """``begun`` is set by its first words, which come when both halves know each other (``--info=flist1``)."""
    assert process.stdout is not None
    rest = b""
    while data := await process.stdout.read(65536):
        begun.set()
        lines = (rest + data).split(b"\r")
        rest = lines[-1][-_LINE_MAX:]
        found = next((f for line in lines[:-3:-1] if (f := _PROGRESS.match(line))), None)
        if progress is not None and found:
            progress(min(int(found[1]), total), total)
    begun.set()


async def _errors(process: asyncio.subprocess.Process, kept: bytearray) -> None:
    assert process.stderr is not None
    while data := await process.stderr.read(65536):
        kept += data[: _STDERR_MAX - len(kept)]


async def _end(process: asyncio.subprocess.Process) -> None:
    """TERM lets rsync keep what arrived of a file; its ssh ends with it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with anyio.move_on_after(_GRACE):
            await process.wait()
            return
