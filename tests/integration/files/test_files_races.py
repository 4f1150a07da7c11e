"""What others do to a file while a tool is at work on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ssh_mcp.remote.files import sources, text_edits
from ssh_mcp.remote.files.search import grep
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "files"
    where.mkdir()
    return where


def names(place: Path) -> list[str]:
    return sorted(os.listdir(place))


async def test_an_edit_does_not_overwrite_what_somebody_else_wrote_meanwhile(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "f").write_text("a = 1\n")
    real = text_edits.diff

    def diff(old: str, new: str, path: str) -> str:
        (place / "f").write_text("somebody else's line\n")
        return real(old, new, path)

    monkeypatch.setattr(text_edits, "diff", diff)
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused("ssh_edit", host="web", path=f"{place}/f", old_string="1", new_string="2")
    assert text.startswith("FileConflict: ")
    assert (place / "f").read_text() == "somebody else's line\n"
    assert names(place) == ["f"]


@pytest.mark.parametrize("tool", ["ssh_upload", "ssh_deploy", "ssh_edit"])
async def test_a_directory_swapped_for_a_link_does_not_lead_the_write_elsewhere(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    inside, outside = place / "dir", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    for where in (inside, outside):
        (where / "f").write_text("old")
    real = sources.BytesSource.pour

    async def pour(self: Any, target: Any) -> int:
        inside.rename(place / "moved")
        inside.symlink_to(outside)
        return await real(self, target)

    monkeypatch.setattr(sources.BytesSource, "pour", pour)
    arguments = {"old_string": "old", "new_string": "new"} if tool == "ssh_edit" else {"content_text": "new"}
    host = Host(sshd, lines=[f'path_allowlist = ["{place}"]'])
    async with mcp_server({"web": host}) as server:
        text = await server.refused(tool, host="web", path=f"{inside}/f", **arguments)
    assert text.startswith("PathChanged: "), text
    assert (outside / "f").read_text() == "old"
    assert names(outside) == ["f"]
    assert (place / "moved" / "f").read_text() == "old"


async def test_a_file_that_appears_meanwhile_is_not_overwritten_by_a_transfer(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "src").write_text("source")
    real = sources.OtherHostSource.pour

    async def pour(self: Any, target: Any) -> int:
        (place / "dst").write_text("somebody else's")
        return await real(self, target)

    monkeypatch.setattr(sources.OtherHostSource, "pour", pour)
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused(
            "ssh_transfer", src_host="web", src_path=f"{place}/src", dst_host="web", dst_path=f"{place}/dst"
        )
    assert text.startswith("FileConflict: ")
    assert (place / "dst").read_text() == "somebody else's"
    assert names(place) == ["dst", "src"]


async def test_bytes_damaged_on_the_way_are_never_put_in_place(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "src").write_text("source")
    (place / "dst").write_text("old")
    real = sources.OtherHostSource.pour

    async def pour(self: Any, target: Any) -> int:
        size = await real(self, target)
        await target.write(0, b"S")
        return size

    monkeypatch.setattr(sources.OtherHostSource, "pour", pour)
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused(
            "ssh_transfer", src_host="web", src_path=f"{place}/src", dst_host="web", dst_path=f"{place}/dst",
            overwrite=True,
        )  # fmt: skip
    assert text.startswith("FileConflict: ")
    assert (place / "dst").read_text() == "old"
    assert names(place) == ["dst", "src"]


async def test_a_directory_swapped_during_removal_does_not_lead_it_elsewhere(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ssh_mcp.remote.files import removal, trees

    tree, outside = place / "tree", tmp_path / "outside"
    for where in (tree / "sub", outside):
        where.mkdir(parents=True)
        (where / "f").write_text("kept")
    real = removal.remove_tree

    async def remove_tree(*arguments: Any) -> int:
        (tree / "sub").rename(place / "moved")
        (tree / "sub").symlink_to(outside)
        return await real(*arguments)

    monkeypatch.setattr(trees, "remove_tree", remove_tree)
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused("ssh_delete_folder", host="web", path=str(tree), recursive=True)
    assert text.startswith("PathChanged: ")
    assert (outside / "f").read_text() == "kept"


@pytest.mark.parametrize(("swapped", "found"), [(("names",), ["needle inside"]), (("names", "each"), [])])
async def test_a_search_shows_nothing_of_a_directory_that_is_swapped_for_a_link_and_back(
    mcp_server: McpServerFactory,
    sshd: Sshd,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    swapped: tuple[str, ...],
    found: list[str],
) -> None:
    inside, outside, aside = place / "dir", tmp_path / "outside", tmp_path / "aside"
    for where in (inside, outside):
        where.mkdir()
        (where / "f").write_text(f"needle {where.name.replace('dir', 'inside')}\n")
    real = grep._search

    async def search(host: Any, listed: Any, files: Any, values: dict[str, str], **more: Any) -> Any:
        if values["mode"] in swapped:
            inside.rename(aside)
            inside.symlink_to(outside)
        done = await real(host, listed, files, values, **more)
        if values["mode"] in swapped:
            inside.unlink()
            aside.rename(inside)
        return done

    monkeypatch.setattr(grep, "_FEW", 0)
    monkeypatch.setattr(grep, "_search", search)
    host = Host(sshd, lines=[f'path_allowlist = ["{place}"]'])
    async with mcp_server({"web": host}) as server:
        result = await server.call("ssh_grep", host="web", path=str(place), pattern="needle")
    assert [match["text"] for match in result["matches"]] == found
    assert result["files_skipped"].get("unreadable", 0) == 1 - len(found)
