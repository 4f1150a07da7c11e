"""The lists and mappings of a result, of which a cut result keeps the first or last rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import to_json

from ssh_mcp.results.base import Result, Rows, Spooled
from ssh_mcp.results.fleet import FleetGroup

_NOT_ROWS: Final = frozenset({"output_warnings", "left_out"})
_GROUP_FRAME: Final = 64
"""Bytes of JSON around a group's fields."""


@dataclass(frozen=True, slots=True)
class RowList:
    """A list or mapping and its rows as JSON, defaults left out. ``fixed``: how many of them a result shows, where
    that is known already.
    """

    name: str
    values: Any
    rows: tuple[bytes, ...]
    which: Rows = Rows.FIRST
    fixed: int | None = None

    def stored(self) -> bytes:
        """All rows as the spool keeps them, one per line."""
        return b"\n".join(self.rows) + b"\n"

    def cut(self, limit: int) -> tuple[Any, int]:
        """As many rows from the wanted end as fit into ``limit`` bytes, and how many are left out."""
        count = self._count(limit) if self.fixed is None else self.fixed
        left_out = len(self.rows) - count
        if isinstance(self.values, dict):
            return dict(list(self.values.items())[:count]), left_out
        return (self.values[:count] if self.which is Rows.FIRST else self.values[left_out:]), left_out

    def _count(self, limit: int) -> int:
        size = 0
        for count, row in enumerate(self.rows if self.which is Rows.FIRST else reversed(self.rows)):
            size += len(row) + 1
            if size > limit:
                return count
        return len(self.rows)


def row_lists(model: Spooled) -> list[RowList]:
    """The lists and mappings of ``model`` that hold anything; not the results of single hosts."""
    found = []
    for name, which in _row_fields(type(model)):
        values = getattr(model, name)
        items: Sequence[Any] = list(values.items()) if isinstance(values, dict) else values
        if (
            not items
            or isinstance(items[0], FleetGroup)
            or (isinstance(values, dict) and isinstance(items[0][1], Result))
        ):
            continue
        rows = (_row({k: v} for k, v in items)) if isinstance(values, dict) else _row(items)
        found.append(RowList(name, values, rows, which))
    return found


def _row(items: Any) -> tuple[bytes, ...]:
    return tuple(
        item.__pydantic_serializer__.to_json(item, exclude_defaults=True)
        if isinstance(item, BaseModel)
        else to_json(item)
        for item in items
    )


@lru_cache(maxsize=512)
def _row_fields(cls: type[BaseModel]) -> tuple[tuple[str, Rows], ...]:
    """The fields of ``cls`` that are lists or mappings, with which of their rows are kept."""
    found = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        plain = get_args(hint)[0] if marks else hint
        if name in cls.model_fields and name not in _NOT_ROWS and get_origin(plain) in (list, dict):
            found.append((name, next((mark for mark in marks if isinstance(mark, Rows)), Rows.FIRST)))
    return tuple(found)


def groups_of(result: Result) -> list[FleetGroup]:
    """The groups of a result of many hosts."""
    groups = getattr(result, "groups", None)
    return groups if isinstance(groups, list) and groups and isinstance(groups[0], FleetGroup) else []


def group_rows(result: Result, total: int) -> tuple[RowList | None, int]:
    """The groups of a result of many hosts, ``fixed`` where not all are shown, and the bytes that go to what is not
    their texts: at most half of ``total``.
    """
    groups = groups_of(result)
    if not groups:
        return None, 0
    size = 0
    for count, group in enumerate(groups):
        size += _frame(group)
        if size > total // 2 and count:
            return RowList("groups", groups, _row(groups), fixed=count), size - _frame(group)
    return RowList("groups", groups, ()), min(size, total // 2)


def _frame(group: FleetGroup) -> int:
    """Bytes of a group without the texts and lists of its result, which are cut by themselves."""
    own = len(group.hosts) + len(group.diff or "") + _GROUP_FRAME + len(to_json(group.result))
    if group.whole is None:
        return own
    return own - sum(len(to_json(value)) for value in group.result.values() if isinstance(value, str | list | dict))
