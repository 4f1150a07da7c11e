"""The bytes of a file that is to be changed are never older than the state that the change is checked against."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ssh_mcp.policy.permitted_path import POLICY, PermittedPath
from ssh_mcp.remote.files.reading import OpenFile
from ssh_mcp.remote.files.sftp_view import SftpView
from transports.api import FileAttributes

SEEN = FileAttributes(size=3, permissions=0o100644, mtime=100)


async def _whole(stands: FileAttributes, *reads: bytes) -> tuple[bytes, list[bytes]]:
    left = list(reads)

    async def opened(*_: Any) -> FileAttributes:
        return stands

    async def read(_offset: int, _length: int) -> bytes:
        return left.pop(0)

    handle, places = SimpleNamespace(read=read), SimpleNamespace(opened=opened)
    file = OpenFile(cast("Any", None), cast("Any", handle), PermittedPath("/f", maker=POLICY), SEEN)
    data, found = await SftpView(cast("Any", SimpleNamespace(paths=places))).whole(file, 1000)
    assert found == stands
    return data, left


async def test_a_file_that_is_as_it_was_seen_is_read_once() -> None:
    assert await _whole(SEEN, b"old", b"new") == (b"old", [b"new"])


@pytest.mark.parametrize(
    "stands", [SEEN._replace(mtime=101), SEEN._replace(size=4), SEEN._replace(size=0)], ids=["time", "size", "untold"]
)
async def test_a_file_that_changed_meanwhile_is_read_again(stands: FileAttributes) -> None:
    assert await _whole(stands, b"old", b"new!") == (b"new!", [])


async def test_a_short_answer_is_read_again() -> None:
    assert await _whole(SEEN, b"ol", b"new") == (b"new", [])
