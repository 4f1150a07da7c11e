"""ssh_find, ssh_grep and ssh_disk_usage_of: by the host's own programs, and over SFTP with the same results."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.facts.capabilities import Capabilities
from ssh_mcp.remote.capabilities import CapabilityCache
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers import need
from tests.peers.sshd import Sshd

WAYS = ["host", "busybox", "plain", "sftp"]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The host as it is; with BusyBox's programs; with a find that has no -printf; without a shell."""
    name: str = request.param
    real = CapabilityCache.of
    programs = frozenset({"find", "grep", "gzip"})

    async def pretended(self: CapabilityCache, host: Any) -> Capabilities:
        if name == "sftp":
            return Capabilities(posix=False)
        if name == "plain":
            return Capabilities(posix=True, programs=programs, dialects=(("find", "busybox"), ("grep", "gnu")))
        return await real(self, host)

    if name != "busybox":
        monkeypatch.setattr(CapabilityCache, "of", pretended)
    return name


@pytest.fixture
def host(way: str, sshd_factory: SshdFactory, tmp_path: Path) -> Sshd:
    if way != "busybox":
        return sshd_factory()
    busybox = shutil.which("busybox")
    need(busybox, "busybox is not installed")
    assert busybox is not None
    programs = tmp_path / "busybox-bin"
    programs.mkdir()
    subprocess.run([busybox, "--install", "-s", str(programs)], check=True)
    return sshd_factory(extra=[f"SetEnv PATH={programs}"])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "a" / "b").mkdir(parents=True)
    (root / "secret").mkdir()
    (root / "x.conf").write_text("listen 80\nERROR first\nbetween\nERROR second\nlast\n")
    (root / "a" / "y.conf").write_text("nothing here\n")
    (root / "a" / "b" / "big.log").write_text("x" * 5000 + "\nERROR deep\n")
    (root / "a" / "odd\nname.conf").write_text("ERROR odd\n")
    (root / "secret" / "k.conf").write_text("ERROR hidden\n")
    (root / ".env").write_text("TOKEN=abc\nERROR=1\n")
    (root / "binary.bin").write_bytes(b"\0\1ERROR\0\n")
    (root / "a" / "out").symlink_to("/etc")
    return root


def relative(tree: Path, paths: list[str]) -> list[str]:
    return [path.removeprefix(f"{tree}/") for path in paths]


async def test_find_gives_the_same_everywhere(way: str, host: Sshd, tree: Path, mcp_server: McpServerFactory) -> None:
    async with mcp_server({"web": Host(host, lines=[f'restricted_paths = ["{tree}/secret"]'])}) as server:
        found = await server.call("ssh_find", host="web", path=str(tree), name_pattern="*.conf")
        assert relative(tree, found["matches"]) == ["a/odd\nname.conf", "a/y.conf", "x.conf"]
        assert found["entries"] == []
        assert any("restricted" in warning for warning in found["output_warnings"])
        links = await server.call("ssh_find", host="web", path=str(tree), kind="l")
        assert relative(tree, links["matches"]) == ["a/out"]
        largest = await server.call("ssh_find", host="web", path=str(tree), sort="size", min_size=20)
        sizes = [entry["size"] for entry in largest["entries"]]
        assert sizes == sorted(sizes, reverse=True)
        assert relative(tree, largest["matches"])[0] == "a/b/big.log"
        os.utime(tree / "a" / "y.conf", (1_000_000_000, 1_000_000_000))
        recent = await server.call("ssh_find", host="web", path=str(tree), newer_than="2h", name_pattern="y.conf")
        assert recent["matches"] == []
        assert (await server.call("ssh_find", host="web", path=f"{tree}/a", kind="any", max_depth=1))["found"] == 4
        assert "PathNotAllowed" not in (await server.refused("ssh_find", host="web", path=f"{tree}/missing"))
        assert (await server.refused("ssh_find", host="web", path=f"{tree}/secret")).startswith("PathRestricted")


