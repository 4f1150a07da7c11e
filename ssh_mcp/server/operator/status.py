"""A server's state as messages of the runtime socket."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ssh_mcp.server.operator import messages as m

if TYPE_CHECKING:
    from ssh_mcp.approval.desk import Approvals
    from ssh_mcp.approval.store import ApprovalStore
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.fleet import Fleet


def of(fleet: Fleet, started: float) -> m.StatusReply:
    """All that the server does now. ``started`` is in seconds since the epoch."""
    return m.StatusReply(
        pid=os.getpid(),
        version=fleet.facts.version,
        transport=fleet.settings.mcp_transport,
        started=started,
        calls=[_call(call) for call in fleet.running.values()],
        connections=[
            m.LiveConnection(
                user=s.user,
                host=s.host,
                port=s.port,
                via=list(s.via),
                idle_seconds=round(s.idle_seconds, 1),
                channels=s.active_channels,
                pid=s.pid,
            )
            for s in fleet.sessions()
        ],
        shells=[
            m.OpenShell(
                id=str(s.id), host=str(s.host), cwd=s.cwd, idle_seconds=s.idle_seconds, age_seconds=s.age_seconds
            )
            for s in fleet.shells.list().sessions
        ],
        jobs=[
            m.SeenJob(
                id=job.id,
                host=alias,
                name=job.name,
                command=job.command,
                state=job.state,
                root=job.root,
                started=job.began,
            )
            for alias, job in fleet.jobs.seen()
        ],
        forwards=_forwards(fleet),
        approvals=approvals(fleet.approvals),
    )


def _forwards(fleet: Fleet) -> list[m.OpenForward]:
    now = time.monotonic()
    return [
        m.OpenForward(
            id=f.id,
            kind=f.kind,
            listen=f.listen,
            target=f.target,
            host=f.alias,
            identity=f.identity,
            connections=f.connections,
            idle_seconds=f.idle_seconds,
            seconds_left=round(f.expires_at - now, 1),
        )
        for f in fleet.forwards.all()
    ]


def approvals(desk: Approvals) -> list[m.PendingApproval]:
    """The questions that wait, oldest first."""
    now = time.monotonic()
    return [
        m.PendingApproval(
            id=p.question.id,
            tool=p.question.subject.tool,
            hosts=[login.alias for login in p.question.subject.logins],
            identity=p.question.subject.identity,
            summary=p.question.summary(),
            text=p.question.text(),
            waiting=p.waiting,
            seconds=round(now - p.asked, 1),
        )
        for p in desk.pending()
    ]


def grants(store: ApprovalStore) -> list[m.GrantInForce]:
    """The grants in force, soonest to end first."""
    now = time.time()
    return [
        m.GrantInForce(
            id=g.id, identity=g.identity, summary=g.summary, who=g.who, once=g.once, seconds=round(g.expires - now, 1)
        )
        for g in store.grants()
    ]


def _call(call: Call) -> m.RunningCall:
    return m.RunningCall(
        id=call.record.correlation_id,
        tool=call.tool,
        tier=str(call.tier),
        hosts=[host.alias for host in call.hosts],
        identity=call.caller.identity,
        client=call.caller.client,
        seconds=round(time.monotonic() - call.started, 1),
    )
