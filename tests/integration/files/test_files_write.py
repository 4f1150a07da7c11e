"""The file-ops tools on a real sshd: what they change, what they return, what they refuse."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.integration.conftest import SshdFactory, UserFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers import need
from tests.peers.accounts import peers_dir
from tests.peers.sshd import Sshd


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "files"
    where.mkdir()
    return where


@pytest.fixture
def other_disk() -> Iterator[Path]:
    """A filesystem of its own, 2 MiB large."""
    need(os.geteuid() == 0, "mounting needs root")
    where = peers_dir() / "other-disk"
    where.mkdir(exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "t", str(where)], check=False, capture_output=True)
    need(done.returncode == 0, "no filesystem can be mounted here")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def names(place: Path) -> list[str]:
    return sorted(os.listdir(place))


# --- upload, deploy ---------------------------------------------------------------------------------------------------


async def test_upload_creates_and_replaces_and_says_what_changed(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    path = f"{place}/new file's.txt"
    async with mcp_server({"web": sshd}) as server:
        would = await server.call("ssh_upload", host="web", path=path, content_text="one\n", dry_run=True)
        assert (would["dry_run"], would["bytes_written"], names(place)) == (True, 0, [])
        assert "+one" in would["diff"]
        done = await server.call("ssh_upload", host="web", path=path, content_text="one\n")
        assert (done["success"], done["bytes_written"], done["path"]) == (True, 4, path)
        assert done["sha256"] == hashlib.sha256(b"one\n").hexdigest()
        assert done["message"].startswith("Created the file")
        assert (Path(path).read_text(), mode_of(Path(path))) == ("one\n", 0o644)
        done = await server.call(
            "ssh_upload", host="web", path=path, content_base64=base64.b64encode(b"two\n").decode(), mode="0600"
        )
        assert done["message"] == "Replaced the file: 4 bytes, mode 0600."
        assert done["diff"].endswith("-one\n+two\n")
        assert (Path(path).read_text(), mode_of(Path(path))) == ("two\n", 0o600)
        await server.call("ssh_upload", host="web", path=path, content_text="")
        assert (Path(path).read_bytes(), mode_of(Path(path))) == (b"", 0o600)  # no mode given: its own is kept
        assert names(place) == ["new file's.txt"]


async def test_modes_and_contents_that_cannot_be_meant_are_refused(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    async with mcp_server({"web": sshd}, ssh_upload_max_file_bytes=10) as server:
        for arguments, word in (
            ({"content_text": "x", "mode": 644}, '"0644"'),
            ({"content_text": "x", "content_base64": "eA=="}, "exactly one"),
            ({}, "exactly one"),
            ({"content_base64": "%%%"}, "base64"),
        ):
            text = await server.refused("ssh_upload", host="web", path=f"{place}/f", **arguments)
            assert text.startswith("InvalidArgument: ")
            assert word in text
        text = await server.refused("ssh_upload", host="web", path=f"{place}/f", content_text="x" * 11)
        assert text.startswith("TooLarge: ")
        text = await server.refused("ssh_upload", host="web", path=f"{place}/none/f", content_text="x")
        assert text.startswith("RemoteError: ")
        text = await server.refused("ssh_upload", host="web", path=str(place), content_text="x")
        assert text.startswith("RemoteError: ")
        assert names(place) == []


async def test_an_upload_keeps_the_owner_and_reaches_through_a_link(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    need(os.geteuid() == 0, "changing owners needs root")
    (place / "real").write_text("old")
    os.chown(place / "real", 12345, 54321)
    os.chmod(place / "real", 0o640)
    (place / "link").symlink_to("real")
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_upload", host="web", path=f"{place}/link", content_text="new")
        assert done["path"] == f"{place}/real"
    status = os.stat(place / "real")
    assert (status.st_uid, status.st_gid, mode_of(place / "real")) == (12345, 54321, 0o640)
    assert (place / "link").is_symlink()
    assert (place / "real").read_text() == "new"


async def test_a_login_that_may_not_give_the_file_back_says_so(
    mcp_server: McpServerFactory, sshd: Sshd, throwaway_users: UserFactory
) -> None:
    account = throwaway_users("files", "/bin/sh")
    shared = account.home / "shared"
    shared.mkdir(exist_ok=True)
    os.chown(shared, account.uid, account.uid)
    (shared / "f").write_text("roots")
    os.chmod(shared / "f", 0o4755)
    async with mcp_server({"web": Host(sshd, user=account.name)}) as server:
        done = await server.call("ssh_upload", host="web", path=f"{shared}/f", content_text="mine")
        assert any("belongs to the login user" in w for w in done["output_warnings"])
        assert mode_of(shared / "f") == 0o755  # the set-user-id bit does not pass to another owner
        (shared / "closed").mkdir(mode=0o700, exist_ok=True)
        for tool, arguments in (
            ("ssh_upload", {"path": f"{shared}/closed/f", "content_text": "x"}),
            ("ssh_upload", {"path": "/etc/smcp-test", "content_text": "x"}),
            ("ssh_mkdir", {"path": "/etc/smcp-test"}),
            ("ssh_delete", {"path": "/etc/hostname"}),
            ("ssh_sftp_download", {"path": f"{shared}/closed/f"}),
        ):
            text = await server.refused(tool, host="web", **arguments)
            assert text.startswith("RemoteError: "), text
            assert "permission" in text


async def test_deploy_keeps_the_old_file_beside_the_new_one(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "app.ini").write_text("old\n")
    os.chmod(place / "app.ini", 0o600)
    async with mcp_server({"web": sshd}) as server:
        would = await server.call("ssh_deploy", host="web", path=f"{place}/app.ini", content_text="new\n", dry_run=True)
        assert names(place) == ["app.ini"]
        assert would["backup_path"] is None
        for text in ("new\n", "newer\n", "newest\n"):
            done = await server.call("ssh_deploy", host="web", path=f"{place}/app.ini", content_text=text)
            assert done["backup_path"].startswith(f"{place}/app.ini.bak-")
        assert (place / "app.ini").read_text() == "newest\n"
        kept = [n for n in names(place) if n != "app.ini"]
        assert sorted((place / n).read_text() for n in kept) == ["new\n", "newer\n", "old\n"]
        assert {mode_of(place / n) for n in names(place)} == {0o600}
        first = await server.call("ssh_deploy", host="web", path=f"{place}/fresh", content_text="x")
        assert first["backup_path"] is None
        plain = await server.call("ssh_deploy", host="web", path=f"{place}/fresh", content_text="y", backup=False)
        assert plain["backup_path"] is None


async def test_a_backup_does_not_open_a_redact_listed_file(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "id_ed25519").write_text("canary")
    (place / ".env").write_text("A=canary-of-old\n")
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused("ssh_deploy", host="web", path=f"{place}/id_ed25519", content_text="x")
        assert text.startswith("RedactBypassBlocked: ")
        for target in ("copy", "id.txt"):
            for tool in ("ssh_cp", "ssh_mv", "ssh_link"):
                text = await server.refused(tool, host="web", src=f"{place}/id_ed25519", dst=f"{place}/{target}")
                assert text.startswith("RedactBypassBlocked: "), (tool, text)
        done = await server.call("ssh_upload", host="web", path=f"{place}/.env", content_text="A=canary-of-new\n")
        assert "canary" not in str(done)
        assert done["diff"] is None
        done = await server.call("ssh_edit", host="web", path=f"{place}/.env", old_string="A=", new_string="B=")
        assert "canary" not in str(done)
        assert (place / ".env").read_text() == "B=canary-of-new\n"


async def test_a_local_file_is_streamed_up(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    root = tmp_path / "local"
    root.mkdir()
    data = random.Random(5).randbytes(6_000_000)
    (root / "f").write_bytes(data)
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(root)) as server:
        done = await server.call("ssh_upload", host="web", path=f"{place}/up", local_path=f"{root}/f")
        assert done["bytes_written"] == len(data)
        assert (place / "up").read_bytes() == data
        done = await server.call("ssh_deploy", host="web", path=f"{place}/up", local_path=f"{root}/f")
        assert Path(done["backup_path"]).read_bytes() == data
        text = await server.refused("ssh_upload", host="web", path=f"{place}/up", local_path=f"{place}/up")
        assert text.startswith("LocalPathPolicyError: ")


# --- edit, patch ------------------------------------------------------------------------------------------------------


async def test_an_edit_changes_exactly_that_and_returns_the_difference(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "f").write_bytes("\ufeffa = 1\r\nü = 2\na = 1\n".encode())
    os.chmod(place / "f", 0o600)
    async with mcp_server({"web": sshd}) as server:
        path = f"{place}/f"
        text = await server.refused("ssh_edit", host="web", path=path, old_string="a = 1", new_string="a = 3")
        assert text.startswith("FileConflict: ")
        would = await server.call(
            "ssh_edit", host="web", path=path, old_string="ü = 2", new_string="ü = 5", dry_run=True
        )
        assert "+ü = 5" in would["diff"]
        assert "ü = 2" in (place / "f").read_text()
        await server.call("ssh_edit", host="web", path=path, old_string="ü = 2", new_string="ü = 5")
        done = await server.call(
            "ssh_edit", host="web", path=path, old_string="a = 1", new_string="b = 1", occurrence="all"
        )
        assert done["bytes_written"] == os.path.getsize(path)
        assert (place / "f").read_bytes() == "\ufeffb = 1\r\nü = 5\nb = 1\n".encode()
        assert mode_of(place / "f") == 0o600
        for old, new, error in (
            ("x", "y", "FileConflict"),
            ("b", "b", "InvalidArgument"),
            ("", "b", "InvalidArgument"),
        ):
            text = await server.refused("ssh_edit", host="web", path=path, old_string=old, new_string=new)
            assert text.startswith(error)
        (place / "latin").write_bytes(b"caf\xe9")
        text = await server.refused("ssh_edit", host="web", path=f"{place}/latin", old_string="c", new_string="d")
        assert text.startswith("InvalidArgument: ")
        assert "UTF-8" in text


async def test_an_edit_of_a_large_file_is_refused(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    (place / "f").write_text("x" * 5000)
    async with mcp_server({"web": sshd}, ssh_edit_max_file_bytes=4096) as server:
        text = await server.refused("ssh_edit", host="web", path=f"{place}/f", old_string="x", new_string="y")
        assert text.startswith("TooLarge: ")


async def test_a_patch_applies_strictly(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    (place / "f").write_text("one\ntwo\nthree\n")
    diff = "--- a/f\n+++ b/f\n@@ -1,3 +1,4 @@\n one\n-two\n+zwei\n+zweieinhalb\n three\n"
    async with mcp_server({"web": sshd}) as server:
        would = await server.call("ssh_patch", host="web", path=f"{place}/f", unified_diff=diff, dry_run=True)
        assert "+zwei\n" in would["diff"]
        await server.call("ssh_patch", host="web", path=f"{place}/f", unified_diff=diff)
        assert (place / "f").read_text() == "one\nzwei\nzweieinhalb\nthree\n"
        text = await server.refused("ssh_patch", host="web", path=f"{place}/f", unified_diff=diff)
        assert text.startswith("FileConflict: ")
        text = await server.refused("ssh_patch", host="web", path=f"{place}/f", unified_diff="nonsense")
        assert text.startswith("InvalidArgument: ")


async def test_concurrent_edits_of_one_server_lose_nothing(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "f").write_text("".join(f"line {n}.\n" for n in range(20)))
    async with mcp_server({"web": sshd}) as server, anyio.create_task_group() as tasks:
        for n in range(20):

            async def edit(n: int = n) -> None:
                await server.call(
                    "ssh_edit", host="web", path=f"{place}/f", old_string=f"line {n}.", new_string=f"row {n}."
                )

            tasks.start_soon(edit)
    assert (place / "f").read_text() == "".join(f"row {n}.\n" for n in range(20))
    assert names(place) == ["f"]


async def test_a_reader_sees_the_old_file_or_the_new_one(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    sizes = {100_000: b"a", 300_000: b"b"}
    (place / "f").write_bytes(b"a" * 100_000)
    reader = subprocess.Popen(
        ["sh", "-c", "while [ ! -e stop ]; do wc -c <f; done"], cwd=place, stdout=subprocess.PIPE, text=True
    )
    async with mcp_server({"web": sshd}) as server:
        for number in range(12):
            size = sorted(sizes)[number % 2]
            text = (sizes[size] * size).decode()
            await server.call("ssh_upload", host="web", path=f"{place}/f", content_text=text)
    (place / "stop").touch()
    seen = reader.communicate(timeout=10)[0].split()
    assert set(map(int, seen)) <= set(sizes)
    assert len(seen) > 3


# --- names ------------------------------------------------------------------------------------------------------------


async def test_mkdir_makes_the_mode_asked_for_and_parents_if_asked(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_mkdir", host="web", path=f"{place}/a", mode="0775")
        assert mode_of(place / "a") == 0o775
        assert (await server.refused("ssh_mkdir", host="web", path=f"{place}/a")).startswith("FileConflict: ")
        assert (await server.refused("ssh_mkdir", host="web", path=f"{place}/x/y")).startswith("RemoteError: ")
        done = await server.call("ssh_mkdir", host="web", path=f"{place}/x/y/z", parents=True)
        assert done["message"] == "Made 3 directories."
        assert (await server.call("ssh_mkdir", host="web", path=f"{place}/x/y/z", parents=True))["success"]
        (place / "f").touch()
        text = await server.refused("ssh_mkdir", host="web", path=f"{place}/f", parents=True)
        assert text.startswith("FileConflict: ")
        assert "InvalidArgument" in await server.refused("ssh_mkdir", host="web", path=f"{place}/q", mode=755)
        text = await server.refused("ssh_mkdir", host="web", path=f"{place}/q/../../r/s", parents=True)
        assert text.startswith("RemoteError: ")
        assert names(place) == ["a", "f", "x"]


async def test_delete_removes_a_file_or_a_link_but_no_directory(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    (place / "f").touch()
    (place / "d").mkdir()
    (place / "l").symlink_to("d")
    (place / "dangling").symlink_to("nowhere")
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_delete", host="web", path=f"{place}/f")
        assert (await server.call("ssh_delete", host="web", path=f"{place}/l"))["message"] == "Removed the link."
        await server.call("ssh_delete", host="web", path=f"{place}/dangling")
        assert names(place) == ["d"]
        assert "ssh_delete_folder" in await server.refused("ssh_delete", host="web", path=f"{place}/d")
        assert (await server.refused("ssh_delete", host="web", path=f"{place}/f")).startswith("RemoteError: ")


async def test_a_folder_goes_only_whole_and_only_if_nothing_in_it_is_restricted(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").write_text("x")
    tree = place / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    for n in range(150):
        (tree / "a" / f"f{n}").touch()
    (tree / "a" / "b" / "out").symlink_to(tmp_path / "outside")
    (tree / "a" / "b" / "host.key").touch()
    (place / "alias").symlink_to("tree")
    host = Host(sshd, lines=['restricted_globs = ["**/*.key"]'])
    async with mcp_server({"web": host}, ssh_delete_folder_max_entries=200) as server:
        text = await server.refused("ssh_delete_folder", host="web", path=str(tree), recursive=True)
        assert text.startswith("PathRestricted: ")
        (tree / "a" / "b" / "host.key").unlink()
        text = await server.refused("ssh_delete_folder", host="web", path=str(tree))
        assert text.startswith("FileConflict: ")
        would = await server.call("ssh_delete_folder", host="web", path=str(tree), recursive=True, dry_run=True)
        assert len(would["would_delete"]) == 154
        assert f"{tree}/a/b/out" in would["would_delete"]
        assert not any("kept" in p for p in would["would_delete"])
        assert (await server.refused("ssh_delete_folder", host="web", path=f"{place}/alias")).startswith("Invalid")
        done = await server.call("ssh_delete_folder", host="web", path=str(tree), recursive=True)
        assert done["deleted"] == 154
        assert names(place) == ["alias"]
        assert (tmp_path / "outside" / "kept").exists()
        (place / "big").mkdir()
        for n in range(201):
            (place / "big" / str(n)).touch()
        text = await server.refused("ssh_delete_folder", host="web", path=f"{place}/big", recursive=True)
        assert text.startswith("TooLarge: ")
        (place / "void").mkdir()
        assert (await server.call("ssh_delete_folder", host="web", path=f"{place}/void"))["deleted"] == 1
        for path in ("/", f"{place}/big/0"):
            assert await server.refused("ssh_delete_folder", host="web", path=path, recursive=True)


async def test_cp_copies_content_and_mode(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    data = os.urandom(1_000_000)
    (place / "a").write_bytes(data)
    os.chmod(place / "a", 0o751)
    (place / "d").mkdir()
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_cp", host="web", src=f"{place}/a", dst=f"{place}/b")
        assert done["bytes_written"] == len(data)
        assert ((place / "b").read_bytes(), mode_of(place / "b")) == (data, 0o751)
        (place / "a").write_text("short")
        await server.call("ssh_cp", host="web", src=f"{place}/a", dst=f"{place}/b")
        assert (place / "b").read_text() == "short"
        for src, dst in ((f"{place}/a", f"{place}/a"), (f"{place}/a", f"{place}/d"), (f"{place}/d", f"{place}/e")):
            assert await server.refused("ssh_cp", host="web", src=src, dst=dst)
        assert names(place) == ["a", "b", "d"]


async def test_mv_renames_files_links_and_directories(mcp_server: McpServerFactory, sshd: Sshd, place: Path) -> None:
    (place / "f").write_text("f")
    (place / "g").write_text("g")
    (place / "d" / "sub").mkdir(parents=True)
    (place / "l").symlink_to("g")
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_mv", host="web", src=f"{place}/f", dst=f"{place}/g")
        await server.call("ssh_mv", host="web", src=f"{place}/d", dst=f"{place}/e")
        await server.call("ssh_mv", host="web", src=f"{place}/l", dst=f"{place}/m")
        assert names(place) == ["e", "g", "m"]
        assert (place / "g").read_text() == "f"
        assert os.readlink(place / "m") == "g"
        for src, dst in (
            (f"{place}/g", f"{place}/e"), (f"{place}/e", f"{place}/e/inside"), (f"{place}/g", f"{place}/g"),
            (f"{place}/none", f"{place}/x"), (f"{place}/g", f"{place}/m"), (f"{place}/g", f"{place}/no/x"),
        ):  # fmt: skip
            assert await server.refused("ssh_mv", host="web", src=src, dst=dst), (src, dst)
        assert names(place) == ["e", "g", "m"]


async def test_mv_copies_across_filesystems(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, other_disk: Path
) -> None:
    (place / "f").write_text("content")
    os.chmod(place / "f", 0o604)
    os.utime(place / "f", (1000, 2000))
    tree = place / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_text("deep")
    (tree / "link").symlink_to("sub/file")
    os.chmod(tree / "sub", 0o700)
    (place / "l").symlink_to("anywhere")
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_mv", host="web", src=f"{place}/f", dst=f"{other_disk}/f")
        await server.call("ssh_mv", host="web", src=str(tree), dst=f"{other_disk}/tree")
        await server.call("ssh_mv", host="web", src=f"{place}/l", dst=f"{other_disk}/l")
        assert names(place) == []
        assert (other_disk / "f").read_text() == "content"
        assert (mode_of(other_disk / "f"), os.stat(other_disk / "f").st_mtime) == (0o604, 2000)
        assert (other_disk / "tree" / "sub" / "file").read_text() == "deep"
        assert os.readlink(other_disk / "tree" / "link") == "sub/file"
        assert mode_of(other_disk / "tree" / "sub") == 0o700
        (place / "huge").write_bytes(os.urandom(3_000_000))
        text = await server.refused("ssh_mv", host="web", src=f"{place}/huge", dst=f"{other_disk}/huge")
        assert "no space" in text
        (place / "dir").mkdir()
        (place / "huge").rename(place / "dir" / "huge")
        text = await server.refused("ssh_mv", host="web", src=f"{place}/dir", dst=f"{other_disk}/dir")
        assert "no space" in text
        assert names(other_disk) == ["f", "l", "tree"]
        assert (place / "dir" / "huge").exists()


async def test_links_are_made_and_their_targets_checked(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    (place / "f").write_text("x")
    (place / "l").symlink_to("f")
    (tmp_path / "outside").write_text("canary")
    host = Host(sshd, lines=[f'path_allowlist = ["{place}"]'])
    async with mcp_server({"web": host}) as server:
        await server.call("ssh_link", host="web", src=f"{place}/l", dst=f"{place}/hard")
        assert os.stat(place / "hard").st_ino == os.stat(place / "f").st_ino
        await server.call("ssh_link", host="web", src=f"{place}/l", dst=f"{place}/hard-of-link", follow_symlinks=False)
        assert (place / "hard-of-link").is_symlink()
        await server.call("ssh_link", host="web", src=f"{place}/l", dst=f"{place}/soft", symbolic=True)
        assert os.readlink(place / "soft") == f"{place}/f"
        await server.call("ssh_link", host="web", src=f"{place}/later", dst=f"{place}/dangling", symbolic=True)
        for symbolic in (True, False):
            text = await server.refused(
                "ssh_link", host="web", src=f"{tmp_path}/outside", dst=f"{place}/o", symbolic=symbolic
            )
            assert text.startswith("PathNotAllowed: ")
            text = await server.refused("ssh_link", host="web", src=f"{place}/f", dst=f"{place}/l", symbolic=symbolic)
            assert text.startswith("FileConflict: ")


async def test_both_sides_of_every_change_are_checked(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path
) -> None:
    inside = place / "in"
    inside.mkdir()
    (inside / "f").write_text("x")
    (place / "canary").write_text("canary")
    (inside / "out").symlink_to(place)
    (inside / "link").symlink_to(place / "canary")
    (inside / "nowhere").symlink_to(place / "new")
    host = Host(sshd, lines=[f'path_allowlist = ["{inside}"]'])
    calls: list[tuple[str, dict[str, object]]] = []
    for bad in (
        f"{place}/canary",
        f"{inside}/out/canary",
        f"{inside}/link",
        f"{inside}/../canary",
        f"{inside}/nowhere",
    ):
        calls += [
            ("ssh_upload", {"path": bad, "content_text": "x"}),
            ("ssh_deploy", {"path": bad, "content_text": "x"}),
            ("ssh_cp", {"src": f"{inside}/f", "dst": bad}),
            ("ssh_cp", {"src": bad, "dst": f"{inside}/g"}),
            ("ssh_mv", {"src": f"{inside}/f", "dst": bad}),
            ("ssh_mv", {"src": bad, "dst": f"{inside}/g"}),
            ("ssh_link", {"src": bad, "dst": f"{inside}/g"}),
            ("ssh_link", {"src": f"{inside}/f", "dst": f"{bad}-link"}),
            ("ssh_delete", {"path": bad}),
            ("ssh_edit", {"path": bad, "old_string": "canary", "new_string": "x"}),
            ("ssh_transfer", {"src_host": "web", "src_path": bad, "dst_host": "web", "dst_path": f"{inside}/g"}),
            ("ssh_transfer", {"src_host": "web", "src_path": f"{inside}/f", "dst_host": "web", "dst_path": bad}),
        ]
    calls += [
        ("ssh_mkdir", {"path": f"{inside}/out/d"}),
        ("ssh_mkdir", {"path": f"{inside}/out/d/e/f", "parents": True}),
        ("ssh_delete_folder", {"path": f"{inside}/out", "recursive": True}),
        ("ssh_delete_folder", {"path": str(place), "recursive": True}),
    ]
    async with mcp_server({"web": host}) as server:
        for tool, arguments in calls:
            given = arguments if "src_host" in arguments else {"host": "web", **arguments}
            if arguments.get("dst") == f"{inside}/nowhere-link" or arguments.get("dst") == f"{inside}/link-link":
                continue
            text = await server.refused(tool, **given)
            assert text.startswith(("PathNotAllowed: ", "InvalidArgument: ", "RemoteError: ")), (tool, given, text)
            assert text.startswith("PathNotAllowed: ") or "nowhere" in str(given) or "../canary-link" in str(given), (
                text
            )
    assert names(place) == ["canary", "in"]
    assert (place / "canary").read_text() == "canary"
    assert names(inside) == ["f", "link", "nowhere", "out"]


# --- transfer ---------------------------------------------------------------------------------------------------------


async def test_a_transfer_copies_between_hosts_and_compares(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, place: Path
) -> None:
    data = random.Random(9).randbytes(3_000_001)
    (place / "src").write_bytes(data)
    os.chmod(place / "src", 0o640)
    async with mcp_server(
        {"one": sshd_factory(), "two": sshd_factory(subsystem="/usr/lib/openssh/sftp-server")}
    ) as server:
        arguments = {"src_host": "one", "src_path": f"{place}/src", "dst_host": "two", "dst_path": f"{place}/dst"}
        done = await server.call("ssh_transfer", **arguments)
        assert (done["size"], done["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
        assert ((place / "dst").read_bytes(), mode_of(place / "dst")) == (data, 0o640)
        text = await server.refused("ssh_transfer", **arguments)
        assert text.startswith("FileConflict: ")
        (place / "src").write_bytes(b"new")
        await server.call("ssh_transfer", **arguments, overwrite=True)
        assert (place / "dst").read_bytes() == b"new"
        assert (await server.refused("ssh_transfer", **(arguments | {"src_path": f"{place}/no"}))).startswith("Remote")
        assert names(place) == ["dst", "src"]
        assert server.audit()[-1]["host"] == "?"


# --- full and read-only filesystems -----------------------------------------------------------------------------------


async def test_a_full_filesystem_leaves_the_old_file_and_no_litter(
    mcp_server: McpServerFactory, sshd: Sshd, other_disk: Path, tmp_path: Path
) -> None:
    root = tmp_path / "local"
    root.mkdir()
    (root / "big").write_bytes(os.urandom(3_000_000))
    (other_disk / "f").write_text("old")
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(root)) as server:
        for tool, arguments in (
            ("ssh_upload", {"content_text": "x" * 3_000_000}),
            ("ssh_upload", {"local_path": f"{root}/big"}),
            ("ssh_deploy", {"local_path": f"{root}/big"}),
        ):
            text = await server.refused(tool, host="web", path=f"{other_disk}/f", **arguments)
            assert text.startswith("RemoteError: "), text
            assert "no space" in text
            assert names(other_disk) == ["f"]
            assert (other_disk / "f").read_text() == "old"
        text = await server.refused(
            "ssh_transfer", src_host="web", src_path=f"{root}/big", dst_host="web", dst_path=f"{other_disk}/g"
        )
        assert "no space" in text
        text = await server.refused("ssh_cp", host="web", src=f"{root}/big", dst=f"{other_disk}/g")
        assert "no space" in text
        assert names(other_disk) == ["f"]
        subprocess.run(["mount", "-o", "remount,ro", str(other_disk)], check=True)
        for tool, arguments in (
            ("ssh_upload", {"path": f"{other_disk}/f", "content_text": "x"}),
            ("ssh_edit", {"path": f"{other_disk}/f", "old_string": "old", "new_string": "x"}),
            ("ssh_mkdir", {"path": f"{other_disk}/d"}),
            ("ssh_delete", {"path": f"{other_disk}/f"}),
        ):
            text = await server.refused(tool, host="web", **arguments)
            assert "read-only" in text, (tool, text)


async def test_an_account_of_sftp_alone_can_do_everything(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, place: Path, tmp_path: Path
) -> None:
    sshd = sshd_factory(force_command="internal-sftp")
    (place / "f").write_text("one\n")
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_edit", host="web", path=f"{place}/f", old_string="one", new_string="two")
        await server.call("ssh_cp", host="web", src=f"{place}/f", dst=f"{place}/g")
        await server.call("ssh_mv", host="web", src=f"{place}/g", dst=f"{place}/h")
        done = await server.call(
            "ssh_transfer", src_host="web", src_path=f"{place}/h", dst_host="web", dst_path=f"{place}/i"
        )
        assert done["size"] == 4
        await server.call("ssh_delete", host="web", path=f"{place}/h")
        assert (await server.call("ssh_file_hash", host="web", path=f"{place}/f", algorithm="md5"))["size"] == 4
        assert names(place) == ["f", "i"]


async def test_missing_parents_are_made_only_where_policy_allows_them(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path
) -> None:
    host = Host(sshd, lines=[f'path_allowlist = ["{place}/a/b"]'])
    async with mcp_server({"web": host}) as server:
        text = await server.refused("ssh_mkdir", host="web", path=f"{place}/a/b/c", parents=True)
        assert text.startswith("PathNotAllowed: ")
        assert names(place) == []
        (place / "a").mkdir()
        await server.call("ssh_mkdir", host="web", path=f"{place}/a/b/c", parents=True)
        assert (place / "a" / "b" / "c").is_dir()
