"""ssh_sync as a tar stream: hosts with BusyBox's or bsdtar's programs, very many files, few sessions."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.sync.test_sync import make_tree, seen, without_rsync
from tests.peers import need
from tests.peers.sshd import Sshd


def host_of(programs: str, sshd_factory: SshdFactory, tmp_path: Path) -> Sshd:
    """A host whose PATH holds BusyBox's programs, or bsdtar as tar before this machine's own."""
    place = tmp_path / "bin"
    place.mkdir()
    if programs == "busybox":
        busybox = shutil.which("busybox")
        need(busybox, "busybox is not installed")
        assert busybox is not None
        for name in ("sh", "find", "tar", "xargs", "sha256sum", "stat", "mkdir", "rm", "cat", "head", "uname", "grep"):
            (place / name).symlink_to(busybox)
        return sshd_factory(extra=[f"SetEnv PATH={place}"])
    bsdtar = shutil.which("bsdtar")
    need(bsdtar, "bsdtar is not installed")
    assert bsdtar is not None
    (place / "tar").symlink_to(bsdtar)
    return sshd_factory(extra=[f"SetEnv PATH={place}:/usr/local/bin:/usr/bin:/bin"])


async def there_and_back(server: McpServer, local: Path, remote: Path, back: Path) -> list[str]:
    up = await server.call("ssh_sync", host="web", local_path=str(local), remote_path=str(remote))
    assert seen(remote) == seen(local)
    down = await server.call("ssh_sync", host="web", local_path=str(back), remote_path=str(remote), direction="down")
    assert seen(back) == seen(local)
    return [up["method"], down["method"]]


@pytest.mark.parametrize("programs", ["busybox", "bsd"])
async def test_other_tars_carry_trees_and_archives_are_refused_plainly(
    programs: str,
    sshd_factory: SshdFactory,
    tmp_path: Path,
    mcp_server: McpServerFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_rsync(monkeypatch)
    sshd = host_of(programs, sshd_factory, tmp_path)
    local, remote, back = make_tree(tmp_path / "local"), tmp_path / "remote", tmp_path / "back"
    (local / "a" / ("long" * 40)).write_text("long name\n")
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        assert await there_and_back(server, local, remote, back) == ["tar", "tar"]
        os.link(remote / "x.conf", remote / "second-name")  # tar sends it as a link: its bytes come over SFTP
        (remote / "x.conf").chmod(0o600)
        down = {"host": "web", "local_path": str(back), "remote_path": str(remote), "direction": "down"}
        assert (await server.call("ssh_sync", **down))["method"] == "tar"
        assert seen(back) == seen(remote)
        text = await server.refused(
            "ssh_archive", host="web", action="create", archive=str(tmp_path / "x.tar"), paths=[str(local)]
        )
        assert text.startswith("PlatformNotSupported: web has no GNU tar."), text


async def test_very_many_small_files_go_as_one_stream(
    sshd_factory: SshdFactory, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    need(shutil.which("rsync"), "rsync is not installed")
    local, remote, back = tmp_path / "local", tmp_path / "remote", tmp_path / "back"
    for i in range(600):
        path = local / f"d{i % 7}" / "deep" / f"f{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{i}\n")
    (remote / "d0").mkdir(parents=True)
    (remote / "d0" / "kept").write_text("kept\n")
    async with mcp_server({"web": sshd_factory()}, ssh_local_transfer_roots=str(tmp_path)) as server:
        up = {"host": "web", "local_path": str(local), "remote_path": str(remote)}
        assert (await server.call("ssh_sync", **up))["method"] == "tar"
        assert (remote / "d0" / "kept").read_text() == "kept\n"
        (remote / "d0" / "kept").unlink()
        assert await there_and_back(server, local, remote, back) == ["rsync", "tar"]


@pytest.mark.parametrize("way", ["rsync", "tar"])
async def test_a_host_that_opens_one_session_gets_the_files_over_sftp(
    way: str,
    sshd_factory: SshdFactory,
    tmp_path: Path,
    mcp_server: McpServerFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "tar":
        without_rsync(monkeypatch)
    local, remote, back = make_tree(tmp_path / "local"), tmp_path / "remote", tmp_path / "back"
    async with mcp_server({"web": sshd_factory(max_sessions=1)}, ssh_local_transfer_roots=str(tmp_path)) as server:
        methods = await there_and_back(server, local, remote, back)
        assert set(methods) <= {way, "sftp"}
        assert not list(tmp_path.rglob(".ssh-mcp*"))
