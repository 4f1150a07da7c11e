"""ssh_sync between this machine and real hosts: by rsync and by SFTP, with the same results."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.facts.capabilities import Capabilities
from ssh_mcp.remote.capabilities import CapabilityCache
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers import need
from tests.peers.sshd import Sshd


@pytest.fixture(params=["rsync", "tar", "sftp"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The host as it is; without rsync; without a shell."""
    name: str = request.param
    if name == "rsync":
        need(shutil.which("rsync"), "rsync is not installed")
    elif name == "tar":
        without_rsync(monkeypatch)
    else:

        async def pretended(_self: CapabilityCache, _host: Any) -> Capabilities:
            return Capabilities(posix=False)

        monkeypatch.setattr(CapabilityCache, "of", pretended)
    return name


def without_rsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this machine has no rsync."""
    monkeypatch.setattr("transports.openssh.connection.local_rsync", lambda: None)


def make_tree(root: Path) -> Path:
    (root / "a" / "b").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "x.conf").write_text("listen 80\n")
    (root / "x.conf").chmod(0o640)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "a" / "odd\nname").write_text("newline\n")
    (root / "a" / "-rf").write_text("dash\n")
    (root / "a" / "#hash").write_text("hash\n")
    (root / "a" / "ümläut").write_text("utf-8\n")
    (root / "a" / "b" / "big").write_bytes(os.urandom(300_000))
    with (root / "sparse").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(4 << 20)
        file.write(b"x")
    (root / "a" / "inside").symlink_to("../x.conf")
    for path in root.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000), follow_symlinks=False)
    return root


def seen(root: Path) -> dict[str, tuple[Any, ...]]:
    """A tree as far as it is copied."""
    found: dict[str, tuple[Any, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        name = str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            found[name] = ("link", os.readlink(path))
        elif stat.S_ISDIR(status.st_mode):
            found[name] = ("directory", status.st_mode & 0o777)
        else:
            found[name] = ("file", status.st_mode & 0o777, int(status.st_mtime), path.read_bytes())
    return found


async def test_a_tree_goes_up_and_comes_down_equal_and_a_second_run_finds_nothing_to_do(
    way: str, sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    local = make_tree(tmp_path / "local")
    remote, back = tmp_path / "deep" / "remote", tmp_path / "back"
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        there = {"host": "web", "local_path": str(local), "remote_path": str(remote)}
        planned = await server.call("ssh_sync", **there, dry_run=True)
        assert not remote.exists()
        assert planned["created"] == 9
        assert planned["method"] == way
        done = await server.call("ssh_sync", **there)
        assert (done["created"], done["updated"], done["skipped"], done["method"]) == (9, 0, 0, way)
        assert done["bytes"] == planned["bytes"]
        assert seen(remote) == seen(local)
        assert way == "sftp" or (remote / "sparse").stat().st_blocks < 1 << 12
        again = await server.call("ssh_sync", **there)
        assert (again["plan"], again["unchanged"]) == ([], 9)
        down = await server.call(
            "ssh_sync", host="web", local_path=str(back), remote_path=str(remote), direction="down"
        )
        assert (down["created"], down["method"]) == (9, way)
        assert seen(back) == seen(local)
        (remote / "x.conf").write_text("listen 81\n")
        down = await server.call(
            "ssh_sync", host="web", local_path=str(back), remote_path=str(remote), direction="down"
        )
        assert [s["path"] for s in down["plan"]] == ["x.conf"]
        assert (back / "x.conf").read_text() == "listen 81\n"
        assert not list(tmp_path.rglob(".ssh-mcp*"))


async def test_deleting_is_a_permission_of_its_own_and_leaves_what_is_excluded(
    way: str, sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    local, remote = make_tree(tmp_path / "local"), tmp_path / "remote"
    for name in ("old", "old/deep", "keep"):
        (remote / name).mkdir(parents=True)
        (remote / name / "file").write_text("old\n")
    (remote / "empty").write_text("a file where a directory will be\n")
    (remote / "run.sh").mkdir()
    (remote / "out").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    hosts: dict[str, Sshd | Host] = {"web": Host(sshd, lines=["sync_delete = true"]), "safe": sshd}
    async with mcp_server(hosts, ssh_local_transfer_roots=str(tmp_path)) as server:
        there = {"local_path": str(local), "remote_path": str(remote), "delete": True, "exclude": ["keep/"]}
        assert "sync_delete" in await server.refused("ssh_sync", host="safe", **there)
        done = await server.call("ssh_sync", host="web", **there)
        assert done["deleted"] == 6
        assert (remote / "keep" / "file").exists()
        shutil.rmtree(remote / "keep")
        assert seen(remote) == seen(local)
        assert (tmp_path / "elsewhere" / "precious").exists()


async def test_a_hostile_tree_of_a_host_leads_nothing_out_of_the_local_root(
    way: str, sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    roots, remote = tmp_path / "roots", tmp_path / "remote"
    roots.mkdir()
    remote.mkdir()
    (tmp_path / "outside").mkdir()
    (remote / "good").write_text("good\n")
    (remote / "absolute").symlink_to("/etc/passwd")
    (remote / "climbing").symlink_to("../outside")
    (remote / "up").symlink_to(".")
    (remote / "through").symlink_to("up/../outside")
    os.mkfifo(remote / "pipe")
    (remote / "secret").mkdir()
    (remote / "secret" / "key").write_text("k\n")
    (remote / ".env").write_text("PASSWORD=hunter2hunter2\n")
    previous = "good"
    for level in range(10):
        (remote / f"l{level}").symlink_to(previous)
        previous = f"l{level}"
    back = roots / "back"
    back.mkdir()
    (back / "good").symlink_to(tmp_path / "outside" / "planted")
    lines = [f'restricted_paths = ["{remote}/secret"]']
    async with mcp_server({"web": Host(sshd, lines=lines)}, ssh_local_transfer_roots=str(roots)) as server:
        arguments = {"host": "web", "remote_path": str(remote), "direction": "down"}
        done = await server.call("ssh_sync", **arguments, local_path=str(back))
        assert sorted(p.name for p in back.iterdir()) == sorted(["good", "up", *(f"l{i}" for i in range(10))])
        assert not (back / "good").is_symlink()
        assert list((tmp_path / "outside").iterdir()) == []
        assert done["skipped"] == 6
        refused = await server.refused("ssh_sync", **arguments, local_path=str(tmp_path / "elsewhere"))
        assert refused.startswith("LocalPathPolicyError")
        (roots / "link").symlink_to(tmp_path / "outside")
        refused = await server.refused("ssh_sync", **arguments, local_path=str(roots / "link"))
        assert refused.startswith("LocalPathPolicyError")
        (back / "secret").mkdir()
        (back / "secret" / "key").write_text("mine\n")
        up = await server.call("ssh_sync", **{**arguments, "direction": "up"}, local_path=str(back))
        assert up["plan"] == []
        assert (remote / "secret" / "key").read_text() == "k\n"


async def test_a_tree_goes_from_host_to_host_through_us(
    sshd_factory: SshdFactory, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    source, target = make_tree(tmp_path / "one"), tmp_path / "two"
    async with mcp_server({"a": sshd_factory(), "b": sshd_factory()}) as server:
        ways = {"host": "a", "remote_path": str(source), "other_host": "b", "other_path": str(target)}
        done = await server.call("ssh_sync", **ways, direction="between")
        assert (done["created"], done["other_host"]) == (9, "b")
        assert seen(target) == seen(source)
        assert (await server.refused("ssh_sync", **ways, direction="up")).startswith("InvalidArgument")


async def test_names_that_differ_in_case_alone_are_told_apart_only_where_the_local_disk_does(
    way: str, sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file system of this kernel is case-blind: a look at another spelling is led to the entry that is there."""
    remote, back = tmp_path / "remote", tmp_path / "back"
    remote.mkdir()
    for name in ("Readme", "README", "other"):
        (remote / name).write_text(name)
    look = os.stat

    def blind(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        try:
            return look(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        except FileNotFoundError:
            return look(str(path).swapcase(), dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    arguments = {"host": "web", "remote_path": str(remote), "local_path": str(back), "direction": "down"}
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        assert (await server.call("ssh_sync", **arguments))["created"] == 3
        shutil.rmtree(back)
        back.mkdir()
        (back / "other").write_text("older, and of another size")
        monkeypatch.setattr("ssh_mcp.remote.files.sync.local_tree.os.stat", blind)
        done = await server.call("ssh_sync", **arguments)
        monkeypatch.undo()
    assert (done["created"], done["updated"], done["skipped"]) == (1, 1, 1)
    assert any("another case" in w for w in done["output_warnings"])


async def test_contents_are_compared_where_asked_for(
    way: str, sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    local, remote = tmp_path / "local", tmp_path / "remote"
    for root, text in ((local, "new"), (remote, "old")):
        root.mkdir()
        for name, content in (("same\n", "same"), ("other", text)):
            (root / name).write_text(content)
            os.utime(root / name, (1_600_000_000, 1_600_000_000))
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        there = {"host": "web", "local_path": str(local), "remote_path": str(remote)}
        assert (await server.call("ssh_sync", **there))["unchanged"] == 2
        done = await server.call("ssh_sync", **there, checksum=True)
        assert (done["updated"], done["unchanged"]) == (1, 1)
        assert (remote / "other").read_text() == "new"
