"""What the catalogue costs a client's context."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.bench.lab import BenchLab
from tests.bench.measure import Figure


def sizes(lab: BenchLab) -> Iterator[Figure]:
    """Bytes of compact JSON of tools/list with every tier open, with and without output schemas."""
    server = lab.server(ALLOW_SUDO="true")
    tools = server.request("tools/list")["tools"]
    whole = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())
    for tool in tools:
        tool.pop("outputSchema", None)
    bare = len(json.dumps(tools, separators=(",", ":"), ensure_ascii=False).encode())
    yield Figure(f"tools/list, {len(tools)} tools", whole / 1000, "kB", 90)
    yield Figure("tools/list without output schemas", bare / 1000, "kB", 50)
    server.close()
