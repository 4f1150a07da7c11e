"""Walks a result model: which of its texts came from a host is known from its class, once.

``str`` fields without a mark are host output. Lists, tuples, dicts and nested models are entered; in free-form data
(``dict[str, Any]``) the names decide too: a secret-named key, a ``KEY=VALUE`` list, ``{"Name": …, "Value": …}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from ssh_mcp.results.base import Provenance, Result

ModelT = TypeVar("ModelT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=Result)
_ASSIGNMENT = re.compile(r"([A-Za-z_][\w.\-]{0,127})=(.*)", re.DOTALL)
_NAME_KEYS = ("Name", "name", "Key", "key")
_VALUE_KEYS = ("Value", "value")
MAX_DEPTH = 64
"""Levels of free-form data; deeper values are dropped, which no real tool produces."""

_WORDS_MAX = 4_096
"""Characters of a model's texts that are asked about at once."""
_TOGETHER = 128
"""Rows of a list that are asked about at once: a row that may hold a secret sends no more than these the long way."""

Plain = Callable[[Sequence[str]], bool]
_LEFT_ALONE = frozenset({Provenance.OURS, Provenance.GUARDED})

Shown = Callable[[str], tuple[str, tuple[str, ...]]]
Named = Callable[[str, str], tuple[str, tuple[str, ...]]]
Arguments = Callable[[tuple[str, ...]], tuple[str, ...]]


@lru_cache(maxsize=512)
def plan(cls: type[BaseModel]) -> tuple[tuple[str, Provenance], ...]:
    """The fields of ``cls`` that may hold text, with who wrote it. Numbers, booleans and ``Ours`` are left out."""
    hints = get_type_hints(cls, include_extras=True)
    found = []
    for name in cls.model_fields:
        mark = _provenance(hints[name])
        if mark not in _LEFT_ALONE and _may_hold_text(hints[name]):
            found.append((name, mark))
    return tuple(found)


def _provenance(hint: Any) -> Provenance:
    """The mark nearest to the text: ``Ours | None`` and ``list[Ours]`` are ours as well."""
    if get_origin(hint) is Annotated:
        for mark in hint.__metadata__:
            if isinstance(mark, Provenance):
                return mark
        return _provenance(get_args(hint)[0])
    inner = [a for a in get_args(hint) if a is not type(None) and not isinstance(a, (str, int, Enum))]
    marks = {_provenance(a) for a in inner if _may_hold_text(a)}
    return marks.pop() if len(marks) == 1 else Provenance.HOST


_TEXTLESS = (int, float, bool, bytes, type(None))


def _may_hold_text(hint: Any) -> bool:
    if get_origin(hint) is Annotated:
        return _may_hold_text(get_args(hint)[0])
    if isinstance(hint, type):
        return not issubclass(hint, (*_TEXTLESS, Enum)) or hint is Any
    origin = get_origin(hint)
    if origin is Union or origin is not None:
        args = [a for a in get_args(hint) if a is not Ellipsis]
        return any(_may_hold_text(a) for a in args if isinstance(a, type) or get_origin(a) or a is Any)
    return hint is Any


