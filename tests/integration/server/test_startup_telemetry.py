"""Spans are sent where that is wanted and can be done; the last ones too, and never at the cost of the end."""

from __future__ import annotations

import gzip
import importlib.util
import logging
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from ssh_mcp.server.telemetry import nothing, set_up
from ssh_mcp.settings.model import Settings
from tests.integration.surface_rig import environment
from tests.peers import need

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@dataclass
class Collector:
    """An OTLP collector on loopback. ``hangs``: it takes connections and never replies."""

    hangs: threading.Event
    bodies: list[bytes]
    environment: dict[str, str]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    need(importlib.util.find_spec("opentelemetry.exporter"), "the telemetry extra is not installed")
    hangs, over = threading.Event(), threading.Event()
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if hangs.is_set():
                over.wait()
                return
            bodies.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    yield Collector(hangs, bodies, {**environment(tmp_path), ENDPOINT: endpoint})
    over.set()
    server.shutdown()
    server.server_close()


async def used(env: dict[str, str], tmp_path: Path) -> None:
    transport = StdioTransport(
        sys.executable, ["-m", "ssh_mcp"], env=env, cwd=str(tmp_path), keep_alive=False, log_file=tmp_path / "log"
    )
    async with Client(transport) as client:
        await client.call_tool("ssh_host_list", {})
        await client.call_tool("ssh_host_ping", {"host": "hunter2-host"}, raise_on_error=False)


async def test_spans_of_calls_are_sent_up_to_the_last_one(collector: Collector, tmp_path: Path) -> None:
    await used(collector.environment, tmp_path)
    spans = b"".join(collector.bodies)  # protobuf: texts stand in it as they are
    assert b"ssh-mcp" in spans
    assert b"tools/call ssh_host_list" in spans
    assert b"tools/call ssh_host_ping" in spans


@pytest.mark.parametrize("setting", [{"OTEL_ENABLED": "false"}, {ENDPOINT: ""}])
async def test_no_span_is_sent_where_nobody_wants_it(
    setting: dict[str, str], collector: Collector, tmp_path: Path
) -> None:
    await used({**collector.environment, **setting}, tmp_path)
    assert collector.bodies == []


async def test_a_collector_that_hangs_does_not_keep_the_server_from_ending(
    collector: Collector, tmp_path: Path
) -> None:
    collector.hangs.set()
    with anyio.fail_after(50):
        await used(collector.environment, tmp_path)


def test_an_endpoint_without_the_extra_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with caplog.at_level(logging.WARNING):
        assert set_up(Settings()) is nothing
    assert f"{ENDPOINT} is set, but spans cannot be sent: install openssh-mcp[telemetry]." in caplog.text


def test_switched_off_the_sdk_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "")
    assert set_up(Settings(otel_enabled=False)) is nothing
    import os

    assert os.environ["OTEL_SDK_DISABLED"] == "true"
