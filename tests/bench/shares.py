"""How much of a call the guard and the audit are: timed inside of the server's process, without MCP around it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import anyio

from ssh_mcp.app import App, build
from ssh_mcp.audit.sinks import Audit, AuditCall
from ssh_mcp.guard.guard import Guard
from ssh_mcp.settings import load_settings
from ssh_mcp.tools.catalogue import read
from tests.bench.lab import BenchLab
from tests.bench.measure import Figure

WATCHED: tuple[tuple[type, str], ...] = ((Guard, "result"), (Guard, "text"), (Audit, "begin"), (AuditCall, "finish"))


class _Watch:
    """Seconds spent in the methods of ``WATCHED``, calls from one of them to another not counted twice."""

    def __init__(self) -> None:
        self.spent = 0.0
        self._depth = 0

    def around(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            self._depth += 1
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.spent += time.perf_counter() - began

        return timed


def guard_and_audit(lab: BenchLab, rounds: int) -> Iterator[Figure]:
    """Their share of the runner's time in per cent, for small calls and for the two that return most text."""
    directory = lab.files / "shares"
    directory.mkdir()
    for number in range(1000):
        (directory / f"file-{number:05}.txt").touch()
    (directory.parent / "text").write_text("one of many ordinary lines of a log, number 17\n" * 1400)
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "exec `true`": ("ssh_exec_run", {"command": "true"}),
        "exec that prints 200 kB": ("ssh_exec_run", {"command": f"cd {lab.files}; cat text text text"}),
        "stat": ("ssh_sftp_stat", {"path": str(lab.files / "text")}),
        "list of 1,000": ("ssh_sftp_list", {"path": str(directory), "limit": 1000}),
        "read of 64 KiB": ("ssh_sftp_download", {"path": str(lab.files / "text")}),
    }  # fmt: skip
    kept = dict(os.environ)
    os.environ.update(lab.env)
    watch = _Watch()
    real = [(cls, name, getattr(cls, name)) for cls, name in WATCHED]
    try:
        for cls, name, method in real:
            setattr(cls, name, watch.around(method))
        shares = anyio.run(_shares, build(load_settings()[0]), calls, watch, rounds)
    finally:
        for cls, name, method in real:
            setattr(cls, name, method)
        os.environ.clear()
        os.environ.update(kept)
    for name, share in shares.items():
        yield Figure(f"guard and audit of {name}", share, "% of the call", 10)


async def _shares(
    app: App, calls: dict[str, tuple[str, dict[str, Any]]], watch: _Watch, rounds: int
) -> dict[str, float]:
    entries = {entry.name: entry for entry in read()}
    found = {}
    try:
        for name, (tool, arguments) in calls.items():
            for number in range(rounds + 3):
                if number == 3:
                    watch.spent, began = 0.0, time.perf_counter()
                await app.runner.run(entries[tool], {"host": "h0", **arguments})
            found[name] = 100 * watch.spent / (time.perf_counter() - began)
        return found
    finally:
        await app.fleet.aclose()
