"""Cuts a guarded result to what a model's context takes, and keeps what it leaves out.

All texts and lists of a result share one budget. A long text keeps its head and its tail around a line that says what
is missing; a long list keeps its first or last rows, and ``left_out`` counts the others. The results of single hosts
inside the result of many share it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel

from ssh_mcp.guard.ends import SHORT_BELOW, SHORT_LINE, ends, share
from ssh_mcp.guard.long_stream import LongStream, Text, count_lines
from ssh_mcp.guard.rows import RowList, group_rows, groups_of, row_lists
from ssh_mcp.guard.spool import SpoolFile
from ssh_mcp.guard.walk import plan
from ssh_mcp.results.base import Provenance, Result, Spooled
from ssh_mcp.results.exec import ExecResult
from ssh_mcp.results.fleet import FleetGroup

Keep = Callable[[Mapping[str, bytes | SpoolFile]], str | None]
"""Keeps guarded streams by name; returns their id, or None where nothing is kept."""
ResultT = TypeVar("ResultT", bound=Result)
ModelT = TypeVar("ModelT", bound=BaseModel)

_ROW_FRAME: Final = 300
"""Bytes of a row beside its texts. A quarter of the budget goes to what JSON escapes."""
_CHARACTER: Final = 4
"""Bytes that a character of UTF-8 has at most."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that all texts of a result may have together, and the most of single fields."""

    total: int
    caps: Mapping[str, int]


class _Bytes:
    """A text that is in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    @property
    def lines(self) -> int:
        return count_lines(self.data)

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


@dataclass(slots=True)
class _Leaf:
    """A field that may be cut: a text, or rows as JSON."""

    name: str
    text: Text
    rows: RowList | None = None
    must: bool = False
    """Its field holds only the begin of the text."""


def fit(result: ResultT, budget: Budget, keep: Keep) -> ResultT:
    """The result, cut where it is too long; the same object where it is not."""
    result = _with_short_rows(result, budget, keep)
    groups, spent = group_rows(result, budget.total)
    models: list[BaseModel] = [result, *_nested(result, groups.values[: groups.fixed] if groups is not None else ())]
    leaves = {id(model): _leaves(model) for model in models}
    every = [leaf for found in leaves.values() for leaf in found]
    sizes = [min(leaf.text.size, budget.caps.get(leaf.name, leaf.text.size)) for leaf in every]
    if groups is not None and groups.fixed is not None:
        leaves[id(result)].append(_Leaf(groups.name, _Bytes(groups.stored()), groups, must=True))
    elif sum(leaf.text.size for leaf in every) <= budget.total - spent and not any(leaf.must for leaf in every):
        return result
    each = share(sizes, budget.total - spent)
    made = {id(model): _cut(model, leaves[id(model)], each, budget, keep) for model in models}
    return cast("ResultT", _with_nested(made[id(result)], made))


def _with_short_rows(result: ResultT, budget: Budget, keep: Keep) -> ResultT:
    """Rows that keep what they leave out themselves are cut inside first, where that lets all of them stay."""
    update = {}
    for name in type(result).model_fields:
        rows = getattr(result, name)
        if not (isinstance(rows, list) and rows and isinstance(rows[0], Spooled)):
            continue
        sizes = [len(row.model_dump_json(exclude_defaults=True)) for row in rows]
        each = share(sizes, max(budget.total * 3 // 4 - _ROW_FRAME * len(rows), 0))
        if sum(sizes) > budget.total and each >= SHORT_BELOW:
            update[name] = [fit(row, Budget(each, budget.caps), keep) for row in rows]
    return result.model_copy(update=update) if update else result


def has_long_texts(result: Result) -> bool:
    """Whether a text of the result, or of a host's result inside it, goes on elsewhere than in its field."""
    every = (result, *_nested(result, groups_of(result)))
    return any(isinstance(each, ExecResult) and each.long_texts for each in every)


def _nested(result: BaseModel, groups: Iterable[FleetGroup]) -> list[Result]:
    """The results of single hosts inside the result of many."""
    found = [
        value
        for name in type(result).model_fields
        if isinstance(field := getattr(result, name), dict)
        for value in field.values()
        if isinstance(value, Result)
    ]
    return found + [group.whole for group in groups if group.whole is not None]


def _with_nested(result: ModelT, made: Mapping[int, BaseModel]) -> ModelT:
    update: dict[str, Any] = {}
    for name in type(result).model_fields:
        field = getattr(result, name)
        if isinstance(field, dict) and any(isinstance(value, Result) for value in field.values()):
            update[name] = {key: made.get(id(value), value) for key, value in field.items()}
        elif isinstance(field, list) and field and isinstance(field[0], FleetGroup):
            update[name] = [_with_whole(group, made) for group in field]
    return result.model_copy(update=update) if update else result


