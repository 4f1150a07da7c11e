"""Which fields of a result model hold host text: worked out once a model class."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from ssh_mcp.results.base import Provenance


class Kind(Enum):
    """How the guard treats a field."""

    HOST = "host"
    RAW = "raw"


@dataclass(frozen=True, slots=True)
class Plan:
    """Fields by name; those that this program wrote itself, and plain numbers, are not in it."""

    fields: dict[str, Kind]


@functools.cache
def plan_of(model: type[BaseModel]) -> Plan:
    """Unmarked text is host text; numbers and booleans need nothing; a mark anywhere in the annotation counts."""
    fields: dict[str, Kind] = {}
    for name, field in model.model_fields.items():
        marks = {m for m in field.metadata if isinstance(m, Provenance)} | _marks(field.annotation)
        if Provenance.RAW in marks:
            fields[name] = Kind.RAW
        elif Provenance.OURS not in marks and _may_hold_text(field.annotation):
            fields[name] = Kind.HOST
    return Plan(fields)


def _marks(annotation: Any) -> set[Provenance]:
    found = {m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Provenance)}
    for part in get_args(annotation):
        found |= _marks(part)
    return found


def _may_hold_text(annotation: Any) -> bool:
    if annotation in (int, float, bool, type(None)):
        return False
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return False
    if get_origin(annotation) is not None:
        return any(_may_hold_text(part) for part in get_args(annotation) if part is not ...)
    return True