class Walker:
    """One walk over one result; collects warnings in the order in which they come, each once."""

    def __init__(
        self, shown: Shown, named: Named, raw: Callable[[str], tuple[str, ...]], plain: Plain, masked: Arguments
    ) -> None:
        self._shown, self._named, self._raw, self._plain, self._masked = shown, named, raw, plain, masked
        self._seen: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(self._seen)

    def model(self, model: ModelT) -> ModelT:
        """A copy with its texts guarded; the same object where nothing changed."""
        update: dict[str, Any] = {}
        fields = [(name, mark, getattr(model, name)) for name, mark in plan(type(model))]
        words = [value for _, mark, value in fields if mark is Provenance.HOST and type(value) is str and value]
        plain = len(words) > 1 and sum(map(len, words)) <= _WORDS_MAX and self._plain(words)
        for name, mark, value in fields:
            if plain and type(value) is str and mark is Provenance.HOST:
                continue
            if mark is Provenance.RAW:
                if isinstance(value, str):
                    self._note(self._raw(value))
                continue
            new = self._value(value, "", 0)
            if new is not value:
                update[name] = new
        return model.model_copy(update=update) if update else model

    def _note(self, warnings: tuple[str, ...]) -> None:
        self._seen.update(dict.fromkeys(warnings))

    def _text(self, value: str) -> str:
        new, warnings = self._shown(value)
        self._note(warnings)
        return value if new == value else new

    def _named_text(self, key: str, value: str) -> str:
        new, warnings = self._named(key, value)
        self._note(warnings)
        return value if new == value else new

    def _value(self, value: Any, key: str, depth: int) -> Any:
        """``key`` is a name inside free-form data; a model's own field names are ours and say nothing about secrets."""
        if isinstance(value, str):
            if isinstance(value, Enum):
                return value
            return self._named_text(key, value) if key else self._text(value)
        if isinstance(value, BaseModel):
            return self.model(value)
        if isinstance(value, (list, tuple)):
            return self._items(value, key, depth)
        if isinstance(value, dict):
            return self._mapping(value, key, depth)
        return value

    def _items(self, values: list[Any] | tuple[Any, ...], key: str, depth: int) -> Any:
        if depth >= MAX_DEPTH:
            return type(values)()
        given: list[Any] | tuple[Any, ...] = values
        values = self._arguments(values)
        new: list[Any] = []
        for low in range(0, len(values), _TOGETHER):
            some = values[low : low + _TOGETHER]
            texts = None if key else _row_texts(some, values[low - 1] if low else None)
            if texts is not None and self._plain(texts):
                new += some
                continue
            new += [self._item(v, key, depth + 1, values[i - 1] if i else None) for i, v in enumerate(some, low)]
        if all(a is b for a, b in zip(new, given, strict=True)):
            return given
        return tuple(new) if isinstance(given, tuple) else new

    def _arguments(self, values: list[Any] | tuple[Any, ...]) -> list[Any] | tuple[Any, ...]:
        """The arguments of a program, which say only together what is a password (``["mysql", "-pX"]``)."""
        if len(values) < 2 or not all(isinstance(v, str) for v in values) or not any(v[:1] == "-" for v in values):
            return values
        return self._masked(tuple(values))

    def _item(self, value: Any, key: str, depth: int, before: Any) -> Any:
        if not isinstance(value, str) or isinstance(value, Enum):
            return self._value(value, key, depth)
        if m := _ASSIGNMENT.fullmatch(value):
            masked = self._named_text(m[1], m[2])
            return value if masked is m[2] or masked == m[2] else f"{m[1]}={masked}"
        if isinstance(before, str) and before.startswith("-") and "=" not in before and not value.startswith("-"):
            return self._named_text(before.lstrip("-"), value)
        return self._named_text(key, value) if key else self._text(value)

    def _mapping(self, value: dict[Any, Any], key: str, depth: int) -> Any:
        """``key`` names the mapping: ``{"db_password": {"value": …}}``, as Terraform shows its outputs."""
        if depth >= MAX_DEPTH:
            return {}
        names = [value[k] for k in _NAME_KEYS if isinstance(value.get(k), str)] or ([key] if key else [])
        new: dict[Any, Any] = {}
        for k, v in value.items():
            name = str(k)
            if k in _VALUE_KEYS and names and isinstance(v, str):
                masked = self._named_text(names[0], v)
                new[k] = masked if masked != v else v
            else:
                new[self._text(k) if isinstance(k, str) else k] = self._value(v, name, depth + 1)
        same = len(new) == len(value) and all(a is b for a, b in zip(new.values(), value.values(), strict=True))
        return value if same and list(new) == list(value) else new


def _row_texts(rows: Sequence[Any], before: Any) -> list[str] | None:
    """The texts of rows that are texts, or models without further structure, a thousand of which take 20 ms one by
    one. Arguments and assignments (``--flag``, ``KEY=VALUE``) say together what is secret and are looked at in order.
    """
    cls = type(rows[0]) if len(rows) > 1 else None
    if cls is str and {*map(type, rows)} == {str}:
        given = [before, *rows] if isinstance(before, str) else rows
        return None if any(row[:1] == "-" or _ASSIGNMENT.fullmatch(row) for row in given) else list(rows)
    if cls is None or not issubclass(cls, BaseModel) or {*map(type, rows)} != {cls}:
        return None
    texts: list[str] = []
    for name, mark in plan(cls):
        if mark is not Provenance.HOST:
            return None
        texts += [value for value in map(attrgetter(name), rows) if value is not None]
    return texts if {*map(type, texts)} <= {str} else None


def warned(model: ResultT, warnings: tuple[str, ...]) -> ResultT:
    """``warnings`` added to ``output_warnings`` where the model has that field."""
    if not warnings or "output_warnings" not in type(model).model_fields:
        return model
    have: list[str] = list(getattr(model, "output_warnings"))  # noqa: B009
    merged = list(dict.fromkeys([*have, *warnings]))
    return model.model_copy(update={"output_warnings": merged})
