"""A person in the loop through the client that calls: two client libraries, both protocol eras, a real host."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp
import mcp_types
import pytest
from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

pytestmark = pytest.mark.anyio

ASK = ["command:touch"]
Call = Callable[..., Awaitable[tuple[bool, str]]]
Person = Callable[[str], Awaitable[mcp_types.ElicitResult]]


def says(action: str, content: dict[str, Any] | None = None) -> Person:
    async def reply(_text: str) -> mcp_types.ElicitResult:
        return mcp_types.ElicitResult(action=action, content=content)  # type: ignore[arg-type]

    return reply


YES = says("accept", {"approve": True})


@asynccontextmanager
async def fastmcp_client(server: McpServer, mode: str, person: Person) -> AsyncIterator[Call]:
    async def handler(message: str, _type: Any, _params: Any, _context: Any) -> Any:
        said = await person(message)
        return ElicitResult(action=said.action, content=said.content)

    assert server.app is not None
    async with Client(server.app.server, mode=mode, elicitation_handler=handler) as client:

        async def call(tool: str, **arguments: Any) -> tuple[bool, str]:
            done = await client.call_tool(tool, arguments, raise_on_error=False)
            return not done.is_error, "".join(getattr(b, "text", "") for b in done.content)

        yield call


@asynccontextmanager
async def sdk_client(server: McpServer, mode: str, person: Person) -> AsyncIterator[Call]:
    async def callback(_context: Any, params: Any) -> Any:
        return await person(params.message)

    assert server.app is not None
    low = server.app.server._mcp_server
    async with mcp.Client(low, mode=mode, elicitation_callback=callback) as client:  # type: ignore[arg-type]

        async def call(tool: str, **arguments: Any) -> tuple[bool, str]:
            done = await client.call_tool(tool, arguments)
            return not done.is_error, "".join(getattr(b, "text", "") for b in done.content)

        yield call


ERAS = pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
LIBRARIES = pytest.mark.parametrize("connect", [fastmcp_client, sdk_client])


@ERAS
@LIBRARIES
@pytest.mark.parametrize(
    ("person", "ends"),
    [
        (YES, None),
        (says("accept", {"approve": False}), "ApprovalDenied"),
        (says("accept", {}), "ApprovalDenied"),
        (says("decline"), "ApprovalDenied"),
        (says("cancel"), "ApprovalDenied"),
    ],
)
async def test_only_a_yes_runs_the_command(
    connect: Any, mode: str, person: Person, ends: str | None, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    mark, shown = tmp_path / "mark", []

    async def seen(text: str) -> mcp_types.ElicitResult:
        shown.append(text)
        return await person(text)

    async with mcp_server({"web": sshd}, ssh_ask=ASK) as server, connect(server, mode, seen) as call:
        fine, text = await call("ssh_exec_run", host="web", command=f"touch {mark}")
        line = server.audit()[-1]
    assert len(shown) == 1
    assert f"touch {mark}" in shown[0]
    assert "web" in shown[0]
    assert sshd.user in shown[0]
    assert "command:touch" in shown[0]
    assert mark.exists() is fine is (ends is None)
    assert line["approval"]["outcome"] == ("granted" if fine else "denied")
    assert line["approval"]["channel"] == "client"
    if ends:
        assert text.startswith(f"{ends}: ")
