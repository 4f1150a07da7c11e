"""How much of a call the guard and the audit are: they are timed inside of a server's process, without MCP around it,
and set against what a client of a server waits for the same call.
"""

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
from tests.bench.measure import Figure, sample

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
    """Their share of what a client waits, for small calls and for those that return most text, in per cent.

    The note tells their share of the runner's own time, in which reading a request and writing its answer do not count.
    """
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
    server = lab.server()
    server.call("ssh_host_ping", host="h0")
    for name, (spent, own) in shares.items():
        tool, arguments = calls[name]
        waited = sample(lambda t=tool, a=arguments: server.call(t, host="h0", **a), rounds=rounds, warm_up=3)  # type: ignore[misc]
        note = f"{100 * spent / own:.1f} % of the server's own part"
        yield Figure(f"guard and audit of {name}", 100 * spent / waited.median, "% of the call", 10, note)
    server.close()


async def _shares(
    app: App, calls: dict[str, tuple[str, dict[str, Any]]], watch: _Watch, rounds: int
) -> dict[str, tuple[float, float]]:
    """Milliseconds of guard and audit in one call, and of all that the runner does for it."""
    entries = {entry.name: entry for entry in read()}
    found = {}
    try:
        for name, (tool, arguments) in calls.items():
            for number in range(rounds + 3):
                if number == 3:
                    watch.spent, began = 0.0, time.perf_counter()
                await app.runner.run(entries[tool], {"host": "h0", **arguments})
            found[name] = watch.spent / rounds * 1000, (time.perf_counter() - began) / rounds * 1000
        return found
    finally:
        await app.fleet.aclose()
