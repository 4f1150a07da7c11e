"""``ssh-mcp job list | output | cancel``: the operator's look at jobs, by the same code and into the same audit."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import anyio
from rich.console import Console
from rich.table import Table

from ssh_mcp.remote.caller import Caller
from ssh_mcp.remote.together import settled
from ssh_mcp.results.base import Result
from ssh_mcp.results.jobs import JobCancelled, JobList, JobOutput, JobResult
from ssh_mcp.server.app import App, build
from ssh_mcp.settings.model import load_settings
from ssh_mcp.tools.catalogue import Entry, read
from ssh_mcp.tools.runner import ToolFailed

ResultT = TypeVar("ResultT", bound=Result)
Stream = Literal["stdout", "stderr"]

_CALLER = Caller(client="ssh-mcp job")
_PIECE = 1 << 20
"""Bytes that are read at once."""


@dataclass(slots=True)
class _Tools:
    """The job tools of a server that nobody else talks to. They are the operator's here, whatever tiers are open."""

    app: App
    entries: dict[str, Entry]

    async def call(self, kind: type[ResultT], tool: str, **arguments: Any) -> ResultT:
        result = await self.app.runner.run(self.entries[tool], arguments, caller=_CALLER)
        assert isinstance(result, kind)
        return result


def _with_tools(work: Callable[[_Tools], Awaitable[int]]) -> int:
    """Run ``work``; a refusal is one line on stderr and exit status 1."""
    logging.getLogger("ssh_mcp").setLevel(logging.ERROR)  # what a server logs at its start is not asked for here
    settings, warnings = load_settings()
    app = build(settings, warnings)
    tools = _Tools(app, {entry.name: entry for entry in read()})

    async def run() -> int:
        try:
            return await work(tools)
        except ToolFailed as failed:
            print(f"ssh-mcp: {failed}", file=sys.stderr)
            return 1
        finally:
            await app.fleet.aclose()
            app.audit.close()

    return anyio.run(run)


def list_jobs(host: str | None, *, as_json: bool) -> int:
    """Print the jobs of one host, or of every host of hosts.toml. Exit status 1 where a host could not be asked."""

    async def work(tools: _Tools) -> int:
        inventory = tools.app.fleet.inventory
        names = [host] if host is not None else [p.alias for p in inventory.listed() if not p.windows]
        found = await _asked(tools, names)
        jobs = [job for listed in found.values() if isinstance(listed, JobList) for job in listed.jobs]
        failed = {name: str(error) for name, error in found.items() if isinstance(error, ToolFailed)}
        if as_json:
            _print_json({"jobs": [job.model_dump() for job in jobs], "errors": failed})
        else:
            _show(jobs, failed)
        return 1 if failed else 0

    return _with_tools(work)


async def _asked(tools: _Tools, names: list[str]) -> dict[str, JobList | ToolFailed]:
    async def one(name: str) -> JobList | ToolFailed:
        try:
            return await tools.call(JobList, "ssh_job_list", host=name)
        except ToolFailed as failed:
            return failed

    outcomes = await settled([one(name) for name in names])
    return {name: o for name, o in zip(names, outcomes, strict=True) if isinstance(o, JobList | ToolFailed)}


def _show(jobs: list[Any], failed: dict[str, str]) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    table = Table("host", "job", "name", "state", "exit", "started", "seconds", "command", box=None, pad_edge=False)
    for job in jobs:
        seconds = "" if job.duration_ms is None else f"{job.duration_ms / 1000:.0f}"
        code = "" if job.exit_code is None else str(job.exit_code)
        command = " ".join(job.command.split())[:60]
        table.add_row(job.host, job.job_id, job.name or "", job.state, code, job.started, seconds, command)
    if jobs:
        console.print(table)
    elif not failed:
        console.print("No jobs.")
    for name, text in failed.items():
        print(f"{name}: {text}", file=sys.stderr)


def show_output(host: str, job_id: str, stream: Stream, *, follow: bool, grep: str | None) -> int:
    """Write a job's output to stdout, to its end where ``follow``. Exit status 1 where there is no such job."""

    async def work(tools: _Tools) -> int:
        cursor = 0
        while True:
            piece = await tools.call(
                JobOutput, "ssh_job_output", host=host, job_id=job_id, stream=stream, cursor=cursor,
                grep=grep, max_bytes=_PIECE,
            )  # fmt: skip
            sys.stdout.write(piece.text)
            sys.stdout.flush()
            cursor = piece.cursor
            if piece.more:
                continue
            if not follow or piece.state != "running":
                return 0
            await tools.call(JobResult, "ssh_job_status", host=host, job_id=job_id, wait=2)

    return _with_tools(work)


def cancel(host: str, job_id: str, *, remove: bool, as_json: bool) -> int:
    """End a job. Exit status 1 where it still runs."""

    async def work(tools: _Tools) -> int:
        done = await tools.call(JobCancelled, "ssh_job_cancel", host=host, job_id=job_id, remove=remove)
        if as_json:
            _print_json(done.model_dump())
        else:
            how = f", ended with {done.signal}" if done.signal else ""
            print(f"{done.job_id} on {done.host}: {done.state}{how}{', removed' if done.removed else ''}.")
        return 1 if done.state == "running" else 0

    return _with_tools(work)


def _print_json(value: object) -> None:
    print(json.dumps(value))
