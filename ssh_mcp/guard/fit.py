"""Cuts a guarded result to what a model's context takes, and keeps what it leaves out.

All texts of a result share one budget. A long text keeps its head and its tail around a line that says what is
missing; a long list keeps its first or last rows, and ``left_out`` counts the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import to_json

from ssh_mcp.guard.ends import SHORT_BELOW, SHORT_LINE, ends, share
from ssh_mcp.guard.long_stream import LongStream, Text, count_lines
from ssh_mcp.guard.spool import SpoolFile
from ssh_mcp.guard.walk import plan
from ssh_mcp.results.base import Provenance, Result, Rows, Spooled
from ssh_mcp.results.exec import ExecResult

Keep = Callable[[Mapping[str, bytes | SpoolFile]], str | None]
"""Keeps guarded streams by name; returns their id, or None where nothing is kept."""
ResultT = TypeVar("ResultT", bound=Result)
ModelT = TypeVar("ModelT", bound=BaseModel)

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
    rows: list[bytes] | None = None
    which: Rows = Rows.FIRST
    must: bool = False
    """Its field holds only the begin of the text."""


def fit(result: ResultT, budget: Budget, keep: Keep) -> ResultT:
    """The result, cut where it is too long; the same object where it is not."""
    models: list[BaseModel] = [result, *_nested(result)]
    leaves = {id(model): _leaves(model) for model in models}
    every = [leaf for found in leaves.values() for leaf in found]
    sizes = [min(leaf.text.size, budget.caps.get(leaf.name, leaf.text.size)) for leaf in every]
    if sum(leaf.text.size for leaf in every) <= budget.total and not any(leaf.must for leaf in every):
        return result
    each = share(sizes, budget.total)
    made = {id(model): _cut(model, leaves[id(model)], each, budget, keep) for model in models}
    return cast("ResultT", _with_nested(made[id(result)], made))


def _nested(result: BaseModel) -> list[Result]:
    """The results of single hosts inside the result of many."""
    return [
        value
        for name in type(result).model_fields
        if isinstance(field := getattr(result, name), dict)
        for value in field.values()
        if isinstance(value, Result)
    ]


def _with_nested(result: ModelT, made: Mapping[int, BaseModel]) -> ModelT:
    update = {}
    for name in type(result).model_fields:
        field = getattr(result, name)
        if isinstance(field, dict) and any(isinstance(value, Result) for value in field.values()):
            update[name] = {key: made.get(id(value), value) for key, value in field.items()}
    return result.model_copy(update=update) if update else result


@lru_cache(maxsize=512)
def _row_fields(cls: type[BaseModel]) -> tuple[tuple[str, Rows], ...]:
    """The lists of ``cls`` that may be cut."""
    found = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if get_origin(hint) is Annotated:
            found += [(name, mark) for mark in get_args(hint)[1:] if isinstance(mark, Rows)]
    return tuple(found)


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
    for name, which in _row_fields(type(model)):
        if value := getattr(model, name):
            rows = [_row(row) for row in value]
            found.append(_Leaf(name, _Bytes(b"\n".join(rows) + b"\n"), rows, which))
    return found


def _row(row: Any) -> bytes:
    return to_json(row.model_dump(mode="json", exclude_defaults=True) if isinstance(row, BaseModel) else row)


def _cut(model: BaseModel, leaves: list[_Leaf], each: int, budget: Budget, keep: Keep) -> BaseModel:
    long = [leaf for leaf in leaves if leaf.must or leaf.text.size > min(each, budget.caps.get(leaf.name, each))]
    if not long:
        return model
    output_id = keep({leaf.name: _stored(leaf.text) for leaf in long}) if isinstance(model, Spooled) else None
    update: dict[str, Any] = {}
    for leaf in long:
        limit = min(each, budget.caps.get(leaf.name, each))
        update |= _few_rows(model, leaf, limit) if leaf.rows is not None else _short_text(model, leaf, limit, output_id)
    left_out = update.pop("left_out", {})
    if isinstance(model, Spooled):
        update["output_id"] = output_id
        update["left_out"] = {**model.left_out, **left_out}
        rest = f"; ssh_output_read output_id={output_id} has all, one JSON row per line" if output_id else ""
        remarks = [f"{name}: {count} rows are left out{rest} (stream={name})." for name, count in left_out.items()]
        update["output_warnings"] = [*model.output_warnings, *remarks]
    made = model.model_copy(update=update)
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


def _few_rows(model: BaseModel, leaf: _Leaf, limit: int) -> dict[str, Any]:
    """As many rows from the wanted end as fit."""
    assert leaf.rows is not None
    rows = leaf.rows if leaf.which is Rows.FIRST else leaf.rows[::-1]
    size = count = 0
    for row in rows:
        size += len(row) + 1
        if size > limit:
            break
        count += 1
    values = getattr(model, leaf.name)
    kept = values[:count] if leaf.which is Rows.FIRST else values[len(values) - count :]
    update = {leaf.name: kept, "left_out": {leaf.name: len(values) - count}}
    return {**update, "truncated": True} if "truncated" in type(model).model_fields else update
