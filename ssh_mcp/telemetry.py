"""OpenTelemetry: FastMCP makes a span for every request; this decides whether and where spans go.

Nothing is sent unless the ``telemetry`` extra is installed, OTEL_ENABLED is true and an OTLP endpoint is named in
OpenTelemetry's own variables. Spans carry tool names, durations and error sentences, no argument or output.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssh_mcp.settings import Settings

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

logger = logging.getLogger("ssh_mcp")


def set_up(settings: Settings) -> bool:
    """Install the SDK's provider with an OTLP exporter where that is wanted. Answers whether spans are sent."""
    if not settings.otel_enabled:
        os.environ["OTEL_SDK_DISABLED"] = "true"
        return False
    if not any(os.environ.get(name) for name in ENDPOINTS):
        return False
    if importlib.util.find_spec("opentelemetry.exporter") is None:
        logger.warning(
            "%s is set but the telemetry extra is not installed: no spans are sent. Install ssh-mcp[telemetry].",
            next(name for name in ENDPOINTS if os.environ.get(name)),
        )
        return False
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "ssh-mcp"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return True
