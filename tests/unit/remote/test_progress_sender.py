"""Progress goes to clients that asked for it; for others FastMCP is not even asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ssh_mcp.remote.call import no_progress
from ssh_mcp.tools import registered


class Context:
    """FastMCP's, as far as a tool's progress uses it."""

    def __init__(self, request: Any) -> None:
        self.request_context = request
        self.reported: list[tuple[Any, ...]] = []

    async def report_progress(self, *what: Any) -> None:
        self.reported.append(what)


def _in(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "get_context", lambda: context)


@pytest.mark.parametrize(
    "request_context", [None, SimpleNamespace(meta=None), SimpleNamespace(meta={"fastmcp": {}})], ids=repr
)
async def test_a_client_that_asked_for_no_progress_gets_none(
    request_context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _in(Context(request_context), monkeypatch)
    assert registered._progress_sender() is no_progress


@pytest.mark.parametrize("token", [0, 7, "a"])
async def test_a_client_that_asked_is_notified(token: object, monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context(SimpleNamespace(meta={"progressToken": token}))
    _in(context, monkeypatch)
    await registered._progress_sender()(1, 2, "half")
    assert context.reported == [(1, 2, "half")]
