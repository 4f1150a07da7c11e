"""Spans are sent where that is wanted and can be done; the last ones too, and never at the cost of the end."""

from __future__ import annotations

import importlib.util
import logging
import sys
import time
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from ssh_mcp.settings import Settings
from ssh_mcp.telemetry import nothing, set_up
from tests.integration.surface_lab import environment
from tests.lab import need

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORTER = """
import os, pathlib, time
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

class OTLPSpanExporter(SpanExporter):
    def export(self, spans):
        if os.environ["SINK"] == "hangs":
            time.sleep(60)
        with pathlib.Path(os.environ["SINK"]).open("a") as file:
            for span in spans:
                file.write(f"{span.resource.attributes['service.name']} {span.to_json(indent=None)}\\n")
        return SpanExportResult.SUCCESS

    def shutdown(self):
        pass
"""


@pytest.fixture
def with_exporter(tmp_path: Path) -> dict[str, str]:
    """An environment in which the extra's exporter is there: one that writes to a file."""
    need(importlib.util.find_spec("opentelemetry.sdk"), "the telemetry extra is not installed")
    module = tmp_path / "extra" / "opentelemetry" / "exporter" / "otlp" / "proto" / "http" / "trace_exporter"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text(EXPORTER)
    return {
        **environment(tmp_path, pythonpath=tmp_path / "extra"),
        ENDPOINT: "http://127.0.0.1:4318",
        "SINK": str(tmp_path / "spans"),
    }


async def used(env: dict[str, str], tmp_path: Path) -> None:
    transport = StdioTransport(
        sys.executable, ["-m", "ssh_mcp"], env=env, cwd=str(tmp_path), keep_alive=False, log_file=tmp_path / "log"
    )
    async with Client(transport) as client:
        await client.call_tool("ssh_host_list", {})
        await client.call_tool("ssh_host_ping", {"host": "hunter2-host"}, raise_on_error=False)


@pytest.mark.anyio
async def test_spans_of_calls_are_sent_up_to_the_last_one_without_arguments(
    with_exporter: dict[str, str], tmp_path: Path
) -> None:
    await used(with_exporter, tmp_path)
    spans = (tmp_path / "spans").read_text()
    assert spans.startswith("ssh-mcp ")
    assert "tools/call ssh_host_list" in spans
    assert "tools/call ssh_host_ping" in spans


@pytest.mark.anyio
@pytest.mark.parametrize("setting", [{"OTEL_ENABLED": "false"}, {ENDPOINT: ""}])
async def test_no_span_is_sent_where_nobody_wants_it(
    setting: dict[str, str], with_exporter: dict[str, str], tmp_path: Path
) -> None:
    await used({**with_exporter, **setting}, tmp_path)
    assert not (tmp_path / "spans").exists()


@pytest.mark.anyio
async def test_a_collector_that_hangs_does_not_keep_the_server_from_ending(
    with_exporter: dict[str, str], tmp_path: Path
) -> None:
    began = time.monotonic()
    await used({**with_exporter, "SINK": "hangs"}, tmp_path)
    assert time.monotonic() - began < 50


def test_an_endpoint_without_the_extra_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:4318")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with caplog.at_level(logging.WARNING):
        assert set_up(Settings()) is nothing
    assert f"{ENDPOINT} is set, but spans cannot be sent: install ssh-mcp[telemetry]." in caplog.text


def test_switched_off_the_sdk_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "")
    assert set_up(Settings(otel_enabled=False)) is nothing
    import os

    assert os.environ["OTEL_SDK_DISABLED"] == "true"
