"""Programs that these tests need."""

from __future__ import annotations

import os

import pytest

from tests.lab.needs import find


def program(name: str, package: str) -> str:
    """Its path; skips where it is missing, fails where the lab is required."""
    path = find(name)
    if path is None:
        reason = f"missing Debian package: {package}"
        if os.environ.get("SSH_MCP_REQUIRE_LAB") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def chromium() -> str:
    return program("chromium", "chromium")
