"""Bulk transfers: local to remote and back, and between two servers, whole and cut off."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.sftp_peers import ChannelOnly, PipedServer, server_argv
from transports.errors import FileError, FileErrorKind, MasterLost
from transports.sftp.client import SftpClient
from transports.sftp.handle import SftpFile
from transports.sftp.transfer import download, relay, upload

MiB = 1024 * 1024


class CutServer(ChannelOnly):
    """Loses the connection after so many bytes of replies."""

    left = 0

    async def read(self, n: int) -> bytes:
        if self.left <= 0:
            raise MasterLost("The connection ended.")
        piece = await super().read(min(n, self.left))
        self.left -= len(piece)
        return piece


@asynccontextmanager
async def client(channel: PipedServer | None = None) -> AsyncIterator[SftpClient]:
    started = await SftpClient.start(channel or PipedServer(server_argv()))
    try:
        yield started
    finally:
        await started.aclose()


async def opened(sftp: SftpClient, path: Path, mode: str) -> SftpFile:
    handle = await sftp.open(str(path), mode)  # type: ignore[arg-type]
    assert isinstance(handle, SftpFile)
    return handle


@asynccontextmanager
async def local(path: Path, flags: int) -> AsyncIterator[int]:
    fd = os.open(path, flags, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A filesystem of 4 MiB."""
    need(os.geteuid() == 0, "mounting needs root")
    place = peers_dir() / "small"
    place.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "t", str(place)], check=False, capture_output=True)
    need(done.returncode == 0, "no filesystem can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(random.Random(7).randbytes(7 * MiB + 13))
    return path


@pytest.mark.parametrize("size", [0, 1, 32768, MiB, 5 * MiB + 1])
async def test_up_and_down_again_is_the_same(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_bytes(os.urandom(size))
    seen: list[tuple[int, int | None]] = []
    async with client() as sftp:
        async with local(tmp_path / "a", os.O_RDONLY) as fd:
            handle = await opened(sftp, tmp_path / "b", "w")
            assert await upload(fd, handle, progress=lambda *p: seen.append(p)) == size
            await handle.close()
        async with local(tmp_path / "c", os.O_WRONLY | os.O_CREAT) as fd:
            handle = await opened(sftp, tmp_path / "b", "r")
            assert await download(handle, fd, progress=lambda *p: seen.append(p)) == size
            await handle.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()
    assert all(total == size for _, total in seen)
    assert size == 0 or (size, size) in seen


async def test_a_transfer_goes_on_where_another_stopped(tmp_path: Path, source: Path) -> None:
    data = source.read_bytes()
    for name in ("up", "down", "over"):
        (tmp_path / name).write_bytes(data[: 3 * MiB + 5])
    async with client() as sftp, client() as other:
        async with local(source, os.O_RDONLY) as fd:
            handle = await opened(sftp, tmp_path / "up", "r+")
            assert await upload(fd, handle, offset=3 * MiB + 5) == len(data) - 3 * MiB - 5
        handle = await opened(sftp, source, "r")
        async with local(tmp_path / "down", os.O_WRONLY) as fd:
            await download(handle, fd, offset=3 * MiB + 5)
        await relay(handle, await opened(other, tmp_path / "over", "r+"), offset=3 * MiB + 5)
    for name in ("up", "down", "over"):
        assert (tmp_path / name).read_bytes() == data


async def test_between_two_servers_the_bytes_pass_in_order(tmp_path: Path, source: Path) -> None:
    hashed = hashlib.sha256()
    seen: list[int] = []
    async with client() as one, client() as two:
        reading, writing = await opened(one, source, "r"), await opened(two, tmp_path / "t", "w")
        count = await relay(reading, writing, on_block=hashed.update, progress=lambda done, total: seen.append(done))
        await writing.close()
    assert count == source.stat().st_size == seen[-1]
    assert (tmp_path / "t").read_bytes() == source.read_bytes()
    assert hashed.hexdigest() == hashlib.sha256(source.read_bytes()).hexdigest()


async def test_part_of_a_file_is_transferred(tmp_path: Path, source: Path) -> None:
    async with client() as sftp:
        handle = await opened(sftp, source, "r")
        async with local(tmp_path / "d", os.O_WRONLY | os.O_CREAT) as fd:
            assert await download(handle, fd, length=MiB + 3) == MiB + 3
        target = await opened(sftp, tmp_path / "r", "w")
        assert await relay(handle, target, length=MiB + 3) == MiB + 3
        async with local(source, os.O_RDONLY) as fd:
            target = await opened(sftp, tmp_path / "u", "w")
            assert await upload(fd, target, length=MiB + 3) == MiB + 3
    for name in "dru":
        assert (tmp_path / name).read_bytes() == source.read_bytes()[: MiB + 3]


async def test_a_full_remote_disk_is_named_and_what_is_there_is_right(small_disk: Path, source: Path) -> None:
    async with client() as sftp:
        async with local(source, os.O_RDONLY) as fd:
            target = await opened(sftp, small_disk / "u", "w")
            with pytest.raises(FileError) as caught:
                await upload(fd, target)
            assert caught.value.kind is FileErrorKind.NO_SPACE
            await target.close()
        left = (small_disk / "u").read_bytes()
        assert 0 < len(left) <= 4 * MiB
        assert source.read_bytes().startswith(left)
        (small_disk / "u").unlink()
        reading, writing = await opened(sftp, source, "r"), await opened(sftp, small_disk / "r", "w")
        with pytest.raises(FileError) as caught:
            await relay(reading, writing)
        assert caught.value.kind is FileErrorKind.NO_SPACE
        assert source.read_bytes().startswith((small_disk / "r").read_bytes())


async def test_a_full_local_disk_ends_the_download_and_what_is_there_is_right(small_disk: Path, source: Path) -> None:
    async with client() as sftp, local(small_disk / "d", os.O_RDWR | os.O_CREAT) as fd:
        handle = await opened(sftp, source, "r")
        with pytest.raises(OSError, match="No space"):
            await download(handle, fd)
        left = (small_disk / "d").read_bytes()
        assert source.read_bytes().startswith(left)
        await handle.close()
        assert not sftp.closed


@pytest.mark.parametrize("seed", range(25))
async def test_a_connection_cut_anywhere_leaves_a_beginning_of_the_file(
    tmp_path: Path, source: Path, seed: int
) -> None:
    chance = random.Random(seed)
    data = source.read_bytes()

    cut = CutServer(server_argv())
    cut.left = chance.randrange(400, len(data))
    (tmp_path / "d").write_bytes(data[:100] + b"old and longer than what comes" * MiB)
    async with client(cut) as sftp, local(tmp_path / "d", os.O_RDWR) as fd:
        handle = await opened(sftp, source, "r")
        with pytest.raises(MasterLost):
            await download(handle, fd, offset=100)
    assert data.startswith((tmp_path / "d").read_bytes())

    cut = CutServer(server_argv())
    cut.left = chance.randrange(400, 1000)  # of answers: about 24 bytes each
    async with client(cut) as sftp, local(source, os.O_RDONLY) as fd:
        target = await opened(sftp, tmp_path / "u", "w")
        with pytest.raises(MasterLost):
            await upload(fd, target)
    assert data.startswith((tmp_path / "u").read_bytes())

    cut = CutServer(server_argv())
    cut.left = chance.randrange(400, len(data))
    async with client(cut) as sftp, client() as whole:
        reading, writing = await opened(sftp, source, "r"), await opened(whole, tmp_path / "r", "w")
        with pytest.raises(MasterLost):
            await relay(reading, writing)
        assert data.startswith((tmp_path / "r").read_bytes())
        assert (await writing.stat()).size == (tmp_path / "r").stat().st_size


async def test_a_cancelled_transfer_leaves_a_beginning_and_a_usable_channel(tmp_path: Path, source: Path) -> None:
    data = source.read_bytes()
    async with client() as sftp:
        for blocks in (0, 1, 3):
            with anyio.CancelScope() as scope:
                count = 0

                def cancel(done: int, total: int | None, scope: anyio.CancelScope = scope, at: int = blocks) -> None:
                    nonlocal count
                    count += 1
                    if count > at:
                        scope.cancel()

                async with local(source, os.O_RDONLY) as fd:
                    await upload(fd, await opened(sftp, tmp_path / "u", "w"), progress=cancel)
            assert scope.cancelled_caught
            assert data.startswith((tmp_path / "u").read_bytes())
            with anyio.CancelScope() as scope:
                async with local(tmp_path / "d", os.O_RDWR | os.O_CREAT) as fd:
                    await download(
                        await opened(sftp, source, "r"),
                        fd,
                        progress=lambda *_, scope=scope: scope.cancel(),
                    )
            assert scope.cancelled_caught
            assert data.startswith((tmp_path / "d").read_bytes())
        assert (await sftp.stat(str(source))).size == len(data)


async def test_a_local_file_that_shrinks_ends_the_upload_where_it_ends(tmp_path: Path, source: Path) -> None:
    async with client() as sftp, local(source, os.O_RDWR) as fd:
        target = await opened(sftp, tmp_path / "u", "w")

        def shrink(done: int, total: int | None) -> None:
            os.ftruncate(fd, 6 * MiB)

        assert await upload(fd, target, progress=shrink) == 6 * MiB


@pytest.mark.slow
async def test_memory_stays_flat_while_gigabytes_pass(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(2 * 2**30)
    null = os.open("/dev/null", os.O_RDWR)
    async with client() as sftp, client() as other:
        handle = await opened(sftp, tmp_path / "big", "r")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        async with local(Path("/dev/shm/smcp-flat"), os.O_RDWR | os.O_CREAT) as fd:
            os.unlink("/dev/shm/smcp-flat")
            await download(handle, fd, length=512 * MiB)
            os.ftruncate(fd, 0)
        await relay(handle, await opened(other, Path("/dev/null"), "r+"), length=512 * MiB)
        async with local(tmp_path / "big", os.O_RDONLY) as fd:
            await upload(fd, await opened(other, Path("/dev/null"), "r+"), length=512 * MiB)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    os.close(null)
    assert grown < 24 * MiB
