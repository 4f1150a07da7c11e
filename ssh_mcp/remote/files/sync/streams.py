"""Files as one tar stream between this machine and a host, or between two hosts through us.

Only the hosts need a tar: this side of the stream is ``tar_codec``, so that a host's bytes are files of the plan or
nothing. Everything arrives in a staging directory and takes its place from there.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import anyio
from anyio.to_thread import run_sync

from ssh_mcp.errors import LocalPathPolicyError
from ssh_mcp.inventory.values import shown
from ssh_mcp.remote.alongside import alongside
from ssh_mcp.remote.files.sync.plan import MODE_BITS, Step
from ssh_mcp.remote.files.sync.tar_codec import END, Member, TarError, TarReader, header, padding, sparse_header
from ssh_mcp.remote.host import connection_of
from ssh_mcp.remote.programs import run_program
from transports.errors import RemoteError
from transports.programs import program_text

if TYPE_CHECKING:
    from ssh_mcp.remote.files.sync.local_tree import LocalTree
    from ssh_mcp.remote.files.sync.remote_tree import RemoteTree
    from transports.api import Progress, RemoteProcess

Write = Callable[[bytes], Awaitable[None]]
_PIECE: Final = 512 * 1024
"""Bytes handed from thread to event loop at a time."""
_READ: Final = 1 << 20
_GROWN: Final = 1 << 20
"""A file may be so many bytes longer than it was when it was listed."""
IDLE_SECONDS: Final = 300
"""A stream in which nothing has moved for so long is over."""
_STDERR_MAX: Final = 64 * 1024
_OTHER_VIEW: Final = (66, 67)
"""Exit status of our programs where the shell has another directory under the name, or somebody else's."""
_CHANGED: Final = 1
"""GNU tar's exit status where a file changed while it was read."""
_UNIT: Final = 512
"""Bytes of st_blocks (stat(3type))."""
_PARTS_MAX: Final = 10_000
_HOLE: Final = 64 * 1024
_ZEROS: Final = bytes(_HOLE)


class OtherView(Exception):
    """The host's shell has no such directory of ours: SFTP is chrooted, or somebody else made it."""


# --- this machine's side --------------------------------------------------------------------------------------------


def packed(
    local: LocalTree, steps: Sequence[Step], gone: list[str], count: Callable[[int], None], *, sparse: bool
) -> Iterator[bytes]:
    """The archive of files and directories of this machine, in pieces. Blocks on the disk.

    ``gone`` gets the paths of files that are not there any more; ``count`` the bytes of files so far; ``sparse``: the
    reader knows GNU's sparse files. Raises LocalPathPolicyError.
    """
    parts: list[bytes] = []
    size = done = 0
    for step in steps:
        assert step.source is not None
        name = _wire(step.path)
        if step.source.kind == "directory":
            parts.append(_directory(step))
            size += len(parts[-1])
            continue
        try:
            fd = local.open(step.path)
        except LocalPathPolicyError:
            if local.holds(step.path):
                raise
            gone.append(step.path)
            continue
        try:
            for part in _content(fd, name, step, local, sparse=sparse):
                parts.append(part)
                size += len(part)
                if size >= _PIECE:
                    yield b"".join(parts)
                    parts, size = [], 0
        finally:
            os.close(fd)
        done += step.size
        count(done)
    yield b"".join([*parts, END])


def _directory(step: Step) -> bytes:
    assert step.source is not None
    mode = (step.source.mode & MODE_BITS) | 0o700  # ours to write into
    return header(_wire(step.path), 0, mode, step.source.mtime, directory=True)


def _content(fd: int, name: bytes, step: Step, local: LocalTree, *, sparse: bool) -> Iterator[bytes]:
    status = os.fstat(fd)
    size, mode, mtime = status.st_size, status.st_mode & MODE_BITS, int(status.st_mtime)
    if size > local.policy.max_bytes:
        raise LocalPathPolicyError(
            f"{shown(step.path)} has more than {local.policy.max_bytes} bytes.",
            "The operator can raise SSH_LOCAL_TRANSFER_MAX_BYTES.",
        )
    parts = _parts(fd, size) if sparse and size > _HOLE and status.st_blocks * _UNIT < size else None
    yield header(name, size, mode, mtime) if parts is None else sparse_header(name, size, mode, mtime, parts)
    stored = 0
    for offset, length in [(0, size)] if parts is None else parts:
        os.lseek(fd, offset, os.SEEK_SET)
        left = length
        while left and (block := os.read(fd, min(left, _PIECE))):
            left -= len(block)
            yield block
        if left:
            raise LocalPathPolicyError(f"{shown(step.path)} became shorter while it was read.", "Call again.")
        stored += length
    yield padding(stored)


