"""The agent's notes: kept whole, private and complete, also between processes."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ssh_mcp.errors import InvalidArgument, TooLarge, public_text
from ssh_mcp.inventory.notes import Notes
from ssh_mcp.settings.model import Settings


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(Settings(ssh_host_notes_dir=str(tmp_path / "notes"), ssh_host_notes_max_bytes=2000))


def test_a_host_without_notes_has_none(notes: Notes) -> None:
    assert notes.read("web01") is None
    assert not notes.exists("web01")
    assert not notes.directory.exists()


def test_entries_are_appended_with_the_time_in_utc(notes: Notes) -> None:
    first = notes.append("web01", "nginx lives in /opt\n")
    second = notes.append("web01", "ünïcode")
    assert (first.created, second.created) == (True, False)
    assert first.path == notes.path("web01") == notes.directory / "web01.md"
    text = notes.read("web01")
    assert text is not None
    assert re.fullmatch(r"## \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n\nnginx lives in /opt\n\n## [-\dT:]+Z\n\nünïcode\n", text)
    assert first.bytes_written + second.bytes_written + 1 == len(text.encode())


def test_setting_replaces_everything(notes: Notes) -> None:
    assert notes.set("web01", "old").created
    written = notes.set("web01", "new ü")
    assert (written.created, written.bytes_written) == (False, 6)
    assert notes.read("web01") == "new ü"
    notes.set("web01", "")
    assert notes.read("web01") is None
    assert not notes.exists("web01")


def test_an_entry_after_text_without_a_line_end_starts_its_own_paragraph(notes: Notes) -> None:
    notes.set("web01", "typed by hand")
    notes.append("web01", "x")
    text = notes.read("web01")
    assert text is not None
    assert text.startswith("typed by hand\n\n## ")


def test_notes_are_private(notes: Notes) -> None:
    written = notes.append("web01", "x")
    assert stat.S_IMODE(written.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(notes.directory.stat().st_mode) == 0o700


def test_too_much_is_refused_and_nothing_is_lost(notes: Notes) -> None:
    notes.append("web01", "kept")
    before = notes.read("web01")
    for change in (notes.append, notes.set):
        with pytest.raises(TooLarge) as caught:
            change("web01", "x" * 2001)
        assert re.fullmatch(
            r"TooLarge: The notes would have 20\d\d bytes; the limit is 2000\. Shorten them with ssh_host_notes_set\.",
            public_text(caught.value),
        )
    assert notes.read("web01") == before
    assert sorted(p.name for p in notes.directory.iterdir()) == [".web01.md.lock", "web01.md"]


def test_a_file_grown_by_others_is_read_up_to_the_limit(notes: Notes) -> None:
    written = notes.set("web01", "x")
    written.path.write_bytes(b"\xff" + b"y" * 5000)
    text = notes.read("web01")
    assert text == "\ufffd" + "y" * 1999


@pytest.mark.parametrize("entry", ["", " \n ", "a\0b", "a\ud800"])
def test_empty_and_broken_text_is_refused(notes: Notes, entry: str) -> None:
    with pytest.raises(InvalidArgument):
        notes.append("web01", entry)
    assert not notes.exists("web01")


@pytest.mark.parametrize("alias", ["../../x", "a/b", "::1", "fe80::1%eth0", "ü", ".", "..", "a\\b"])
def test_any_host_name_is_one_file_in_the_directory(notes: Notes, alias: str) -> None:
    notes.set(alias, alias)
    assert notes.path(alias).parent == notes.directory
    assert notes.read(alias) == alias
    assert len([p for p in notes.directory.iterdir() if p.name.endswith(".md")]) == 1


def test_a_link_in_place_of_the_file_is_replaced_not_followed(notes: Notes, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    notes.directory.mkdir()
    notes.path("web01").symlink_to(victim)
    notes.set("web01", "x")
    assert victim.read_text() == "untouched"
    assert not notes.path("web01").is_symlink()


def test_without_a_setting_notes_live_in_the_user_s_data_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data/op")
    assert Notes(Settings()).path("a") == Path("/data/op/ssh-mcp/notes/a.md")


WRITER = """
import sys
from ssh_mcp.inventory.notes import Notes
from ssh_mcp.settings.model import Settings
notes = Notes(Settings(ssh_host_notes_dir=sys.argv[1]))
for i in range(20):
    notes.append("web01", f"{sys.argv[2]}-{i}")
"""


def test_servers_that_append_at_once_lose_nothing(notes: Notes) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(notes.directory), str(n)]) for n in range(4)]
    assert [w.wait() for w in writers] == [0] * 4
    text = Notes(Settings(ssh_host_notes_dir=str(notes.directory))).read("web01")
    assert text is not None
    entries = re.findall(r"^\d-\d+$", text, re.MULTILINE)
    assert sorted(entries) == sorted(f"{n}-{i}" for n in range(4) for i in range(20))
    for n in range(4):  # each writer's own order is kept
        assert [e for e in entries if e.startswith(f"{n}-")] == [f"{n}-{i}" for i in range(20)]
    assert sorted(p.name for p in notes.directory.iterdir()) == [".web01.md.lock", "web01.md"]