async def test_grep_gives_the_same_everywhere(way: str, host: Sshd, tree: Path, mcp_server: McpServerFactory) -> None:
    async with mcp_server({"web": Host(host, lines=[f'restricted_paths = ["{tree}/secret"]'])}) as server:
        got = await server.call("ssh_grep", host="web", path=str(tree), pattern="ERR(OR|)", context=1)
        found = {(relative(tree, [m["path"]])[0], m["line"]) for m in got["matches"]}
        assert found == {("x.conf", 2), ("x.conf", 4), ("a/b/big.log", 2), ("a/odd\nname.conf", 1)}
        second = next(m for m in got["matches"] if m["line"] == 4)
        assert (second["before"], second["text"], second["after"]) == (["between"], "ERROR second", ["last"])
        skipped = got["files_skipped"]
        assert (skipped["restricted"], skipped["redact_listed"], skipped["binary"]) == (1, 1, 1)
        assert got["files_searched"] == 4
        one = await server.call("ssh_grep", host="web", path=f"{tree}/x.conf", pattern="error", ignore_case=True)
        assert [m["line"] for m in one["matches"]] == [2, 4]
        fixed = await server.call("ssh_grep", host="web", path=str(tree), pattern="E.*R", fixed=True)
        assert fixed["matches"] == []
        few = await server.call("ssh_grep", host="web", path=str(tree), pattern="ERROR", max_matches=1)
        assert (len(few["matches"]), few["truncated"]) == (1, True)
        for n in range(40):
            (tree / f"n{n:02}.txt").write_text("WARNING\n" if n % 2 else "calm\n")
        many = await server.call("ssh_grep", host="web", path=str(tree), pattern="ERR(OR|)|WARN", context=1)
        assert {(relative(tree, [m["path"]])[0], m["line"]) for m in many["matches"]} == found | {
            (f"n{n:02}.txt", 1) for n in range(1, 40, 2)
        }
        assert (many["files_skipped"]["binary"], many["files_searched"]) == (1, 44)
        some = await server.call("ssh_grep", host="web", path=str(tree), pattern="WARN", max_matches=17)
        assert [m["path"][-7:] for m in some["matches"]] == [f"n{n:02}.txt" for n in range(1, 35, 2)]
        assert some["truncated"]
        assert (await server.refused("ssh_grep", host="web", path=f"{tree}/.env", pattern="x")).startswith(
            "RedactBypassBlocked"
        )
        assert (await server.refused("ssh_grep", host="web", path=str(tree), pattern="a\nb")).startswith(
            "InvalidArgument"
        )


async def test_a_match_is_masked_in_the_light_of_the_lines_around_it(
    way: str, host: Sshd, tree: Path, mcp_server: McpServerFactory
) -> None:
    body = "\n".join("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4" for _ in range(20))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"
    (tree / "app.txt").write_text(f"first\n{key}after QUJD\npassword = hunter2hunter2\n")
    async with mcp_server({"web": host}) as server:
        got = await server.call("ssh_grep", host="web", path=f"{tree}/app.txt", pattern="QUJD|hunter2")
        shown = " ".join(m["text"] for m in got["matches"])
        assert "QUJDREVG" not in shown
        assert "hunter2" not in shown
        assert "after QUJD" in shown


async def test_compressed_logs_are_searched_too(sshd: Sshd, tree: Path, mcp_server: McpServerFactory) -> None:
    (tree / "old.log.1.gz").write_bytes(gzip.compress(b"a\nERROR packed\n"))
    async with mcp_server({"web": sshd}) as server:
        got = await server.call("ssh_grep", host="web", path=str(tree), pattern="packed", name_pattern="*.gz")
        assert [(m["line"], m["text"]) for m in got["matches"]] == [(2, "ERROR packed")]


async def test_a_link_that_leads_outside_shows_nothing(
    way: str, host: Sshd, tree: Path, mcp_server: McpServerFactory
) -> None:
    async with mcp_server({"web": Host(host, lines=[f'path_allowlist = ["{tree}"]'])}) as server:
        for tool, more in (("ssh_find", {}), ("ssh_grep", {"pattern": "root"}), ("ssh_disk_usage_of", {})):
            text = await server.refused(tool, host="web", path=f"{tree}/a/out", **more)
            assert text.startswith("PathNotAllowed"), text
        (tree / "inside").symlink_to("a")
        found = await server.call("ssh_find", host="web", path=f"{tree}/inside", name_pattern="y*")
        assert found["matches"] == [f"{tree}/a/y.conf"]


async def test_what_fills_a_directory_comes_first(
    way: str, host: Sshd, tree: Path, mcp_server: McpServerFactory
) -> None:
    (tree / "a" / "b" / "huge").write_bytes(b"x" * 300_000)
    async with mcp_server({"web": host}) as server:
        got = await server.call("ssh_disk_usage_of", host="web", path=str(tree))
        assert got["entries"][0]["path"] == f"{tree}/a"
        assert got["entries"][0]["bytes"] >= 300_000
        assert got["bytes"] >= got["entries"][0]["bytes"]
        deep = await server.call("ssh_disk_usage_of", host="web", path=str(tree), depth=3)
        assert f"{tree}/a/b/huge" in [entry["path"] for entry in deep["entries"]]


async def test_a_pattern_that_grep_does_not_accept_is_said(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "pattern").write_text("line\n")
    (tmp_path / "many").mkdir()
    for n in range(20):
        (tmp_path / "many" / f"{n}").touch()
    async with mcp_server({"web": sshd}) as server:
        for pattern, path in product(("(open", "[a", "[[:no:]]"), ("pattern", "many")):
            text = await server.refused("ssh_grep", host="web", path=f"{tmp_path}/{path}", pattern=pattern)
            assert text.startswith("InvalidArgument: The host's grep does not accept the pattern."), text
        assert (await server.call("ssh_grep", host="web", path=f"{tmp_path}/pattern", pattern="x"))["matches"] == []
