"""Results of the forward tools."""

from __future__ import annotations

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled


class ForwardOpened(Result):
    """``listen`` is where to connect: on this machine, or for a remote forward on the host. ``expires`` is UTC."""

    forward_id: Ours
    kind: Ours
    listen: Ours
    target: Ours
    host: Ours
    expires: Ours


class ForwardEntry(ForwardOpened):
    """One open forward; how much it is used is not known of a remote one, whose listener is the host's."""

    connections: int | None = None
    idle_seconds: float | None = None


class ForwardList(Spooled):
    """The caller's open forwards."""

    forwards: list[ForwardEntry] = Field(default_factory=list)


class ForwardClosed(Result):
    """Nothing listens there any more."""

    closed: bool
