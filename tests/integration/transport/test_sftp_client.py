"""The SFTP client against the system's own sftp-server, over pipes."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.sftp_peers import ChannelOnly, PipedServer, server_argv
from transports.api import FileAttributes
from transports.errors import FileError, FileErrorKind, MasterLost
from transports.sftp.client import SftpClient
from transports.sftp.handle import SftpFile

Kind = FileErrorKind


@asynccontextmanager
async def client(
    *options: str, user: str | None = None, channel: type[PipedServer] = PipedServer
) -> AsyncIterator[SftpClient]:
    started = await SftpClient.start(channel(server_argv(*options, user=user)))
    try:
        yield started
    finally:
        await started.aclose()


async def fails(awaitable: Any) -> FileError:
    with pytest.raises(FileError) as caught:
        await awaitable
    return caught.value


async def names(sftp: SftpClient, path: Path | str) -> list[str]:
    return sorted([entry.name async for batch in sftp.scandir(str(path)) for entry in batch])


@pytest.fixture
def tmpfs() -> Iterator[Path]:
    """A filesystem of its own, 1 MiB large."""
    need(os.geteuid() == 0, "mounting needs root")
    place = peers_dir() / "tmpfs"
    place.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", str(place)], check=False, capture_output=True
    )
    need(mounted.returncode == 0, "no filesystem can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("channel", [PipedServer, ChannelOnly])
async def test_a_file_written_is_the_file_read(tmp_path: Path, channel: type[PipedServer]) -> None:
    data = os.urandom(3_000_001)
    async with client(channel=channel) as sftp:
        path = str(tmp_path / "file")
        handle = await sftp.open(path, "w", 0o640)
        await handle.write(0, data)
        assert await handle.fsync()
        await handle.close()
        assert (tmp_path / "file").read_bytes() == data
        assert (await sftp.stat(path)).permissions == 0o100640
        handle = await sftp.open(path, "r")
        assert (await handle.stat()).size == len(data)
        assert await handle.read(0, len(data) + 5) == data
        assert await handle.read(2_999_000, 10_000) == data[2_999_000:]
        assert await handle.read(9_000_000, 10) == b""
        assert await handle.read(5, 0) == b""
        assert b"".join([c async for c in handle.read_stream(100, None)]) == data[100:]
        assert b"".join([c async for c in handle.read_stream(100, 1_000_000)]) == data[100:1_000_100]
        await handle.close()
        await handle.close()
        assert await _quiet(sftp)


async def test_a_stream_is_written_in_order_from_an_offset_on(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(300):
            yield bytes([number % 256]) * (number * 37)

    seen: list[int] = []
    async with client() as sftp:
        handle = await sftp.open(str(tmp_path / "f"), "w")
        written = await handle.write_stream(chunks(), offset=10, progress=lambda done, _: seen.append(done))
        await handle.close()
    wanted = b"".join(bytes([n % 256]) * (n * 37) for n in range(300))
    assert written == len(wanted)
    assert (tmp_path / "f").read_bytes() == b"\0" * 10 + wanted
    assert seen == sorted(seen)


async def test_a_file_whose_size_the_server_does_not_know_is_read_to_its_end() -> None:
    async with client() as sftp:
        handle = await sftp.open("/proc/self/status", "r")
        assert (await handle.stat()).size == 0
        text = b"".join([c async for c in handle.read_stream(0, None)])
        await handle.close()
    assert b"sftp-server" in text


async def test_a_sparse_file_beyond_4_gib_is_read_where_asked(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.seek(5 * 2**30)
        file.write(b"end")
    async with client() as sftp:
        handle = await sftp.open(str(tmp_path / "sparse"), "r+")
        assert await handle.read(5 * 2**30 - 2, 100) == b"\0\0end"
        await handle.write(5 * 2**30 + 1, b"ND!")
        await handle.setstat(FileAttributes(size=5 * 2**30 + 3))
        assert await handle.read(5 * 2**30, 100) == b"eND"
        await handle.close()


async def test_names_of_any_bytes_survive(tmp_path: Path) -> None:
    raw = [b"caf\xe9", b"new\nline", b"quote'\"", "ärger".encode(), b"-rf", b"\xff\xfe", b"n" * 255, b"sp ace "]
    for name in raw:
        (tmp_path / os.fsdecode(name)).touch()
    async with client() as sftp:
        found = await names(sftp, tmp_path)
        assert sorted(n.encode("utf-8", "surrogateescape") for n in found) == sorted(raw)
        for shown in found:
            path = f"{tmp_path}/{shown}"
            assert await sftp.realpath(path) == path
            await sftp.rename(path, f"{tmp_path}/x")
            await sftp.remove(f"{tmp_path}/x")
        assert await names(sftp, tmp_path) == []


async def test_ten_thousand_entries_are_listed_once_each(tmp_path: Path) -> None:
    for number in range(10_000):
        (tmp_path / f"entry-{number}").touch()
    async with client() as sftp:
        assert await names(sftp, tmp_path) == sorted(f"entry-{n}" for n in range(10_000))
        assert not sftp.busy or await _quiet(sftp)


async def _quiet(sftp: SftpClient) -> bool:
    await sftp.stat("/")
    return not sftp.busy


async def test_leaving_a_listing_early_closes_its_handle(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / str(number)).touch()
    async with client() as sftp:
        await sftp.stat("/")
        before = len(os.listdir(f"/proc/{_pid(sftp)}/fd"))
        listing = sftp.scandir(str(tmp_path))
        await anext(listing)
        await listing.aclose()
        assert await _quiet(sftp)
        assert len(os.listdir(f"/proc/{_pid(sftp)}/fd")) == before


def _pid(sftp: SftpClient) -> int:
    return int(sftp.engine._link._channel.process.pid)  # type: ignore[attr-defined]


async def test_directories_links_and_attributes(tmp_path: Path) -> None:
    async with client() as sftp:
        base = str(tmp_path)
        await sftp.mkdir(f"{base}/d", 0o700)
        (tmp_path / "f").write_text("x")
        await sftp.symlink("f", f"{base}/l")
        await sftp.hardlink(f"{base}/f", f"{base}/h")
        assert os.readlink(tmp_path / "l") == "f"
        assert await sftp.readlink(f"{base}/l") == "f"
        assert os.stat(tmp_path / "f").st_nlink == 2
        assert (await sftp.lstat(f"{base}/l")).kind == "symlink"
        assert (await sftp.stat(f"{base}/l")).kind == "file"
        assert (await sftp.stat(f"{base}/d")).kind == "directory"
        assert await sftp.realpath(f"{base}/d/../l") == f"{base}/f"
        await sftp.setstat(f"{base}/f", FileAttributes(permissions=0o604, atime=5, mtime=6))
        assert os.stat(tmp_path / "f").st_mtime == 6
        await sftp.lsetstat(f"{base}/l", FileAttributes(atime=7, mtime=8))
        assert os.lstat(tmp_path / "l").st_mtime == 8
        assert os.stat(tmp_path / "f").st_mtime == 6
        await sftp.replace(f"{base}/h", f"{base}/l")
        assert not os.path.islink(tmp_path / "l")
        await sftp.rmdir(f"{base}/d")
        status = await sftp.statvfs(base)
        assert status is not None
        assert status.total >= status.free >= status.available > 0
        users, groups = await sftp.names([0, 4_000_000], [0])
        assert (users, groups) == ({0: "root"}, {0: "root"})


async def test_the_server_copies_by_itself(tmp_path: Path) -> None:
    data = os.urandom(2_000_000)
    (tmp_path / "a").write_bytes(data)
    async with client() as sftp:
        source = await sftp.open(str(tmp_path / "a"), "r")
        target = await sftp.open(str(tmp_path / "b"), "w")
        assert await sftp.copy_data(source, target)
        await source.close()
        await target.close()
    assert (tmp_path / "b").read_bytes() == data


async def test_what_is_not_offered_says_so(tmp_path: Path) -> None:
    async with client("-P", "posix-rename,fsync,statvfs,copy-data,users-groups-by-id") as sftp:
        # the server offers them all the same and refuses: both ends of the matter give the same kind
        assert (await fails(sftp.replace("/a", "/b"))).kind in (Kind.PERMISSION, Kind.UNSUPPORTED)


async def test_each_cause_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "full" / "sub").mkdir(parents=True)
    (tmp_path / "loop").symlink_to("loop")
    base = str(tmp_path)
    async with client() as sftp:
        cases: list[tuple[Any, Kind]] = [
            (lambda: sftp.stat(f"{base}/none"), Kind.NOT_FOUND),
            (lambda: sftp.open(f"{base}/none/x", "w"), Kind.NOT_FOUND),
            (lambda: sftp.stat(f"{base}/file/below"), Kind.NOT_DIRECTORY),
            (lambda: names(sftp, f"{base}/file"), Kind.NOT_DIRECTORY),
            (lambda: sftp.open(f"{base}/file", "x"), Kind.EXISTS),
            (lambda: sftp.mkdir(f"{base}/full"), Kind.EXISTS),
            (lambda: sftp.symlink("x", f"{base}/file"), Kind.EXISTS),
            (lambda: sftp.hardlink(f"{base}/file", f"{base}/full"), Kind.EXISTS),
            (lambda: sftp.rename(f"{base}/full", f"{base}/file"), Kind.EXISTS),
            (lambda: sftp.rmdir(f"{base}/full"), Kind.NOT_EMPTY),
            (lambda: sftp.rmdir(f"{base}/file"), Kind.NOT_DIRECTORY),
            (lambda: sftp.remove(f"{base}/full"), Kind.IS_DIRECTORY),
            (lambda: sftp.open(f"{base}/full", "w"), Kind.IS_DIRECTORY),
            (lambda: sftp.replace(f"{base}/file", f"{base}/full"), Kind.IS_DIRECTORY),
            (lambda: sftp.replace(f"{base}/full/sub", f"{base}/file"), Kind.NOT_DIRECTORY),
            (lambda: sftp.replace(f"{base}/full/sub", f"{base}/full"), Kind.NOT_EMPTY),
            (lambda: sftp.mkdir(f"{base}/{'n' * 256}"), Kind.TOO_LONG),
            (lambda: sftp.readlink(f"{base}/file"), Kind.FAILURE),
            (lambda: sftp.stat(f"{base}/loop"), Kind.NOT_FOUND),
            (lambda: sftp.rename("/proc/version", f"{base}/v"), Kind.CROSS_DEVICE),
        ]
        for call, kind in cases:
            error = await fails(call())
            assert error.kind is kind, str(error)
            assert str(error).startswith("Cannot ")
        handle = await sftp.open(f"{base}/full", "r")
        assert (await fails(handle.read(0, 10))).kind is Kind.IS_DIRECTORY
        await handle.close()


async def test_a_full_filesystem_is_named(tmpfs: Path) -> None:
    async with client() as sftp:
        handle = await sftp.open(str(tmpfs / "big"), "w")
        error = await fails(handle.write(0, os.urandom(3_000_000)))
        await handle.close()
        assert error.kind is Kind.NO_SPACE
        assert str(tmpfs) in str(error)


async def test_a_read_only_filesystem_is_named(tmpfs: Path) -> None:
    (tmpfs / "f").write_text("x")
    subprocess.run(["mount", "-o", "remount,ro", str(tmpfs)], check=True)
    async with client() as sftp:
        for call in (
            sftp.open(str(tmpfs / "new"), "w"),
            sftp.mkdir(str(tmpfs / "d")),
            sftp.remove(str(tmpfs / "f")),
            sftp.setstat(str(tmpfs / "f"), FileAttributes(permissions=0o600)),
        ):
            assert (await fails(call)).kind is Kind.READ_ONLY


async def test_another_filesystem_is_named(tmpfs: Path, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    async with client() as sftp:
        for call in (
            sftp.replace(str(tmp_path / "f"), str(tmpfs / "f")),
            sftp.rename(str(tmp_path / "f"), str(tmpfs / "f")),
            sftp.hardlink(str(tmp_path / "f"), str(tmpfs / "f")),
        ):
            assert (await fails(call)).kind is Kind.CROSS_DEVICE


async def test_denied_permission_is_named() -> None:
    place = peers_dir() / "closed"
    place.mkdir(mode=0o700, exist_ok=True)
    (peers_dir() / "theirs").write_text("x")
    async with client(user="nobody") as sftp:
        for call in (
            sftp.stat(str(place / "x")),
            names(sftp, place),
            sftp.open(str(peers_dir() / "theirs"), "w"),
            sftp.mkdir(str(peers_dir() / "d")),
            sftp.setstat(str(peers_dir() / "theirs"), FileAttributes(uid=1, gid=1)),
        ):
            assert (await fails(call)).kind is Kind.PERMISSION


async def test_a_cancelled_open_leaves_no_handle_open(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    async with client() as sftp:
        await sftp.stat("/")
        before = len(os.listdir(f"/proc/{_pid(sftp)}/fd"))
        for _ in range(50):
            with anyio.CancelScope() as scope:
                scope.cancel()
                handle = await sftp.open(str(tmp_path / "f"), "r")
                # anyio lets the call through where the reply was quicker than the cancellation
                with anyio.CancelScope(shield=True):
                    await handle.close()
        for delay in range(50):
            task = asyncio.create_task(sftp.open(str(tmp_path / "f"), "r"))
            for _ in range(delay % 7):
                await asyncio.sleep(0)
            task.cancel()
            done = (await asyncio.gather(task, return_exceptions=True))[0]
            if isinstance(done, SftpFile):
                await done.close()
        await sftp.stat("/")  # behind the last of the cancelled ones, whose handle is closed now
        assert await _quiet(sftp)
        assert len(os.listdir(f"/proc/{_pid(sftp)}/fd")) == before


async def test_a_cancelled_read_stream_leaves_the_channel_usable(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(os.urandom(20_000_000))
    async with client() as sftp:
        handle = await sftp.open(str(tmp_path / "f"), "r")
        stream = handle.read_stream(0, None)
        await anext(stream)
        await stream.aclose()
        with anyio.CancelScope() as scope:
            async for _ in handle.read_stream(0, None):
                scope.cancel()
        assert len(await handle.read(0, 20_000_000)) == 20_000_000
        await handle.close()
        assert await _quiet(sftp)


async def test_a_lost_server_fails_all_who_wait_and_later_calls_at_once(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    async with client() as sftp:
        waiting = [asyncio.create_task(sftp.open(str(fifo), "r")) for _ in range(3)]
        await asyncio.sleep(0)
        os.kill(_pid(sftp), 9)
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, MasterLost)
            assert outcome.sent
        assert sftp.closed
        with pytest.raises(MasterLost) as caught:
            await sftp.stat("/")
        assert not caught.value.sent
        assert not sftp.busy


async def test_a_hundred_requests_at_once_get_their_own_replies(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).write_bytes(b"x" * number)
    async with client() as sftp:
        sizes = await asyncio.gather(*(sftp.stat(str(tmp_path / str(n))) for n in range(100)))
        assert [s.size for s in sizes] == list(range(100))
