# ruff: noqa: E501 - samples are data
"""Tool arguments over the wire: whatever a model sends, a tool returns a result or with a named error.

``SSH_MCP_FUZZ_EXAMPLES=2000 .venv/bin/python -m pytest tests/fuzz/test_arguments.py`` tries more of each tool.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastmcp import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssh_mcp.server.app import build
from ssh_mcp.settings.model import load_settings
from ssh_mcp.tools.catalogue import Entry, read
from tests.faults.rig import named
from transports.api import Destination, Effective, HostKeyCheck
from transports.errors import ConnectError

EXAMPLES = int(os.environ.get("SSH_MCP_FUZZ_EXAMPLES", "8"))
HOSTS = """
[hosts.web]
hostname = "web.example"
path_allowlist = ["/srv", "/tmp"]
command_allowlist = ["ls", "uptime"]
[hosts.win]
hostname = "win.example"
platform = "windows"
path_allowlist = ["*"]
"""


class Unreachable:
    """A host that no call gets to: what is under test lies before it."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination

    async def _no(self, *_args: object, **_options: object) -> Any:
        raise ConnectError(f"{self.destination.name} is not there.", "Try another.", sent=False)

    login = run = start = files = _no


class NoTransport:
    def connection(self, destination: Destination) -> Any:
        return Unreachable(destination)

    async def effective(self, destination: Destination) -> Effective:
        return Effective(destination.hostname or destination.name, "root", 22)

    async def verify_host_key(self, _destination: Destination) -> HostKeyCheck:
        return HostKeyCheck(None, None, matches=False, error="ConnectError: not there.")

    def sessions(self) -> tuple[Any, ...]:
        return ()

    async def aclose(self) -> None:
        return


class Wire:
    """A client in a thread of its own, for tests that are not asynchronous."""

    def __init__(self, portal: BlockingPortal, client: Client[Any]) -> None:
        self._portal = portal
        self._client = client

    def call(self, tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
        """(failed, text)."""

        async def ask() -> tuple[bool, str]:
            done = await self._client.call_tool(tool, arguments, raise_on_error=False)
            return done.is_error, "".join(getattr(block, "text", "") for block in done.content)

        return self._portal.call(ask)


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    directory = tmp_path_factory.mktemp("wire")
    (directory / "hosts.toml").write_text(HOSTS)
    env = {
        "SSH_HOSTS_FILE": str(directory / "hosts.toml"),
        "SSH_HOST_NOTES_DIR": str(directory / "notes"),
        "SSH_LOCAL_TRANSFER_ROOTS": str(directory / "local"),
        **dict.fromkeys(("ALLOW_LOW_ACCESS_TOOLS", "ALLOW_DANGEROUS_TOOLS", "ALLOW_SUDO"), "true"),
    }
    (directory / "local").mkdir()
    loaded, warnings = load_settings(env, Path("/nonexistent/.env"))
    app = build(loaded, warnings, transport=lambda _: NoTransport())
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Client(app.server)) as client:
        yield Wire(portal, client)


TEXTS = st.one_of(
    st.sampled_from(
        [
            "web", "win", "web.example", "", " ", "/", "/srv/x", "/srv/../etc/shadow", "C:\\x", "~", "-oProxyCommand=x",
            "\0", "\n", "a" * 5000, "0644", "644", "$(id)", "ls", "ls /srv", "nginx.service", "app:latest", "1h", "now", "{}",
            "null", "*", "..", "\u202e", "é", "\ud7ff", "aGVsbG8=", "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n", "services: {}\n",
        ]
    ),
    st.text(max_size=30),
)  # fmt: skip
NUMBERS = st.one_of(st.integers(-2, 70_000), st.sampled_from([2**31, 2**63, 2**64, -(2**63)]), st.integers())
GARBAGE = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values of a schema's type; bounds are left to chance, as a model leaves them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"]) | TEXTS
    if "anyOf" in schema:
        return st.one_of([fitting(one) for one in schema["anyOf"]])
    kinds = schema.get("type", "any")
    made: list[st.SearchStrategy[Any]] = []
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        match kind:
            case "string":
                made.append(TEXTS)
            case "integer" | "number":
                made.append(NUMBERS)
            case "boolean":
                made.append(st.booleans())
            case "null":
                made.append(st.none())
            case "array":
                made.append(st.lists(fitting(schema.get("items", {})), max_size=4))
            case "object":
                more = schema.get("additionalProperties")
                made.append(st.dictionaries(TEXTS, fitting(more) if isinstance(more, dict) else GARBAGE, max_size=3))
            case _:
                made.append(GARBAGE)
    return st.one_of(made)


def arguments_of(entry: Entry) -> st.SearchStrategy[dict[str, Any]]:
    """Mostly fitting arguments for a host that exists, some garbage among them, some missing, some unknown."""
    properties = entry.input_schema.get("properties", {})
    known = {
        name: (st.just("web") | fitting(one) if name.endswith("host") else fitting(one))
        if name != "hosts"
        else fitting(one)
        for name, one in properties.items()
    }
    whole = st.fixed_dictionaries(
        {n: s for n, s in known.items() if n in entry.input_schema.get("required", ())},
        optional={n: s for n, s in known.items() if n not in entry.input_schema.get("required", ())},
    )
    broken = st.fixed_dictionaries({}, optional=dict.fromkeys(known, GARBAGE))
    strange = st.dictionaries(TEXTS, GARBAGE, max_size=3)
    return st.one_of(whole, whole, whole, broken, strange)


@pytest.mark.parametrize("entry", read(), ids=lambda e: e.name)
def test_any_arguments_get_a_result_or_a_named_error(wire: Wire, entry: Entry) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(arguments_of(entry))
    def check(arguments: dict[str, Any]) -> None:
        failed, text = wire.call(entry.name, arguments)
        if failed:
            assert named(text), f"{entry.name} {json.dumps(arguments)[:500]}: {text[:500]}"
            assert len(text) < 6000, f"{entry.name}: an error of {len(text)} characters"

    check()
