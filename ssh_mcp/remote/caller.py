"""Who calls: the identity that a handle (a shell, a job, a spool, an approval) is bound to."""

from __future__ import annotations

from dataclasses import dataclass

LOCAL = "local"
"""The identity over stdio: the user who started the server."""


NO_SESSION = "none"


@dataclass(frozen=True, slots=True)
class Caller:
    """One client as the server knows it.

    ``identity`` is the authenticated subject over HTTP, else ``local``; ``claims`` are those of its token, as
    ``claim:value``; ``client`` is name and version as the client gives them (unverified, for the audit alone);
    ``session`` distinguishes clients of one identity where the protocol has sessions, is ``process`` where one process
    serves one client, and ``none`` where requests belong to no session (HTTP since 2026-07-28).
    """

    identity: str = LOCAL
    client: str | None = None
    session: str = "process"
    claims: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """What distinguishes this client from others of its identity: its session, or where there is none its own name.

        The name is its word alone, so what is bound to it must also be hard to guess.
        """
        return f"client {self.client}" if self.session == NO_SESSION else self.session

    @property
    def authenticated(self) -> bool:
        """Whether a token proved who it is."""
        return self.identity != LOCAL