def _parts(fd: int, size: int) -> list[tuple[int, int]] | None:
    """Where a file has content (lseek(2), SEEK_DATA), ended by an empty part; None for a file of very many parts."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < size and len(found) < _PARTS_MAX:
        try:
            begin = os.lseek(fd, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # no content behind it
                return None
            begin = at = size
        else:
            at = min(os.lseek(fd, begin, os.SEEK_HOLE), size)
            found.append((begin, at - begin))
    return [*found, (size, 0)] if at >= size else None


class Unpacker:
    """Writes what a host sends into a staging directory of this machine. Blocks on the disk."""

    def __init__(self, staging: LocalTree, steps: Sequence[Step], count: Callable[[int], None]) -> None:
        self._staging = staging
        self._steps = {_wire(s.path): s for s in steps}
        self._reader = TarReader(_sizes(steps))
        self._count = count
        self._fd: int | None = None
        self._now = Member(b"", 0, 0)
        self._left = 0
        self._done = 0
        self.arrived: set[str] = set()

    def take(self, data: bytes) -> None:
        """Raises TarError, OSError."""
        for event in self._reader.receive(data):
            if isinstance(event, Member):
                self._begin(event)
            else:
                self._write(event)
            if not self._left:
                self._finish()

    def end(self) -> None:
        """Raise TarError where the stream was cut."""
        if not self._reader.complete:
            raise TarError("an archive that ends too early")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _begin(self, member: Member) -> None:
        self._now, self._left = member, member.size
        directory, name = self._staging.parent(self._steps[member.path].path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(name, flags, 0o600, dir_fd=directory)

    @property
    def _mode(self) -> int:
        source = self._steps[self._now.path].source
        assert source is not None
        return source.mode & MODE_BITS

    def _write(self, piece: memoryview) -> None:
        assert self._fd is not None
        self._left -= len(piece)
        while piece:
            block = piece[:_HOLE]
            if len(block) == _HOLE and block == _ZEROS:
                os.lseek(self._fd, _HOLE, os.SEEK_CUR)
                piece = piece[_HOLE:]
            else:
                piece = piece[os.write(self._fd, block if self._now.size > _HOLE else piece) :]

    def _finish(self) -> None:
        if self._fd is None:
            return
        fd, member = self._fd, self._now
        if member.size >= _HOLE:
            os.ftruncate(fd, member.size)  # it may end in a hole
        os.fchmod(fd, self._mode)
        os.utime(fd, (member.mtime, member.mtime))
        self.close()
        self.arrived.add(self._steps[member.path].path)
        self._done += member.size
        self._count(self._done)


def _sizes(steps: Sequence[Step]) -> dict[bytes, int]:
    return {_wire(s.path): s.size + _GROWN for s in steps}


# --- the hosts' sides -----------------------------------------------------------------------------------------------


async def tar_up(local: LocalTree, staging: RemoteTree, steps: Sequence[Step], progress: Progress) -> list[str]:
    """Send files and directories into the staging directory. Returns the paths of files that were gone meanwhile.

    Raises OtherView, RemoteError, LocalPathPolicyError, MasterLost.
    """
    gone: list[str] = []
    total = sum(s.size for s in steps)
    capable = await staging.host.capabilities()
    sparse = capable.dialect("tar") == "gnu"
    pieces = packed(local, steps, gone, lambda done: progress(done, total), sparse=sparse)
    ready, take = anyio.create_memory_object_stream[bytes](1)

    async def make() -> None:
        """In a thread, while the piece before is on its way."""
        async with ready:
            while (piece := await run_sync(next, pieces, None)) is not None:
                await ready.send(piece)

    async def send(write: Write) -> None:
        async with alongside(make), take:
            async for piece in take:
                await write(piece)

    await _feed(staging, send)
    return gone


async def tar_down(source: RemoteTree, steps: Sequence[Step], unpacker: Unpacker) -> None:
    """Fetch files into the staging directory of ``unpacker``. Raises OtherView, RemoteError, MasterLost."""

    async def take(piece: bytes) -> None:
        await run_sync(unpacker.take, piece)

    try:
        await _fetch(source, steps, take)
        unpacker.end()
    except TarError as error:
        raise _strange(source, error) from None
    except OSError as error:
        raise LocalPathPolicyError(f"Writing on this machine failed: {error.strerror}.", "Check the disk.") from None
    finally:
        unpacker.close()


async def tar_between(
    source: RemoteTree, staging: RemoteTree, steps: Sequence[Step], arrived: set[str], progress: Progress
) -> None:
    """Pass files from host to host through us, and make directories. Only what was asked for is passed on.

    ``arrived`` gets the paths of the files that came. Raises OtherView, RemoteError, MasterLost.
    """
    relay = _Relay(steps, arrived, progress)

    async def send(write: Write) -> None:
        await write(relay.begin())

        async def take(piece: bytes) -> None:
            await write(await run_sync(relay.take, piece))

        try:
            if relay.files:
                await _fetch(source, relay.files, take)
            await write(relay.end())
        except TarError as error:
            raise _strange(source, error) from None

    await _feed(staging, send)


class _Relay:
    """One archive read and written again, member by member."""

    def __init__(self, steps: Sequence[Step], arrived: set[str], progress: Progress) -> None:
        self.files = [s for s in steps if s.source is not None and s.source.kind == "file"]
        self._directories = [s for s in steps if s.source is not None and s.source.kind == "directory"]
        self._modes = {_wire(s.path): s.source.mode & MODE_BITS for s in self.files if s.source is not None}
        self._reader = TarReader(_sizes(self.files))
        self._arrived = arrived
        self._progress = progress
        self._total = sum(s.size for s in self.files)
        self._done = 0
        self._pad = b""

    def begin(self) -> bytes:
        return b"".join(_directory(s) for s in self._directories)

    def take(self, data: bytes) -> bytes:
        """What to send on. Raises TarError."""
        out: list[bytes | memoryview] = []
        for event in self._reader.receive(data):
            if isinstance(event, Member):
                out += [self._pad, header(event.path, event.size, self._modes[event.path], event.mtime)]
                self._pad = padding(event.size)
                self._arrived.add(event.path.decode("utf-8", "surrogateescape"))
            else:
                out.append(event)
                self._done += len(event)
        self._progress(self._done, self._total)
        return b"".join(out)

    def end(self) -> bytes:
        """Raises TarError where the stream was cut."""
        if not self._reader.complete:
            raise TarError("an archive that ends too early")
        return self._pad + END


class _Running:
    """A program of ours on a host, with its stderr kept."""

    def __init__(self, tree: RemoteTree, process: RemoteProcess) -> None:
        self._tree = tree
        self.process = process
        self.errors = b""

    async def drain(self) -> None:
        while data := await self.process.read("stderr"):
            self.errors = (self.errors + data)[:_STDERR_MAX]

    async def end(self, *, harmless: int = 0) -> int:
        """Wait for its end. Raises OtherView, and RemoteError unless the exit status is 0 or ``harmless``."""
        code = await self.process.wait()
        self._tree.host.call.note_exit(code)
        if code in _OTHER_VIEW:
            raise OtherView
        if code not in (0, harmless):
            await self.drain()
            lines = self.errors.decode("utf-8", "replace").strip().splitlines() or ["it gave no reason"]
            raise RemoteError(
                f"tar on {self._tree.host.name} ended with status {code}: {shown(lines[0], 200)}.",
                "Fix the cause and call again.",
            )
        return code


@asynccontextmanager
async def _program(tree: RemoteTree, name: str, *arguments: str) -> AsyncIterator[_Running]:
    own = run_program(program_text("ssh_mcp.remote.files.sync", f"{name}.sh"), str(tree.root), *arguments)
    tree.host.call.note_command(own.masked())
    process = await connection_of(tree.host).start(own.wire())
    running = _Running(tree, process)
    try:
        yield running
    finally:
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def _feed(staging: RemoteTree, send: Callable[[Write], Awaitable[None]]) -> None:
    """Unpack what ``send`` writes."""
    async with _program(staging, "unpack") as running:

        async def write(piece: bytes) -> None:
            try:
                with _not_idle(staging):
                    await running.process.write(piece)
            except RemoteError:
                await running.end()  # says why it stopped reading
                raise

        async with alongside(running.drain):
            await send(write)
            await running.process.close_stdin()
            with _not_idle(staging):
                await running.end()


async def _fetch(source: RemoteTree, steps: Sequence[Step], take: Callable[[bytes], Awaitable[None]]) -> None:
    """Pack files and hand over the archive's bytes."""
    capable = await source.host.capabilities()
    names = b"".join(b"./" + _wire(s.path) + b"\0" for s in steps)
    async with _program(source, "pack", capable.dialect("tar") or "") as running:

        async def ask() -> None:
            with suppress(RemoteError):  # it ended early: its exit status says why
                await running.process.write(names)
                await running.process.close_stdin()
            await running.drain()

        async with alongside(ask):
            while True:
                with _not_idle(source):
                    piece = await running.process.read("stdout", _READ)
                if not piece:
                    break
                await take(piece)
            if await running.end(harmless=_CHANGED):
                source.host.call.warn("Some files changed while they were read. Call again for their new state.")


@contextmanager
def _not_idle(tree: RemoteTree) -> Iterator[None]:
    """Raise RemoteError where the block takes longer than IDLE_SECONDS."""
    try:
        with anyio.fail_after(IDLE_SECONDS):
            yield
    except TimeoutError:
        raise RemoteError(
            f"tar on {tree.host.name} was silent for {IDLE_SECONDS} seconds.", "Look at the host and call again."
        ) from None


def _wire(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _strange(tree: RemoteTree, error: TarError) -> RemoteError:
    return RemoteError(
        f"{tree.host.name} sent {shown(str(error), 300)}.", "Nothing of it was put into its place. Look at its tar."
    )
