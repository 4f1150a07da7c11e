"""Links cut at random points of every kind of write, and memory while gigabytes pass."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

CUTTING = Path(__file__).resolve().parent.parent.parent / "peers" / "cutting_sftp.py"
POINTS = 50
OLD = "the old content\n" * 2000
NEW = "the new content, a little longer\n" * 8000
MiB = 1 << 20


@dataclass
class Scene:
    """A directory, a file in it, and the budget of the next channel."""

    place: Path
    budget: Path

    @property
    def file(self) -> Path:
        return self.place / "f"

    def names(self) -> list[str]:
        return sorted(n for n in os.listdir(self.place) if ".bak-" not in n)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    place = tmp_path / "files"
    place.mkdir()
    return Scene(place, tmp_path / "budget")


@pytest.fixture
def cutting(sshd_factory: SshdFactory, scene: Scene) -> Sshd:
    return sshd_factory(subsystem=f"{sys.executable} -S -E {CUTTING} {scene.budget}")


async def fresh_channel(server: McpServer) -> None:
    """Let the next call open a channel of its own, which reads the budget."""
    assert server.app is not None
    for connection in server.app.fleet._transport._connections.values():  # type: ignore[attr-defined]
        files = connection._files
        if files is not None:
            await files.aclose()


async def cut_everywhere(
    server: McpServer,
    scene: Scene,
    act: Callable[[], Awaitable[Any]],
    *,
    sizes: tuple[int, int],
    after: Callable[[bool], None],
) -> None:
    """Run ``act`` with the channel cut at random bytes; ``after(ok)`` checks what is left."""
    chance = random.Random(4711)
    failed = 0
    for point in range(POINTS):
        side, most = ("in", sizes[0]) if point % 2 else ("out", sizes[1])
        scene.file.write_text(OLD)
        await fresh_channel(server)
        scene.budget.write_text(f"{side} {chance.randrange(20, most)}")
        done = await act()
        scene.budget.unlink(missing_ok=True)
        failed += done.is_error
        after(not done.is_error)
        await fresh_channel(server)  # the old one may have some of its budget left
        # the next write into the directory takes away what the cut left there
        await server.call("ssh_upload", host="web", path=f"{scene.place}/other", content_text="x")
        (scene.place / "other").unlink()
        assert scene.names() == ["f"], (side, point)
    assert failed > POINTS // 4


def test_the_points_of_cutting_are_many() -> None:
    assert POINTS >= 50


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("tool", ["ssh_upload", "ssh_edit", "ssh_deploy", "local upload"])
async def test_a_cut_write_leaves_the_old_content_or_the_new(
    mcp_server: McpServerFactory, cutting: Sshd, scene: Scene, tmp_path: Path, tool: str
) -> None:
    root = tmp_path / "local"
    root.mkdir()
    (root / "new").write_text(NEW)
    wanted = OLD.replace("old", "NEW") if tool == "ssh_edit" else NEW
    arguments: dict[str, Any] = {
        "ssh_upload": {"content_text": NEW},
        "ssh_deploy": {"content_text": NEW},
        "ssh_edit": {"old_string": "old", "new_string": "NEW", "occurrence": "all"},
        "local upload": {"local_path": f"{root}/new"},
    }[tool]
    name = "ssh_upload" if tool == "local upload" else tool

    async with mcp_server({"web": cutting}, ssh_local_transfer_roots=str(root)) as server:

        async def act() -> Any:
            return await server.client.call_tool(
                name, {"host": "web", "path": str(scene.file), **arguments}, raise_on_error=False
            )

        def after(ok: bool) -> None:
            content = scene.file.read_text()
            assert content in (OLD, wanted)
            assert content == wanted or not ok

        sizes = (len(wanted) + 1500, len(OLD) + 1500) if name != "ssh_upload" else (len(wanted) + 1500, 2000)
        await cut_everywhere(server, scene, act, sizes=sizes, after=after)


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_cut_download_leaves_no_part_of_a_local_file(
    mcp_server: McpServerFactory, cutting: Sshd, scene: Scene, tmp_path: Path
) -> None:
    root = tmp_path / "local"
    root.mkdir()
    async with mcp_server({"web": cutting}, ssh_local_transfer_roots=str(root)) as server:

        async def act() -> Any:
            return await server.client.call_tool(
                "ssh_sftp_download",
                {"host": "web", "path": str(scene.file), "local_path": f"{root}/copy"},
                raise_on_error=False,
            )

        def after(ok: bool) -> None:
            assert os.listdir(root) == (["copy"] if ok else [])
            if ok:
                assert (root / "copy").read_text() == OLD
                (root / "copy").unlink()

        await cut_everywhere(server, scene, act, sizes=(700, len(OLD) + 1500), after=after)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("side", ["source", "target"])
async def test_a_cut_transfer_leaves_the_old_content_or_the_new(
    mcp_server: McpServerFactory, cutting: Sshd, sshd: Sshd, scene: Scene, tmp_path: Path, side: str
) -> None:
    (tmp_path / "source").write_text(NEW)
    hosts = {"web": cutting, "steady": sshd}
    source, target = ("web", "steady") if side == "source" else ("steady", "web")
    async with mcp_server(hosts) as server:

        async def act() -> Any:
            return await server.client.call_tool(
                "ssh_transfer",
                {
                    "src_host": source, "src_path": f"{tmp_path}/source",
                    "dst_host": target, "dst_path": str(scene.file), "overwrite": True,
                },
                raise_on_error=False,
            )  # fmt: skip

        def after(ok: bool) -> None:
            assert scene.file.read_text() == NEW if ok else scene.file.read_text() in (OLD, NEW)

        sizes = (700, len(NEW) + 1500) if side == "source" else (len(NEW) + 1500, 2500)
        await cut_everywhere(server, scene, act, sizes=sizes, after=after)


@pytest.mark.parametrize("delay", [0.0, 0.003, 0.01, 0.03])
async def test_a_killed_session_costs_one_call_and_leaves_nothing(
    mcp_server: McpServerFactory, sshd: Sshd, scene: Scene, delay: float
) -> None:
    async with mcp_server({"web": sshd}) as server:
        scene.file.write_text(OLD)
        await server.call("ssh_sftp_stat", host="web", path=str(scene.file))
        async with anyio.create_task_group() as tasks:

            async def kill() -> None:
                await anyio.sleep(delay)
                sshd.kill_sessions()

            tasks.start_soon(kill)
            await server.client.call_tool(
                "ssh_upload", {"host": "web", "path": str(scene.file), "content_text": NEW}, raise_on_error=False
            )
        assert scene.file.read_text() in (OLD, NEW)
        await server.call("ssh_upload", host="web", path=f"{scene.place}/other", content_text="x")
        (scene.place / "other").unlink()
        assert scene.names() == ["f"]


async def test_a_cancelled_write_leaves_the_old_content_and_no_litter(
    mcp_server: McpServerFactory, sshd: Sshd, scene: Scene
) -> None:
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_upload", host="web", path=str(scene.file), content_text=OLD)
        for number in range(25):
            with anyio.move_on_after(number * 0.001):
                await server.client.call_tool(
                    "ssh_upload", {"host": "web", "path": str(scene.file), "content_text": NEW}, raise_on_error=False
                )
            # a cancelled call cleans up behind the client's back: the next one on the file waits for it
            await server.call("ssh_upload", host="web", path=str(scene.file), content_text=OLD)
            assert scene.names() == ["f"]
            assert scene.file.read_text() == OLD


async def test_what_a_killed_server_left_goes_with_the_next_write(
    mcp_server: McpServerFactory, sshd: Sshd, scene: Scene
) -> None:
    from ssh_mcp.remote.files.writer import _MACHINE, PREFIX

    ended = os.fork()
    if ended == 0:
        os._exit(0)
    os.waitpid(ended, 0)
    dead = scene.place / f"{PREFIX}{_MACHINE}{ended:08x}{'0' * 12}"
    ours = scene.place / f"{PREFIX}{_MACHINE}{os.getpid():08x}{'0' * 12}"
    foreign = scene.place / f"{PREFIX}{'0' * 28}"
    old = scene.place / f"{PREFIX}{'1' * 28}"
    for path in (dead, ours, foreign, old):
        path.touch()
    os.utime(old, (1, 1))
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_upload", host="web", path=str(scene.file), content_text="x")
    assert scene.names() == sorted([ours.name, foreign.name, "f"])


async def test_a_long_transfer_reports_its_bytes_and_rate(
    mcp_server: McpServerFactory, cutting: Sshd, scene: Scene, tmp_path: Path
) -> None:
    root = tmp_path / "local"
    root.mkdir()
    (root / "f").write_bytes(bytes(4 * MiB))
    async with mcp_server({"web": cutting}, ssh_local_transfer_roots=str(root)) as server:
        for tool, path in (("ssh_upload", f"{root}/f"), ("ssh_sftp_download", f"{root}/g")):
            seen: list[tuple[float, float | None, str | None]] = []

            async def note(progress: float, total: float | None, message: str | None, into: list[Any] = seen) -> None:
                into.append((progress, total, message))

            await fresh_channel(server)
            scene.budget.write_text("slow 35")
            arguments = {"host": "web", "path": str(scene.file), "local_path": path}
            await server.client.call_tool(tool, arguments, progress_handler=note)
            assert seen
            assert all(total == 4 * MiB and "MB/s" in (message or "") for _, total, message in seen)
            assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)


async def test_a_quota_like_failure_leaves_the_old_file_and_no_litter(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, scene: Scene
) -> None:
    script = scene.budget.with_name("limited.sh")
    script.write_text("#!/bin/sh\ntrap '' XFSZ\nulimit -f 100\nexec /usr/lib/openssh/sftp-server\n")
    script.chmod(0o755)
    limited = sshd_factory(subsystem=str(script))
    scene.file.write_text(OLD)
    async with mcp_server({"web": limited}) as server:
        text = await server.refused("ssh_upload", host="web", path=str(scene.file), content_text=NEW * 2)
        assert text.startswith("RemoteError: ")
        assert "does not say why" in text
        assert scene.file.read_text() == OLD
        assert scene.names() == ["f"]


async def test_names_as_long_as_they_can_be_and_files_as_empty(
    mcp_server: McpServerFactory, sshd: Sshd, scene: Scene
) -> None:
    longest = scene.place / ("n" * 255)
    async with mcp_server({"web": sshd}) as server:
        await server.call("ssh_upload", host="web", path=str(longest), content_text="")
        await server.call("ssh_cp", host="web", src=str(longest), dst=f"{scene.place}/f")
        text = await server.refused("ssh_upload", host="web", path=f"{longest}n", content_text="")
        assert "too long" in text
        text = await server.refused("ssh_deploy", host="web", path=str(longest), content_text="x")
        assert "too long" in text
        assert longest.read_bytes() == b""
        assert scene.names() == ["f", "n" * 255]


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_memory_stays_flat_while_two_gigabytes_pass(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, tmp_path: Path
) -> None:
    root = tmp_path / "local"
    root.mkdir()
    with (root / "big").open("wb") as file:
        file.truncate(2 << 30)
    process = psutil.Process()
    hosts = {"one": sshd_factory(), "two": sshd_factory()}
    async with mcp_server(
        hosts, ssh_local_transfer_roots=str(root), ssh_local_transfer_max_bytes=4 << 30, ssh_command_timeout=300
    ) as server:
        for name in hosts:
            await server.call("ssh_upload", host=name, path=f"{root}/warm", content_text="x" * MiB)
        idle = process.memory_info().rss
        peak = 0

        async def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, process.memory_info().rss)
                await anyio.sleep(0.05)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            for tool, arguments in (
                ("ssh_upload", {"host": "one", "path": f"{root}/up", "local_path": f"{root}/big"}),
                ("ssh_sftp_download", {"host": "one", "path": f"{root}/big", "local_path": f"{root}/up"}),
                (
                    "ssh_transfer",
                    {"src_host": "one", "src_path": f"{root}/big", "dst_host": "two", "dst_path": f"{root}/up"},
                ),
            ):
                (root / "up").unlink(missing_ok=True)
                await server.call(tool, **arguments)
                assert (root / "up").stat().st_size == 2 << 30
            tasks.cancel_scope.cancel()
    assert peak - idle < 64 * MiB
