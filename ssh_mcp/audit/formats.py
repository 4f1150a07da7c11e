"""Audit lines in the schemas that log collectors know. Pure.

``native``
    The record's own fields.
``ocsf``
    Open Cybersecurity Schema Framework 1.3.0, class API Activity (6003).
``ecs``
    Elastic Common Schema 8.11.

Both foreign schemas carry the whole record as well, in the place that each leaves to producers (``unmapped``, a field
set of our own name): nothing is lost, and the reader of our files needs no second parser.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from .record import AuditRecord

Format = Literal["native", "ocsf", "ecs"]
NESTED: Final[Mapping[str, str]] = {"ocsf": "unmapped", "ecs": "ssh_mcp"}
"""Where each foreign schema holds the record."""

_PRODUCT: Final = "ssh-mcp"
_API_ACTIVITY: Final = 6003
_READ, _OTHER = 2, 99  # activity_id
_INFORMATIONAL, _MEDIUM = 1, 3  # severity_id
_SUCCESS, _FAILURE = 1, 2  # status_id
_encode = json.JSONEncoder(separators=(",", ":")).encode


def rendered(record: AuditRecord, form: Format) -> str:
    """One line of ASCII JSON without a newline."""
    if form == "native":
        return record.to_json()
    return _encode(_ocsf(record) if form == "ocsf" else _ecs(record))


def _ocsf(record: AuditRecord) -> dict[str, object]:
    activity = _READ if record.tier == "read" else _OTHER
    ok = record.result == "ok"
    event: dict[str, object] = {
        "category_uid": 6,
        "class_uid": _API_ACTIVITY,
        "activity_id": activity,
        "type_uid": _API_ACTIVITY * 100 + activity,
        "time": _milliseconds(record.ts),
        "duration": record.duration_ms,
        "severity_id": _INFORMATIONAL if ok else _MEDIUM,
        "status_id": _SUCCESS if ok else _FAILURE,
        "metadata": {
            "version": "1.3.0",
            "product": {"name": _PRODUCT, "vendor_name": _PRODUCT},
            "uid": record.correlation_id,
        },
        "actor": {"user": {"name": record.identity or "local"}},
        "api": {"operation": record.tool, "service": {"name": _PRODUCT}},
        "src_endpoint": {"name": record.client or "unknown"},
    }
    if activity == _OTHER:
        event["activity_name"] = record.tier
    if record.error is not None:
        event["status_detail"] = record.error
    if record.host is not None:
        event["dst_endpoint"] = _present(hostname=record.host, name=record.alias, port=record.port)
    if record.hosts:
        event["resources"] = [{"name": name, "type": "host"} for name in record.hosts]
    event[NESTED["ocsf"]] = record.to_fields()
    return event


def _ecs(record: AuditRecord) -> dict[str, object]:
    ok = record.result == "ok"
    event: dict[str, object] = {
        "@timestamp": record.ts,
        "ecs": {"version": "8.11.0"},
        "event": {
            "kind": "event",
            "category": ["process"],
            "type": ["info"] if record.tier == "read" else ["change"],
            "action": record.tool,
            "outcome": "success" if ok else "failure",
            "duration": record.duration_ms * 1_000_000,  # nanoseconds
            "id": record.correlation_id,
            "provider": _PRODUCT,
        },
        "user": {"name": record.identity or "local"},
    }
    if record.host is not None:
        event["destination"] = _present(domain=record.host, port=record.port)
    if record.error is not None:
        event["error"] = {"type": record.error}
    process = _present(exit_code=record.exit_code, command_line=record.command)
    if process:
        event["process"] = process
    event[NESTED["ecs"]] = record.to_fields()
    return event


def _present(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _milliseconds(ts: str) -> int:
    return round(datetime.fromisoformat(ts).timestamp() * 1000)
