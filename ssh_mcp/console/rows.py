"""What each view of the console shows: columns, and a row per thing with the text of its details. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ssh_mcp.audit.record import AuditRecord
from ssh_mcp.audit.rows import outcome, plain, shown_time, where
from ssh_mcp.server.operator import messages as m


@dataclass(frozen=True, slots=True)
class Row:
    """``key`` is the same from look to look; ``detail`` is shown below; ``server`` is where an action goes."""

    key: str
    cells: tuple[str, ...]
    detail: str
    server: Path
    question: str | None = None
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One view: ``rows`` of one server's state."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Callable[[Path, m.StatusReply, list[m.GrantInForce]], Iterable[Row]]
    empty: str


def lines(**fields: object) -> str:
    """``name  value`` lines, those that have a value."""
    found = {name.replace("_", " "): str(value) for name, value in fields.items() if value not in (None, "", [], ())}
    return "\n".join(f"{name:<14} {plain(value)}" for name, value in found.items())


def span(seconds: float) -> str:
    """2 s, 3 min, 4.5 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _calls(path: Path, s: m.StatusReply, _grants: list[m.GrantInForce]) -> Iterator[Row]:
    for c in s.calls:
        hosts = ", ".join(c.hosts)
        detail = lines(tool=c.tool, tier=c.tier, hosts=hosts, client=c.client, identity=c.identity,
                       runs_for=span(c.seconds), id=c.id, server=f"{s.pid}, version {s.version}")  # fmt: skip
        yield Row(c.id, (c.tool, hosts, span(c.seconds), c.tier, c.client or c.identity), detail, path)


def _connections(path: Path, s: m.StatusReply, _grants: list[m.GrantInForce]) -> Iterator[Row]:
    for n, c in enumerate(s.connections):
        target = f"{c.user}@{c.host}:{c.port}"
        via = " → ".join(reversed(c.via))
        detail = lines(connection=target, jump_hosts=via, channels=c.channels, idle=span(c.idle_seconds),
                       ssh_process=c.pid, server=s.pid)  # fmt: skip
        key = f"{path.name} {n} {target}"
        yield Row(key, (target, via, str(c.channels), span(c.idle_seconds), str(c.pid or "")), detail, path)
    for shell in s.shells:
        detail = lines(shell=shell.id, host=shell.host, directory=shell.cwd, idle=span(shell.idle_seconds),
                       open_for=span(shell.age_seconds), server=s.pid)  # fmt: skip
        yield Row(shell.id, (f"shell {shell.id}", f"on {shell.host}", "", span(shell.idle_seconds), ""), detail, path)


def _jobs(path: Path, s: m.StatusReply, _grants: list[m.GrantInForce]) -> Iterator[Row]:
    for j in sorted(s.jobs, key=lambda job: -job.started):
        detail = lines(job=j.id, name=j.name, host=j.host, command=j.command, state=j.state, root=j.root or None,
                       started=shown_time(j.started), server=s.pid)  # fmt: skip
        yield Row(
            f"{j.host} {j.id}", (j.name or j.id, j.host, j.state, shown_time(j.started)[5:16], j.command), detail, path
        )


def _forwards(path: Path, s: m.StatusReply, _grants: list[m.GrantInForce]) -> Iterator[Row]:
    for f in s.forwards:
        idle = span(f.idle_seconds) if f.idle_seconds is not None else ""
        detail = lines(forward=f.id, kind=f.kind, listens=f.listen, target=f.target, host=f.host, identity=f.identity,
                       connections=f.connections, idle=idle, ends_in=span(f.seconds_left), server=s.pid)  # fmt: skip
        yield Row(f.id, (f.listen, f.target, f.host, f.kind, span(f.seconds_left)), detail, path)


def _approvals(path: Path, s: m.StatusReply, grants: list[m.GrantInForce]) -> Iterator[Row]:
    for a in s.approvals:
        state = "waits" if a.waiting else "call ended"
        cells = (a.id, f"{state} {span(a.seconds)}", ", ".join(a.hosts), a.tool, a.summary)
        detail = "\n".join(plain(line) for line in a.text.split("\n"))
        yield Row(
            a.id, cells, detail + "\n\ny yes   n no   t yes, and equal calls for ten minutes", path, question=a.id
        )
    for g in grants:
        kind = "once" if g.once else "each equal call"
        detail = lines(grant=g.id, good_for=kind, left=span(g.seconds), by=g.who, for_=g.identity, call=g.summary)
        cells = (g.id, f"granted, {span(g.seconds)} left", "", kind, g.summary)
        yield Row(f"grant {g.id}", cells, detail + "\n\nx withdraw it", path, grant=g.id)


VIEWS: Final = (
    View("now", "Now", ("tool", "hosts", "runs", "tier", "client"), _calls, "No call runs."),
    View("connections", "Connections", ("connection", "via", "channels", "idle", "pid"), _connections, "None is open."),
    View("jobs", "Jobs", ("job", "host", "state", "started", "command"), _jobs, "No job was seen."),
    View("forwards", "Forwards", ("listens", "target", "host", "kind", "ends in"), _forwards, "No forward is open."),
    View("approvals", "Approvals", ("id", "state", "hosts", "tool", "call"), _approvals, "Nothing waits for you."),
)

AUDIT_COLUMNS: Final = ("time", "host", "tool", "ms", "result")
FILTERS: Final[Mapping[str, Callable[[AuditRecord], bool]]] = {
    "all": lambda _record: True,
    "failed": lambda record: record.result != "ok" or bool(record.exit_code),
    "changes": lambda record: record.tier != "read",
    "asked": lambda record: record.approval is not None,
}


def audit_cells(record: AuditRecord, when: float) -> tuple[str, ...]:
    """One line of the audit table. ``when``: seconds since the epoch."""
    return (
        shown_time(when)[11:],
        plain(where(record)),
        plain(record.tool.removeprefix("ssh_")),
        str(record.duration_ms),
        plain(outcome(record)),
    )


def audit_detail(record: AuditRecord) -> str:
    """All fields of an audit line, one per line."""
    return "\n".join(f"{name:<14} {plain(str(value))}" for name, value in record.to_fields().items())
