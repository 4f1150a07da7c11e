"""Hosts whose rsync or tar is hostile: nothing outside of the local directory is written, and the refusal is plain."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.sync.test_sync import without_rsync
from tests.peers import hostile_rsync, need
from tests.peers.sshd import Sshd

NAMES = ("aaaaaa", "bbbbbb")


def hostile_host(sshd_factory: SshdFactory, tmp_path: Path, program: str) -> tuple[Sshd, Path]:
    """A host with such a program, and the file that says what it does."""
    place = tmp_path / "bin"
    place.mkdir()
    script = place / program
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -I {place}/{program}.py "$@"\n')
    text = Path(hostile_rsync.__file__).read_text().replace("Path(sys.argv[0]).name", repr(program))
    (place / f"{program}.py").write_text(text)
    script.chmod(0o755)
    (place / "MODE").touch()
    return sshd_factory(extra=[f"SetEnv PATH={place}:/usr/local/bin:/usr/bin:/bin"]), place / "MODE"


def scene(tmp_path: Path) -> tuple[Path, Path, Path]:
    """What the host has, what is outside of the root, and the root."""
    remote, outside, roots = tmp_path / "remote", tmp_path / "outside", tmp_path / "roots"
    for directory in (remote, outside, roots):
        directory.mkdir()
    for name in (*NAMES, "x" * len(str(outside / "f"))):
        (remote / name).write_text("good\n")
    return remote, outside, roots


async def run(server: McpServer, remote: Path, target: Path) -> tuple[bool, str]:
    """Whether the call failed, and its text."""
    done = await server.client.call_tool(
        "ssh_sync",
        {"host": "web", "remote_path": str(remote), "local_path": str(target), "direction": "down"},
        raise_on_error=False,
    )
    return done.is_error, "".join(getattr(block, "text", "") for block in done.content)


def check(case: str, target: Path, outside: Path, asked: set[str], text: str) -> None:
    """Nothing outside; inside only files that were asked for, or ours."""
    assert os.listdir(outside) == [], (case, text)
    assert "Traceback" not in text, case
    for path in target.rglob("*"):
        assert not path.is_symlink(), (case, path)
        if ".ssh-mcp-sync." not in str(path):
            assert path.is_file(), (case, path)
            assert path.name in asked, (case, path)
        assert path.stat().st_size < 1 << 22, (case, path)


async def test_a_hostile_rsync_writes_nothing_outside(
    sshd_factory: SshdFactory, tmp_path: Path, mcp_server: McpServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(shutil.which("rsync"), "rsync is not installed")
    monkeypatch.setattr("transports.openssh.sessions.rsync.IDLE_SECONDS", 2)
    sshd, mode = hostile_host(sshd_factory, tmp_path, "rsync")
    remote, outside, roots = scene(tmp_path)
    asked = set(os.listdir(remote))
    long = next(name for name in asked if name.startswith("x"))
    links, large = tmp_path / "links", tmp_path / "large"
    links.mkdir()
    (links / "aaaaaa").symlink_to(outside / "planted")
    os.mkfifo(links / "bbbbbb")
    (links / long).mkdir()
    large.mkdir()
    for name in asked:
        (large / name).write_bytes(bytes(1 << 24))
    cases = {
        "up": "swap aaaaaa ../out",
        "absolute": f"swap {long} {outside}/f",
        "not asked for": "swap aaaaaa cccccc",
        "twice": "swap aaaaaa bbbbbb",
        "garbage": "garbage",
        "endless": "endless",
        "silent": "silent",
    }
    if os.geteuid() == 0 and shutil.which("unshare"):
        cases |= {"links and devices": f"other {links} {remote}", "longer": f"other {large} {remote}"}
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(roots)) as server:
        for case, words in cases.items():
            mode.write_text(words)
            target = roots / case
            failed, text = await run(server, remote, target)
            check(case, target, outside, asked, text)
            if case == "twice":
                assert not failed
                assert "1 files were gone" in text
            else:
                assert failed, (case, text)
                assert text.startswith(("RemoteError: rsync", "LocalPathPolicyError: The host sent")), (case, text)
        mode.write_text("")
        failed, text = await run(server, remote, roots / "links and devices")
        assert not failed, text
        failed, text = await run(server, remote, roots / "good")
        assert not failed, text
        assert sorted(os.listdir(roots / "good")) == sorted(asked)


def archive(path: Path, members: Mapping[str, bytes]) -> str:
    """A tar file of members, each with its type; ``send`` of it."""
    with tarfile.open(path, "w") as tar:
        for name, kind in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            content = b"pwned\n" if kind == tarfile.REGTYPE else b""
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return f"send {path}"


async def test_a_hostile_tar_writes_nothing_outside(
    sshd_factory: SshdFactory, tmp_path: Path, mcp_server: McpServerFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_rsync(monkeypatch)
    monkeypatch.setattr("ssh_mcp.remote.files.sync.streams.IDLE_SECONDS", 2)
    sshd, mode = hostile_host(sshd_factory, tmp_path, "tar")
    remote, outside, roots = scene(tmp_path)
    asked = set(os.listdir(remote))
    file, link = tarfile.REGTYPE, tarfile.SYMTYPE
    refused = {
        "up": archive(tmp_path / "1", {"../outside/x": file}),
        "absolute": archive(tmp_path / "2", {f"{outside}/x": file}),
        "through a link": archive(tmp_path / "3", {"d": link, "d/x": file}),
        "not asked for": archive(tmp_path / "4", {"cccccc": file}),
        "garbage": "garbage",
        "endless": "endless",
        "silent": "silent",
    }
    passed = {
        "links": archive(tmp_path / "5", {"aaaaaa": link, "./bbbbbb": tarfile.LNKTYPE}),
        "devices": archive(tmp_path / "6", {"aaaaaa": tarfile.CHRTYPE, "bbbbbb": tarfile.FIFOTYPE}),
        "nothing": archive(tmp_path / "7", {}),
    }
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(roots)) as server:
        for case, words in (refused | passed).items():
            mode.write_text(words)
            failed, text = await run(server, remote, roots / case)
            check(case, roots / case, outside, asked, text)
            assert failed is (case in refused), (case, text)
            assert not failed or text.startswith(("RemoteError: web sent", "RemoteError: tar on web was")), (case, text)
            if not failed:  # what the stream did not bring came over SFTP
                assert {p.name: p.read_text() for p in (roots / case).iterdir()} == dict.fromkeys(asked, "good\n")
