"""The ways files' bytes go: rsync over the master, or SFTP with many requests in flight.

Whichever it is, a file arrives under another name and takes its place whole. A run that was cut leaves what it had in a
directory of ours (``STAGING``) or beside the file (``PARTIAL``), and the next one goes on from there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from anyio.to_thread import run_sync

from ssh_mcp.errors import LocalPathPolicyError, Refusal
from ssh_mcp.inventory.values import shown
from ssh_mcp.remote.files.local_io import LocalSource
from ssh_mcp.remote.files.reading import OpenFile
from ssh_mcp.remote.files.sources import LocalFileSource, OtherHostSource, Source
from ssh_mcp.remote.files.sync.plan import MODE_BITS, PARTIAL, STAGING, Entry, Step
from ssh_mcp.remote.files.writer import Job, Writer
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.programs import run_program
from transports.api import FileAttributes, Progress, RsyncCopy
from transports.errors import FileError, RemoteError, TransportError
from transports.programs import program_text

if TYPE_CHECKING:
    from ssh_mcp.remote.files.sync.local_tree import LocalTree
    from ssh_mcp.remote.files.sync.remote_tree import RemoteTree

T = TypeVar("T")
_AT_ONCE: Final = 16
"""Files on their way at the same time over SFTP: each has some requests in flight."""
_REFUSED: Final = b"Session open refused by peer"
"""What ssh says where the host's sshd opens no further session on a connection (MaxSessions in sshd_config(5))."""
_VANISHED: Final = 24
"""rsync's exit status where files of the list were gone before they were copied (rsync(1), EXIT VALUES)."""


# --- rsync ----------------------------------------------------------------------------------------------------------


async def rsync_usable(tree: RemoteTree) -> bool:
    """Whether both sides have rsync and the host a shell."""
    if not connection_of(tree.host).rsync_available():
        return False
    capable = await tree.host.capabilities()
    return capable.posix and capable.has("rsync")


@asynccontextmanager
async def seen_by_shell(tree: RemoteTree, entry: str | None) -> AsyncIterator[bool]:
    """Whether the host's shell has the same directory under the same name as SFTP: ``entry`` is in it.

    None: a directory with a name of chance is made there to find out, and goes at the end. Where a listing by both has
    shown it already, nothing is asked.
    """
    if tree.agrees:
        yield True
        return
    files = await tree.host.paths.files()
    mark = f"{STAGING}{secrets.token_hex(8)}" if entry is None else entry
    if entry is None:
        await files.mkdir(tree.path(mark), 0o700)
    try:
        program = run_program(program_text("ssh_mcp.remote.files.sync", "same_view.sh"), tree.root, mark)
        yield (await tree.host.commands.run(program)).exit_code == 0
    finally:
        if entry is None:
            with anyio.CancelScope(shield=True), suppress(TransportError):
                await tree.host.paths.asking(
                    lambda again: again.rmdir(tree.path(mark))
                )  # the channel may be another one


async def rsync_up(
    local: LocalTree, remote: RemoteTree, steps: Sequence[Step], progress: Progress, *, checksum: bool
) -> bool:
    """Send files. False: the host opens no further session. Raises RemoteError, MasterLost."""
    copy = RsyncCopy(
        names=_names(steps),
        local=local.fd,
        remote=remote.root,
        upload=True,
        total=sum(s.size for s in steps),
        ignore_times=checksum,
        partial_dir=PARTIAL,
    )
    return await _rsync(remote, copy, progress)


async def rsync_down(
    remote: RemoteTree, local: LocalTree, steps: Sequence[Step], progress: Progress, staging: LocalTree
) -> bool:
    """Fetch files into the staging directory, and let those that are files take their places. False as above."""
    copy = RsyncCopy(
        names=_names(steps),
        local=staging.fd,
        remote=remote.root,
        upload=False,
        total=sum(s.size for s in steps),
        max_file_bytes=max((s.size for s in steps), default=0) + (1 << 20),
    )
    if not await _rsync(remote, copy, progress):
        return False
    if missing := await run_sync(partial(_place_all, local, staging, steps)):
        remote.host.call.warn(f"{missing} files were gone before they were copied.")
    return True


def _place_all(local: LocalTree, staging: LocalTree, steps: Sequence[Step]) -> int:
    """How many did not arrive."""
    missing = 0
    for step in steps:
        assert step.source is not None
        missing += not local.place(staging, step.path, step.path, step.source)
    return missing


def _names(steps: Sequence[Step]) -> bytes:
    return b"".join(b"./" + s.path.encode("utf-8", "surrogateescape") + b"\0" for s in steps)


