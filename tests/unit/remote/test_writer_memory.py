"""A server that runs for months forgets the directories that it wrote to long ago."""

from __future__ import annotations

import pytest

from ssh_mcp.remote.files import writer
from transports.api import Destination

HOST = Destination("web")


def test_directories_swept_long_ago_are_forgotten_and_recent_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_swept", {})
    for i in range(5 * writer._SWEPT_KEPT):
        writer._remember_sweep((HOST, f"/d{i}"), float(i))
    recent = int(writer._SWEPT_AGAIN)
    assert len(writer._swept) <= writer._SWEPT_KEPT + 1
    assert all(
        (HOST, f"/d{i}") in writer._swept for i in range(5 * writer._SWEPT_KEPT - recent, 5 * writer._SWEPT_KEPT)
    )
