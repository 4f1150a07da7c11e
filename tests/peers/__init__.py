"""The tests' peers: real servers, agents and accounts of our own, always on loopback, always removed again."""

from __future__ import annotations

import os

import pytest


def need(condition: object, reason: str) -> None:
    """Skip the test where ``condition`` is false; with ``SSH_MCP_REQUIRE_LAB=1`` fail it instead."""
    if condition:
        return
    if os.environ.get("SSH_MCP_REQUIRE_LAB") == "1":
        pytest.fail(f"a need is missing: {reason}", pytrace=False)
    pytest.skip(reason)
