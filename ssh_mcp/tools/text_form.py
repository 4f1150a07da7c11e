"""A result as text, for clients that show a model the text and not the structured content: what says something."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from ssh_mcp.results.base import Result

_SILENT: tuple[Any, ...] = (None, "", {})
_UNSAID = frozenset({"output_warnings", "groups", "not_attempted"})
"""Lists of which an empty one says nothing."""


def text_form(result: Result) -> str:
    """JSON with default values, empty texts and ``quiet_fields`` left out.

    An empty list stays, since it says that nothing was found; of some it says nothing.
    """
    return to_json(_spoken(result)).decode()


def _spoken(result: Result) -> dict[str, Any]:
    dumped = result.model_dump(mode="json", exclude_defaults=True)
    quiet = result.quiet_fields()
    spoken: dict[str, Any] = {}
    for name in type(result).model_fields:
        value = getattr(result, name)
        if name in quiet:
            continue
        if isinstance(value, dict) and value and all(isinstance(each, Result) for each in value.values()):
            spoken[name] = {key: _spoken(each) for key, each in value.items()}
        elif isinstance(value, list) and not value:
            if name not in _UNSAID:
                spoken[name] = []
        elif name in dumped and dumped[name] not in _SILENT:
            spoken[name] = _without_nulls(dumped[name])
    return spoken


def _without_nulls(value: Any) -> Any:
    """Rows, and results inside of a result (a group of ``ssh_fleet``), without their nulls."""
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_without_nulls(each) for each in value]
    return value
