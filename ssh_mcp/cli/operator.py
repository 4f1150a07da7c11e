"""``ssh-mcp status``, ``approve`` and ``deny``: the operator's side of the servers that run now."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ssh_mcp.approval.store import ApprovalStore
from ssh_mcp.server.operator import messages as m
from ssh_mcp.server.operator.client import ask, ask_all
from ssh_mcp.server.operator.status import grants


def _console() -> Console:
    return Console(highlight=False, markup=False, soft_wrap=True)


# --- approve and deny -------------------------------------------------------------------------------------------------


def decide(question_id: str, *, yes: bool, minutes: int | None = None) -> int:
    """Settle one question, in whichever server it waits. Exit status 1 where none knows it."""
    console = _console()
    for path, reply in list(ask_all(m.ApprovalsRequest())):
        found = [a for a in reply.approvals if a.id == question_id] if isinstance(reply, m.ApprovalsReply) else []
        if found:
            console.print(_indented(found[0].text))  # what it is, whatever the model said that it is
            return _decided(console, ask(path, m.DecideRequest(id=question_id, yes=yes, minutes=minutes)))
    console.print(f"No running server waits for {question_id}. `ssh-mcp approve --list` shows what waits.")
    return 1


def _decided(console: Console, reply: m.Reply) -> int:
    if isinstance(reply, m.ErrorReply):
        console.print(reply.text)
        return 1
    assert isinstance(reply, m.DecidedReply)
    if not reply.yes:
        console.print("Refused. Nothing was run.")
    elif reply.runs:
        console.print("Approved. It runs now.")
    else:
        console.print("Approved. The call has ended meanwhile; it runs when it is made again within ten minutes.")
    if reply.grant is not None:
        console.print(f"Grant {reply.grant}. `ssh-mcp approve --revoke {reply.grant}` withdraws it.")
    return 0


def show_approvals(*, as_json: bool) -> int:
    """What waits for a decision, in all servers, and which grants are in force."""
    waiting = [
        a for _, reply in ask_all(m.ApprovalsRequest()) if isinstance(reply, m.ApprovalsReply) for a in reply.approvals
    ]
    kept = {g.id: g for g in grants(ApprovalStore())}
    for _, reply in ask_all(m.GrantsRequest()):
        if isinstance(reply, m.GrantsReply):
            kept |= {g.id: g for g in reply.grants}
    console = _console()
    if as_json:
        console.print(
            json.dumps(
                {"approvals": [a.model_dump() for a in waiting], "grants": [g.model_dump() for g in kept.values()]}
            )
        )
        return 0
    if not waiting and not kept:
        console.print("Nothing waits for approval, and no grant is in force.")
    for a in waiting:
        state = "a call waits" if a.waiting else "its call has ended"
        console.print(f"{a.id}  {a.seconds:.0f} s ago, {state}, from {a.identity}")
        console.print(_indented(a.text))
        console.print(f"    ssh-mcp approve {a.id}    ssh-mcp deny {a.id}\n")
    for g in kept.values():
        kind = "once" if g.once else "each equal call"
        console.print(f"grant {g.id}  {kind}, {g.seconds / 60:.0f} min left, by {g.who}, for {g.identity}: {g.summary}")
    return 0


def revoke(grant_id: str) -> int:
    """Withdraw a grant, wherever it is kept. Exit status 1 where there is none."""
    gone = ApprovalStore().remove(grant_id)
    for _, reply in ask_all(m.RevokeRequest(id=grant_id)):
        gone = gone or (isinstance(reply, m.RevokedReply) and reply.revoked)
    _console().print(f"Grant {grant_id} is withdrawn." if gone else f"There is no grant {grant_id}.")
    return 0 if gone else 1


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.split("\n"))


# --- status -----------------------------------------------------------------------------------------------------------


def show_status(*, as_json: bool) -> int:
    """What each server of this user does now. Exit status 1 where none runs."""
    replies = [(path, reply) for path, reply in ask_all(m.StatusRequest()) if isinstance(reply, m.StatusReply)]
    console = _console()
    if as_json:
        console.print(json.dumps([reply.model_dump() for _, reply in replies]))
        return 0 if replies else 1
    if not replies:
        console.print("No server of yours runs now.")
        return 1
    for path, reply in replies:
        _show_server(console, path, reply)
    return 0


def _show_server(console: Console, path: Path, reply: m.StatusReply) -> None:
    console.print(f"server {reply.pid}, version {reply.version}, {reply.transport} ({path.name})")
    _table(
        console,
        ("running", "tier", "hosts", "client", "seconds"),
        [(c.tool, c.tier, ", ".join(c.hosts), c.client or c.identity, f"{c.seconds:g}") for c in reply.calls],
    )
    _table(
        console,
        ("connection", "via", "idle", "channels", "pid"),
        [
            (
                f"{c.user}@{c.host}:{c.port}",
                ", ".join(c.via),
                f"{c.idle_seconds:g} s",
                str(c.channels),
                str(c.pid or ""),
            )
            for c in reply.connections
        ],
    )
    _table(
        console,
        ("shell", "host", "directory", "idle"),
        [(s.id, s.host, s.cwd, f"{s.idle_seconds:g} s") for s in reply.shells],
    )
    _table(
        console,
        ("job", "host", "state when last seen", "command"),
        [(j.name or j.id, j.host, j.state, j.command[:60]) for j in reply.jobs if j.state == "running"],
    )
    _table(
        console,
        ("forward", "target", "host", "ends in"),
        [(f.listen, f.target, f.host, f"{f.seconds_left:.0f} s") for f in reply.forwards],
    )
    _table(
        console,
        ("waits for approval", "asked", "call"),
        [(a.id, f"{a.seconds:.0f} s ago", a.summary) for a in reply.approvals],
    )


def _table(console: Console, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    console.print(table)


def _plain(text: str) -> str:
    """A host's directory or a client's name must not move the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
