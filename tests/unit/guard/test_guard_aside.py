"""The event loop serves others while a long text is guarded."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

import ssh_mcp
from ssh_mcp.guard.aside import LONG, aside, weight
from ssh_mcp.results.base import Ours, Warned


class Rows(Warned):
    host: Ours
    texts: list[str]
    details: dict[str, Any]


def rows(text: str, count: int = 1) -> Rows:
    return Rows(host="web", texts=[text] * count, details={"a": [1, 2, {"b": None}]})


@pytest.mark.parametrize(("text", "count"), [("x" * LONG, 1), ("token=abc12345\n" * 10, LONG // 128)])
def test_a_long_result_is_known_as_one_however_its_text_is_spread(text: str, count: int) -> None:
    assert weight(rows(text, count)) >= LONG


def test_a_short_result_is_known_as_one() -> None:
    assert weight(rows("x" * 1000)) < LONG


def test_data_nested_without_end_is_weighed() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": [deep]}
    assert weight(Rows(host="web", texts=[], details=deep)) < LONG


def test_some_rows_stand_for_many() -> None:
    many = [{"name": "x" * 100, "size": n} for n in range(10_000)]
    assert weight(Rows(host="web", texts=[], details={"rows": many})) >= 1_000_000


async def test_the_loop_goes_on_while_a_long_text_is_guarded() -> None:
    answered = threading.Event()

    def guarded() -> bool:
        anyio.from_thread.run_sync(answered.set)  # runs in the loop: stuck for ever if the loop waits for us
        return answered.is_set()

    with anyio.fail_after(60):
        assert await aside(LONG, guarded)


async def test_what_is_short_is_done_at_once() -> None:
    assert await aside(LONG - 1, threading.get_ident) == threading.get_ident()
    assert await aside(LONG, threading.get_ident) != threading.get_ident()


async def test_what_fails_aside_fails_for_the_caller() -> None:
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await aside(LONG, broken)


def test_every_guarding_of_a_whole_result_and_every_redacting_reader_goes_aside() -> None:
    root = Path(ssh_mcp.__path__[0])
    for name in (
        "tools/runner.py",
        "remote/exec/broadcast.py",
        "remote/files/service.py",
        "remote/files/sources.py",
    ):
        source = (root / name).read_text(encoding="utf-8")
        assert "await aside(" in source, name
        for direct in (".result(result)", ".result(guarded)", "return as_redacted("):
            assert direct not in source, f"{name}: {direct}"
