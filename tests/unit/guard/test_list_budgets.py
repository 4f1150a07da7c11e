"""No result of any tool is longer than its budget, whatever the host has: what lists leave out is counted and kept."""

from __future__ import annotations

from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic_core import to_json

from ssh_mcp.guard.fit import Budget, fit
from ssh_mcp.results.base import Provenance, Result, Spooled
from ssh_mcp.results.exec import BroadcastResult, ExecResult
from ssh_mcp.results.files import FindEntry, FindResult, SftpEntry, SftpListing
from ssh_mcp.results.fleet import FleetGroup, FleetResult
from ssh_mcp.results.server import ServerInfo
from ssh_mcp.tools import catalogue
from ssh_mcp.tools.modules import load

FRAME = 4_096
"""Bytes of fields that are neither host texts nor lists."""
PER_GROUP = 200
"""Bytes that say of a group's result what was cut."""
_CONTAINERS = (list, dict)


def results() -> list[type[Result]]:
    """The result models of all tools."""
    return sorted({load(e.family, e.name).result for e in catalogue.read()}, key=lambda cls: cls.__name__)


def plain(hint: Any) -> Any:
    """The hint without ``Annotated`` and ``| None``; the last of several."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in {Union, UnionType}:
        return plain([arg for arg in get_args(hint) if arg is not NoneType][-1])
    return hint


def containers(cls: type[BaseModel]) -> list[str]:
    return [
        name
        for name, hint in get_type_hints(cls, include_extras=True).items()
        if name in cls.model_fields and get_origin(plain(hint)) in _CONTAINERS
        if name not in {"output_warnings", "left_out"}
    ]


def filled(hint: Any, rows: int, text: str) -> Any:
    """A value of the type: lists and mappings of ``rows`` items, host texts of ``text``, everything else short."""
    ours = get_origin(hint) is Annotated and {Provenance.OURS, Provenance.RAW} & set(get_args(hint)[1:])
    hint = plain(hint)
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is list:
        return [filled(get_args(hint)[0], 2, text) for _ in range(rows)]
    if get_origin(hint) is dict:
        value = filled(get_args(hint)[1], 2, text)
        return {f"k{n}": value for n in range(rows)}
    if isinstance(hint, type) and issubclass(hint, FleetGroup):
        return FleetGroup.of("web[1-5]", 5, ExecResult(host="web1", exit_code=0, stdout=text), None)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return model_of(hint, rows, text)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    return {str: "o" if ours else text, int: 7, float: 1.5, bool: False}.get(hint, text)


def model_of(cls: type[BaseModel], rows: int, text: str) -> BaseModel:
    hints = get_type_hints(cls, include_extras=True)
    skip = {"output_warnings", "left_out", "output_id", "results"}
    fields = {name: hints[name] for name in cls.model_fields if name not in skip}
    # a single model inside, such as a host's capabilities, is short by itself
    single = {
        name for name, hint in fields.items() if isinstance(plain(hint), type) and issubclass(plain(hint), BaseModel)
    }
    return cls(**{n: filled(h, 2, text[:100]) if n in single else filled(h, rows, text) for n, h in fields.items()})


class Kept:
    """What the spool was given."""

    def __init__(self) -> None:
        self.streams: dict[str, Any] = {}

    def __call__(self, streams: Any) -> str:
        self.streams |= streams
        return "0123456789abcdef"


def test_every_result_with_a_list_counts_what_it_leaves_out() -> None:
    for cls in results():
        if cls is not ServerInfo:  # lists of this program's own groups and tiers
            assert not containers(cls) or issubclass(cls, Spooled), cls.__name__


@pytest.mark.parametrize("cls", results(), ids=lambda cls: cls.__name__)
@settings(max_examples=8)
@given(rows=st.integers(0, 300), length=st.integers(0, 900), total=st.integers(4_096, 65_536))
def test_no_result_is_longer_than_its_budget(cls: type[Result], rows: int, length: int, total: int) -> None:
    given = model_of(cls, rows, "x" * length)
    assert isinstance(given, Result)
    kept = Kept()
    made = fit(given, Budget(total, {}), kept)
    if cls is not ServerInfo:
        said = PER_GROUP * len(getattr(made, "groups", ()))
        assert len(made.model_dump_json(exclude_defaults=True)) <= total + FRAME + said
    if made is given:
        return
    for name in containers(cls):
        left_out = made.left_out.get(name, 0) if isinstance(made, Spooled) else 0
        whole = getattr(given, name)
        assert len(getattr(made, name)) + left_out == len(whole)
        if left_out:
            assert len(bytes(kept.streams[name]).splitlines()) == len(whole)


def test_a_short_page_of_a_directory_says_where_to_go_on() -> None:
    entries = [SftpEntry(name=f"file-{n:05}", kind="file", size=1, mode="0644", mtime="") for n in range(1000)]
    page = SftpListing(host="h", path="/p", entries=entries, offset=500, limit=1000)
    made = fit(page, Budget(8_192, {}), Kept())
    assert made.has_more
    assert made.entries == entries[: made.limit]
    assert made.left_out == {"entries": 1000 - made.limit}
    assert made.next_offset == 500 + len(made.entries)
    assert made.output_warnings[0].endswith(f"of the 1000 entries asked for. Continue with offset={made.next_offset}.")


def test_a_find_that_is_cut_is_truncated_and_still_counts_all() -> None:
    rows = [FindEntry(path=f"/p/{n}", kind="file", size=n, mtime="") for n in range(5000)]
    found = FindResult(host="h", root="/p", matches=[row.path for row in rows], found=5000, entries=rows)
    made = fit(found, Budget(8_192, {}), Kept())
    assert made.truncated
    assert made.found == 5000
    assert made.matches[0] == "/p/0"
    assert set(made.left_out) == {"matches", "entries"}


@pytest.mark.parametrize("cls", [FleetResult, BroadcastResult])
def test_few_long_groups_are_cut_inside_and_many_are_counted(cls: type[FleetResult | BroadcastResult]) -> None:
    def groups(count: int, text: str) -> list[FleetGroup]:
        each = [ExecResult(host=f"h{n}", exit_code=0, stdout=f"{n}\n{text}") for n in range(count)]
        return [FleetGroup.of(f"h{n}", 1, result, None) for n, result in enumerate(each)]

    fields: dict[str, Any] = {"command": "c"} if cls is BroadcastResult else {}
    few = fit(cls(groups=groups(3, "line\n" * 9000), **fields), Budget(16_384, {}), Kept())
    assert [group.hosts for group in few.groups] == ["h0", "h1", "h2"]
    assert all(group.result["stdout"].startswith(f"{n}\n") for n, group in enumerate(few.groups))
    assert all(group.result["output_id"] for group in few.groups)
    assert few.left_out == {}
    many = fit(cls(groups=groups(500, "short\n"), **fields), Budget(16_384, {}), Kept())
    assert many.left_out == {"groups": 500 - len(many.groups)}
    assert many.output_id
    assert 20 < len(many.groups) < 500
    assert len(to_json([group.result for group in many.groups])) < 3 * 16_384
