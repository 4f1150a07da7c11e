"""OpenTelemetry: FastMCP makes a span for every request; this decides whether and where spans go.

Nothing is sent unless the ``telemetry`` extra is installed, OTEL_ENABLED is true and an OTLP endpoint is named in
OpenTelemetry's own variables. Spans carry tool names, durations and error sentences, no argument or output.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssh_mcp.settings.model import Settings

LAST_SPANS_LIMIT = 3.0
"""Seconds that the last spans may take at the end."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

logger = logging.getLogger("ssh_mcp")


def nothing() -> None:
    """What there is to end where no spans are sent."""


def set_up(settings: Settings) -> Callable[[], None]:
    """Export spans where that is wanted. Returns what ends it: the last spans are in memory until then."""
    if not settings.otel_enabled:
        os.environ["OTEL_SDK_DISABLED"] = "true"
        return nothing
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if endpoint is None:
        return nothing
    try:
        return _export()
    except ImportError:
        logger.warning("%s is set, but spans cannot be sent: install openssh-mcp[telemetry].", endpoint)
        return nothing


def _export() -> Callable[[], None]:
    """The SDK's provider with an OTLP exporter, which reads OpenTelemetry's own variables. Raises ImportError."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME", "ssh-mcp")
    provider = TracerProvider(resource=Resource.create({"service.name": name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return lambda: _within(LAST_SPANS_LIMIT, provider.shutdown)


def _within(seconds: float, work: Callable[[], None]) -> None:
    """A collector that does not reply must not keep the server from ending."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
