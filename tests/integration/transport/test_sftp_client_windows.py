"""The SFTP client against the server that behaves as Windows' does."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.peers.sftp_peers import PipedServer
from transports.api import FileAttributes
from transports.errors import FileError, FileErrorKind
from transports.sftp.client import SftpClient

PROGRAM = Path(__file__).resolve().parent.parent.parent / "peers" / "windows_sftp.py"


@pytest.fixture
async def sftp(tmp_path: Path) -> AsyncIterator[SftpClient]:
    (tmp_path / "C" / "Users" / "me").mkdir(parents=True)
    (tmp_path / "D").mkdir()
    client = await SftpClient.start(PipedServer([sys.executable, str(PROGRAM), str(tmp_path)]), windows=True)
    yield client
    await client.aclose()


async def fails(awaitable: object) -> FileErrorKind:
    with pytest.raises(FileError) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.kind


async def test_every_windows_form_of_a_path_names_the_same_file(sftp: SftpClient, tmp_path: Path) -> None:
    (tmp_path / "C" / "Users" / "me" / "Note.TXT").write_text("hello")
    for path in ("C:\\Users\\me\\note.txt", "c:/users/ME/NOTE.txt", "/C:/Users/me/Note.TXT", "note.txt"):
        assert await sftp.realpath(path) == "/C:/Users/me/Note.TXT"
        handle = await sftp.open(path, "r")
        assert await handle.read(0, 100) == b"hello"
        await handle.close()
    assert await sftp.realpath(".") == "/C:/Users/me"
    assert await sftp.realpath("C:") == "/C:/"
    assert [e.name async for batch in sftp.scandir("/") for e in batch] == ["C:", "D:"]


async def test_an_open_file_cannot_be_replaced_and_a_closed_one_can(sftp: SftpClient, tmp_path: Path) -> None:
    (tmp_path / "D" / "f").write_text("old")
    handle = await sftp.open("D:\\new", "x")
    await handle.write(0, b"new")
    assert await fails(sftp.replace("D:\\new", "D:\\F")) is FileErrorKind.PERMISSION
    await handle.close()
    assert await fails(sftp.rename("D:\\new", "D:\\F")) is FileErrorKind.EXISTS
    await sftp.replace("D:\\new", "D:\\F")
    assert (tmp_path / "D" / "f").read_text() == "new"


async def test_what_windows_cannot_do_is_refused_by_name(sftp: SftpClient) -> None:
    assert await fails(sftp.symlink("a", "D:/l")) is FileErrorKind.PERMISSION
    assert await fails(sftp.open("D:/what?", "w")) is FileErrorKind.FAILURE
    assert await fails(sftp.stat("E:/")) is FileErrorKind.NOT_FOUND
    await sftp.mkdir("D:/dir")
    assert await fails(sftp.setstat("D:/dir", FileAttributes(uid=1, gid=1))) is FileErrorKind.FAILURE
    assert await sftp.names([0], [0]) == ({}, {})
    status = await sftp.statvfs("D:/")
    assert status is not None
    assert status.total > 0
