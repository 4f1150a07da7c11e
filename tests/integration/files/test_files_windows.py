"""The file tools on a Windows host: a real sshd whose sftp subsystem behaves as Windows' server does."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory

PROGRAM = Path(__file__).resolve().parent.parent.parent / "peers" / "windows_sftp.py"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Drive C: is ``root/C``; beside it D:."""
    where = tmp_path / "drives"
    (where / "C" / "Users" / "me" / "App").mkdir(parents=True)
    (where / "C" / "Windows").mkdir()
    (where / "D").mkdir()
    return where


@pytest.fixture
def host(sshd_factory: SshdFactory, root: Path) -> Host:
    server = sshd_factory(subsystem=f"{sys.executable} {PROGRAM} {root}")
    return Host(server, lines=['platform = "windows"', 'path_allowlist = ["C:/Users/me", "d:\\\\"]'])


async def test_every_form_of_a_path_reaches_the_same_file(mcp_server: McpServerFactory, host: Host, root: Path) -> None:
    (root / "C" / "Users" / "me" / "App" / "Config.ini").write_text("workers = 4\r\n")
    async with mcp_server({"win": host}) as server:
        for path in (
            "C:\\Users\\me\\App\\config.INI", "c:/users/ME/app/config.ini", "/C:/Users/me/App/Config.ini",
        ):  # fmt: skip
            got = await server.call("ssh_sftp_download", host="win", path=path)
            assert (got["content_text"], got["path"]) == ("workers = 4\r\n", "/C:/Users/me/App/Config.ini")
            stat = await server.call("ssh_sftp_stat", host="win", path=path)
            assert (stat["kind"], stat["owner"], stat["group"]) == ("file", None, None)
        listing = await server.call("ssh_sftp_list", host="win", path="C:\\Users\\me\\App")
        assert [e["name"] for e in listing["entries"]] == ["Config.ini"]
        found = await server.call("ssh_find", host="win", path="C:/users/me", name_pattern="*.INI")
        assert found["matches"] == ["/C:/Users/me/App/Config.ini"]
        got = await server.call("ssh_file_hash", host="win", path="C:/Users/me/App/Config.ini")
        assert got["digest"] == hashlib.sha256(b"workers = 4\r\n").hexdigest()


async def test_what_lies_outside_is_refused_in_every_form(mcp_server: McpServerFactory, host: Host, root: Path) -> None:
    (root / "C" / "Windows" / "secret").write_text("canary")
    async with mcp_server({"win": host}) as server:
        for path in (
            "C:\\Windows\\secret", "C:/Users/me/../../Windows/secret", "/c:/windows/SECRET", "C:/Users/meow/x",
            "\\\\server\\share\\x", "C:secret", "C:/Users/me/f:stream", "C:/Users/me/CON", "C:/Users/me/x. ",
            "C:/Users/me/PROGRA~1", "\\\\?\\C:\\Windows\\secret",
        ):  # fmt: skip
            for tool in ("ssh_sftp_download", "ssh_sftp_stat", "ssh_delete"):
                text = await server.refused(tool, host="win", path=path)
                assert text.startswith(("PathNotAllowed: ", "InvalidArgument: ")), (path, text)
                assert "canary" not in text
    assert (root / "C" / "Windows" / "secret").exists()


async def test_files_are_written_edited_copied_moved_and_removed(
    mcp_server: McpServerFactory, host: Host, root: Path
) -> None:
    app = root / "C" / "Users" / "me" / "App"
    async with mcp_server({"win": host}) as server:

        async def do(tool: str, **arguments: object) -> dict[str, object]:
            return await server.call(tool, host="win", **arguments)

        await do("ssh_upload", path="C:\\Users\\me\\App\\new.txt", content_text="one\r\ntwo\r\n")
        await do("ssh_upload", path="C:/users/me/APP/NEW.txt", content_text="one\r\nzwei\r\n", mode="0600")
        assert (app / "new.txt").read_bytes() == b"one\r\nzwei\r\n"
        await do("ssh_edit", path="C:\\Users\\me\\App\\new.txt", old_string="zwei", new_string="drei")
        done = await do("ssh_deploy", path="C:\\Users\\me\\App\\new.txt", content_text="four\r\n")
        assert str(done["backup_path"]).startswith("/C:/Users/me/App/new.txt.bak-")
        await do("ssh_cp", src="C:\\Users\\me\\App\\new.txt", dst="D:\\copy.txt")
        assert (root / "D" / "copy.txt").read_bytes() == b"four\r\n"
        await do("ssh_mkdir", path="D:\\a\\b\\c", parents=True)
        await do("ssh_mv", src="D:\\copy.txt", dst="D:\\a\\b\\moved.txt")
        assert (root / "D" / "a" / "b" / "moved.txt").exists()
        done = await do("ssh_delete_folder", path="d:\\A", recursive=True)
        assert done["deleted"] == 4
        await do("ssh_delete", path="C:/Users/me/App/new.txt")
        text = await server.refused("ssh_link", host="win", src="C:/Users/me/App", dst="D:/link", symbolic=True)
        assert text.startswith("RemoteError: ")
        assert [p.name for p in app.iterdir() if ".bak-" not in p.name] == []


async def test_what_needs_a_posix_shell_says_what_to_use_instead(mcp_server: McpServerFactory, host: Host) -> None:
    async with mcp_server({"win": host}) as server:
        text = await server.refused("ssh_exec_run", host="win", command="dir")
        assert text.startswith("PlatformNotSupported: ")
