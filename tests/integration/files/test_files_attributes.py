"""What replacing a file keeps besides content, owner and mode; and servers and files that let less be done."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ssh_mcp.remote.programs import files_text
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.sudo_accounts import NOPASSWD, SudoUser, host_of, sudo_user  # noqa: F401 - a fixture
from tests.peers import need
from tests.peers.accounts import make_chroot
from tests.peers.chroot_sftp import chrooted_sftp
from tests.peers.sshd import Sshd


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "files"
    where.mkdir()
    return where


@pytest.fixture
def listed(place: Path) -> Path:
    """A file that one user may write by its access list; its group may do nothing, its mode says rw-."""
    need(shutil.which("setfacl") and shutil.which("setfattr"), "acl and attr are not installed")
    file = place / "listed"
    file.write_text("one = 1\n")
    run("setfacl", "-m", "u:nobody:rw,g::---,m::rw,o::---", str(file))
    run("setfattr", "-n", "user.note", "-v", "kept", str(file))
    assert mode_of(file) == 0o660
    return file


def assert_kept(file: Path) -> None:
    lines = run("getfacl", "-c", "-p", str(file)).split()
    assert {"user:nobody:rw-", "group::---", "mask::rw-", "other::---"} <= set(lines), lines
    assert "kept" in run("getfattr", "--only-values", "-n", "user.note", str(file))


async def test_access_lists_and_attributes_survive_every_write(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, listed: Path
) -> None:
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_edit", host="web", path=str(listed), old_string="1", new_string="2")
        assert_kept(listed)
        await server.call("ssh_upload", host="web", path=str(listed), content_text="new\n")
        assert_kept(listed)
        done = await server.call("ssh_deploy", host="web", path=str(listed), content_text="newer\n")
        assert_kept(listed)
        assert_kept(Path(done["backup_path"]))
        await server.call("ssh_cp", host="web", src=str(listed), dst=f"{place}/copy")
        assert_kept(place / "copy")
        await server.call("ssh_upload", host="web", path=str(listed), content_text="x", mode="0640")
        assert mode_of(listed) == 0o640
        assert "group::---" in run("getfacl", "-c", "-p", str(listed))
        done = await server.call(
            "ssh_transfer", src_host="web", src_path=f"{place}/copy", dst_host="web", dst_path=f"{place}/there"
        )
        assert mode_of(place / "there") == 0o600
        assert "access list" in done["output_warnings"][0]


async def test_root_keeps_access_lists_and_attributes(
    mcp_server: McpServerFactory, sudo_user: SudoUser, sshd: Sshd, listed: Path
) -> None:
    async with mcp_server({"web": host_of(sudo_user(NOPASSWD), sshd)}) as server:
        await server.call("ssh_sudo_edit", host="web", path=str(listed), old_string="1", new_string="2")
        assert_kept(listed)
        await server.call("ssh_sudo_write", host="web", path=str(listed), content_text="three")
        assert (listed.read_text(), mode_of(listed)) == ("three", 0o660)
        assert_kept(listed)


SHELLS = ["dash", "bash", "bash --posix", "busybox sh", "ksh", "mksh", "zsh"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_keeps_a_list_or_says_that_it_cannot(shell: str, place: Path, listed: Path) -> None:
    words = shell.split()
    program = shutil.which(words[0])
    need(program, f"{words[0]} is not installed")
    need(shutil.which("busybox"), "busybox is not installed")
    (place / "new").write_text("two = 2\n")
    (place / "new").chmod(0o600)
    argv = [str(program), *words[1:], "-c", files_text("attributes", "keep"), "sh", str(listed), f"{place}/new"]
    done = subprocess.run([*argv, "660", "same"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "links 1\n"), done.stderr
    if shell != "busybox sh":
        assert "kept" in run("getfattr", "--only-values", "-n", "user.note", f"{place}/new")
    assert "group::---" in run("getfacl", "-c", "-p", f"{place}/new")
    assert (place / "new").read_text() == "two = 2\n"
    tools = place / "tools"  # what a host without the acl package and without GNU cp has
    tools.mkdir()
    for name, target in (("cp", "/usr/bin/busybox"), ("readlink", "/usr/bin/readlink"), ("ls", "/usr/bin/ls")):
        (tools / name).symlink_to(target)
    (place / "new").unlink()
    (place / "new").touch(mode=0o600)
    done = subprocess.run([*argv, "660", "same"], check=False, capture_output=True, text=True, env={"PATH": str(tools)})
    if shell != "busybox sh":  # runs its own applets first
        assert done.returncode == 65, done.stderr
        assert mode_of(place / "new") == 0o600
    (place / "link").symlink_to(listed)
    done = subprocess.run([*argv[:-1], f"{place}/link", "660", "same"], check=False, capture_output=True, text=True)
    assert done.returncode == 64


async def test_a_hard_linked_file_says_that_it_is_split(
    mcp_server: McpServerFactory, sudo_user: SudoUser, sshd: Sshd, place: Path
) -> None:
    for tool, hosts in (("ssh_edit", sshd), ("ssh_sudo_edit", host_of(sudo_user(NOPASSWD), sshd))):
        (place / "a").write_text("one")
        (place / "b").unlink(missing_ok=True)
        os.link(place / "a", place / "b")
        async with mcp_server({"web": hosts}) as server:
            edit = {"host": "web", "path": f"{place}/a", "old_string": "one", "new_string": "two"}
            would = await server.call(tool, **edit, dry_run=True)
            assert any("will be split off" in w for w in would["output_warnings"]), would
            done = await server.call(tool, **edit)
            assert any("2 names" in w for w in done["output_warnings"]), done
        assert ((place / "a").read_text(), (place / "b").read_text()) == ("two", "one")


async def test_a_server_that_sets_no_attributes_still_writes(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, place: Path
) -> None:
    (place / "old").write_text("old")
    (place / "old").chmod(0o640)
    sshd = sshd_factory(subsystem="internal-sftp -P setstat,fsetstat")
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_upload", host="web", path=f"{place}/new", content_text="a", mode="0640")
        assert ((place / "new").read_text(), mode_of(place / "new")) == ("a", 0o640)
        assert done["output_warnings"] == []
        await server.call("ssh_edit", host="web", path=f"{place}/old", old_string="old", new_string="new")
        assert ((place / "old").read_text(), mode_of(place / "old")) == ("new", 0o640)
        done = await server.call("ssh_upload", host="web", path=f"{place}/wide", content_text="a", mode="0666")
        assert (place / "wide").read_text() == "a"
        assert mode_of(place / "wide") & ~0o666 == 0
        assert "sets no modes" in done["output_warnings"][0]
        await server.call("ssh_cp", host="web", src=f"{place}/new", dst=f"{place}/copy")
        assert mode_of(place / "copy") == 0o640
        done = await server.call("ssh_mkdir", host="web", path=f"{place}/dir", mode="0777")
        assert (place / "dir").is_dir()
        assert "sets no modes" in done["output_warnings"][0]
        (place / "dir" / "f").write_text("x")
        await server.call("ssh_mv", host="web", src=f"{place}/dir", dst=f"{place}/moved")
    assert sorted(os.listdir(place)) == ["copy", "moved", "new", "old", "wide"]


@pytest.fixture
def mounted(place: Path) -> Iterator[Path]:
    """A file that is a mount point, as /etc/hosts is in a container."""
    need(os.geteuid() == 0, "mounting needs root")
    (place / "outside").write_text("127.0.0.1 localhost\n")
    target = place / "ho sts"
    target.touch()
    done = subprocess.run(["mount", "--bind", str(place / "outside"), str(target)], check=False, capture_output=True)
    need(done.returncode == 0, "nothing can be mounted here")
    yield target
    subprocess.run(["umount", "-l", str(target)], check=True)


async def test_a_file_that_is_a_mount_point_is_written_in_place(
    mcp_server: McpServerFactory, sudo_user: SudoUser, sshd: Sshd, place: Path, mounted: Path
) -> None:
    async with mcp_server({"web": sshd, "low": host_of(sudo_user(NOPASSWD), sshd)}) as server:
        edit = {"old_string": "localhost", "new_string": "here"}
        done = await server.call("ssh_edit", host="web", path=str(mounted), **edit)
        assert any("mount point" in w for w in done["output_warnings"])
        assert (place / "outside").read_text() == "127.0.0.1 here\n"
        done = await server.call("ssh_sudo_write", host="low", path=str(mounted), content_text="1 x\n")
        assert any("mount point" in w for w in done["output_warnings"])
        assert (place / "outside").read_text() == "1 x\n"
    assert sorted(os.listdir(place)) == ["ho sts", "outside"]


async def test_in_a_chroot_the_shell_is_not_asked_about_other_files(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory
) -> None:
    jail = make_chroot()
    try:
        (jail / "data").mkdir()
        outside = jail / "data" / "f"
        outside.write_text("old")
        outside.chmod(0o640)
        sshd = sshd_factory(subsystem=chrooted_sftp(jail))
        async with mcp_server({"web": Host(sshd)}) as server:
            await server.call("ssh_edit", host="web", path="/data/f", old_string="old", new_string="new")
        assert (outside.read_text(), mode_of(outside)) == ("new", 0o640)
        assert os.listdir(jail / "data") == ["f"]
    finally:
        shutil.rmtree(jail)


async def test_what_moves_to_another_disk_keeps_its_access_list(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, listed: Path
) -> None:
    disk = place / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "t", str(disk)], check=False, capture_output=True)
    need(done.returncode == 0, "no filesystem can be mounted here")
    try:
        run("setfattr", "-x", "user.note", str(listed))  # tmpfs keeps no user attributes before Linux 6.6
        (place / "tree" / "sub").mkdir(parents=True)
        shutil.copy(listed, place / "tree" / "sub" / "f")
        run("setfacl", "-m", "u:nobody:rw,g::---,m::rw,o::---", f"{place}/tree/sub/f")
        (place / "tree" / "link").symlink_to("sub/f")
        async with mcp_server({"web": sshd}) as server:
            await server.call("ssh_mv", host="web", src=str(listed), dst=f"{disk}/f")
            await server.call("ssh_mv", host="web", src=f"{place}/tree", dst=f"{disk}/tree")
        for file in (disk / "f", disk / "tree" / "sub" / "f"):
            assert {"user:nobody:rw-", "group::---"} <= set(run("getfacl", "-c", "-p", str(file)).split()), file
        assert os.readlink(disk / "tree" / "link") == "sub/f"
        assert sorted(os.listdir(place)) == ["disk"]
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
