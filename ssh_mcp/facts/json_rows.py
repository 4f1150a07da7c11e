"""JSON out of container engines: one object per line (docker), one indented array (podman), or either (compose)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from ssh_mcp.facts.base import Parsed, Problems

R = TypeVar("R")
Row = dict[str, Any]

_DECODER = json.JSONDecoder()


def objects(output: str, problems: Problems) -> list[Row]:
    """Every JSON object of the output in order, arrays opened; lines that are no JSON become problems."""
    found: list[Row] = []
    position = 0
    while True:
        while position < len(output) and output[position].isspace():
            position += 1
        if position >= len(output):
            return found
        try:
            value, position = _DECODER.raw_decode(output, position)
        except (ValueError, RecursionError):
            end = output.find("\n", position)
            end = len(output) if end < 0 else end
            problems.unread(output[position:end])
            position = end
            continue
        _collect(value, found, problems)


def _collect(value: object, found: list[Row], problems: Problems) -> None:
    if isinstance(value, dict):
        found.append(value)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found, problems)
    elif value is not None:
        problems.unread(str(value))


def rows(what: str, output: str, make: Callable[[Row], R | None]) -> Parsed[tuple[R, ...]]:
    """Each object through ``make``; None or a model that will not take it is a problem."""
    problems = Problems(what)
    made: list[R] = []
    for row in objects(output, problems):
        try:
            value = make(row)
        except (ValidationError, ValueError, TypeError, OverflowError):
            value = None
        if value is None:
            problems.unread(json.dumps(row, default=str))
        else:
            made.append(value)
    return Parsed(tuple(made), problems.all())


def text(row: Row, *names: str) -> str:
    """The first of the named fields that holds anything, as text."""
    for name in names:
        value = row.get(name)
        if value not in (None, "", [], {}):
            return joined(value)
    return ""


def joined(value: object) -> str:
    """Lists with commas, maps as ``k=v,k=v``, everything else as it is."""
    if isinstance(value, dict):
        return ",".join(f"{k}={'' if v is None else v}" for k, v in value.items())
    if isinstance(value, list):
        return ",".join(joined(v) for v in value)
    return str(value)


def words(value: object) -> str:
    """An argument list with blanks."""
    return " ".join(str(v) for v in value) if isinstance(value, list) else "" if value is None else str(value)


def clock(seconds: object) -> str:
    """Seconds since 1970 in docker's notation."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds < 1e11:
        return ""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


def size(count: object) -> str:
    """Bytes as docker writes them: powers of 1000."""
    if isinstance(count, str):
        return count
    if not isinstance(count, int | float) or isinstance(count, bool):
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000 or unit == "TB":
            return f"{value:.3g}{unit}" if value < 1e6 else f"{value:.0f}{unit}"
        value /= 1000
    return ""


def ports(value: object) -> str:
    """Port mappings as docker writes them: ``0.0.0.0:8080->80/tcp``; podman and compose give lists of maps."""
    if not isinstance(value, list):
        return "" if value is None else str(value)
    return ", ".join(_port(p) if isinstance(p, dict) else str(p) for p in value)


def _port(port: Row) -> str:
    inside = port.get("container_port", port.get("TargetPort", ""))
    protocol = port.get("protocol", port.get("Protocol", "tcp"))
    outside = port.get("host_port", port.get("PublishedPort", 0))
    address = port.get("host_ip", port.get("URL", "")) or "0.0.0.0"  # noqa: S104 - a text to show, not a bind
    count = port.get("range", 1)
    span = f"-{inside + count - 1}" if isinstance(inside, int) and isinstance(count, int) and count > 1 else ""
    return f"{address}:{outside}->{inside}{span}/{protocol}" if outside else f"{inside}{span}/{protocol}"


def labels_of(value: object) -> dict[str, str]:
    """Labels as a map: podman has one; docker's ``k=v,k=v`` is split where a comma is followed by ``key=``."""
    if isinstance(value, dict):
        return {str(k): "" if v is None else str(v) for k, v in value.items()}
    found: dict[str, str] = {}
    last: str | None = None
    for part in str(value or "").split(","):
        key, equals, content = part.partition("=")
        if equals:
            found[key] = content
            last = key
        elif last is not None:
            found[last] += f",{part}"
        elif part:
            found[part] = ""
    return found
