"""A lean MCP client over stdio, so that what is measured is the server: JSON-RPC lines, several calls in flight."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PROTOCOL = "2025-06-18"


class RpcServer:
    """One server process. ``call`` raises RuntimeError where the tool failed."""

    def __init__(self, argv: Iterable[str], env: Mapping[str, str], *, log: Path | None = None) -> None:
        self._log = log.open("ab") if log else None
        self.process = subprocess.Popen(
            list(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log or subprocess.DEVNULL,
            env=dict(env), bufsize=0,
        )  # fmt: skip
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._in = self.process.stdin
        self._out = self.process.stdout
        self._rest = b""
        self._next = 0
        self.request(
            "initialize",
            {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
        )
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._answers([self._ask(method, params or {})])[0]

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        return self._result(self.request("tools/call", {"name": tool, "arguments": arguments}))

    def calls(self, tool: str, each: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Several calls in flight at once; results in the order of the calls."""
        ids = [self._ask("tools/call", {"name": tool, "arguments": a}) for a in each]
        return [self._result(a) for a in self._answers(ids)]

    @staticmethod
    def _result(answer: dict[str, Any]) -> dict[str, Any]:
        if answer.get("isError"):
            raise RuntimeError(answer["content"][0]["text"])
        structured: dict[str, Any] = answer.get("structuredContent") or {}
        return structured

    def _ask(self, method: str, params: dict[str, Any]) -> int:
        self._next += 1
        self._send({"jsonrpc": "2.0", "id": self._next, "method": method, "params": params})
        return self._next

    def _send(self, message: dict[str, Any]) -> None:
        self._in.write(json.dumps(message).encode() + b"\n")

    def _line(self) -> bytes:
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            data = self._out.read(1 << 20)
            if not data:
                raise RuntimeError("the server ended")
            parts.append(data)
        line, _, self._rest = b"".join(parts).partition(b"\n")
        return line

    def _answers(self, ids: list[int]) -> list[dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        while len(found) < len(ids):
            message = json.loads(self._line())
            if message.get("id") in ids and "method" not in message:
                if "error" in message:
                    raise RuntimeError(str(message["error"]))
                found[message["id"]] = message["result"]
        return [found[i] for i in ids]

    def close(self) -> None:
        self._in.close()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._out.close()
        if self._log:
            self._log.close()


EMPTY_SERVER = """
from fastmcp import FastMCP
server = FastMCP("empty")
@server.tool
async def nothing() -> dict[str, int]:
    return {"answer": 1}
server.run(show_banner=False)
"""


def empty_server(env: Mapping[str, str]) -> RpcServer:
    """A FastMCP server with one tool that does nothing: the floor for every call."""
    return RpcServer([sys.executable, "-c", EMPTY_SERVER], env)
