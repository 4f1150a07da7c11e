"""The runtime directory is ours alone, or nothing is put there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ssh_mcp.errors import ConfigError
from ssh_mcp.runtime import runtime_directory


@pytest.fixture
def xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


def test_the_directory_is_made_closed_and_found_again(xdg: Path) -> None:
    first = runtime_directory()
    assert first.parent == xdg
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert runtime_directory() == first


def test_a_directory_that_others_can_enter_is_refused_and_left_as_it_is(xdg: Path) -> None:
    runtime_directory().chmod(0o755)
    with pytest.raises(ConfigError, match="closed to everybody else"):
        runtime_directory()


def test_a_symbolic_link_in_its_place_is_refused(xdg: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (xdg / "ssh-mcp-run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a directory"):
        runtime_directory()