async def _rsync(remote: RemoteTree, copy: RsyncCopy, progress: Progress) -> bool:
    remote.host.call.note_command(f"rsync {remote.root}")
    ended = await connection_of(remote.host).rsync(copy, progress)
    if ended.exit_code == _VANISHED and copy.upload:
        remote.host.call.warn("Some files were gone before they were copied.")
    elif ended.exit_code and _REFUSED in ended.stderr:
        return False
    elif ended.exit_code not in (0, _VANISHED):
        lines = ended.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"]
        raise RemoteError(
            f"rsync ended with status {ended.exit_code}: {shown(lines[0], 200)}.", "Fix the cause and call again."
        )
    return True


# --- SFTP -----------------------------------------------------------------------------------------------------------


class Counter:
    """Bytes of many files added up for one progress report."""

    def __init__(self, steps: Sequence[Step], progress: Progress) -> None:
        self._total = sum(s.size for s in steps)
        self._done = 0
        self._progress = progress

    def one(self) -> Progress:
        """The counter to hand to one file's transfer."""
        before = 0

        def count(done: int, _total: int | None) -> None:
            nonlocal before
            self._done += done - before
            before = done
            self._progress(self._done, self._total)

        return count


async def sftp_up(local: LocalTree, remote: RemoteTree, steps: Sequence[Step], progress: Progress) -> None:
    """Send files, each through the one writer."""
    counter = Counter(steps, progress)

    async def send(step: Step) -> None:
        fd = await run_sync(local.open, step.path)
        try:
            size, count = os.fstat(fd).st_size, counter.one()
            source = LocalFileSource(LocalSource(fd, size, local.path / step.path), count)
            await _write(remote, step, await source.lightest())
            count(size, size)  # a small file is sent without counting
        finally:
            os.close(fd)

    await each(steps, send)


async def sftp_between(source: RemoteTree, target: RemoteTree, steps: Sequence[Step], progress: Progress) -> None:
    """Copy files from host to host through us."""
    counter = Counter(steps, progress)

    async def relay(step: Step) -> None:
        handle, attributes = await source.open(step.path)
        try:
            files = await source.host.paths.files()
            opened = OpenFile(files, handle, source.path(step.path), attributes)
            await _write(target, step, OtherHostSource(opened, counter.one()))
        finally:
            await handle.close()

    await each(steps, relay)


async def _write(remote: RemoteTree, step: Step, source: Source) -> None:
    assert step.source is not None
    files = await remote.host.paths.files()
    path = remote.path(step.path)
    if step.old is not None and step.old.kind not in ("file", "directory"):
        await files.remove(path)
    job = Job(path, source, step.source.mode & MODE_BITS)
    await Writer(remote.host, files).write(job)
    with suppress(FileError):  # the file is there: a server that sets no times is no reason to fail
        await files.setstat(path, FileAttributes(atime=step.source.mtime, mtime=step.source.mtime))


async def sftp_down(
    remote: RemoteTree, local: LocalTree, steps: Sequence[Step], progress: Progress, staging: LocalTree
) -> None:
    """Fetch files into the staging directory; each takes its place when it is whole."""
    counter = Counter(steps, progress)
    numbers = {step.path: f"{i:06d}" for i, step in enumerate(steps)}

    async def fetch(step: Step) -> None:
        assert step.source is not None
        handle, attributes = await remote.open(step.path)
        try:
            size = attributes.size or 0
            if size > local.policy.max_bytes:
                raise _too_large(step, local)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            fd = os.open(numbers[step.path], flags, 0o600, dir_fd=staging.fd)
            try:
                await handle.download(fd, length=size, progress=counter.one())
            finally:
                os.close(fd)
        finally:
            await handle.close()
        await run_sync(local.place, staging, numbers[step.path], step.path, _as_opened(step.source, attributes))

    await each(steps, fetch)


def _as_opened(planned: Entry, found: FileAttributes) -> Entry:
    return Entry("file", found.size or 0, planned.mtime if found.mtime is None else found.mtime, planned.mode)


def _too_large(step: Step, local: LocalTree) -> LocalPathPolicyError:
    return LocalPathPolicyError(
        f"{shown(step.path)} has more than {local.policy.max_bytes} bytes.",
        "The operator can raise SSH_LOCAL_TRANSFER_MAX_BYTES.",
    )


async def each(items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do ``work`` for all items, some at a time, in their order. The first failure ends it and is raised."""
    waiting = iter(items)
    failures: list[Exception] = []

    async def worker() -> None:
        for item in waiting:
            if failures:
                return
            try:
                await work(item)
            except (Refusal, TransportError) as error:
                failures.append(error)
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(min(_AT_ONCE, len(items))):
            tasks.start_soon(worker)
    if failures:
        raise failures[0]
