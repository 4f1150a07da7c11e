"""Hooks of an operator's module in a served program: notified of every call, whatever transport the client came by."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.mcp_server import McpServerFactory
from tests.peers.sshd import Sshd

MODULE = """
import json

def register_hooks(registry):
    async def tell(context):
        with open({path!r}, "a") as file:
            file.write(json.dumps([context.event, context.tool, context.result, context.correlation_id]) + chr(10))

    for event in ("startup", "pre_tool_call", "post_tool_call", "shutdown"):
        registry.register(event, tell)
"""


@pytest.mark.parametrize("stdio", [False, True], ids=["in memory", "stdio"])
async def test_hooks_are_notified_of_start_calls_and_end(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, stdio: bool
) -> None:
    told = tmp_path / "told"
    (tmp_path / "told_hooks.py").write_text(MODULE.format(path=str(told)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "told_hooks", raising=False)
    paths = os.pathsep.join(p for p in sys.path if p)
    async with mcp_server({"web": sshd}, stdio=stdio, ssh_hooks_module="told_hooks", pythonpath=paths) as server:
        await server.call("ssh_host_list")
        await server.refused("ssh_host_ping", host="nobody")
        audited = server.audit()
    seen = [json.loads(line) for line in told.read_text().splitlines()]
    assert [(event, tool, result) for event, tool, result, _ in seen] == [
        ("startup", None, None),
        ("pre_tool_call", "ssh_host_list", None),
        ("post_tool_call", "ssh_host_list", "ok"),
        ("pre_tool_call", "ssh_host_ping", None),
        ("post_tool_call", "ssh_host_ping", "error"),
        ("shutdown", None, None),
    ]
    assert [call for event, _, _, call in seen if event == "post_tool_call"] == [a["correlation_id"] for a in audited]
