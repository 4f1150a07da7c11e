"""The jobs of one host, or of every host that can be asked without a login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssh_mcp.errors import public_text
from ssh_mcp.remote.together import settled
from ssh_mcp.results.jobs import JobList

if TYPE_CHECKING:
    from ssh_mcp.remote.call import Call


async def list_jobs(call: Call, name: str | None) -> JobList:
    """Raises what the named host does; without a name a host's failure is in ``errors``."""
    if name is not None:
        host = await call.host(name)
        host.note_login()
        return await host.jobs.list()
    names, rest = _reached(call)
    outcomes = await settled([_jobs_of(call, each) for each in names])
    if names:
        call.record.hosts(names)
    found = JobList(not_asked=rest)
    for each, outcome in zip(names, outcomes, strict=True):
        if isinstance(outcome, JobList):
            found.jobs += outcome.jobs
            found.output_warnings += outcome.output_warnings
        else:
            found.errors[each] = public_text(outcome)
    found.jobs.sort(key=lambda job: job.started, reverse=True)
    return found


async def _jobs_of(call: Call, name: str) -> JobList:
    host = await call.host(name)
    return await host.jobs.list()


def _reached(call: Call) -> tuple[list[str], list[str]]:
    """Aliases of hosts with an open connection, or whose jobs this server has seen; and all others."""
    fleet = call.fleet
    open_ = {(status.host, status.port) for status in fleet.sessions()}
    names = [name for name in fleet.jobs.used() if call.role is None or call.role.reaches(name)]
    rest: list[str] = []
    for policy in call.listed():
        if policy.windows or policy.alias in names:
            continue
        destination = fleet.destination(policy)
        here = {destination.hostname, destination.name}
        port = destination.port or 22
        (names if any((host, port) in open_ for host in here if host) else rest).append(policy.alias)
    return names, rest