def _with_whole(group: FleetGroup, made: Mapping[int, BaseModel]) -> FleetGroup:
    new = made.get(id(group.whole))
    if new is None or new is group.whole:
        return group
    return group.model_copy(update={"result": new.model_dump(mode="json")})


def _leaves(model: BaseModel) -> list[_Leaf]:
    long = model.long_texts if isinstance(model, ExecResult) else {}
    found = []
    for name, mark in plan(type(model)):
        value = getattr(model, name)
        stream = cast("LongStream | None", long.get(name))
        if stream is not None and stream.text is not None:
            found.append(_Leaf(name, stream.text, must=True))
        elif isinstance(value, str) and value and mark is Provenance.HOST:
            found.append(_Leaf(name, _Bytes(value.encode("utf-8", "replace"))))
    if isinstance(model, Spooled):
        found += [_Leaf(rows.name, _Bytes(rows.stored()), rows) for rows in row_lists(model)]
    return found


def _cut(model: BaseModel, leaves: list[_Leaf], each: int, budget: Budget, keep: Keep) -> BaseModel:
    long = [leaf for leaf in leaves if leaf.must or leaf.text.size > min(each, budget.caps.get(leaf.name, each))]
    if not long:
        return model
    output_id = keep({leaf.name: _stored(leaf.text) for leaf in long}) if isinstance(model, Spooled) else None
    update: dict[str, Any] = {}
    left_out: dict[str, int] = {}
    for leaf in long:
        limit = min(each, budget.caps.get(leaf.name, each))
        if leaf.rows is None:
            update |= _short_text(model, leaf, limit, output_id)
        else:
            update[leaf.name], left_out[leaf.name] = leaf.rows.cut(limit)
    if isinstance(model, Spooled):
        update["output_id"] = output_id
        update["left_out"] = {**model.left_out, **left_out}
        rest = f"; ssh_output_read output_id={output_id} has all, one JSON row per line" if output_id else ""
        remarks = [f"{name}: {count} rows are left out{rest} (stream={name})." for name, count in left_out.items()]
        update["output_warnings"] = [*model.output_warnings, *remarks]
    made = model.model_copy(update=update)
    if isinstance(made, Spooled) and left_out:
        made = made.model_copy(update=made.when_cut())
    if isinstance(made, ExecResult):
        made.long_texts.clear()
    return made


def _stored(text: Text) -> bytes | SpoolFile:
    return text if isinstance(text, SpoolFile) else text.read(0, text.size)


def _short_text(model: BaseModel, leaf: _Leaf, limit: int, output_id: str | None) -> dict[str, Any]:
    text, name = leaf.text, leaf.name
    update: dict[str, Any] = {}
    if text.size <= limit:
        return {name: text.read(0, text.size).decode()}
    begin = text.read(0, limit + _CHARACTER)
    end = text.read(max(text.size - limit, 0), limit)
    cut = ends(begin, end, text.size, limit)
    head = begin[: cut.head].decode("utf-8", "replace")
    if cut.tail == text.size:
        update[name] = head
    else:
        tail = end[len(end) - (text.size - cut.tail) :].decode("utf-8", "replace")
        between = text.lines - count_lines(begin[: cut.head]) - count_lines(end[len(end) - (text.size - cut.tail) :])
        line = SHORT_LINE
        if limit >= SHORT_BELOW:
            line = _line(name, cut.tail - cut.head, max(between, 0), cut.head, output_id)
        update[name] = f"{head}{'' if head.endswith(chr(10)) else chr(10)}{line}\n{tail}"
    fields = type(model).model_fields
    if f"{name}_truncated" in fields:
        update[f"{name}_truncated"] = True
    if f"{name}_bytes" in fields and not getattr(model, f"{name}_bytes"):
        update[f"{name}_bytes"] = text.size
    if f"{name}_lines" in fields:
        update[f"{name}_lines"] = text.lines
    return update


def _line(name: str, size: int, lines: int, offset: int, output_id: str | None) -> str:
    what = f"{size} bytes in {lines} lines left out" if lines else f"{size} bytes left out"
    if output_id is None:
        return f"[... {what}; a larger max_bytes or a filter on the host shows more ...]"
    stream = "" if name == "stdout" else f" stream={name}"
    return f"[... {what}; ssh_output_read output_id={output_id}{stream} offset={offset} shows them ...]"
