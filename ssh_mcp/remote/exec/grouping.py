"""Results of many hosts in few groups: equal ones are one, and the minority is shown by its difference. Pure."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, Final

from ssh_mcp.inventory.selectors import fold
from ssh_mcp.results.base import Result
from ssh_mcp.results.fleet import FleetError, FleetGroup

_VOLATILE: Final = frozenset(
    {
        "host", "alias", "hostname", "src_host", "dst_host", "timestamp", "ts", "since", "uptime", "idle_seconds",
        "throughput_mb_s", "age_seconds", "output_id", "expires",
    }
)  # fmt: skip
"""Fields that differ from host to host or from call to call and say nothing about the host's state."""
_DIFF_LINES: Final = 40
"""Longer differences are left out: the group's own result shows what it is."""


def group(results: Mapping[str, Result]) -> list[FleetGroup]:
    """Groups by size, the largest first: hosts folded, the result of the first host.

    ``diff`` is against the largest group, where it is short.
    """
    members: dict[str, list[str]] = {}
    plain = {host: result.model_dump(mode="json") for host, result in results.items()}
    for host, result in plain.items():
        members.setdefault(_key(result), []).append(host)
    ordered = sorted(members.values(), key=lambda hosts: -len(hosts))
    largest = plain[ordered[0][0]] if ordered else {}
    return [
        FleetGroup.of(
            fold(hosts),
            len(hosts),
            results[hosts[0]],
            difference(largest, plain[hosts[0]]) if number else None,
        )
        for number, hosts in enumerate(ordered)
    ]


def together(errors: Mapping[str, str]) -> list[FleetError]:
    """Hosts by their error's text, the most frequent first; a host's own name in it does not count."""
    members: dict[str, list[str]] = {}
    for host, text in errors.items():
        members.setdefault(text.replace(host, "HOST"), []).append(host)
    return [
        FleetError(hosts=fold(hosts), error=errors[hosts[0]] if len(hosts) == 1 else text)
        for text, hosts in sorted(members.items(), key=lambda item: -len(item[1]))
    ]


def difference(largest: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """A unified diff of what counts of two results; None where it is long."""
    lines = list(difflib.unified_diff(_lines(largest), _lines(other), lineterm="", n=1))[2:]
    return "\n".join(lines) if 0 < len(lines) <= _DIFF_LINES else None


def steady(value: Any) -> Any:
    """What of a result counts when results are compared."""
    if isinstance(value, Mapping):
        return {k: steady(v) for k, v in value.items() if not _volatile(k)}
    if isinstance(value, list | tuple):
        return [steady(item) for item in value]
    return value


def _volatile(name: object) -> bool:
    return name in _VOLATILE or (isinstance(name, str) and name.endswith(("_ms", "_seconds")))


def _key(result: Mapping[str, Any]) -> str:
    return json.dumps(steady(result), sort_keys=True, ensure_ascii=False, default=str)


def _lines(result: Mapping[str, Any]) -> list[str]:
    """A result as lines: a text field line by line, anything else as JSON."""
    lines: list[str] = []
    for name, value in sorted(steady(result).items()):
        if isinstance(value, str):
            lines += [f"{name}: {line}" for line in value.splitlines() or [""]]
        elif value not in (None, [], {}):
            text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str)
            lines += [f"{name}: {line}" for line in text.splitlines()]
    return lines
