"""ssh_archive with the host's own programs."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.sync.test_sync import make_tree, seen
from tests.peers import need
from tests.peers.sshd import Sshd


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz", "tar.zst", "zip"])
async def test_what_is_packed_comes_out_equal(
    ending: str, sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    for program in {"zip": ("zip", "unzip"), "tar.zst": ("zstd",), "tar.xz": ("xz",)}.get(ending, ()):
        need(shutil.which(program), f"{program} is not installed")
    tree, out = make_tree(tmp_path / "tree"), tmp_path / "out"
    if ending == "zip":
        (tree / "a" / "odd\nname").unlink()
    archive = str(tmp_path / f"made.{ending}")
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_archive", host="web", action="create", archive=archive, paths=[str(tree)])
        assert done["entries"] == len(list(tree.rglob("*"))) + 1
        listed = await server.call("ssh_archive", host="web", action="list", archive=archive)
        assert listed["entries"] == done["entries"]
        assert {"tree/x.conf", "tree/a/-rf"} <= {m["path"] for m in listed["members"]}
        (out / "tree").mkdir(parents=True)
        (out / "tree" / "x.conf").write_text("old\n")
        got = await server.call("ssh_archive", host="web", action="extract", archive=archive, dest=str(out))
        assert got["entries"] == done["entries"]
        assert seen(out / "tree") == seen(tree)
        assert not list(tmp_path.rglob(".ssh-mcp*"))


def hostile(path: Path, *members: tuple[str, bytes, str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, target in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            content = b"pwned\n" if kind == tarfile.REGTYPE else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


async def test_a_hostile_archive_writes_nothing_anywhere(
    sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    outside, dest = tmp_path / "outside", tmp_path / "dest"
    outside.mkdir()
    regular, link, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    archives = [
        hostile(tmp_path / "up.tar.gz", ("good", regular, ""), ("../outside/x", regular, "")),
        hostile(tmp_path / "absolute.tar.gz", (f"{outside}/x", regular, "")),
        hostile(tmp_path / "link.tar.gz", ("l", link, str(outside)), ("l/x", regular, "")),
        hostile(tmp_path / "chain.tar.gz", ("a", link, "."), ("b", link, "a/../../outside"), ("b/x", regular, "")),
        hostile(tmp_path / "hard.tar.gz", ("h", hard, "/etc/hostname")),
        hostile(tmp_path / "device.tar.gz", ("d", tarfile.CHRTYPE, "")),
        hostile(tmp_path / "restricted.tar.gz", ("secret/x", regular, "")),
    ]
    zipped = tmp_path / "up.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../outside/x", "pwned")
    linked = tmp_path / "link.zip"
    with zipfile.ZipFile(linked, "w") as archive:
        info = zipfile.ZipInfo("l")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, str(outside))
    archives += [zipped, linked] if shutil.which("unzip") and shutil.which("zip") else []
    async with mcp_server({"web": Host(sshd, lines=[f'restricted_paths = ["{dest}/secret"]'])}) as server:
        for path in archives:
            text = await server.refused("ssh_archive", host="web", action="extract", archive=str(path), dest=str(dest))
            assert text.startswith(("FileConflict", "PathRestricted")), text
            assert not dest.exists() or os.listdir(dest) == [], path
        assert os.listdir(outside) == []


def bombs(directory: Path) -> list[Path]:
    """A sparse file of a terabyte, zeros that were compressed, and a zip that says that its 64 MiB are 10 bytes."""
    big = directory / "big"
    with big.open("wb") as file:
        file.truncate(1 << 40)
    sparse = directory / "sparse.tar.gz"
    subprocess.run(["tar", "-C", directory, "-czSf", sparse, "big"], check=True)
    big.unlink()
    found = [sparse]
    if shutil.which("unzip") and shutil.which("zip"):
        lying = directory / "lying.zip"
        with zipfile.ZipFile(lying, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("big", bytes(1 << 26))
        found.append(lying)
        lying.write_bytes(lying.read_bytes().replace((1 << 26).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    return found


async def test_bombs_and_chains_of_links_leave_nothing(
    sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    need(shutil.which("tar"), "tar is not installed")
    dest, outside = tmp_path / "dest", tmp_path / "outside"
    outside.mkdir()
    link, regular = tarfile.SYMTYPE, tarfile.REGTYPE
    chain = [("l0", link, "."), *((f"l{i}", link, f"l{i - 1}") for i in range(1, 10))]
    archives = [
        *bombs(tmp_path),
        hostile(tmp_path / "chain.tar.gz", *chain, ("l9/x", regular, "")),
        hostile(tmp_path / "climb.tar.gz", *chain, ("out", link, "l9/../outside"), ("out/x", regular, "")),
        hostile(tmp_path / "swap.tar.gz", ("d", tarfile.DIRTYPE, ""), ("d", link, str(outside)), ("d/x", regular, "")),
    ]
    async with mcp_server({"web": sshd}) as server:
        for path in archives:
            text = await server.refused("ssh_archive", host="web", action="extract", archive=str(path), dest=str(dest))
            assert text.startswith(("FileConflict: ", "TooLarge: ", "RemoteError: ")), (path.name, text)
            assert not dest.exists() or os.listdir(dest) == [], path.name
        assert os.listdir(outside) == []
        plain = hostile(tmp_path / "plain.tar.gz", *chain, ("x", regular, ""))
        done = await server.call("ssh_archive", host="web", action="extract", archive=str(plain), dest=str(dest))
        assert done["entries"] == 11
        assert (dest / "l9").is_symlink()


async def test_what_is_hidden_is_not_packed(sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory) -> None:
    tree = tmp_path / "tree"
    (tree / "secret").mkdir(parents=True)
    for name in ("secret/key", ".env", "plain"):
        (tree / name).write_text("x\n")
    async with mcp_server({"web": Host(sshd, lines=[f'restricted_paths = ["{tree}/secret"]'])}) as server:
        made = str(tmp_path / "made.tar.gz")
        done = await server.call("ssh_archive", host="web", action="create", archive=made, paths=[str(tree)])
        assert done["entries"] == 2
        with tarfile.open(made) as archive:
            assert sorted(archive.getnames()) == ["tree", "tree/plain"]
        assert any("2 left out" in w for w in done["output_warnings"])
        refused = await server.refused(
            "ssh_archive", host="web", action="create", archive=made, paths=[str(tree / ".env")]
        )
        assert refused.startswith("RedactBypassBlocked")
        assert (await server.refused("ssh_archive", host="web", action="list", archive="/x.rar")).startswith(
            "InvalidArgument"
        )
